package calls

import (
	"context"
	"errors"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

const (
	leaseTime  = 15 * time.Second
	leaseRenew = leaseTime / 3
)

func leaseKey(server string) string   { return "server/" + server }
func controlLog(server string) string { return "server/" + server + "/control" }

// Run keeps this server known as one that lives, and hears of cancellations elsewhere, until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	control, err := r.store.Watch(ctx, controlLog(r.name))
	if err != nil {
		return err
	}
	renew := time.NewTicker(leaseRenew)
	defer renew.Stop()
	var heard uint64
	for {
		if _, err := r.store.Put(ctx, leaseKey(r.name), []byte("lives"), store.Write{TTL: leaseTime}); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "the store of calls is away", "cause", err)
		}
		entries, err := r.store.Entries(ctx, controlLog(r.name), heard, 0)
		if err == nil {
			for _, e := range entries {
				heard = e.Index
				r.cancelHere(string(e.Data))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-control:
		case <-renew.C:
		}
	}
}

// Close waits until the calls that run here have ended, which draining the toolbox sees to, or ctx ends. No call is begun
// any more.
func (r *Runner) Close(ctx context.Context) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		r.group.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (r *Runner) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// orphan says of a call whose server is gone that it failed. Nothing is written: a server that was only cut off from the
// store for a while still keeps the true end.
func (r *Runner) orphan(ctx context.Context, rec *record) error {
	if rec.State != Running || rec.Server == r.name && r.runsHere(rec.ID) || r.now().Sub(rec.Begun) < leaseTime {
		return nil
	}
	_, err := r.store.Get(ctx, leaseKey(rec.Server))
	if errors.Is(err, store.ErrNotFound) {
		rec.State, rec.Failure = Failed, &Failure{Code: "interrupted", Message: "the server that ran the call is gone; whether the tool finished is not known"}
		return nil
	}
	return unreachable(err)
}

func (r *Runner) runsHere(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cancel[id] != nil
}

// leaseOver is when to look again whether a server lives.
func (r *Runner) leaseOver() <-chan time.Time { return time.After(leaseTime) }

var errStop = errors.New("calls: nobody listens")

// interrupted tells who follows a call that its server is gone, if it is.
func (r *Runner) interrupted(ctx context.Context, id string, yield func(Event, error) bool) error {
	rec, err := r.load(ctx, id)
	if err != nil {
		return err
	}
	if err := r.orphan(ctx, rec); err != nil || rec.Failure == nil || rec.Failure.Code != "interrupted" {
		return err
	}
	yield(Event{Type: "state", Call: &rec.Call}, nil)
	return errStop
}

// cancelHere ends a call that runs on this server.
func (r *Runner) cancelHere(id string) {
	r.mu.Lock()
	cancel := r.cancel[id]
	r.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
