package cli

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// timeoutError is a call that took too long.
type timeoutError struct{ text, hint string }

func (e *timeoutError) Error() string { return e.text }

// limit ends a call that is silent for too long, or takes too long altogether. The time in which a person is asked does
// not count.
type limit struct {
	silence, most time.Duration // zero: none
	cancel        context.CancelCauseFunc

	mu     sync.Mutex
	quiet  *time.Timer
	hard   *time.Timer
	paused int
	since  time.Time // when the pause began
	spent  time.Duration
	began  time.Time
}

// limited returns a context that ends when the limit is reached; the cause is then a timeoutError.
func limited(ctx context.Context, silence, most time.Duration) (context.Context, *limit) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &limit{silence: silence, most: most, cancel: cancel, began: time.Now()}
	if silence > 0 {
		l.quiet = time.AfterFunc(silence, func() {
			cancel(&timeoutError{fmt.Sprintf("no answer and no progress in %s", silence), "allow more with --timeout"})
		})
	}
	if most > 0 {
		l.hard = time.AfterFunc(most, func() {
			cancel(&timeoutError{fmt.Sprintf("no answer in %s", most), "allow more with --max-time"})
		})
	}
	return ctx, l
}

// renew begins the time of silence anew: the call has said something.
func (l *limit) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet != nil && l.paused == 0 {
		l.quiet.Reset(l.silence)
	}
}

// pause stops the clocks while a person is asked, until the function it returns is called.
func (l *limit) pause() (resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused++; l.paused == 1 {
		l.since = time.Now()
		l.stop()
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.paused--; l.paused > 0 {
			return
		}
		l.spent += time.Since(l.since)
		if l.quiet != nil {
			l.quiet.Reset(l.silence)
		}
		if l.hard != nil {
			l.hard.Reset(max(l.most-(time.Since(l.began)-l.spent), time.Millisecond))
		}
	}
}

func (l *limit) stop() {
	for _, t := range []*time.Timer{l.quiet, l.hard} {
		if t != nil {
			t.Stop()
		}
	}
}

// end stops the clocks and frees the context.
func (l *limit) end() {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()
	l.cancel(nil)
}
