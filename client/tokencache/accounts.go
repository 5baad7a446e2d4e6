package tokencache

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// Kept is a sign-in in the cache.
type Kept struct {
	State  signin.State
	Chosen bool // its server is called with it
	name   string
}

// Is reports whether account names who signed in: by e-mail address, name or subject.
func (k *Kept) Is(account string) bool { return isAccount(k.State.Account, account) }

func isAccount(a signin.Account, typed string) bool {
	return typed != "" && (strings.EqualFold(typed, a.Email) || typed == a.Name || typed == a.Subject)
}

// SignIns lists what is kept, by server, issuer and account.
func (c *Cache) SignIns() ([]Kept, error) {
	v := c.open()
	names, err := v.names(kindSignIn)
	if err != nil {
		return nil, err
	}
	var all []Kept
	for _, name := range names {
		s, err := c.state(v, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var choice chosen
		if err := c.document(v, v.name(kindChosen, s.Server), &choice); err != nil {
			return nil, err
		}
		all = append(all, Kept{State: s, Chosen: choice.SignIn == name, name: name})
	}
	slices.SortFunc(all, func(a, b Kept) int {
		return cmp.Or(
			cmp.Compare(a.State.Server, b.State.Server),
			cmp.Compare(a.State.Issuer, b.State.Issuer),
			cmp.Compare(a.State.Account.String(), b.State.Account.String()),
			cmp.Compare(a.name, b.name),
		)
	})
	return all, nil
}

// Choose has the server of k called with k from now on.
func (c *Cache) Choose(k Kept) error {
	v := c.open()
	if _, err := c.state(v, k.name); err != nil {
		return err
	}
	return v.saveDocument(v.name(kindChosen, k.State.Server), chosen{SignIn: k.name})
}

// Forget removes k. Before that, while no other process refreshes it, end is called with its newest tokens, to revoke
// them; an error of end is returned, and k is removed all the same. end may be nil.
func (c *Cache) Forget(ctx context.Context, k Kept, end func(context.Context, signin.State) error) error {
	v := c.open()
	unlock, err := c.lock(ctx, v, k.name)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := c.state(v, k.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else was faster
	}
	var ended error
	if err == nil && end != nil {
		ended = end(ctx, s)
	}
	if err := v.remove(k.name); err != nil {
		return errors.Join(&KeepError{Dir: v.dir, Err: err}, ended)
	}
	var choice chosen
	which := v.name(kindChosen, k.State.Server)
	if c.document(v, which, &choice) == nil && choice.SignIn == k.name {
		v.remove(which)
	}
	return ended
}
