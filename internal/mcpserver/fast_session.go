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
		a.result(append(a.beginResult(), "{}"...))
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
	e := &early{sessionContext: sessionContext{rq.session.ctx, r.Context()}}
	call := h.admit(a, r, m, e)
	if call == nil {
		return
	}
	rq.early = e
	rq.session.mayStop(rq.call, e)
	e.passed.Add(1)
	handOver := time.AfterFunc(soon, func() {
		defer e.passed.Done()
		defer func() { e.panicked = recover() }()
		h.pass(a, r, h.legacy, body, rq)
	})
	result, err := call.Call(e)
	e.end(told(result, err, a.requestID))
	if handOver.Stop() {
		h.answerCall(a, r, m, e.result, e.err, false)
		return
	}
	if e.passed.Wait(); e.panicked != nil {
		panic(e.panicked)
	}
}

// sessionContext is the context of a call in a session. It ends with the session, but not with the request: to these
// clients a connection that breaks does not mean that nobody wants the answer.
type sessionContext struct {
	context.Context                 // of the session, which holds no values
	request         context.Context // who calls, and what else is known of the request
}

// Value finds what the request holds. What package context asks for on its own behalf it finds in the session's.
func (c *sessionContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.request.Value(key)
}

// early is a call that begins before it is known who answers it. It is the context of the call, up to where the toolbox
// adds to it.
type early struct {
	sessionContext

	passed   sync.WaitGroup // of the SDK's answer, if it becomes the SDK's
	panicked any            // in it

	mu      sync.Mutex
	cancel  context.CancelCauseFunc // nil until the tool begins
	stopped error                   // why it is to end at once when it begins; nil where it is not
	done    chan struct{}           // closed when result or err is there; nil until somebody waits
	ended   bool                    // result or err is there
	result  *mcp.CallToolResult
	err     error
}

// begun learns how to end the call.
func (e *early) begun(cancel context.CancelCauseFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel = cancel; e.stopped != nil {
		cancel(e.stopped)
	}
}

// stop ends the call, now or when it begins.
func (e *early) stop(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped = cause; e.cancel != nil {
		e.cancel(cause)
	}
}

func (e *early) end(result *mcp.CallToolResult, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended, e.result, e.err = true, result, err
	if e.done != nil {
		close(e.done)
	}
}

// wait returns what came of the call, which ends with ctx.
func (e *early) wait(ctx context.Context) (*mcp.CallToolResult, error) {
	defer context.AfterFunc(ctx, func() { e.stop(context.Cause(ctx)) })()
	<-e.over()
	return e.result, e.err
}

// over is closed when result or err is there.
func (e *early) over() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
		if e.ended {
			close(e.done)
		}
	}
	return e.done
}

// calls are the requests of a session that want an answer and have none. The SDK knows only those that reach it.
type calls struct {
	mu   sync.Mutex
	byID map[string]*early // nil where the SDK stops it
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
		s.calls.byID = map[string]*early{}
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

// mayStop lets stop end the call that has the id.
func (s *session) mayStop(id string, e *early) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	if _, taken := s.calls.byID[id]; taken {
		s.calls.byID[id] = e
	}
}

// stop ends the call that has the id, if it does not run in the SDK.
func (s *session) stop(id string) {
	s.calls.mu.Lock()
	e := s.calls.byID[id]
	s.calls.mu.Unlock()
	if e != nil {
		e.stop(errStopped)
	}
}
