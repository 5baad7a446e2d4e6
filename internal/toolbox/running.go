package toolbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// Running is a call that has begun and not ended.
type Running struct {
	ID    string    // the request id
	Tool  string    // the tool's name, or the resource's URI
	Since time.Time // when it began
	Who   string    // the caller's subject or object id; "nobody" where nobody signs in
}

// running keeps count of the calls.
type running struct {
	max, maxPerCaller int
	timeout           time.Duration // 0 means none

	mu        sync.Mutex
	draining  bool
	calls     runningCall // of a ring: calls.next began last
	count     int
	perCaller map[string]int
	ended     chan struct{} // closed when the last call ends while draining
}

// runningCall is a call that runs, and the context it runs in: one context that ends for every reason a call ends for.
type runningCall struct {
	context.Context
	Running
	caller   string
	cancel   context.CancelCauseFunc
	deadline time.Time   // zero where nothing ends the call but its caller
	timer    *time.Timer // ends the call; nil where nothing does

	prev, next *runningCall
}

func (r *running) init(max, maxPerCaller int, timeout time.Duration) {
	r.max, r.maxPerCaller, r.timeout = max, maxPerCaller, timeout
	r.calls.prev, r.calls.next = &r.calls, &r.calls
	r.perCaller = map[string]int{}
	r.ended = make(chan struct{})
}

// begin makes room for a call, or says why there is none. The call is the context to run in, which ends with ctx and with
// the drain; end must be called.
func (r *running) begin(ctx context.Context, what Running) (*runningCall, error) {
	id := identity.FromContext(ctx)
	what.Who = "nobody"
	if id != nil {
		what.Who = cmp.Or(id.ObjectID, id.Subject)
	}
	call := &runningCall{Running: what, caller: identity.KeyFrom(ctx)}

	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.perCaller[call.caller]
	switch {
	case r.draining:
		return nil, ErrDraining
	case r.count >= r.max, id != nil && mine >= r.maxPerCaller:
		return nil, ErrBusy
	}
	call.Context, call.cancel = context.WithCancelCause(ctx)
	if r.timeout > 0 {
		call.deadline = time.Now().Add(r.timeout)
		call.timer = time.AfterFunc(r.timeout, call.expire)
	}
	call.prev, call.next = &r.calls, r.calls.next
	call.prev.next, call.next.prev = call, call
	r.count++
	r.perCaller[call.caller] = mine + 1
	return call, nil
}

func (c *runningCall) expire() { c.cancel(ErrTimeout) }

// Deadline returns when the call ends, at the latest.
func (c *runningCall) Deadline() (time.Time, bool) {
	sooner, ok := c.Context.Deadline()
	if c.deadline.IsZero() || ok && sooner.Before(c.deadline) {
		return sooner, ok
	}
	return c.deadline, true
}

// Err tells a call that took too long from one that was cancelled.
func (c *runningCall) Err() error {
	if err := c.Context.Err(); err == nil || context.Cause(c.Context) != ErrTimeout {
		return err
	}
	return context.DeadlineExceeded
}

func (r *running) end(call *runningCall) {
	if call.timer != nil {
		call.timer.Stop()
	}
	call.cancel(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	call.prev.next, call.next.prev = call.next, call.prev
	r.count--
	if mine := r.perCaller[call.caller]; mine > 1 {
		r.perCaller[call.caller] = mine - 1
	} else {
		delete(r.perCaller, call.caller)
	}
	if r.draining && r.count == 0 {
		close(r.ended)
	}
}

func (r *running) list() []Running {
	all := []Running{}
	for call := r.calls.next; call != &r.calls; call = call.next {
		all = append(all, call.Running)
	}
	slices.SortFunc(all, func(x, y Running) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.ID, y.ID))
	})
	return all
}

// Running returns the calls that run now, the longest first.
func (b *Box) Running() []Running {
	b.running.mu.Lock()
	defer b.running.mu.Unlock()
	return b.running.list()
}

// Count returns how many calls run now.
func (b *Box) Count() int {
	b.running.mu.Lock()
	defer b.running.mu.Unlock()
	return b.running.count
}

// returnTime is how long a cancelled call has to return before Drain goes on without it.
const returnTime = 5 * time.Second

// Drain begins no new call and waits for those that run. When ctx ends it cancels the rest with [ErrDraining] and
// waits until they have returned, five seconds at most. It reports which calls finished by themselves and which were
// cancelled, and may be called again: later calls only wait.
func (b *Box) Drain(ctx context.Context) (finished, cancelled []Running) {
	r := &b.running
	r.mu.Lock()
	finished = r.list()
	if !r.draining {
		r.draining = true
		if r.count == 0 {
			close(r.ended)
		}
	}
	r.mu.Unlock()

	select {
	case <-r.ended:
		return finished, nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	cancelled = r.list()
	for call := r.calls.next; call != &r.calls; call = call.next {
		call.cancel(ErrDraining)
	}
	r.mu.Unlock()
	select {
	case <-r.ended:
	case <-time.After(returnTime):
	}
	finished = slices.DeleteFunc(finished, func(x Running) bool { return slices.Contains(cancelled, x) })
	return finished, cancelled
}
