package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// soon is how long a call in a session has to be answered as one document. Then it becomes the SDK's: a stream, kept
// alive, that the client can take up again where it broke.
const soon = 50 * time.Millisecond

// errStopped is why a call ends that its client stopped.
var errStopped = errors.New("the client stopped the call")

// answerFastIn answers a plain request within a session, and reports whether it did.
func (h *Handler) answerFastIn(a *answer, r *http.Request, m *message, rq *request, body []byte) bool {
	switch m.method {
	case "ping":
		a.result(append(a.beginResult(128), "{}"...))
		return true
	case "tools/list", "resources/list":
		list, ok := h.fast.list(r.Context(), a, h.box, m.method, false)
		if ok {
			a.result(list)
		}
		return ok
	case "tools/call":
		h.callIn(a, r, m, rq, body)
		return true
	}
	return false
}

// callIn calls a tool within a session and answers, or lets the SDK answer, if it takes longer.
func (h *Handler) callIn(a *answer, r *http.Request, m *message, rq *request, body []byte) {
	call := h.admit(a, r, m, false)
	if call == nil {
		return
	}
	ctx, cancel := context.WithCancelCause(sessionContext{rq.session.ctx, r.Context()})
	defer cancel(nil)
	rq.session.mayStop(rq.call, cancel)
	rq.early = &early{cancel: cancel, done: make(chan struct{})}
	panicked := make(chan any, 1)
	handOver := time.AfterFunc(soon, func() {
		defer func() { panicked <- recover() }()
		h.pass(a, r, h.legacy, body, rq)
	})
	result, err := call.Call(ctx)
	rq.early.end(told(result, err, a.requestID))
	if handOver.Stop() {
		h.answerCall(a, r, m, rq.early.result, rq.early.err, false)
	} else if v := <-panicked; v != nil {
		panic(v)
	}
}

// sessionContext is the context of a call in a session. It ends with the session, but not with the request: to these
// clients a connection that breaks does not mean that nobody wants the answer.
type sessionContext struct {
	context.Context                 // of the session, which holds no values
	request         context.Context // who calls, and what else is known of the request
}

// Value finds what the request holds. What package context asks for on its own behalf it finds in the session's.
func (c sessionContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.request.Value(key)
}

// early is a call that begins before it is known who answers it.
type early struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when result or err is there
	result *mcp.CallToolResult
	err    error
}

func (e *early) end(result *mcp.CallToolResult, err error) {
	e.result, e.err = result, err
	close(e.done)
}

// wait returns what came of the call, which ends with ctx.
func (e *early) wait(ctx context.Context) (*mcp.CallToolResult, error) {
	defer context.AfterFunc(ctx, func() { e.cancel(context.Cause(ctx)) })()
	<-e.done
	return e.result, e.err
}

// calls are the requests of a session that want an answer and have none. The SDK knows only those that reach it.
type calls struct {
	mu   sync.Mutex
	byID map[string]context.CancelCauseFunc // nil where the SDK stops it
}

// idKey is the same for all spellings of an id.
func idKey(id json.RawMessage) string {
	var text string
	if len(id) > 0 && id[0] == '"' && json.Unmarshal(id, &text) == nil {
		return `"` + text
	}
	return string(id)
}

// enter takes the id for a request, unless another has it.
func (s *session) enter(id string) bool {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	if _, taken := s.calls.byID[id]; taken {
		return false
	}
	if s.calls.byID == nil {
		s.calls.byID = map[string]context.CancelCauseFunc{}
	}
	s.calls.byID[id] = nil
	return true
}

// leave gives the id free.
func (s *session) leave(id string) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	delete(s.calls.byID, id)
}

// mayStop lets stop cancel the request that has the id.
func (s *session) mayStop(id string, cancel context.CancelCauseFunc) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	if _, taken := s.calls.byID[id]; taken {
		s.calls.byID[id] = cancel
	}
}

// stop cancels the request that has the id, if it does not run in the SDK.
func (s *session) stop(id string) {
	s.calls.mu.Lock()
	cancel := s.calls.byID[id]
	s.calls.mu.Unlock()
	if cancel != nil {
		cancel(errStopped)
	}
}
