package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// timeoutError is a call that took too long.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }

var errOver = errors.New("over")

// clocks are all clocks of an agent, which stand together while a person is asked.
type clocks struct {
	mu     sync.Mutex
	all    map[*clock]bool
	paused int
	since  time.Time
}

// clock ends a context that hears nothing for too long, or that lasts too long altogether. Its fields are under the lock
// of clocks.
type clock struct {
	silence     time.Duration
	cancel      context.CancelCauseFunc
	quiet, hard *time.Timer   // nil where there is no such limit
	left        time.Duration // until the hard end, when that timer was set
	set         time.Time     // when that was
}

// startTurn returns a context that ends after most, with a LimitError as its cause.
func (c *clocks) startTurn(ctx context.Context, most time.Duration) (context.Context, *clock) {
	return c.start(ctx, 0, most, &LimitError{What: LimitTime, Most: most.String()})
}

// startCall returns a context that ends after silence without a renewal, and after most, with a timeoutError as its cause.
func (c *clocks) startCall(ctx context.Context, silence, most time.Duration) (context.Context, *clock) {
	return c.start(ctx, silence, most, &timeoutError{fmt.Sprintf("no answer in %s", most)})
}

func (c *clocks) start(ctx context.Context, silence, most time.Duration, late error) (context.Context, *clock) {
	ctx, cancel := context.WithCancelCause(ctx)
	k := &clock{silence: silence, cancel: cancel, left: most, set: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if silence > 0 {
		k.quiet = time.AfterFunc(silence, func() { cancel(&timeoutError{fmt.Sprintf("no answer and no progress in %s", silence)}) })
	}
	if most > 0 {
		k.hard = time.AfterFunc(most, func() { cancel(late) })
	}
	if c.all == nil {
		c.all = map[*clock]bool{}
	}
	c.all[k] = true
	if c.paused > 0 {
		k.stop()
	}
	return ctx, k
}

// renew begins the time of silence anew.
func (c *clocks) renew(k *clock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.quiet != nil && c.paused == 0 && c.all[k] {
		k.quiet.Reset(k.silence)
	}
}

func (c *clocks) end(k *clock) {
	c.mu.Lock()
	k.stop()
	delete(c.all, k)
	c.mu.Unlock()
	k.cancel(errOver)
}

// pause stops all clocks until resume is called.
func (c *clocks) pause() (resume func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused++; c.paused == 1 {
		c.since = time.Now()
		for k := range c.all {
			k.stop()
		}
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.paused--; c.paused > 0 {
			return
		}
		for k := range c.all {
			k.resume(c.since)
		}
	})
}

func (k *clock) stop() {
	for _, t := range []*time.Timer{k.quiet, k.hard} {
		if t != nil {
			t.Stop()
		}
	}
}

// resume goes on after a pause that began at since.
func (k *clock) resume(since time.Time) {
	if k.quiet != nil {
		k.quiet.Reset(k.silence)
	}
	if k.hard != nil {
		if since.After(k.set) {
			k.left -= since.Sub(k.set)
		}
		k.set = time.Now()
		k.hard.Reset(max(k.left, time.Millisecond))
	}
}
