package audit

import "context"

// Origin is the request an event belongs to.
type Origin struct {
	RequestID string
	TraceID   string // 32 hex digits, or empty
	Address   string
}

type originKey struct{}

// NewContext returns a copy of ctx that carries o. A [Trail] fills from it what an event does not say.
func NewContext(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// FromContext returns the request that ctx belongs to, or the zero Origin.
func FromContext(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}
