package signin

import (
	"net/http"
	"slices"

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
	// StepUp means that Refused is good but not enough: it lacks scopes, or claims. A refreshed one would lack them too.
	StepUp bool
	// Earlier are the scopes of Refused when it lacks some and this authorization server gave it: they are asked for again,
	// beside the challenge's (C-20).
	Earlier []string
	// Over is why an earlier sign-in cannot go on, in words for the person; nil where there was none, or nobody knows.
	Over error
	// Claims is the JSON of what else the token must hold (Entra's claims challenge); empty means nothing.
	Claims string
	// HTTPClient lends its Transport to requests to the authorization server; nil means http.DefaultTransport. No
	// redirect is followed, and each request has a limit of 30 seconds.
	HTTPClient *http.Client
}

// Scopes chooses what to ask for: what the challenge names, else all that the resource supports, else nil, which means
// to omit the parameter and take the authorization server's default (C-12 of the MCP scope selection strategy). Scopes
// that the refused token had come first (C-20).
func (r *Request) Scopes() []string {
	scopes := r.Resource.ScopesSupported
	if r.Challenge != nil && len(r.Challenge.Scopes) > 0 {
		scopes = r.Challenge.Scopes
	}
	if len(r.Earlier) == 0 {
		return scopes
	}
	return union(r.Earlier, scopes)
}

// union is a followed by what only b has.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
