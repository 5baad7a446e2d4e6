package devidp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Federated is what a platform says of a client: a JWT that the platform signed for one workload stands for a secret of
// the client (workload identity federation).
type Federated struct {
	Issuer  string // the platform, as its tokens say iss: required
	Subject string // the workload, as its tokens say sub: required
	// Audience is whom the tokens must be made out to, and to nobody beside; empty means the provider's issuer, and
	// "api://AzureADTokenExchange" with the Entra character.
	Audience string
	JWKS     json.RawMessage // the platform's public keys: required
}

// federation is a Federated as the provider keeps it.
type federation struct {
	Federated
	keys *jose.JSONWebKeySet
}

func newFederation(f Federated) (*federation, error) {
	if f.Issuer == "" || f.Subject == "" {
		return nil, errors.New("a federated credential lacks its issuer or its subject")
	}
	keys, err := publicKeys(f.JWKS)
	if err != nil {
		return nil, err
	}
	return &federation{f, keys}, nil
}

// byFederation authenticates the client that the form names by a JWT of a platform. Unlike an assertion that the client
// signs for one request, the platform's is good until it expires: a workload is given the next one when that is near.
func (s *Server) byFederation(r *http.Request, form url.Values, token *jwt.JSONWebToken, claims jwt.Claims) (*client, error) {
	if form.Get("client_id") == "" {
		return nil, refuseMissing.of("client_id")
	}
	c, err := s.resolveClient(r.Context(), form.Get("client_id"))
	if err != nil {
		return nil, err
	}
	known, err := s.federationOf(c, claims)
	if err != nil {
		return nil, err
	}
	if err := s.inTime(claims); err != nil {
		return nil, err
	}
	if !signedByOne(token, known.keys) {
		return nil, refuseAssertion.of("no key of the platform has signed it")
	}
	return c, nil
}

// federationOf finds what c has of the platform and the workload that claims speak of, each compared byte for byte.
func (s *Server) federationOf(c *client, claims jwt.Claims) (*federation, error) {
	usual := s.base
	if s.entra() {
		usual = "api://AzureADTokenExchange"
	}
	no := refuseFederatedIssuer.of(claims.Issuer)
	for _, f := range c.federated {
		switch {
		case f.Issuer != claims.Issuer:
		case f.Subject != claims.Subject:
			no = refuseFederatedSubject.of(claims.Subject)
		case !slices.Equal(claims.Audience, jwt.Audience{orElse(f.Audience, usual)}):
			no = refuseFederatedAudience.of(strings.Join(claims.Audience, " "))
		default:
			return f, nil
		}
	}
	return nil, no
}

// redeemWorkload answers a platform's JWT as a grant of its own (RFC 7523, section 2.1): the client that it stands for gets
// a token for itself.
func (s *Server) redeemWorkload(r *http.Request, form url.Values) (map[string]any, error) {
	if form.Get("assertion") == "" {
		return nil, refuseMissing.of("assertion")
	}
	token, claims, err := readAssertion(form.Get("assertion"))
	if err != nil {
		return nil, asGrant(err)
	}
	c, err := s.byFederation(r, form, token, claims)
	if err != nil {
		return nil, asGrant(err)
	}
	if !c.uses(grantBearer) {
		return nil, refuseGrantForbidden.of(grantBearer)
	}
	return s.redeemService(r, c, form)
}

// asGrant is the refusal of an assertion that was not to authenticate a client but to be exchanged for a token (RFC 7523,
// section 3.1).
func asGrant(err error) error {
	var no *refused
	if !errors.As(err, &no) || no.code != refuseAssertion.code {
		return err
	}
	other := *no
	other.status, other.code, other.text = 0, refuseGrantAssertion.code, strings.Replace(no.text, "client assertion", "assertion", 1)
	return &other
}
