package store

// Watchers are the channels that wait for changes of logs, for those who build a [Store]. Whoever uses them holds a lock
// of his own.
type Watchers map[string]map[chan struct{}]struct{}

// Add returns a channel that receives when name is woken, and what ends and closes it. It is closed once, however often
// stop is called.
func (w Watchers) Add(name string) (woken <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	if w[name] == nil {
		w[name] = map[chan struct{}]struct{}{}
	}
	w[name][c] = struct{}{}
	return c, func() {
		if _, waits := w[name][c]; !waits {
			return
		}
		delete(w[name], c)
		if len(w[name]) == 0 {
			delete(w, name)
		}
		close(c)
	}
}

// Wake lets all who watch name look again.
func (w Watchers) Wake(name string) {
	for c := range w[name] {
		wake(c)
	}
}

// WakeAll lets all look again, for a store that may have missed changes.
func (w Watchers) WakeAll() {
	for name := range w {
		w.Wake(name)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not looked since the last time
	}
}
