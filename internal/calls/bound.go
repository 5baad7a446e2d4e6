package calls

import (
	"context"
	"errors"
	"slices"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// remember puts the call at the end of the caller's history, and forgets those that are too many.
func (r *Runner) remember(ctx context.Context, owner, id string) error {
	if _, err := r.store.Append(ctx, historyLog(owner), []byte(id), store.Keep{TTL: r.keep + longest, Most: 2 * history}); err != nil {
		return unreachable(err)
	}
	kept, err := r.store.Entries(ctx, historyLog(owner), 0, 0)
	if err != nil {
		return unreachable(err)
	}
	for _, old := range kept[:max(0, len(kept)-history)] {
		rec, err := r.load(ctx, string(old.Data))
		if err == nil && rec.State != Running {
			err = r.forget(ctx, rec)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return unreachable(err)
		}
	}
	return nil
}

// settle bounds what is kept of a caller after a round of rec. A call that ran for longer than its place in the history
// lasted is forgotten, and after a large one the oldest are, until the rest is no more than is kept of one caller.
func (r *Runner) settle(ctx context.Context, rec *record) error {
	kept, err := r.store.Entries(ctx, historyLog(rec.Owner), 0, 0)
	if err != nil {
		return unreachable(err)
	}
	newest := kept[max(0, len(kept)-history):]
	if !slices.ContainsFunc(newest, func(e store.Entry) bool { return string(e.Data) == rec.ID }) {
		return unreachable(r.forget(ctx, rec))
	}
	if rec.Size < partSize {
		return nil
	}
	size := 0
	for i, e := range slices.Backward(newest) {
		old, err := r.load(ctx, string(e.Data))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if size += old.Size; size <= maxKept || i == len(newest)-1 || old.State == Running {
			continue
		}
		size -= old.Size
		if err := r.forget(ctx, old); err != nil {
			return unreachable(err)
		}
	}
	return nil
}

// freeKey lets the call's idempotency key stand for another call, where it still stands for this one.
func (r *Runner) freeKey(ctx context.Context, rec *record) error {
	if rec.Key == "" {
		return nil
	}
	key := keyKey(rec.Owner, rec.Key)
	item, err := r.store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || !slices.Equal(item.Value[max(0, len(item.Value)-len(rec.ID)):], []byte(rec.ID)) {
		return err
	}
	return r.store.Delete(ctx, key)
}
