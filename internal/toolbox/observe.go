package toolbox

import (
	"context"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
)

// Observer hears of what happens, to count and to trace it. It changes nothing and must not keep the call. Its methods
// are called by many goroutines.
type Observer interface {
	// Decided hears of a decision that lets a call in, or of one that ends it.
	Decided(ctx context.Context, d Decided)
	// Begun hears that a call which was let in begins, and returns the context that it runs in: ctx, or one made from it.
	Begun(ctx context.Context, operation string) context.Context
	// Ended hears what came of a call, by the words of the record. ctx is what Begun returned; where the call could not
	// be recorded and was not made, it is the caller's.
	Ended(ctx context.Context, operation, outcome string, took time.Duration)
	// ShadowDiffers hears that the policy that is tried out would have decided otherwise.
	ShadowDiffers()
}

// Decided is a decision as an observer hears of it.
type Decided struct {
	Operation string // as the record has it: of a family its template, and empty for what does not exist
	Decision  audit.Decision
	Rule      string
	Since     time.Time // when the policy was asked
}

// Outcomes are the words that the record and an [Observer] have for what came of a call.
func Outcomes() []string {
	return []string{"ok", "tool_error", "asked", "bad_arguments", "client_incapable", "too_large", "busy", "timeout", "cancelled",
		"shutting_down", notRecorded, "failed"}
}

// Operations are the names by which an [Observer] hears of what there is: tools, resources, templates and prompts.
func (b *Box) Operations() []string {
	var all []string
	for _, t := range b.tools {
		all = append(all, t.Definition.Name)
	}
	for _, r := range b.resources {
		all = append(all, r.Definition.URI)
	}
	for _, t := range b.templates {
		all = append(all, t.Definition.URITemplate)
	}
	for _, p := range b.prompts {
		all = append(all, promptPrefix+p.Definition.Name)
	}
	return all
}

// Observe has o hear of what happens. It is called once, before the first call.
func (b *Box) Observe(o Observer) { b.observer = o }

// begun tells that the call begins.
func (n *entry) begun(ctx context.Context) context.Context {
	if n.box.observer == nil {
		return ctx
	}
	return n.box.observer.Begun(ctx, n.event.Tool)
}

// tellEnd tells what came of the call.
func (n *entry) tellEnd(ctx context.Context, outcome string) {
	if n.box.observer != nil {
		n.box.observer.Ended(ctx, n.event.Tool, outcome, n.box.now().Sub(n.since))
	}
}
