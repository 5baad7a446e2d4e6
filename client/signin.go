package client

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
)

// SignIn obtains tokens when a server asks for them.
//
// SignIn is called for one request at a time and may take as long as a person does; it must end with ctx. The token
// source it returns must be safe for concurrent use, give tokens issued for r.Resource, and return an error that wraps
// [ErrSignInNeeded] once it cannot go on by itself. If it also has a method TokenContext(context.Context)
// (*oauth2.Token, error), that is called instead of Token.
type SignIn interface {
	SignIn(ctx context.Context, r *SignInRequest) (oauth2.TokenSource, error)
}

// SignInRequest is what a way of signing in is told: who asks, for what, and where to go.
type SignInRequest struct {
	Discovery // what the server asked for, and the checked metadata of both parties
	// Previous gave the token that the server refused; nil means that none was sent.
	Previous oauth2.TokenSource
	// Refused is the token that the server refused; empty means that none was sent.
	Refused Secret
	// HTTPClient is for requests to the authorization server. It follows no redirect and gives up after 30 seconds.
	HTTPClient *http.Client
}

// Scopes chooses what to ask for: what the challenge names, else all that the resource supports, else nil, which means
// to omit the parameter and take the authorization server's default (C-12 of the MCP scope selection strategy).
func (d *Discovery) Scopes() []string {
	if d.Challenge != nil && len(d.Challenge.Scopes) > 0 {
		return d.Challenge.Scopes
	}
	return d.Resource.ScopesSupported
}
