package mcpserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

const (
	// firstModern is the version that made the protocol stateless.
	firstModern = "2026-07-28"

	versionHeader = "Mcp-Protocol-Version"
	methodHeader  = "Mcp-Method"
	nameHeader    = "Mcp-Name"
	paramHeader   = "Mcp-Param-"
)

// spoken are the protocol versions that the SDK speaks.
var spoken = mcp.SupportedProtocolVersions()

// modern serves a message of 2026-07-28 or later: stateless, its headers mirroring its body.
func (h *Handler) modern(a *answer, r *http.Request, m *message, version string, body []byte) {
	if m.response {
		a.refuse(http.StatusBadRequest, invalidRequest("servers of this version ask nothing, so there is nothing to answer"))
		return
	}
	if fault := checkVersion(m, version); fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	if fault := checkMirrors(r.Header, m); fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	if !m.isCall() {
		// A stateless server has nothing to be notified of: a call is cancelled by closing its stream.
		a.WriteHeader(http.StatusAccepted)
		return
	}
	if !slices.Contains(h.methods.modern, m.method) {
		a.refuse(http.StatusNotFound, unknownMethod(m.method))
		return
	}
	if !m.capable {
		a.refuse(http.StatusBadRequest, invalidParams("%s needs the object %q in its _meta", m.method, mcp.MetaKeyClientCapabilities))
		return
	}
	plain := h.fast.takes(m, r.Header)
	if plain && m.method == "tools/call" {
		h.callFast(a, r, m)
		return
	}
	if !h.allowed(a, r, m, http.StatusBadRequest) {
		return
	}
	if plain && h.answerFast(a, r, m) {
		return
	}
	if m.method == "subscriptions/listen" {
		h.listen(a, r, body)
		return
	}
	next := h.plain
	if m.token || m.log {
		next = h.stream
	}
	h.pass(a, r, next, body, &request{token: m.token})
}

// checkVersion holds the version of the header against that of the body, and both against what is spoken here.
func checkVersion(m *message, header string) *rpcError {
	switch {
	case header == "":
		return &rpcError{Code: mcp.CodeHeaderMismatch, Message: fmt.Sprintf("the header %s is missing", "MCP-Protocol-Version")}
	case m.version != "" && m.version != header:
		return &rpcError{Code: mcp.CodeHeaderMismatch, Message: fmt.Sprintf("the header MCP-Protocol-Version says %q, and _meta says %q", clip(header), clip(m.version))}
	case !slices.Contains(spoken, header) || header < firstModern:
		return unsupportedVersion(header)
	case m.version == "" && m.isCall():
		return invalidParams("%s needs %q in its _meta", clip(m.method), mcp.MetaKeyProtocolVersion)
	}
	return nil
}

func unsupportedVersion(version string) *rpcError {
	return &rpcError{
		Code:    mcp.CodeUnsupportedProtocolVersion,
		Message: fmt.Sprintf("the protocol version %q is not spoken here", clip(version)),
		Data:    map[string]any{"supported": spoken, "requested": clip(version)},
	}
}

// checkMirrors holds the headers that mirror the body against it. Intermediaries act on them, so they must not lie.
func checkMirrors(header http.Header, m *message) *rpcError {
	mismatch := func(format string, args ...any) *rpcError {
		return &rpcError{Code: mcp.CodeHeaderMismatch, Message: fmt.Sprintf(format, args...)}
	}
	method, fault := one(header, methodHeader)
	switch {
	case fault != nil:
		return fault
	case method == "":
		return mismatch("the header %s is missing", methodHeader)
	case method != m.method:
		return mismatch("the header %s says %q, and the body says %q", methodHeader, clip(method), clip(m.method))
	}
	if m.name != "" {
		raw, fault := one(header, nameHeader)
		if fault != nil {
			return fault
		}
		name, ok := decodeMirror(raw)
		switch {
		case raw == "":
			return mismatch("the header %s is missing", nameHeader)
		case !ok:
			return mismatch("the header %s is not valid base64", nameHeader)
		case name != m.name:
			return mismatch("the header %s says %q, and the body says %q", nameHeader, clip(name), clip(m.name))
		}
	}
	for key, values := range header {
		if !strings.HasPrefix(key, paramHeader) {
			continue
		}
		if len(values) != 1 {
			return mismatch("the header %s stands there more than once", clip(key))
		}
		if _, ok := decodeMirror(values[0]); !ok {
			return mismatch("the header %s is not valid base64", clip(key))
		}
	}
	return nil
}

// decodeMirror reads the value of a header that mirrors the body. What does not fit into a header stands there as
// =?base64?…?=, with padding and nothing left over.
func decodeMirror(value string) (string, bool) {
	encoded, wrapped := strings.CutPrefix(value, "=?base64?")
	if !wrapped {
		return value, true
	}
	encoded, wrapped = strings.CutSuffix(encoded, "?=")
	if !wrapped {
		return value, true
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || !utf8.Valid(decoded) {
		return "", false
	}
	return string(decoded), true
}

// allowed asks the toolbox before anything is begun, so that too little scope is an HTTP answer with a challenge. It
// answers itself when the caller may not: an unknown name with status.
func (h *Handler) allowed(a *answer, r *http.Request, m *message, status int) bool {
	var err error
	switch m.method {
	case "tools/call":
		err = h.box.AllowCall(r.Context(), m.name, m.arguments)
	case "resources/read":
		err = h.box.AllowResource(r.Context(), m.name)
	case "resources/subscribe":
		err = h.box.AllowResource(r.Context(), m.uri)
	case "prompts/get":
		err = h.box.AllowPrompt(r.Context(), m.name, m.arguments)
	case "completion/complete":
		err = h.box.AllowCompletion(r.Context(), m.prompt, m.uri)
	}
	if err == nil {
		return true
	}
	h.deny(a, r, err, status)
	return false
}

// deny answers who may not do what they asked for.
func (h *Handler) deny(a *answer, r *http.Request, err error, status int) {
	if scopes, missing := missingScopes(err); missing && h.guard != nil {
		a.handOver(func(w http.ResponseWriter) { h.guard.InsufficientScope(w, r, scopes) })
		return
	} else if missing {
		a.refuse(http.StatusForbidden, &rpcError{Code: jsonrpc.CodeInvalidRequest, Message: err.Error(), Data: map[string]any{"scopes": scopes}})
		return
	}
	if unknown := (*toolbox.UnknownError)(nil); errors.As(err, &unknown) {
		a.refuse(status, unknownName(unknown))
		return
	}
	a.refuse(status, invalidParams("%s", err.Error()))
}
