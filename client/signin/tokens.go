package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin/dpop"
)

const (
	refreshRetry = 30 * time.Second // after a refresh that went wrong while the token was still good
	noHurry      = 5                // the last fifth of a token's life is when it is refreshed
)

// Tokens gives access tokens of one sign-in and refreshes them ahead of their end (RFC 6749, section 6). It is safe
// for concurrent use, and never prints a token.
type Tokens struct {
	grant *grant

	lock      chan struct{} // holds one value while somebody reads or changes what is below
	access    *oauth2.Token
	refreshAt time.Time // zero means never
	refresh   Secret    // empty means that the sign-in ends with its access token
	granted   []string  // nil means unknown: the server's default
	renewed   bool      // access was forced by renew
	account   Account
	keyText   Secret // the key of grant as a private JWK; empty means that the tokens are not bound
	keeper    Keeper // nil means that refreshes stay in this process
	// again asks for another token where there is no refresh token and no person is needed; nil means that it takes one.
	again func(context.Context) (*tokenAnswer, error)
}

func newTokens(g *grant, a *tokenAnswer) (*Tokens, error) {
	t := &Tokens{grant: g, lock: make(chan struct{}, 1), granted: g.scopes}
	t.keep(a)
	t.account = accountOf(g.issuer, a.IDToken, a.AccessToken)
	if a.Scope != nil {
		t.granted = strings.Fields(*a.Scope)
	}
	if g.key != nil {
		text, err := g.key.Reveal()
		if err != nil {
			return nil, fmt.Errorf("signin: %w", err)
		}
		t.keyText = Secret(text)
	}
	return t, nil
}

// Token is TokenContext without a context.
func (t *Tokens) Token() (*oauth2.Token, error) { return t.TokenContext(context.Background()) }

// TokenContext returns an access token, refreshed if its end is near. A refresh that goes wrong is an error only when
// the token at hand has ended. The error wraps [ErrNeeded] when the sign-in is over. The token returned
// holds no refresh token.
func (t *Tokens) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	return hold(ctx, t, func(ctx context.Context) (*oauth2.Token, error) {
		if t.refreshAt.IsZero() || t.grant.now().Before(t.refreshAt) {
			return copied(t.access), nil
		}
		err := t.refreshAccess(ctx)
		if err == nil {
			return copied(t.access), nil
		}
		if now := t.grant.now(); t.access.AccessToken != "" && now.Before(t.access.Expiry) {
			t.refreshAt = now.Add(min(refreshRetry, t.access.Expiry.Sub(now)))
			return copied(t.access), nil
		}
		return nil, err
	})
}

// Proof proves that the sender of a request holds the key that token is bound to (RFC 9449, section 4.2), with the
// server's nonce, which may be empty. It is empty for tokens that are not bound.
func (t *Tokens) Proof(method, url, token, nonce string) (string, error) {
	key, err := hold(context.Background(), t, func(context.Context) (*dpop.Key, error) { return t.grant.key, nil })
	if key == nil || err != nil {
		return "", err
	}
	return key.Proof(dpop.Request{Method: method, URL: url, Token: token, Nonce: nonce, Now: t.grant.now()})
}

// Scopes returns what was granted; nil means that neither side said.
func (t *Tokens) Scopes() []string {
	scopes, _ := hold(context.Background(), t, func(context.Context) ([]string, error) { return slices.Clone(t.granted), nil })
	return scopes
}

