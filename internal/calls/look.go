package calls

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Look returns a call of the caller in ctx, with its arguments and, once it has ended, its result. The error is
// [ErrNotFound] or [ErrStore].
func (r *Runner) Look(ctx context.Context, id string) (*Call, error) {
	rec, err := r.own(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Size > partSize {
		select {
		case r.reading <- struct{}{}:
			defer func() { <-r.reading }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	call := rec.Call
	if call.Arguments, err = r.loadParts(ctx, argumentsLog(id)); err != nil {
		return nil, err
	}
	switch call.State {
	case Completed:
		if call.Result, err = r.loadParts(ctx, resultLog(id)); err != nil {
			return nil, err
		}
	case Running:
		call.Progress, err = r.progress(ctx, id)
	}
	return &call, err
}

// Size is about how many bytes [Runner.Look] reads of a call of the caller in ctx. The error is as there.
func (r *Runner) Size(ctx context.Context, id string) (int, error) {
	rec, err := r.own(ctx, id)
	if err != nil {
		return 0, err
	}
	return rec.Size, nil
}

// own returns a call of the caller in ctx.
func (r *Runner) own(ctx context.Context, id string) (*record, error) {
	rec, err := r.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if rec.Owner != ownerOf(ctx) {
		return nil, ErrNotFound
	}
	return rec, r.orphan(ctx, rec)
}

func (r *Runner) progress(ctx context.Context, id string) (*Progress, error) {
	entries, err := r.store.Entries(ctx, eventsLog(id), 0, 0)
	if err != nil {
		return nil, unreachable(err)
	}
	for _, e := range slices.Backward(entries) {
		var event Event
		if json.Unmarshal(e.Data, &event) == nil && event.Progress != nil {
			return event.Progress, nil
		}
	}
	return nil, nil
}

// History returns the calls of the caller in ctx, the newest first, without arguments and results.
func (r *Runner) History(ctx context.Context) ([]Call, error) {
	entries, err := r.store.Entries(ctx, historyLog(ownerOf(ctx)), 0, 0)
	if err != nil {
		return nil, unreachable(err)
	}
	calls := []Call{}
	for _, e := range slices.Backward(entries) {
		rec, err := r.own(ctx, string(e.Data))
		switch {
		case errors.Is(err, ErrNotFound): // its time was up
		case err != nil:
			return nil, err
		case len(calls) < history:
			calls = append(calls, rec.Call)
		}
	}
	return calls, nil
}

// Forget removes a call of the caller in ctx that has ended. One that has not is left alone, with [ErrNotFound] for
// whom it is not.
func (r *Runner) Forget(ctx context.Context, id string) error {
	rec, err := r.own(ctx, id)
	if err != nil {
		return err
	}
	if !rec.State.Ended() {
		return store.ErrConflict
	}
	return unreachable(r.forget(ctx, rec))
}
