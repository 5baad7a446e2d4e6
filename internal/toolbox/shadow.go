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

// tell logs what the record leaves out: why a call was denied, and where the shadow policy would have decided otherwise.
// Never who called with what, nor a name that somebody made up. That a scope is missing the caller hears itself.
func (b *Box) tell(ctx context.Context, requestID, operation string, known bool, arguments json.RawMessage, d policy.Decision) {
	p := b.shadow.Load()
	if !known || p == nil && d.Effect != policy.Deny {
		return
	}
	attrs := []slog.Attr{slog.String("operation", operation), slog.String("decision", d.Effect.String()), slog.String("rule", d.Rule)}
	if requestID != "" {
		attrs = append(attrs, slog.String("request_id", requestID))
	}
	if d.Effect == policy.Deny {
		b.logger.LogAttrs(ctx, slog.LevelInfo, "call denied", append(attrs, slog.String("reason", d.Reason))...)
	}
	if p == nil {
		return
	}
	would := p.DecideCall(identity.FromContext(ctx), operation, arguments)
	if would.Effect == d.Effect && (d.Effect != policy.NeedsScope || slices.Equal(would.Scopes, d.Scopes)) {
		return
	}
	if b.observer != nil {
		b.observer.ShadowDiffers()
	}
	b.logger.LogAttrs(ctx, slog.LevelInfo, "shadow policy differs", append(attrs, slog.String("would_be", would.Effect.String()),
		slog.String("would_be_rule", would.Rule), slog.String("would_be_reason", would.Reason))...)
}
