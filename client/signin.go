package client

import (
	"context"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// SignIn obtains tokens when a server asks for them; the flows of package signin do.
//
// SignIn is called for one request at a time and may take as long as a person does; it must end with ctx. The token
// source it returns must be safe for concurrent use, give tokens issued for r.Resource, and return an error that wraps
// [ErrSignInNeeded] once it cannot go on by itself. If it also has a method TokenContext(context.Context)
// (*oauth2.Token, error), that is called instead of Token.
type SignIn interface {
	SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error)
}

// ErrSignInNeeded means that no token can be had without signing in again. A token source returns it, or an error that
// wraps it, when its refresh token is dead.
var ErrSignInNeeded = signin.ErrNeeded
