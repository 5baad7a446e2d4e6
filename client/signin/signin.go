// Package signin holds the ways in which a person or a program signs in at an authorization server.
//
// Each way has a method SignIn, as package client asks for: it is told in a [Request] who asks for what, and brings
// [Tokens], which refresh themselves. It keeps nothing on disk and draws nothing: a Prompt is told what to show.
//
//	request     who asks, for what, and where to go            request.go
//	browser     RFC 8252: the answer comes to loopback         browser.go, callback.go
//	paste       the person brings the answer                   paste.go
//	device      RFC 8628: sign in on another device            device.go
//	program     RFC 6749, section 4.4: for itself              program.go
//	workload    RFC 7523, section 2.1: what its platform says  workload.go
//	enterprise  ID-JAG: what the company's provider says       enterprise.go
//	exchange    RFC 8693: with a token that somebody else has  exchange.go
//
// What the flows are made of:
//
//	client      which id: configured, document, registered     clients.go
//	proof       which client asks: a secret, RFC 7523          authentication.go, privatekey.go
//	code        authorization, PKCE, RFC 9207, redeeming       authorization.go
//	provider    what is peculiar to some                       provider.go
//	site        pages of one that are named by another         site.go
//	microsoft   scopes of APIs that are not the server's       microsoft.go
//	tokens      refresh and narrowing, RFC 6749, section 6     tokens.go
//	state       what a later process needs to go on            state.go, account.go
//	keeping     one refresh among many processes               keeper.go
//	choices     which scopes, which resource                   signin.go
//	endpoint    one form posted, one answer read strictly      endpoint.go
//	refusals    what callers branch on                         errors.go
package signin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin/dpop"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Resource says what to send as the resource parameter (RFC 8707, section 2), which asks for a token that is good at
// one server only. Any value but the constants is a URI to send as it is.
type Resource string

const (
	// ResourceAuto sends the resource that the server's metadata names, byte for byte, in every request. A provider known
	// to refuse it is sent none, unless the scopes belong to it; and where one answers with Microsoft Entra's refusal of
	// the parameter (AADSTS901002, AADSTS9010010), the sign-in goes on without: Entra takes the audience from the scopes.
	ResourceAuto Resource = ""
	// ResourceSend is ResourceAuto without the exception.
	ResourceSend Resource = "send"
	// ResourceOmit sends none.
	ResourceOmit Resource = "omit"
)

// Binding says whether tokens are bound to a key that only this program holds (DPoP, RFC 9449).
type Binding int

const (
	BindWhenAsked Binding = iota // where the server asks for such tokens
	BindAlways                   // everywhere; an authorization server that cannot is an error
	BindNever                    // nowhere
)

const offlineAccess = "offline_access"

// terms are what every flow may set.
type terms struct {
	scopes   []string
	resource Resource
	binding  Binding
	provider *idp.Provider
	now      func() time.Time
}

// newGrant settles what all requests of one sign-in have in common, the client left out.
func newGrant(r *Request, o terms) (*grant, error) {
	g := &grant{
		http:      r.HTTPClient,
		server:    r.Server,
		issuer:    r.Authorization.Issuer,
		tokenURL:  r.Authorization.TokenEndpoint,
		revokeURL: r.Authorization.RevocationEndpoint,
		methods:   r.Authorization.TokenEndpointAuthMethodsSupported,
		provider:  providerOf(r.Authorization.Issuer, o.provider),
		now:       o.now,
	}
	g.scopes = mixable(g.provider, chooseScopes(r, o.scopes))
	if err := g.checkAudience(r, o.scopes); err != nil {
		return nil, err
	}
	switch o.resource {
	case ResourceAuto, "auto":
		g.mayDrop = true
		if g.takesResource(r.Resource.Resource) {
			g.resource = r.Resource.Resource
		}
	case ResourceSend:
		g.resource = r.Resource.Resource
	case ResourceOmit:
	default:
		g.resource = string(o.resource)
	}
	if g.http == nil {
		g.http = http.DefaultClient
	}
	if g.now == nil {
		g.now = time.Now
	}
	var err error
	if g.claims, err = mergeClaims(g.provider, r.Claims); err != nil {
		return nil, err
	}
	return g, g.bind(r, o.binding)
}

// takesResource reports whether there is a point in sending resource. A provider that is known to answer any but a
// registered one with an error page, such as Entra, is sent it only where the scopes belong to it.
func (g *grant) takesResource(resource string) bool {
	return !g.provider.RefusesResource || slices.ContainsFunc(g.scopes, func(s string) bool { return strings.HasPrefix(s, resource+"/") })
}

// bind makes a key for the tokens where they are to be bound.
func (g *grant) bind(r *Request, b Binding) error {
	asked := r.Resource.DPoPBoundAccessTokensRequired || r.Challenge != nil && r.Challenge.Is(tokenDPoP)
	if b == BindNever || b == BindWhenAsked && !asked {
		return nil
	}
	if !slices.Contains(r.Authorization.DPoPSigningAlgValuesSupported, dpop.Algorithm) {
		return fmt.Errorf("signin: bound tokens are wanted, but %s does not say that it makes them with %s", g.issuer, dpop.Algorithm)
	}
	var err error
	if g.key, err = dpop.NewKey(); err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	return nil
}

// chooseScopes takes the scopes that were set, else those of the challenge, else all that the resource supports, else
// none (C-12). To scopes it chose itself it adds offline_access where the authorization server lists it (C-19), so
// that the session can outlive its first token.
func chooseScopes(r *Request, set []string) []string {
	if len(set) > 0 && len(r.Earlier) == 0 {
		return set
	}
	scopes := r.Scopes()
	if len(scopes) == 0 || slices.Contains(scopes, offlineAccess) ||
		!slices.Contains(r.Authorization.ScopesSupported, offlineAccess) {
		return scopes
	}
	return append(slices.Clone(scopes), offlineAccess)
}
