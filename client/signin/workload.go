package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const grantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523, section 2.1

// Workload signs a program in with the JWT that the platform it runs on gives it, in exchange for a token (RFC 7523,
// section 2.1). A refusal is final: it is not tried again, nor in another way. It is safe for concurrent use when
// Assertion is.
//
// Entra takes such a JWT as the proof of a client instead: there use [ClientCredentials] with a [ClientAssertion].
type Workload struct {
	ClientID string // a client's id, where the authorization server wants one; empty means one of Clients
	Clients  Clients
	// Assertion fetches the platform's JWT, for each token anew: required. See package workload.
	Assertion func(ctx context.Context, audience string) (Secret, error)
	// Audience is what Assertion is asked for; empty means the issuer.
	Audience string
	// Issuer is the only authorization server that Assertion's token goes to, compared byte for byte; empty means whichever
	// the server that is called names. Say it where Assertion does not make a token for the audience it is asked for, as
	// with a file: whoever has such a token can show it elsewhere.
	Issuer   string
	Scopes   []string         // nil means what the server asks for
	Resource Resource         // zero means what the server's metadata names
	Binding  Binding          // zero means where the server asks for bound tokens
	Provider *idp.Provider    // what is peculiar about the authorization server; nil means what its issuer tells
	Now      func() time.Time // nil means time.Now
}

// SignIn exchanges the platform's JWT for a token, which is exchanged for anew before it ends.
func (w *Workload) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	if w.Assertion == nil {
		return nil, errors.New("signin: Workload.Assertion is nil")
	}
	if err := goesOnlyTo(w.Issuer, r); err != nil {
		return nil, err
	}
	return unattendedSignIn(ctx, r, terms{w.Scopes, w.Resource, w.Binding, w.Provider, w.Now}, w.Clients.or(w.ClientID), grantJWTBearer,
		func(ctx context.Context, g *grant, form url.Values) error {
			assertion, err := w.Assertion(ctx, first(w.Audience, federatedAudience(g.provider, g.issuer)))
			if err != nil {
				return fmt.Errorf("signin: get the workload's token: %w", err)
			}
			form.Set("assertion", string(assertion))
			return nil
		})
}
