package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// soon is how long a call in a session has to be answered as one document. Then it becomes the SDK's: a stream, kept
// alive, that the client can take up again where it broke.
const soon = 50 * time.Millisecond

// errStopped is why a call ends that its client stopped.
var errStopped = errors.New("the client stopped the call")

// answerFastIn answers a plain request within a session, and reports whether it did. A call that takes longer is left
// in rq for the SDK, which goes on with it.
func (h *Handler) answerFastIn(a *answer, r *http.Request, m *message, rq *request) bool {
	if !h.fast.takes(m, r.Header) {
		return false
	}
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
		rq.early = h.callEarly(r.Context(), rq.session, m, a.requestID)
		wait := time.NewTimer(soon)
		defer wait.Stop()
		select {
		case <-rq.early.done:
		case <-wait.C:
			return false
		}
		h.answerCall(a, r, m, rq.early.result, rq.early.err, false)
		return true
	}
	return false
}

// early is a call that begins before it is known who answers it.
type early struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when result or err is there
	result *mcp.CallToolResult
	err    error
}

// wait returns what came of the call, which ends with ctx.
func (e *early) wait(ctx context.Context) (*mcp.CallToolResult, error) {
	defer context.AfterFunc(ctx, func() { e.cancel(context.Cause(ctx)) })()
	<-e.done
	return e.result, e.err
}

// callEarly begins a call in a session. It ends with the session or when the client stops it, but not with the
// request: to these clients a connection that breaks does not mean that nobody wants the answer.
func (h *Handler) callEarly(ctx context.Context, s *session, m *message, requestID string) *early {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	e := &early{cancel: cancel, done: make(chan struct{})}
	s.mayStop(idKey(m.id), cancel)
	go func() {
		defer close(e.done)
		defer cancel(nil)
		defer context.AfterFunc(s.ctx, func() { cancel(errSessionEnded) })()
		defer func() {
			if v := recover(); v != nil {
				e.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		e.result, e.err = h.call(ctx, &toolbox.Call{Name: m.name, Arguments: m.arguments, RequestID: requestID})
	}()
	return e
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
