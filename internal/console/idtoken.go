package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// signingAlgorithms are those of keys that a provider publishes: no shared secrets, and not none.
var signingAlgorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// person is what an ID token says of who signed in.
type person struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Nonce   string `json:"nonce"`
	Tenant  string `json:"tid"`
	Object  string `json:"oid"` // Entra: the same for every client, where sub is each one's own
	Session string `json:"sid"` // at the provider; for its back-channel logout
	Party   string `json:"azp"`

	claims json.RawMessage
}

// person reads an ID token (OpenID Connect Core 1.0, section 3.1.3.7).
func (p *provider) person(ctx context.Context, raw string) (*person, error) {
	at, err := p.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	id, err := oidc.NewVerifier(at.Issuer, at.keys, &oidc.Config{
		ClientID: p.ClientID, SkipIssuerCheck: true, Now: p.now,
		SupportedSigningAlgs: signingAlgorithms,
	}).Verify(oidc.ClientContext(ctx, p.http), raw)
	if err != nil {
		return nil, fmt.Errorf("the ID token: %w", err)
	}
	var who person
	if err := errors.Join(id.Claims(&who), id.Claims(&who.claims)); err != nil {
		return nil, errors.New("the ID token's claims cannot be read")
	}
	switch {
	case !p.names(at, who.Issuer, who.Tenant):
		return nil, fmt.Errorf("the ID token is from %q", clip(who.Issuer))
	case who.Subject == "":
		return nil, errors.New("the ID token names no subject")
	case len(id.Audience) > 1 && who.Party != p.ClientID, !slices.Contains(id.Audience, p.ClientID):
		return nil, errors.New("the ID token is for another client")
	}
	return &who, nil
}

// names reports whether iss is the provider that people are sent to: exactly the one that the metadata names, or one of
// its tenants where it has many.
func (p *provider) names(at *endpoints, iss, tenant string) bool {
	if p.ManyTenants {
		return p.Issuer.Accepts(iss, tenant)
	}
	return iss == at.Issuer
}

// is reports whether the access token is about the person that the ID token is about.
func (p *person) is(id *identity.Identity) bool {
	if id.ObjectID != "" {
		return p.Object == id.ObjectID && p.Tenant == id.Tenant
	}
	return p.Subject == id.Subject
}
