package signin

import (
	"net/http"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Request is what a way of signing in is told: who asks, for what, and where to go. The metadata has been checked: it
// speaks for the server and for the issuer that the server named, and each endpoint is https or on this machine.
type Request struct {
	Server        string                 // the URL that was called
	Challenge     *oauth.Challenge       // what the server asked for; nil when it sent no bearer challenge
	Resource      oauth.ResourceMetadata // what the server says of itself
	Authorization oauth.ServerMetadata   // what its authorization server says of itself

	// Previous gave the token that the server refused; nil means that none was sent.
	Previous oauth2.TokenSource
	// Refused is the token that the server refused; empty means that none was sent.
	Refused Secret
	// HTTPClient lends its Transport to requests to the authorization server; nil means http.DefaultTransport. No
	// redirect is followed, and each request has a limit of 30 seconds.
	HTTPClient *http.Client
}

// Scopes chooses what to ask for: what the challenge names, else all that the resource supports, else nil, which means
// to omit the parameter and take the authorization server's default (C-12 of the MCP scope selection strategy).
func (r *Request) Scopes() []string {
	if r.Challenge != nil && len(r.Challenge.Scopes) > 0 {
		return r.Challenge.Scopes
	}
	return r.Resource.ScopesSupported
}
