// Package signin holds the ways in which a person or a program signs in at an authorization server.
//
// Each way has a method SignIn, as package client asks for: it is told in a [Request] who asks for what, and brings
// [Tokens], which refresh themselves. It keeps nothing on disk and draws nothing: a Prompt is told what to show.
//
//	request     who asks, for what, and where to go            request.go
//	device      RFC 8628: sign in on another device            device.go
//	tokens      refresh and narrowing, RFC 6749, section 6     tokens.go
//	state       what a later process needs to go on            state.go, account.go
//	keeping     one refresh among many processes               keeper.go
//	choices     which scopes, which resource                   signin.go
//	endpoint    one form posted, one answer read strictly      endpoint.go
//	refusals    what callers branch on                         errors.go
package signin

import (
	"net/http"
	"slices"
	"time"
)

// Resource says what to send as the resource parameter (RFC 8707, section 2), which asks for a token that is good at
// one server only. Any value but the constants is a URI to send as it is.
type Resource string

const (
	// ResourceAuto sends the resource that the server's metadata names, byte for byte, in every request. When the
	// authorization server is Microsoft Entra and refuses the parameter (AADSTS901002, AADSTS9010010), it goes on
	// without: Entra takes the audience from the scopes.
	ResourceAuto Resource = ""
	// ResourceSend is ResourceAuto without the exception.
	ResourceSend Resource = "send"
	// ResourceOmit sends none.
	ResourceOmit Resource = "omit"
)

const offlineAccess = "offline_access"

// newGrant settles what all requests of one sign-in have in common.
func newGrant(r *Request, clientID string, scopes []string, resource Resource, now func() time.Time) *grant {
	g := &grant{
		http:      r.HTTPClient,
		server:    r.Server,
		issuer:    r.Authorization.Issuer,
		tokenURL:  r.Authorization.TokenEndpoint,
		revokeURL: r.Authorization.RevocationEndpoint,
		clientID:  clientID,
		scopes:    chooseScopes(r, scopes),
		now:       now,
	}
	switch resource {
	case ResourceAuto, "auto":
		g.resource, g.mayDrop = r.Resource.Resource, true
	case ResourceSend:
		g.resource = r.Resource.Resource
	case ResourceOmit:
	default:
		g.resource = string(resource)
	}
	if g.http == nil {
		g.http = http.DefaultClient
	}
	if g.now == nil {
		g.now = time.Now
	}
	return g
}

// chooseScopes takes the scopes that were set, else those of the challenge, else all that the resource supports, else
// none (C-12). To scopes it chose itself it adds offline_access where the authorization server lists it (C-19), so
// that the session can outlive its first token.
func chooseScopes(r *Request, set []string) []string {
	if len(set) > 0 {
		return set
	}
	scopes := r.Scopes()
	if len(scopes) == 0 || slices.Contains(scopes, offlineAccess) ||
		!slices.Contains(r.Authorization.ScopesSupported, offlineAccess) {
		return scopes
	}
	return append(slices.Clone(scopes), offlineAccess)
}
