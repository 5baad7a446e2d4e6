package mcpserver

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

const (
	sessionHeader   = "Mcp-Session-Id"
	lastEventHeader = "Last-Event-Id"
)

// older serves a message of 2025-11-25 or older, within its session.
//
// A well-formed request that cannot be served is answered with status 200: to these clients a 404 means that the
// session is gone, and other refusals that the transport is broken.
func (h *Handler) older(a *answer, r *http.Request, m *message, version string, body []byte) {
	if version != "" && !slices.Contains(spoken, version) {
		a.refuse(http.StatusBadRequest, unsupportedVersion(version))
		return
	}
	if version >= firstModern {
		// Only initialize gets here: the version it is sent with has none.
		a.refuse(http.StatusBadRequest, &rpcError{
			Code:    mcp.CodeUnsupportedProtocolVersion,
			Message: "initialize belongs to versions before " + firstModern + "; send server/discover, or initialize with an older MCP-Protocol-Version",
			Data:    map[string]any{"supported": spoken, "requested": version},
		})
		return
	}
	id, fault := one(r.Header, sessionHeader)
	if fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	if id == "" {
		if m.method != "initialize" || !m.isCall() {
			a.refuse(http.StatusBadRequest, invalidRequest("the header %s is missing; begin a session with initialize", sessionHeader))
			return
		}
		h.initialize(a, r, body)
		return
	}
	s := h.sessions.use(r.Context(), id, 1)
	if s == nil {
		a.refuse(http.StatusNotFound, sessionNotFound())
		return
	}
	defer h.sessions.leave(s, 1)
	switch {
	case m.method == "initialize":
		a.refuse(http.StatusBadRequest, invalidRequest("the session has begun; initialize comes once, without the header %s", sessionHeader))
		return
	case m.response, m.isCall() && slices.Contains(h.methods.legacy, m.method):
	case m.isCall():
		a.refuse(http.StatusOK, unknownMethod(m.method))
		return
	case !strings.HasPrefix(m.method, "notifications/"):
		a.refuse(http.StatusBadRequest, invalidRequest("%s needs an id", clip(m.method)))
		return
	case !slices.Contains(legacyNotifications, m.method):
		a.WriteHeader(http.StatusAccepted)
		return
	}
	rq := &request{token: m.token, session: s}
	plain := m.isCall() && h.fast.takes(m, r.Header)
	if call := plain && m.method == "tools/call"; !call && !h.allowed(a, r, m, http.StatusOK) {
		return
	}
	if m.isCall() {
		rq.call = idKey(m.id)
		if !s.enter(rq.call) {
			a.refuse(http.StatusBadRequest, invalidRequest("duplicate in-flight request ID %s", clip(string(m.id))))
			return
		}
		if plain && h.answerFastIn(a, r, m, rq, body) {
			rq.leave()
			return
		}
	}
	if m.method == "notifications/cancelled" && m.cancels != nil {
		s.stop(idKey(m.cancels))
	}
	h.pass(a, r, h.legacy, body, rq)
}

var legacyNotifications = []string{"notifications/cancelled", "notifications/initialized", "notifications/progress", "notifications/roots/list_changed"}

// initialize begins a session, if there is room for one.
func (h *Handler) initialize(a *answer, r *http.Request, body []byte) {
	s, ok := h.sessions.reserve(identity.FromContext(r.Context()))
	if !ok {
		h.onLimit("sessions")
		a.Header().Set("Retry-After", "60")
		a.refuse(http.StatusServiceUnavailable, &rpcError{Code: codeServer, Message: "there are too many sessions; end one, or try again later"})
		return
	}
	// A session that did not begin gives its place back.
	defer h.sessions.settle(s)
	h.pass(a, r, h.legacy, body, &request{session: s, begins: true})
}

// get opens the stream of a session, or takes up one that broke.
func (h *Handler) get(a *answer, r *http.Request) {
	s := h.sessionOf(a, r)
	if s == nil {
		return
	}
	defer h.sessions.leave(s, 0)
	if fault := accepts(r, "text/event-stream"); fault != nil {
		a.refuse(http.StatusNotAcceptable, fault)
		return
	}
	if _, fault := one(r.Header, lastEventHeader); fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	a.control.SetReadDeadline(time.Time{}) // it was for the request, not for the stream
	h.pass(a, r, h.legacy, nil, nil)
}

// delete ends a session and cancels what runs in it.
func (h *Handler) delete(a *answer, r *http.Request) {
	s := h.sessionOf(a, r)
	if s == nil {
		return
	}
	h.sessions.leave(s, 0)
	h.sessions.end(s)
	a.WriteHeader(http.StatusNoContent)
}

// sessionOf returns the session a GET or DELETE names, which must be left. Without one it answers itself and returns nil.
func (h *Handler) sessionOf(a *answer, r *http.Request) *session {
	version, fault := one(r.Header, versionHeader)
	if fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return nil
	}
	if version >= firstModern {
		a.Header().Set("Allow", "POST")
		a.refuse(http.StatusMethodNotAllowed, invalidRequest("%s is not served in version %s; use POST", r.Method, clip(version)))
		return nil
	}
	if version != "" && !slices.Contains(spoken, version) {
		a.refuse(http.StatusBadRequest, unsupportedVersion(version))
		return nil
	}
	id, fault := one(r.Header, sessionHeader)
	if fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return nil
	}
	if id == "" {
		// Without a session there is nothing to stream or end, and POST is all there is.
		a.Header().Set("Allow", "POST")
		a.refuse(http.StatusMethodNotAllowed, invalidRequest("%s needs the header %s of a session; use POST to call", r.Method, sessionHeader))
		return nil
	}
	s := h.sessions.use(r.Context(), id, 0)
	if s == nil {
		a.refuse(http.StatusNotFound, sessionNotFound())
	}
	return s
}

// sessionNotFound is the one answer to a session that never was, that ended, and that is another's.
func sessionNotFound() *rpcError {
	return &rpcError{Code: jsonrpc.CodeInvalidRequest, Message: "there is no such session; begin one with initialize"}
}
