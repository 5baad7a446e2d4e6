package agent

import "encoding/json"

// EventKind says what happened.
type EventKind string

// The events, in the order in which they can come within a turn.
const (
	EventText      EventKind = "text"      // a piece of what the model says: Text
	EventRetry     EventKind = "retry"     // the model is asked again, and the pieces so far do not count: Error
	EventMessage   EventKind = "message"   // the model has spoken: Text
	EventUsage     EventKind = "usage"     // how many tokens so far: Totals
	EventCall      EventKind = "call"      // the model asks for a call: Call, Tool, Server, Arguments
	EventDecision  EventKind = "decision"  // whether it may run: Call, Decision, Reason
	EventStart     EventKind = "start"     // it runs: Call
	EventProgress  EventKind = "progress"  // how far it is: Call, Progress
	EventResult    EventKind = "result"    // it is over: Call, Outcome, Text or Error
	EventCompacted EventKind = "compacted" // the conversation was made shorter: Text is what stands for it
	EventNote      EventKind = "note"      // something to know: Text
	EventEnd       EventKind = "end"       // the turn is over: Text, Totals, Error
)

// Event is something that happened. Which fields are set, the kind says; texts of tools and models may hold anything.
type Event struct {
	Kind      EventKind       `json:"event"`
	Call      string          `json:"call,omitempty"` // the id of a call
	Server    string          `json:"server,omitempty"`
	Tool      string          `json:"tool,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Decision  string          `json:"decision,omitempty"` // allowed or refused
	Reason    string          `json:"reason,omitempty"`
	Progress  *EventStep      `json:"progress,omitempty"`
	Outcome   string          `json:"outcome,omitempty"`
	Text      string          `json:"text,omitempty"`
	Totals    *Totals         `json:"totals,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// EventStep is the progress of a call in an event.
type EventStep struct {
	Done    float64 `json:"done"`
	Total   float64 `json:"total,omitempty"` // 0: unknown
	Message string  `json:"message,omitempty"`
}
