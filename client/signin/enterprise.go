package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Enterprise signs a person in at an authorization server that trusts the company's identity provider, without asking
// the person again (enterprise-managed authorization): the provider turns the person's ID token into an assertion for
// that authorization server (an ID-JAG), which turns it into a token. It is safe for concurrent use when Subject is.
type Enterprise struct {
	// IDP is the company's identity provider: required. Its issuer and token endpoint are configured, never discovered
	// through the server that is called.
	IDP EnterpriseIDP
	// Subject is the person's ID token at IDP: required. Its zero Type means [TypeIDToken].
	Subject  Subject
	Clients  Clients          // required: by which id the program is known at the server's authorization server
	Scopes   []string         // nil means what the server asks for
	Resource Resource         // zero means what the server's metadata names
	Binding  Binding          // zero means where the server asks for bound tokens
	Provider *idp.Provider    // what is peculiar about the server's authorization server; nil means what its issuer tells
	Now      func() time.Time // nil means time.Now
}

// EnterpriseIDP is an identity provider that gives ID-JAGs.
type EnterpriseIDP struct {
	Issuer        string         // required
	TokenEndpoint string         // required: https, or http on this machine
	ClientID      string         // required: the program's id there
	Proof         Authentication // nil means a public client
}

// SignIn gets an assertion and a token for it; both are asked for anew before the token ends.
func (e *Enterprise) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	switch {
	case e.IDP.Issuer == "" || e.IDP.ClientID == "" || !isSafeEndpoint(e.IDP.TokenEndpoint):
		return nil, errors.New("signin: Enterprise.IDP lacks an issuer, a client id or a safe token endpoint")
	case e.Subject.Token == nil:
		return nil, errors.New("signin: Enterprise.Subject has no token")
	}
	return unattendedSignIn(ctx, r, terms{e.Scopes, e.Resource, e.Binding, e.Provider, e.Now}, &e.Clients, grantJWTBearer,
		func(ctx context.Context, g *grant, form url.Values) error {
			assertion, err := e.assertion(ctx, g, r.Resource.Resource)
			if err != nil {
				return err
			}
			form.Set("assertion", string(assertion))
			return nil
		})
}

// assertion asks the identity provider for an ID-JAG that is good at g's authorization server, for one resource.
func (e *Enterprise) assertion(ctx context.Context, g *grant, resource string) (Secret, error) {
	at := &grant{http: g.http, issuer: e.IDP.Issuer, tokenURL: e.IDP.TokenEndpoint, clientID: e.IDP.ClientID, proof: e.IDP.Proof,
		provider: providerOf(e.IDP.Issuer, nil), now: g.now}
	if at.http == nil {
		at.http = http.DefaultClient
	}
	form := at.form(g.scopes)
	form.Set("grant_type", grantExchange)
	form.Set("requested_token_type", typeIDJAG)
	form.Set("audience", g.issuer)
	form.Set("resource", resource)
	subject := e.Subject
	subject.Type = first(subject.Type, TypeIDToken)
	if err := subject.fill(ctx, form, "subject_token"); err != nil {
		return "", err
	}
	var a struct {
		Token  string `json:"access_token"`
		Issued string `json:"issued_token_type"`
		Type   string `json:"token_type"`
	}
	if err := at.postOnce(ctx, at.tokenURL, form, &a); err != nil {
		return "", err
	}
	if a.Issued != typeIDJAG || !strings.EqualFold(a.Type, "N_A") || !isB64Token(a.Token) {
		return "", fmt.Errorf("signin: %s gives %q, not an assertion for another authorization server", at.issuer, line(a.Issued))
	}
	return Secret(a.Token), nil
}
