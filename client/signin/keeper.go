package signin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin/dpop"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Keeper keeps a sign-in between processes. Its methods may be called at the same time.
type Keeper interface {
	// Refresh runs refresh while no other process refreshes this sign-in. refresh gets the newest state that is kept;
	// when somebody else has refreshed meanwhile, so that the kept access token is another than held's and still good, it
	// need not be called at all. What refresh returns is kept before Refresh returns it. An error of refresh is returned
	// as it is, and what was kept stays; it wraps [ErrNeeded] when the authorization server took no more of this sign-in.
	//
	// ctx has no end of its own: a refresh that was sent must be kept, since its token is used up.
	Refresh(ctx context.Context, held State, refresh func(ctx context.Context, newest State) (State, error)) (State, error)
}

// ResumeOptions says how to go on with a sign-in. The zero value refreshes in memory, as a public client.
type ResumeOptions struct {
	// HTTPClient lends its Transport to requests to the authorization server; nil means http.DefaultTransport.
	HTTPClient *http.Client
	// Keeper hears of each refresh; nil means that it stays in this process.
	Keeper Keeper
	// Proof authenticates a client whose secret or key is configured; nil means that the client is public, or that its
	// secret is part of the state.
	Proof Authentication
	// Provider says what is peculiar about the authorization server; nil means what its issuer tells.
	Provider *idp.Provider
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Resume goes on with a sign-in of an earlier process. It asks nobody: a token that has ended is refreshed when it is
// asked for. It refuses a state that is incomplete, or whose endpoints no secret may go to.
func Resume(s State, o ResumeOptions) (*Tokens, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	g := &grant{http: o.HTTPClient, now: o.Now, proof: o.Proof, provider: providerOf(s.Issuer, o.Provider)}
	if g.http == nil {
		g.http = http.DefaultClient
	}
	if g.now == nil {
		g.now = time.Now
	}
	t := &Tokens{grant: g, keeper: o.Keeper, lock: make(chan struct{}, 1)}
	if err := t.adopt(s); err != nil {
		return nil, err
	}
	return t, nil
}

// State returns the sign-in as it is now, for a [Keeper] to keep.
func (t *Tokens) State() State {
	s, _ := hold(context.Background(), t, func(context.Context) (State, error) { return t.state(), nil })
	return s
}

// Keep hands the sign-in to keeper, which hears of each refresh from now on; the caller has kept State already.
func (t *Tokens) Keep(keeper Keeper) {
	hold(context.Background(), t, func(context.Context) (struct{}, error) { t.keeper = keeper; return struct{}{}, nil })
}

// Renew replaces the access token, which a server refused although it looked good. It reports false when only a person can
// help: there is no refresh token, it is dead, or the refused token is itself one that Renew brought.
func (t *Tokens) Renew(ctx context.Context, refused Secret) (bool, error) {
	return t.renew(ctx, refused)
}

// state reads t. The lock is held.
func (t *Tokens) state() State {
	g := t.grant
	return State{
		Issuer: g.issuer, TokenEndpoint: g.tokenURL, RevocationEndpoint: g.revokeURL,
		Server: g.server, Resource: g.resource, ResourceFixed: !g.mayDrop,
		ClientID: g.clientID, ClientSecret: g.clientSecret, SecretMethod: g.secretMethod,
		Scopes: slices.Clone(g.scopes), Granted: slices.Clone(t.granted),
		TokenType: t.access.TokenType, Access: Secret(t.access.AccessToken), Expiry: t.access.Expiry, RefreshAt: t.refreshAt,
		Refresh: t.refresh, Account: t.account, DPoPKey: t.keyText,
	}
}

// adopt makes s the state of t. The lock is held, or t is not shared yet.
func (t *Tokens) adopt(s State) error {
	g := t.grant
	if s.DPoPKey != t.keyText {
		key, err := dpop.ReadKey(string(s.DPoPKey))
		if err != nil {
			return fmt.Errorf("signin: the key of the kept sign-in: %w", err)
		}
		g.key, t.keyText = key, s.DPoPKey
	}
	g.issuer, g.tokenURL, g.revokeURL = s.Issuer, s.TokenEndpoint, s.RevocationEndpoint
	g.server, g.resource, g.mayDrop = s.Server, s.Resource, !s.ResourceFixed
	g.clientID, g.clientSecret, g.secretMethod = s.ClientID, s.ClientSecret, s.SecretMethod
	g.scopes, t.granted = slices.Clone(s.Scopes), slices.Clone(s.Granted)
	t.access = tokenOf(s)
	t.refreshAt = s.RefreshAt
	t.refresh, t.account = s.Refresh, s.Account
	if t.access.AccessToken == "" {
		t.refreshAt = time.Unix(0, 1) // at once
	}
	return nil
}

// exchange runs f, which uses the refresh token up, so that no other process uses the same one: alone, or under the
// keeper, whose newest state is taken over first. done reports that somebody else has done what f would do.
// The lock is held.
func (t *Tokens) exchange(ctx context.Context, done func() bool, f func(context.Context) error) error {
	if t.keeper == nil {
		return f(ctx)
	}
	for {
		called := false
		next, err := t.keeper.Refresh(ctx, t.state(), func(ctx context.Context, newest State) (State, error) {
			called = true
			if err := t.takeOver(newest); err != nil {
				return State{}, err
			}
			if done() {
				return newest, nil
			}
			if err := f(ctx); err != nil {
				return State{}, err
			}
			return t.state(), nil
		})
		if err != nil {
			return err
		}
		before := t.access.AccessToken
		if err := t.takeOver(next); err != nil {
			return err
		}
		if called || done() || t.access.AccessToken == before {
			return nil
		}
	}
}

// takeOver adopts what a keeper gives, unless it belongs to another sign-in.
func (t *Tokens) takeOver(s State) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.Issuer != t.grant.issuer || s.Server != t.grant.server || s.ClientID != t.grant.clientID {
		return errOtherSignIn
	}
	return t.adopt(s)
}
