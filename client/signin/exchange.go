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

const grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693, section 2.1

// Token types (RFC 8693, section 3).
const (
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TypeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	TypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	typeIDJAG       = "urn:ietf:params:oauth:token-type:id-jag"
)

// Subject is a token that says for whom another is wanted.
type Subject struct {
	// Token fetches it, for each request anew: required.
	Token func(ctx context.Context) (Secret, error)
	// Type is what it is; empty means [TypeAccessToken].
	Type string
}

// Exchange signs a program in on behalf of whoever sent it a token (RFC 8693). It is safe for concurrent use when its
// functions are.
type Exchange struct {
	ClientID string   // a public client's id, wherever one signs in; empty means one of Clients
	Clients  Clients  // by which ids the program is known, with their proofs; required when ClientID is empty
	Subject  Subject  // required: for whom
	Actor    *Subject // who acts; nil means the client
	// Audience names the service that the token is for, where the authorization server wants a name beside the resource;
	// empty means none.
	Audience string
	// Issuer is the only authorization server that the tokens of Subject and Actor go to, compared byte for byte; empty means
	// whichever the server that is called names, so say it where that is not trusted with them.
	Issuer   string
	Scopes   []string         // nil means what the server asks for
	Resource Resource         // zero means what the server's metadata names
	Binding  Binding          // zero means where the server asks for bound tokens
	Provider *idp.Provider    // what is peculiar about the authorization server; nil means what its issuer tells
	Now      func() time.Time // nil means time.Now
}

// SignIn exchanges the subject's token for another, which is exchanged for anew before it ends.
func (e *Exchange) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	if e.Subject.Token == nil || e.Actor != nil && e.Actor.Token == nil {
		return nil, errors.New("signin: Exchange has a subject or an actor without a token")
	}
	if err := goesOnlyTo(e.Issuer, r); err != nil {
		return nil, err
	}
	return unattendedSignIn(ctx, r, terms{e.Scopes, e.Resource, e.Binding, e.Provider, e.Now}, e.Clients.or(e.ClientID), grantExchange,
		func(ctx context.Context, g *grant, form url.Values) error {
			if err := e.Subject.fill(ctx, form, "subject_token"); err != nil {
				return err
			}
			if e.Actor != nil {
				if err := e.Actor.fill(ctx, form, "actor_token"); err != nil {
					return err
				}
			}
			form.Set("requested_token_type", TypeAccessToken)
			if e.Audience != "" {
				form.Set("audience", e.Audience)
			}
			return nil
		})
}

// fill puts the token and its type into form.
func (s *Subject) fill(ctx context.Context, form url.Values, name string) error {
	token, err := s.Token(ctx)
	if err != nil {
		return fmt.Errorf("signin: get the %s: %w", name, err)
	}
	if token == "" {
		return fmt.Errorf("%w: there is no %s", ErrNeeded, name)
	}
	form.Set(name, string(token))
	form.Set(name+"_type", first(s.Type, TypeAccessToken))
	return nil
}
