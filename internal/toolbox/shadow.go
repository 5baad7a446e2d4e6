package toolbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// SetShadow tries p out from the next call on: it decides each call as well, nobody acts on it, and where it differs from
// the policy the log says so. Nil ends that.
func (b *Box) SetShadow(p *policy.Policy) { b.shadow.Store(p) }

// tryShadow logs where the shadow policy would have decided otherwise: what both say, and never who called with what.
func (b *Box) tryShadow(ctx context.Context, requestID, operation string, known bool, arguments json.RawMessage, d policy.Decision) {
	p := b.shadow.Load()
	if p == nil || !known {
		return
	}
	would := p.DecideCall(identity.FromContext(ctx), operation, arguments)
	if would.Effect == d.Effect && (d.Effect != policy.NeedsScope || slices.Equal(would.Scopes, d.Scopes)) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", operation),
		slog.String("decision", d.Effect.String()), slog.String("rule", d.Rule),
		slog.String("would_be", would.Effect.String()), slog.String("would_be_rule", would.Rule), slog.String("would_be_reason", would.Reason),
	}
	if requestID != "" {
		attrs = append(attrs, slog.String("request_id", requestID))
	}
	b.logger.LogAttrs(ctx, slog.LevelInfo, "shadow policy differs", attrs...)
}
