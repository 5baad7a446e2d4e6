package toolbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// Audit records what is decided, before the effect, and what came of it. A [*audit.Trail] is one.
type Audit interface {
	// Keeps reports whether anything is recorded now. A call that began while nothing was has no outcome either.
	Keeps() bool
	// Write records e before it returns. An error closes the door: the call is not made, or its result not given.
	Write(ctx context.Context, e audit.Event) error
	// Hash returns a fingerprint of the arguments of a call that does not tell what they are.
	Hash(arguments []byte) string
}

// entry is what is recorded of one call or read: its decision first, then its outcome.
type entry struct {
	box   *Box
	keeps bool // somebody records it; otherwise the event holds no more than an observer hears of
	event audit.Event
	since time.Time
}

// judge decides about a call that is then to be recorded, and begins its record.
func (b *Box) judge(ctx context.Context, requestID, operation string, known bool, arguments json.RawMessage) (policy.Decision, entry) {
	var since time.Time
	if b.observer != nil {
		since = b.now()
	}
	d := b.decide(ctx, operation, known, arguments)
	b.tell(ctx, requestID, operation, known, arguments, d)
	n := b.entry(ctx, requestID, operation, known, arguments, d)
	if b.observer != nil {
		b.observer.Decided(ctx, Decided{Operation: n.event.Tool, Decision: n.event.Decision, Rule: n.event.Rule, Since: since})
	}
	return d, n
}

// refusing is judge where the decision was made already and lets nobody in.
func (b *Box) refusing(ctx context.Context, operation string, known bool, arguments json.RawMessage, d policy.Decision) {
	b.tell(ctx, "", operation, known, arguments, d)
	n := b.entry(ctx, "", operation, known, arguments, d)
	if b.observer != nil {
		b.observer.Decided(ctx, Decided{Operation: n.event.Tool, Decision: n.event.Decision, Rule: n.event.Rule, Since: n.since})
	}
	n.decided(ctx) // it is refused in any case
}

// entry begins the record of a call. An operation that does not exist is a name somebody made up, and is left out.
func (b *Box) entry(ctx context.Context, requestID, operation string, known bool, arguments json.RawMessage, d policy.Decision) entry {
	n := entry{box: b, since: b.now(), keeps: b.audit != nil && b.audit.Keeps()}
	n.event = audit.Event{Time: n.since, Kind: audit.Decided, RequestID: requestID, Decision: audit.Deny, Rule: d.Rule}
	if known {
		n.event.Tool = b.named(operation)
	}
	switch d.Effect {
	case policy.Allow:
		n.event.Decision = audit.Allow
	case policy.NeedsScope:
		n.event.Decision = audit.NeedsScope
	}
	if !n.keeps {
		return n
	}
	id := identity.FromContext(ctx)
	n.event.Principal = audit.Of(id)
	if id != nil {
		n.event.Client = id.ClientID
	}
	if arguments != nil {
		n.event.Arguments = b.audit.Hash(arguments)
	}
	return n
}

// named is an operation as the record has it. A URI that fits a template holds what the caller wrote, so the template
// stands for it.
func (b *Box) named(operation string) string {
	if b.byName[operation] != nil || b.byURI[operation] != nil {
		return operation
	}
	for _, t := range b.templates {
		if t.fits.MatchString(operation) {
			return t.Definition.URITemplate
		}
	}
	return operation
}

// decided records the decision. Nothing may be done where it returns an error.
func (n *entry) decided(ctx context.Context) error {
	if !n.keeps {
		return nil
	}
	if err := n.box.audit.Write(ctx, n.event); err != nil {
		n.lost(ctx, err)
		if n.event.Decision == audit.Allow {
			n.write(ctx, audit.Outcome{Result: notRecorded}) // for the sinks that have the decision; the cause is known
			n.tellEnd(ctx, notRecorded)
		}
		return fmt.Errorf("%w, so nothing was done; the request id is %s", ErrNotRecorded, n.event.RequestID)
	}
	return nil
}

// ended records what came of the call that was let in, and returns err, or why nobody may see its result.
func (n *entry) ended(ctx context.Context, size int64, result string, err error) error {
	if err != nil {
		size, result = 0, resultOf(err)
	}
	if !n.keeps {
		n.tellEnd(ctx, result)
		return err
	}
	o := audit.Outcome{Result: result, Micros: n.box.now().Sub(n.since).Microseconds(), Bytes: size}
	if lost := n.write(ctx, o); lost != nil {
		n.lost(ctx, lost)
		n.tellEnd(ctx, notRecorded)
		return fmt.Errorf("%w, so the result of the call, which was made, is withheld; the request id is %s", ErrNotRecorded, n.event.RequestID)
	}
	n.tellEnd(ctx, result)
	return err
}

// notRecorded is the outcome of a call that could not be recorded: it was not made, or its result was withheld.
const notRecorded = "not_recorded"

func (n *entry) write(ctx context.Context, o audit.Outcome) error {
	e := n.event
	e.Kind, e.Outcome, e.Time = audit.Ended, &o, n.box.now()
	return n.box.audit.Write(ctx, e)
}

func (n *entry) lost(ctx context.Context, err error) {
	n.box.logger.LogAttrs(ctx, slog.LevelError, "call not recorded", slog.String("tool", n.event.Tool),
		slog.String("request_id", n.event.RequestID), slog.Any("cause", err))
}

// resultOf is the word the record has for an error of this package.
func resultOf(err error) string {
	switch {
	case errors.As(err, new(*ArgumentsError)):
		return "bad_arguments"
	case errors.As(err, new(*CapabilityError)):
		return "client_incapable"
	case errors.Is(err, ErrTooLarge):
		return "too_large"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.Is(err, ErrTimeout):
		return "timeout"
	case errors.Is(err, ErrCancelled):
		return "cancelled"
	case errors.Is(err, ErrDraining):
		return "shutting_down"
	}
	return "failed"
}

// sizeOf is how many bytes a result carries: its texts, its data and its structured content as JSON.
func sizeOf(result *mcp.CallToolResult) int64 {
	var size int64
	for _, c := range result.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			size += int64(len(c.Text))
		case *mcp.ImageContent:
			size += int64(len(c.Data))
		case *mcp.AudioContent:
			size += int64(len(c.Data))
		default:
			size += sizeOfJSON(c)
		}
	}
	if result.StructuredContent != nil {
		size += sizeOfJSON(result.StructuredContent)
	}
	return size
}

func sizeOfContents(contents []*mcp.ResourceContents) int64 {
	var size int64
	for _, c := range contents {
		size += int64(len(c.Text) + len(c.Blob))
	}
	return size
}

func sizeOfJSON(v any) int64 {
	if raw, written := v.(json.RawMessage); written {
		return int64(len(raw))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return 0 // what cannot be written is refused elsewhere
	}
	return int64(len(raw))
}
