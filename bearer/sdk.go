package bearer

import (
	"context"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// callers puts who was verified into contexts, for [identity.FromContext] and for the official SDK's
// auth.TokenInfoFromContext. The SDK's description is made when somebody asks for it: most handlers never do.
type callers struct{ key any } // what the SDK looks its description up by

// newCallers learns the key by letting the SDK look it up once. The SDK's own way in, RequireBearerToken, wants a token
// to parse, and makes a description and a copy of the request for each.
func newCallers() callers {
	asked := &asked{Context: context.Background()}
	auth.TokenInfoFromContext(asked)
	return callers{key: asked.key}
}

// asked notes what it was asked for last.
type asked struct {
	context.Context
	key any
}

// Value finds nothing.
func (a *asked) Value(key any) any {
	a.key = key
	return nil
}

func (c callers) context(ctx context.Context, caller *identity.Caller) context.Context {
	return &callerContext{Context: caller.Context(ctx), key: c.key}
}

// callerContext is a context that carries the caller, and describes it in the SDK's words too.
type callerContext struct {
	identity.Context
	key any

	once sync.Once
	info *auth.TokenInfo
}

// Value answers the SDK, and leaves everything else to the context that carries the caller.
func (c *callerContext) Value(key any) any {
	if key != c.key {
		return c.Context.Value(key)
	}
	c.once.Do(func() {
		id := identity.FromContext(&c.Context)
		c.info = &auth.TokenInfo{Scopes: id.Scopes, Expiration: id.Expiry, UserID: identity.KeyFrom(&c.Context)}
	})
	return c.info
}