// Narrow returns a source of tokens with fewer scopes, obtained with the refresh token of source, which must be
// [*Tokens] that have one. source goes on unchanged. The error wraps [ErrCannotNarrow] when the source cannot do so,
// when scopes were not granted to it, or when the authorization server gives more than asked for.
func Narrow(ctx context.Context, source oauth2.TokenSource, scopes []string) (oauth2.TokenSource, error) {
	t, ok := source.(*Tokens)
	if !ok || len(scopes) == 0 {
		return nil, fmt.Errorf("%w: it takes tokens of this package, and one scope at least", ErrCannotNarrow)
	}
	n := &narrowed{tokens: t, scopes: slices.Clone(scopes)}
	if _, err := n.TokenContext(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// narrowed gives tokens with some of the scopes of tokens.
type narrowed struct {
	tokens    *Tokens
	scopes    []string
	access    *oauth2.Token // under the lock of tokens
	refreshAt time.Time
}

func (n *narrowed) Token() (*oauth2.Token, error) { return n.TokenContext(context.Background()) }

func (n *narrowed) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	t := n.tokens
	return hold(ctx, t, func(ctx context.Context) (*oauth2.Token, error) {
		if n.access != nil && (n.refreshAt.IsZero() || t.grant.now().Before(n.refreshAt)) {
			return copied(n.access), nil
		}
		for _, s := range n.scopes {
			if t.granted != nil && !slices.Contains(t.granted, s) {
				return nil, fmt.Errorf("%w: scope %s was not granted", ErrCannotNarrow, line(s))
			}
		}
		var a *tokenAnswer
		err := t.exchange(ctx, func() bool { return false }, func(ctx context.Context) (err error) {
			a, err = t.redeem(ctx, n.scopes)
			return err
		})
		if err == nil && a == nil {
			err = errors.New("signin: another process refreshed meanwhile")
		}
		if err != nil {
			return nil, err
		}
		if a.Scope != nil {
			for _, s := range strings.Fields(*a.Scope) {
				if !slices.Contains(n.scopes, s) {
					return nil, fmt.Errorf("%w: %s adds the scope %s", ErrCannotNarrow, t.grant.issuer, line(s))
				}
			}
		}
		n.access, n.refreshAt = t.grant.accessOf(a)
		return copied(n.access), nil
	})
}

// Proof is that of the wide tokens: both are bound to one key.
func (n *narrowed) Proof(method, url, token, nonce string) (string, error) {
	return n.tokens.Proof(method, url, token, nonce)
}

// Scopes are the narrow ones.
func (n *narrowed) Scopes() []string { return slices.Clone(n.scopes) }

func (n *narrowed) Format(f fmt.State, _ rune) {
	io.WriteString(f, "signin.Tokens narrowed to "+strings.Join(n.scopes, " "))
}

// refreshAccess replaces the access token, unless another process has done so. The lock is held.
func (t *Tokens) refreshAccess(ctx context.Context) error {
	old := t.access.AccessToken
	replaced := func() bool {
		return t.access.AccessToken != old && t.access.AccessToken != "" &&
			(t.refreshAt.IsZero() || t.grant.now().Before(t.refreshAt))
	}
	return t.exchange(ctx, replaced, t.refreshOnce)
}

// refreshOnce asks the authorization server for another access token. The lock is held.
func (t *Tokens) refreshOnce(ctx context.Context) error {
	scopes := t.granted
	if slices.Contains(t.grant.scopes, offlineAccess) && !slices.Contains(scopes, offlineAccess) && len(scopes) > 0 {
		scopes = append(slices.Clone(scopes), offlineAccess) // Entra leaves it out of what it says it granted
	}
	ask := func(ctx context.Context) (*tokenAnswer, error) { return t.redeem(ctx, scopes) }
	if t.refresh == "" && t.again != nil {
		ask = t.again
	}
	a, err := ask(ctx)
	if err != nil {
		return err
	}
	if a.Scope != nil {
		t.granted = strings.Fields(*a.Scope)
	}
	t.keep(a)
	return nil
}

// redeem sends the refresh token, and keeps the one that replaces it: an old one must not be sent again. scopes go
// along because Entra wants them (AADSTS28003, AADSTS90009). The lock is held.
func (t *Tokens) redeem(ctx context.Context, scopes []string) (*tokenAnswer, error) {
	if t.refresh == "" {
		return nil, fmt.Errorf("%w: %s gave no refresh token", ErrNeeded, t.grant.issuer)
	}
	form := t.grant.form(scopes)
	form.Set("grant_type", "refresh_token")
	form.Set("refresh_token", string(t.refresh))
	a, err := t.grant.token(ctx, form)
	if errors.Is(err, ErrNeeded) {
		t.refresh = ""
	}
	if err != nil {
		return nil, err
	}
	if a.RefreshToken != "" {
		t.refresh = Secret(a.RefreshToken)
	}
	return a, nil
}

// tokenOf is the access token of s, as callers get it.
func tokenOf(s State) *oauth2.Token {
	return &oauth2.Token{AccessToken: string(s.Access), TokenType: s.TokenType, Expiry: s.Expiry}
}

// copied keeps callers from changing what others hold.
func copied(t *oauth2.Token) *oauth2.Token {
	c := *t
	return &c
}

// keep takes over what an answer brought.
func (t *Tokens) keep(a *tokenAnswer) {
	t.access, t.refreshAt = t.grant.accessOf(a)
	t.renewed = false
	if a.RefreshToken != "" {
		t.refresh = Secret(a.RefreshToken)
	}
}

// accessOf makes a token of an answer, and says when to refresh it: when the provider advises, or after four fifths
// of its life.
func (g *grant) accessOf(a *tokenAnswer) (token *oauth2.Token, refreshAt time.Time) {
	token = &oauth2.Token{AccessToken: a.AccessToken, TokenType: g.tokenType()}
	life := time.Duration(a.ExpiresIn)
	if life == 0 {
		return token, time.Time{}
	}
	now := g.now()
	token.Expiry = now.Add(life)
	if in := time.Duration(a.RefreshIn); in > 0 && in < life {
		return token, now.Add(in)
	}
	return token, token.Expiry.Add(-life / noHurry)
}

// renew replaces a token that a server refused although it looked good. It reports false when only a person can help:
// there is no refresh token, it is dead, or the refused token came from renew itself.
func (t *Tokens) renew(ctx context.Context, refused Secret) (bool, error) {
	return hold(ctx, t, func(ctx context.Context) (bool, error) {
		if t.access.AccessToken != string(refused) {
			return true, nil
		}
		if t.renewed || t.refresh == "" && t.again == nil {
			return false, nil
		}
		err := t.refreshAccess(ctx)
		if errors.Is(err, ErrNeeded) {
			return false, nil
		}
		t.renewed = err == nil
		return err == nil, err
	})
}

// renewed returns the source whose token was refused, once it has another, or nil.
func renewed(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	t, ok := r.Previous.(*Tokens)
	if !ok || r.StepUp || t.grant.issuer != r.Authorization.Issuer {
		return nil, nil
	}
	ok, err := t.renew(ctx, r.Refused)
	if !ok || err != nil {
		return nil, err
	}
	return t, nil
}

// hold runs f while nobody else touches t. f goes on when ctx ends, within its time limit: a refresh that was sent must
// be kept, since its token is used up.
func hold[T any](ctx context.Context, t *Tokens, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	select {
	case t.lock <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	ended := make(chan result, 1)
	go func() {
		defer func() { <-t.lock }()
		v, err := f(context.WithoutCancel(ctx))
		ended <- result{v, err}
	}()
	select {
	case r := <-ended:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// Format prints the issuer, never a token.
func (t *Tokens) Format(f fmt.State, _ rune) { io.WriteString(f, "signin.Tokens of "+t.grant.issuer) }

// LogValue names the issuer, never a token.
func (t *Tokens) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }
