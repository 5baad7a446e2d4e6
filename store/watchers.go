package store

import (
	"context"
	"sync"
)

// Watchers are the channels that wait for changes of logs, for those who build a [Store]. The zero value is ready for use,
// by many goroutines.
type Watchers struct {
	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{}
}

// Watch returns a channel that receives when name is woken, and is closed when ctx ends.
func (w *Watchers) Watch(ctx context.Context, name string) <-chan struct{} {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string]map[chan struct{}]struct{}{}
	}
	if w.waiting[name] == nil {
		w.waiting[name] = map[chan struct{}]struct{}{}
	}
	w.waiting[name][c] = struct{}{}
	context.AfterFunc(ctx, func() { w.end(name, c) })
	return c
}

func (w *Watchers) end(name string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting[name], c)
	if len(w.waiting[name]) == 0 {
		delete(w.waiting, name)
	}
	close(c)
}

// Wake lets all who watch name look again.
func (w *Watchers) Wake(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.waiting[name] {
		wake(c)
	}
}

// WakeAll lets all look again, for a store that may have missed changes.
func (w *Watchers) WakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, waiting := range w.waiting {
		for c := range waiting {
			wake(c)
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not looked since the last time
	}
}
