package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Authentication proves to an authorization server which client asks (RFC 6749, section 2.3): [ClientSecret],
// [PrivateKey] or [ClientAssertion]. nil stands for a public client, which only says its name.
type Authentication interface {
	// authenticate adds to a what proves the client.
	authenticate(ctx context.Context, a *asking) error
}

// asking is a request to an endpoint of an authorization server, before it is sent.
type asking struct {
	issuer   string
	endpoint string // where it goes
	tokenURL string
	clientID string
	methods  []string // token_endpoint_auth_methods_supported
	provider *idp.Provider
	now      func() time.Time
	form     url.Values
	header   http.Header
}

// Client authentication methods (RFC 7591, section 2).
const (
	methodNone  = "none"
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
)

// ClientSecret is a secret that client and authorization server share.
type ClientSecret struct {
	Secret Secret
	// Method is "client_secret_basic" or "client_secret_post"; empty means the first of them that the authorization
	// server's metadata lists, and basic when it lists nothing.
	Method string
}

func (c ClientSecret) authenticate(_ context.Context, a *asking) error {
	if c.Secret == "" {
		return fmt.Errorf("signin: the secret of client %s is empty", line(a.clientID))
	}
	method := c.Method
	if method == "" {
		method = secretMethod(a.methods)
	}
	switch method {
	case methodBasic:
		// RFC 6749, section 2.3.1: both are form-encoded first.
		r := http.Request{Header: a.header}
		r.SetBasicAuth(url.QueryEscape(a.clientID), url.QueryEscape(string(c.Secret)))
		a.form.Del("client_id")
	case methodPost:
		a.form.Set("client_secret", string(c.Secret))
	default:
		return fmt.Errorf("signin: %q is no way to send a client secret", line(method))
	}
	return nil
}

// secretMethod chooses how a secret is sent. A server that lists neither way is sent basic, which each must take
// (RFC 6749, section 2.3.1).
func secretMethod(listed []string) string {
	if i := slices.IndexFunc(listed, func(m string) bool { return m == methodBasic || m == methodPost }); i >= 0 {
		return listed[i]
	}
	return methodBasic
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523, section 2.2

// ClientAssertion is a JWT that somebody else signed for the client, such as the platform that a workload runs on
// (RFC 7523, section 2.2; Entra's federated credentials).
type ClientAssertion struct {
	// Assertion fetches the JWT for each request; see package workload. audience is what it should be made out to.
	Assertion func(ctx context.Context, audience string) (Secret, error)
	// Audience is what Assertion is asked for; empty means "api://AzureADTokenExchange" at Entra, and elsewhere the
	// issuer.
	Audience string
}

func (c ClientAssertion) authenticate(ctx context.Context, a *asking) error {
	assertion, err := c.Assertion(ctx, first(c.Audience, federatedAudience(a.provider, a.issuer)))
	if err != nil {
		return fmt.Errorf("signin: get the assertion: %w", err)
	}
	if assertion == "" {
		return fmt.Errorf("signin: the assertion for %s is empty", a.issuer)
	}
	a.form.Set("client_assertion_type", assertionType)
	a.form.Set("client_assertion", string(assertion))
	return nil
}

// federatedAudience is what a platform's token must be made out to, to be taken at issuer.
func federatedAudience(p *idp.Provider, issuer string) string {
	if isEntra(p) {
		return "api://AzureADTokenExchange"
	}
	return issuer
}
