package signin

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// ClientCredentials signs a program in as itself, without a person (RFC 6749, section 4.4): with a secret, with a key or
// certificate of its own, or with what its platform says of it. It is safe for concurrent use.
//
// At Entra the scope is .default of the API that the asked scopes belong to, as Entra wants it.
type ClientCredentials struct {
	Clients  Clients          // required: Known names the client at each authorization server, with its proof
	Scopes   []string         // nil means what the server asks for
	Resource Resource         // zero means what the server's metadata names
	Binding  Binding          // zero means where the server asks for bound tokens
	Provider *idp.Provider    // what is peculiar about the authorization server; nil means what its issuer tells
	Now      func() time.Time // nil means time.Now
}

// SignIn asks for a token, which is asked for anew before it ends.
func (c *ClientCredentials) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	return unattendedSignIn(ctx, r, terms{c.Scopes, c.Resource, c.Binding, c.Provider, c.Now}, &c.Clients, grantClientCredentials,
		func(context.Context, *grant, url.Values) error { return nil })
}

const grantClientCredentials = "client_credentials"

// unattendedSignIn is what flows without a person have in common. fill completes the form of each token request.
func unattendedSignIn(ctx context.Context, r *Request, o terms, clients *Clients, grantType string,
	fill func(context.Context, *grant, url.Values) error) (oauth2.TokenSource, error) {
	if source, err := renewed(ctx, r); source != nil || err != nil {
		return source, err
	}
	g, err := newGrant(r, o)
	if err != nil {
		return nil, err
	}
	g.scopes = without(g.scopes, offlineAccess) // a program asks again, and keeps nothing
	if err := clients.choose(ctx, g, r, wanted{grants: []string{grantType}}); err != nil {
		return nil, err
	}
	if grantType == grantClientCredentials {
		if g.proof == nil && g.clientSecret == "" {
			return nil, fmt.Errorf("signin: client %s has no proof: it cannot sign in as itself", line(g.clientID))
		}
		if g.scopes, err = unattended(g.provider, g.scopes); err != nil {
			return nil, err
		}
	}
	again := func(ctx context.Context) (*tokenAnswer, error) {
		form := g.form(g.scopes)
		form.Set("grant_type", grantType)
		if g.claims != "" {
			form.Set("claims", g.claims)
		}
		if err := fill(ctx, g, form); err != nil {
			return nil, err
		}
		return g.token(ctx, form)
	}
	answer, err := again(ctx)
	if err != nil {
		return nil, err
	}
	t, err := newTokens(g, answer)
	if err != nil {
		return nil, err
	}
	t.again = again
	return t, nil
}

// goesOnlyTo refuses to show somebody's token to another authorization server than issuer, where that was said: the server
// that is called names the authorization server, and may name one that collects tokens.
func goesOnlyTo(issuer string, r *Request) error {
	if asked := r.Authorization.Issuer; issuer != "" && issuer != asked {
		return fmt.Errorf("%w: the token goes to %s only, and the server names %s", ErrOtherIssuer, line(issuer), line(asked))
	}
	return nil
}

// without is list without s.
func without(list []string, s string) []string {
	var rest []string
	for _, e := range list {
		if e != s {
			rest = append(rest, e)
		}
	}
	return rest
}
