package calls

import (
	"context"
	"encoding/json"
	"iter"
)

// Follow returns what happens to a call of the caller in ctx, from the event after index on, until the call has ended or
// ctx does; what happened before is replayed. Where the events that were asked for are gone, it begins with the oldest
// that is kept. An error is the last thing it returns.
func (r *Runner) Follow(ctx context.Context, id string, after uint64) (iter.Seq2[Event, error], error) {
	if _, err := r.own(ctx, id); err != nil {
		return nil, err
	}
	return func(yield func(Event, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		woken, err := r.store.Watch(ctx, eventsLog(id))
		for err == nil {
			var ended bool
			if after, ended, err = r.replay(ctx, id, after, yield); ended || err != nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-woken:
			case <-r.leaseOver():
				err = r.interrupted(ctx, id, yield)
				if err == errStop {
					return
				}
			}
		}
		if err != nil && err != errStop && ctx.Err() == nil {
			yield(Event{}, err)
		}
	}, nil
}

// replay yields the events after an index. ended reports that the call has, or that nobody listens any more.
func (r *Runner) replay(ctx context.Context, id string, after uint64, yield func(Event, error) bool) (last uint64, ended bool, err error) {
	for {
		entries, err := r.store.Entries(ctx, eventsLog(id), after, 100)
		if err != nil {
			return after, false, unreachable(err)
		}
		for _, entry := range entries {
			var e Event
			if err := json.Unmarshal(entry.Data, &e); err != nil {
				return after, false, unreachable(err)
			}
			e.Index, after = entry.Index, entry.Index
			if !yield(e, nil) || e.Call != nil && e.Call.State.Ended() {
				return after, true, nil
			}
		}
		if len(entries) < 100 {
			return after, false, nil
		}
	}
}
