package tokencache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// Flow is a way to sign in, such as those of package signin.
type Flow interface {
	SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error)
}

// Use says which kept sign-in is wanted, and how to go on with it. The zero value is the chosen one of the server.
type Use struct {
	// ClientID is the client that the sign-in must be of; empty means any.
	ClientID string
	// Account is the e-mail address, the name or the subject of the one who must have signed in; empty means the one who
	// is chosen.
	Account string
	// Anew wants no kept sign-in, so that another person can sign in.
	Anew bool
	// Patience is how long to wait for somebody else who signs in at the same server; zero means as long as that takes.
	// Afterwards the way to sign in is asked all the same, so it should be one that asks nobody.
	Patience time.Duration
	// Resume says how to go on. Its Keeper is not used: refreshed tokens are kept here.
	Resume signin.ResumeOptions
}

// Tokens goes on with a kept sign-in at the MCP server with this URL. It is nil where there is none.
func (c *Cache) Tokens(server string, u Use) (*signin.Tokens, error) {
	v := c.open()
	name, s, err := c.find(v, server, u)
	if err != nil || name == "" || u.Anew {
		return nil, err
	}
	return c.resume(v, name, s, u.Resume)
}

// Find returns the kept sign-in at the server with this URL, and whether there is one.
func (c *Cache) Find(server string, u Use) (s signin.State, found bool, err error) {
	name, s, err := c.find(c.open(), server, u)
	return s, name != "", err
}

// find reads the sign-in that is wanted; its name is empty where there is none.
func (c *Cache) find(v *vault, server string, u Use) (name string, s signin.State, err error) {
	if u.Account == "" {
		name, s, err = c.chosenFor(v, server)
	} else {
		name, s, err = c.ofAccount(v, server, u.Account)
	}
	if err != nil || u.ClientID != "" && s.ClientID != u.ClientID {
		return "", signin.State{}, err
	}
	return name, s, nil
}

func (c *Cache) ofAccount(v *vault, server, account string) (name string, s signin.State, err error) {
	all, err := c.SignIns()
	for _, k := range all {
		if k.State.Server == server && k.Is(account) {
			return k.name, k.State, nil
		}
	}
	return "", s, err
}

// chosenFor reads the chosen sign-in of server; its name is empty where there is none.
func (c *Cache) chosenFor(v *vault, server string) (name string, s signin.State, err error) {
	var choice chosen
	if err := c.document(v, v.name(kindChosen, server), &choice); err != nil || choice.SignIn == "" {
		return "", s, err
	}
	s, err = c.state(v, choice.SignIn)
	if errors.Is(err, fs.ErrNotExist) {
		return "", signin.State{}, nil
	}
	// C-18: what stands in the record decides, not the name that led to it.
	if err != nil || s.Server != server || v.nameOf(s) != choice.SignIn {
		return "", signin.State{}, err
	}
	return choice.SignIn, s, nil
}

func (c *Cache) resume(v *vault, name string, s signin.State, o signin.ResumeOptions) (*signin.Tokens, error) {
	o.Keeper = &kept{cache: c, vault: v, name: name}
	if o.Now == nil {
		o.Now = c.now
	}
	return signin.Resume(s, o)
}

// SignIn wraps a way to sign in. What it brings is kept, and one process signs in at a time: the others wait, tell of what
// it asks a person to do, and go on with what it brought.
func (c *Cache) SignIn(inner Flow, u Use) Flow {
	return &flow{cache: c, inner: inner, use: u}
}

type flow struct {
	cache *Cache
	inner Flow
	use   Use
}

