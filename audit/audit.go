// Package audit records who was let in to which tool, and what came of it.
//
// It is not logging. Each decision is one [Event], written before anything is done, and each call that was let in is one
// more when it has ended: the same fields every time. No event holds a token or an argument of a call. The package
// decides nothing; what happens when an event cannot be written is the trail's to say, and it says no unless told
// otherwise.
//
// An event walks: the toolbox fills it, [Trail] adds what the request brought, bounds it and hands it to every sink.
//
//	Event   what is recorded                                 audit.go line.go
//	Trail   all sinks as one, closed or open on failure      trail.go
//	Stats   what became of the events, in numbers            stats.go
//	Hash    a fingerprint of arguments, under a key          hash.go
//	Origin  the request an event belongs to, in a context    origin.go
//	File    lines of JSON in a file that rotates             file.go rotate.go
//	Stream  lines of JSON to a writer, such as stdout        stream.go
//	Syslog  RFC 5424, to the machine's own or another's      syslog.go
package audit

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// Event is one line of the record. Its JSON is stable: fields are added, never renamed, and absent where they would be
// empty.
type Event struct {
	// Time is when the event came about, in UTC. A trail fills it where it is zero.
	Time time.Time `json:"time"`
	// Kind is "decision", before the effect, or "outcome", after it.
	Kind Kind `json:"event"`

	// RequestID is the X-Request-Id of the answer: it joins a decision, its outcome and the log.
	RequestID string `json:"request_id,omitempty"`
	// TraceID is the trace the caller says the request belongs to (W3C Trace Context): 32 hex digits.
	TraceID string `json:"trace_id,omitempty"`
	// Address is where the request came from, proxies that are trusted left out.
	Address string `json:"address,omitempty"`

	// Principal is who called; nil where nobody was recognized.
	Principal *Principal `json:"principal,omitempty"`
	// Client is the program that presented the token, by its client id.
	Client string `json:"client,omitempty"`

	// Tool is the tool's name or the resource's URI. It is empty for a request that reached none, and for a name that
	// nothing has: that is a stranger's text.
	Tool string `json:"tool,omitempty"`
	// Decision is "allow", "deny", "needs_scope", or "refuse" for a request that was turned away before a tool was
	// asked for.
	Decision Decision `json:"decision"`
	// Rule names what decided: a rule of the policy, or for Refuse the reason.
	Rule string `json:"rule,omitempty"`
	// Arguments is the fingerprint of the call's arguments, see [Trail.Hash].
	Arguments string `json:"arguments_hash,omitempty"`

	// Outcome is what came of the call; nil in a decision.
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Kind tells the two events of a call apart.
type Kind string

const (
	Decided Kind = "decision" // before the effect
	Ended   Kind = "outcome"  // after it
)

// Decision is what was decided.
type Decision string

const (
	Allow      Decision = "allow"
	Deny       Decision = "deny"
	NeedsScope Decision = "needs_scope"
	Refuse     Decision = "refuse" // turned away before a tool was asked for
)

// Principal is a caller as a record needs it: by the names that do not change.
type Principal struct {
	Issuer   string        `json:"issuer"`
	Tenant   string        `json:"tenant,omitempty"`
	ObjectID string        `json:"object_id,omitempty"` // Entra's oid
	Subject  string        `json:"subject,omitempty"`   // the token's sub, where there is no oid
	Kind     identity.Kind `json:"kind"`
}

// Of returns id as the record keeps it, or nil for nobody.
func Of(id *identity.Identity) *Principal {
	if id == nil {
		return nil
	}
	p := &Principal{Issuer: id.Issuer, Tenant: id.Tenant, ObjectID: id.ObjectID, Kind: id.Kind}
	if p.ObjectID == "" {
		p.Subject = id.Subject
	}
	return p
}

// Outcome is what came of a call that was let in.
type Outcome struct {
	// Result is "ok", "asked" (the tool asked the client for input; the call that brings it is another), "tool_error" (the
	// tool says the caller did something wrong), "bad_arguments", "client_incapable" (the client lacks what the tool needs), "failed",
	// "too_large", "busy", "timeout", "cancelled", "shutting_down" or "not_recorded" (the decision could not be written
	// everywhere, so nothing was done).
	Result string `json:"result"`
	// Micros is how long the call took, in microseconds.
	Micros int64 `json:"duration_us"`
	// Bytes is the size of the result: its texts, its data and its structured content as JSON.
	Bytes int64 `json:"result_bytes"`
}

// Sink keeps events. What it cannot keep it must say: that closes the door.
type Sink interface {
	// Write keeps e before it returns, or returns an error. It may be called from many goroutines, does not change e,
	// and does not wait for long.
	Write(ctx context.Context, e Event) error
}

// maxText is the most bytes of one text of an event. Claims of a token may be much longer.
const maxText = 512

// bounded is e with every text cut to what a record keeps. It does not change what e points to.
func bounded(e Event) Event {
	for _, s := range []*string{&e.RequestID, &e.TraceID, &e.Address, &e.Client, &e.Tool, &e.Rule, &e.Arguments} {
		*s = clip(*s)
	}
	if e.Principal != nil {
		p := *e.Principal
		for _, s := range []*string{&p.Issuer, &p.Tenant, &p.ObjectID, &p.Subject} {
			*s = clip(*s)
		}
		e.Principal = &p
	}
	return e
}

func clip(s string) string {
	if len(s) > maxText {
		n := maxText
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
