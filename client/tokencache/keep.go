package tokencache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// kept is the [signin.Keeper] of one record.
type kept struct {
	cache *Cache
	vault *vault
	name  string
}

const (
	refreshSlack = 8 << 10          // bytes that a record may grow by when it is refreshed
	lockPatience = 90 * time.Second // a refresh takes 30 seconds at most; whoever takes longer was stopped
)

// Refresh lets one process refresh at a time. Whoever waited finds the new tokens on the disk and sends nothing.
//
// Room on the disk is taken before the refresh token is sent, since it is used up by that. Whatever goes wrong, the
// record stays as it is: what somebody else wrote meanwhile is worth more than what this process knows.
func (k *kept) Refresh(ctx context.Context, held signin.State, refresh func(context.Context, signin.State) (signin.State, error)) (signin.State, error) {
	v := k.vault
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	unlock, err := k.cache.lock(patience, v, k.name)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("another process has been refreshing for %s", lockPatience)
	}
	if err != nil {
		return signin.State{}, &KeepError{Dir: v.dir, Err: err}
	}
	defer unlock()
	newest, err := k.cache.state(v, k.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return signin.State{}, fmt.Errorf("%w: it was signed out of %s meanwhile", signin.ErrNeeded, held.Server)
	case err != nil:
		return signin.State{}, &KeepError{Dir: v.dir, Err: err}
	case newest.Access != held.Access && k.cache.fresh(newest):
		return newest, nil
	}
	old, err := newest.Reveal()
	if err != nil {
		return signin.State{}, err
	}
	room, err := v.reserve(k.name, len(old)+refreshSlack)
	if err != nil {
		return signin.State{}, &KeepError{Dir: v.dir, Err: err}
	}
	next, err := refresh(ctx, newest)
	if err != nil {
		room.drop()
		return k.again(newest, err)
	}
	b, err := next.Reveal()
	if err != nil {
		room.drop()
		return signin.State{}, err
	}
	if err := room.write(b); err != nil {
		// The tokens are good all the same, and there are no others any more: use them, and say so.
		k.cache.trouble(&KeepError{Dir: v.dir, Err: err})
	}
	return next, nil
}

// again looks once more after a refusal: where a lock does not reach, as between machines that share a folder, somebody
// else may have been faster.
func (k *kept) again(sent signin.State, refusal error) (signin.State, error) {
	if !errors.Is(refusal, signin.ErrNeeded) {
		return signin.State{}, refusal
	}
	newest, err := k.cache.state(k.vault, k.name)
	if err == nil && newest.Access != sent.Access && k.cache.fresh(newest) {
		return newest, nil
	}
	return signin.State{}, refusal
}

// fresh reports whether s has an access token whose time to be refreshed has not come.
func (c *Cache) fresh(s signin.State) bool {
	return s.Access != "" && (s.RefreshAt.IsZero() || c.now().Before(s.RefreshAt))
}
