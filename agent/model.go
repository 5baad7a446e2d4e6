package agent

import (
	"context"
	"fmt"
	"time"
)

// Model is a language model.
//
// Stream asks it for the next message. It calls hear, in order and never after it has returned, with each piece of text
// as it comes; the reply holds the whole. It ends with ctx. An error that says what is at fault is a [*ModelError]. It is
// asked for one message at a time.
type Model interface {
	Stream(ctx context.Context, r Request, hear func(text string)) (*Reply, error)
}

// Request is what a model is asked.
type Request struct {
	Messages []Message
	Tools    []Tool // that it may ask for; none means that it may only speak
}

// Reply is what a model says.
type Reply struct {
	Text  string
	Calls []ToolCall
	Usage *Usage // nil means that it does not say
}

// Role is who speaks.
type Role string

// The roles.
const (
	RoleSystem    Role = "system"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Message is one message of a conversation.
type Message struct {
	Role   Role       `json:"role"`
	Text   string     `json:"text,omitempty"`
	Calls  []ToolCall `json:"calls,omitempty"`   // that an assistant asks for
	CallID string     `json:"call_id,omitempty"` // which call a tool's message answers
}

// ToolCall is a call that a model asks for, in its own words.
type ToolCall struct {
	ID        string `json:"id"`
	Tool      string `json:"tool"`      // which may not exist
	Arguments string `json:"arguments"` // which may be no JSON
}

// Usage is how many tokens a model read and wrote for one answer.
type Usage struct {
	In  int64 `json:"in"`
	Out int64 `json:"out"`
}

// Totals add up usage.
type Totals struct {
	In      int64 `json:"in"`
	Out     int64 `json:"out"`
	Unknown int   `json:"unknown,omitempty"` // answers whose tokens nobody said
}

func (t *Totals) add(u *Usage) {
	if u == nil {
		t.Unknown++
		return
	}
	t.In += u.In
	t.Out += u.Out
}

// Cost is what the tokens cost; known is false where p is nil or some tokens are unknown.
func (t Totals) Cost(p *Prices) (spent float64, known bool) {
	if p == nil || t.Unknown > 0 {
		return 0, false
	}
	return (float64(t.In)*p.In + float64(t.Out)*p.Out) / 1e6, true
}

// Prices are what a million tokens cost, in any one currency.
type Prices struct{ In, Out float64 }

// Fault is what is wrong with a model.
type Fault string

// The faults. The first four may pass by themselves, and are tried again a few times.
const (
	FaultUnreachable Fault = "unreachable"
	FaultBusy        Fault = "busy"   // 429
	FaultServer      Fault = "server" // 5xx
	FaultCut         Fault = "cut"    // the answer ended before its end
	FaultKey         Fault = "key"    // 401, 403
	FaultRequest     Fault = "request"
)

// ModelError is an error of a model.
type ModelError struct {
	Fault      Fault
	Model      string        // its name; may be empty
	RetryAfter time.Duration // how long it asks to be left alone; zero means that it does not say
	Err        error
}

var faultWords = map[Fault]string{
	FaultUnreachable: "cannot be reached", FaultBusy: "is busy", FaultServer: "has a fault of its own", FaultCut: "broke off in the middle",
	FaultKey: "refuses the key", FaultRequest: "refuses the request",
}

// Error says what is wrong, in the model's words where it gave some.
func (e *ModelError) Error() string {
	name := "the model"
	if e.Model != "" {
		name += " " + e.Model
	}
	return fmt.Sprintf("%s %s: %v", name, faultWords[e.Fault], e.Err)
}

// Unwrap returns the cause.
func (e *ModelError) Unwrap() error { return e.Err }
