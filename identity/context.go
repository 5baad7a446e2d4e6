package identity

import "context"

// NewContext returns a copy of ctx that carries id.
func NewContext(ctx context.Context, id *Identity) context.Context {
	c := NewCaller(id).Context(ctx)
	return &c
}

// FromContext returns the caller, or nil where nobody signed in (a server that runs without sign-in).
func FromContext(ctx context.Context) *Identity { return from(ctx).Identity() }

// KeyFrom returns the [Identity.Key] of the caller, which was made beforehand, or "" where nobody signed in.
func KeyFrom(ctx context.Context) string {
	if c := from(ctx); c != nil {
		return c.key
	}
	return ""
}

func from(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

type callerKey struct{}

// Caller is an identity with its key: kept for as long as an identity is, the key is made once for all of its requests.
// A nil Caller is nobody. It does not change, so it may be shared between goroutines.
type Caller struct {
	id  *Identity
	key string
}

// NewCaller returns the caller of this identity, which must not change any more; of none, nobody.
func NewCaller(id *Identity) *Caller {
	if id == nil {
		return nil
	}
	return &Caller{id: id, key: id.Key()}
}

// Identity returns the identity, or nil for nobody.
func (c *Caller) Identity() *Identity {
	if c == nil {
		return nil
	}
	return c.id
}

// Context returns ctx with the caller in it, for a context that has more to say: it is to be embedded. Everybody else
// uses [NewContext].
func (c *Caller) Context(ctx context.Context) Context { return Context{Context: ctx, caller: c} }

// Context is a context that carries a caller. See [Caller.Context].
type Context struct {
	context.Context
	caller *Caller
}

// Value finds the caller for this package, and leaves everything else to the context below.
func (c *Context) Value(key any) any {
	if key == (callerKey{}) {
		return c.caller
	}
	return c.Context.Value(key)
}
