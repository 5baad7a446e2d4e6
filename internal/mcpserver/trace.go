package mcpserver

import (
	"context"
)

// Message is one message of a client as observers hear of it.
type Message struct {
	Method string // empty for an answer of the client
	Name   string // the tool, resource or prompt it is for; a stranger's text, and empty for most methods
	Trace  Trace
}

// Trace is the trace that the client says its message belongs to, in the _meta of its params: the texts that the headers
// of W3C Trace Context and W3C Baggage would hold. Each is empty where it is absent or no text.
type Trace struct{ Parent, State, Baggage string }

// maxTrace is how many bytes of each are read: what the longest of the specifications asks receivers to bear.
const maxTrace = 8192

// traceOf reads the trace in _meta. What is not right there is no reason to refuse a call: W3C Trace Context, section
// 3.2, has it ignored.
func traceOf(meta members) (t Trace) {
	read := func(key string, to *string) {
		raw := meta.get(key)
		if len(raw) < 2 || len(raw) > maxTrace || !text(raw, to) {
			*to = ""
		}
	}
	read("traceparent", &t.Parent)
	read("tracestate", &t.State)
	read("baggage", &t.Baggage)
	return t
}

// served is the context of a request that the SDK serves. It ends with the SDK's, which in a session holds the values of
// the request that began it; what it holds itself is of the request that is served.
type served struct {
	context.Context
	request context.Context // without its end
}

// Value finds what the request holds, and else what the SDK put there.
func (s served) Value(key any) any {
	if v := s.request.Value(key); v != nil {
		return v
	}
	return s.Context.Value(key)
}