// SignIn finds a kept sign-in that the server has not refused, or signs in and keeps what comes.
func (f *flow) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	c, v := f.cache, f.cache.open()
	issuer := r.Authorization.Issuer
	_, before, err := c.find(v, r.Server, f.use)
	if err != nil {
		return nil, err
	}
	asking := v.name(kindAsking, issuer, r.Server)
	unlock, err := f.turn(ctx, v, asking)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			unlock()
		}
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return f.inner.SignIn(ctx, r)
	case err != nil:
		// A folder in which nothing can be written keeps nobody from signing in.
		c.trouble(&KeepError{Dir: v.dir, Err: err})
		defer v.remove(asking)
		return f.inner.SignIn(ctx, r)
	}
	defer unlock()
	v.remove(asking) // what somebody asked who was killed
	name, now, err := c.find(v, r.Server, f.use)
	if err != nil {
		return nil, err
	}
	meanwhile := now.Access != before.Access
	if name != "" && now.Issuer == issuer && now.Access != r.Refused && (meanwhile || !f.use.Anew && covers(now, r)) {
		o := f.use.Resume
		if o.HTTPClient == nil {
			o.HTTPClient = r.HTTPClient
		}
		kept, err := c.resume(v, name, now, o)
		if err != nil {
			return nil, err
		}
		_, err = kept.TokenContext(ctx)
		if !errors.Is(err, signin.ErrNeeded) {
			return kept, nil
		}
		r.Over = err // the authorization server takes no more of it: another is asked for
	}
	if previous, ours := r.Previous.(*signin.Tokens); ours && !f.use.Anew && !r.StepUp && previous.State().Issuer == issuer {
		if renewed, err := previous.Renew(ctx, r.Refused); renewed || err != nil {
			return previous, err
		}
	}
	defer v.remove(asking)
	source, err := f.inner.SignIn(ctx, r)
	if err != nil {
		return nil, err
	}
	tokens, ours := source.(*signin.Tokens)
	if !ours || source == r.Previous {
		return source, nil
	}
	s := c.adopt(v, tokens)
	if f.use.Account != "" && !isAccount(s.Account, f.use.Account) {
		return nil, &AccountError{Want: f.use.Account, Got: s.Account}
	}
	return source, nil
}

// turn waits until nobody else signs in.
func (f *flow) turn(ctx context.Context, v *vault, asking string) (unlock func(), err error) {
	if f.use.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.use.Patience)
		defer cancel()
	}
	return f.cache.lockHearing(ctx, v, asking, f.cache.echo(v, asking))
}

// covers reports whether s may be what the server asks for.
func covers(s signin.State, r *signin.Request) bool {
	if !r.StepUp || s.Granted == nil {
		return true
	}
	for _, scope := range r.Scopes() {
		if !slices.Contains(s.Granted, scope) {
			return false
		}
	}
	return r.Claims == ""
}

// AccountError means that somebody else signed in than who was asked for. The sign-in is kept, under its own name.
type AccountError struct {
	Want string
	Got  signin.Account
}

// Error names both.
func (e *AccountError) Error() string {
	return fmt.Sprintf("tokencache: %s signed in, not %s", e.Got, e.Want)
}

// adopt keeps what a sign-in brought, and chooses it. Where that cannot be done, the sign-in lasts as long as the process.
func (c *Cache) adopt(v *vault, tokens *signin.Tokens) signin.State {
	s := tokens.State()
	name := v.nameOf(s)
	err := v.saveState(name, s)
	if err == nil {
		err = v.saveDocument(v.name(kindChosen, s.Server), chosen{SignIn: name})
	}
	if err != nil {
		c.trouble(&KeepError{Dir: v.dir, Err: err})
		return s
	}
	tokens.Keep(&kept{cache: c, vault: v, name: name})
	return s
}

// Announce says what a person is asked to do to sign in to server at issuer, so that others who wait can say it too. It
// is over when SignIn returns.
func (c *Cache) Announce(issuer, server string, p Pending) {
	v := c.open()
	v.saveDocument(v.name(kindAsking, issuer, server), p) // nobody depends on it
}

const (
	echoBeat    = 200 * time.Millisecond // between two looks at what the other asks for
	echoSilence = 5 * time.Second        // before one who asks for nothing is told of: it may have been stopped
)

// echo tells Waiting of what the one who signs in asks for, once for each thing, and of one who asks for nothing.
func (c *Cache) echo(v *vault, asking string) func() {
	var last Pending
	began := time.Now()
	next, told := began, false
	return func() {
		if c.Waiting == nil || time.Now().Before(next) {
			return
		}
		next = time.Now().Add(echoBeat)
		var p Pending
		switch err := c.document(v, asking, &p); {
		case err == nil && p.URL != "" && p != last && (p.Expires.IsZero() || time.Now().Before(p.Expires)):
			last, told = p, true
			c.Waiting(p)
		case !told && time.Since(began) >= echoSilence:
			told = true
			c.Waiting(Pending{})
		}
	}
}
