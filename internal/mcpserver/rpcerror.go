package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// codeServer is for refusals that no other code names: the server is busy or going down. JSON-RPC 2.0, section 5.1
// leaves -32000 to -32099 to servers.
const codeServer = -32000

// rpcError is a JSON-RPC error before it has a request id.
type rpcError struct {
	Code    int64
	Message string // one sentence: what was wrong, and with which name
	Data    map[string]any
}

func invalidRequest(format string, args ...any) *rpcError {
	return &rpcError{Code: jsonrpc.CodeInvalidRequest, Message: fmt.Sprintf(format, args...)}
}

func invalidParams(format string, args ...any) *rpcError {
	return &rpcError{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf(format, args...)}
}

func unknownMethod(method string) *rpcError {
	return &rpcError{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("the method %q is not known here", clip(method))}
}

// unknownName says that there is no such tool, prompt or resource. Of a resource the client gets its URI back. MCP
// 2026-07-28, resources, error handling.
func unknownName(u *toolbox.UnknownError) *rpcError {
	e := invalidParams("%s", u.Error())
	if u.Kind == "resource" && len(u.Name) <= maxEcho {
		e.Data = map[string]any{"uri": u.Name}
	}
	return e
}

// maxEcho is the longest URI that is said back whole.
const maxEcho = 2048

// incapable says what the client must declare, as an object of capabilities.
func incapable(lacks *toolbox.CapabilityError) *rpcError {
	required := map[string]map[string]any{}
	for _, name := range lacks.Required {
		name, detail, detailed := strings.Cut(name, ".")
		if required[name] == nil {
			required[name] = map[string]any{}
		}
		if detailed {
			required[name][detail] = map[string]any{}
		}
	}
	return &rpcError{Code: mcp.CodeMissingRequiredClientCapabilities, Message: lacks.Error(), Data: map[string]any{"requiredCapabilities": required}}
}

// wire returns the error as it goes out, with the request id in its data.
func (e *rpcError) wire(requestID string) *jsonrpc.Error {
	data := map[string]any{"request_id": requestID}
	for k, v := range e.Data {
		data[k] = v
	}
	raw, err := json.Marshal(data)
	if err != nil {
		raw = nil
	}
	return &jsonrpc.Error{Code: e.Code, Message: e.Message, Data: raw}
}

// writeError answers with a JSON-RPC error. A nil id is answered as null. JSON-RPC 2.0, section 5.
func writeError(w http.ResponseWriter, status int, id json.RawMessage, e *jsonrpc.Error) {
	if id == nil {
		id = json.RawMessage("null")
	}
	body, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   *jsonrpc.Error  `json:"error"`
	}{"2.0", id, e})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

// withRequestID puts the request id into a message that is a JSON-RPC error, and leaves every other message as it is.
// The SDK writes some errors by itself; what they say of its own types is not for strangers. The code is that of the
// error, and 0 for every other message.
func withRequestID(message []byte, method, requestID string) (out []byte, code int64) {
	if !bytes.Contains(message, []byte(`"error":{`)) {
		return message, 0
	}
	var m struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Method  *string         `json:"method,omitempty"`
		Result  json.RawMessage `json:"result,omitempty"`
		Error   *jsonrpc.Error  `json:"error"`
	}
	if err := json.Unmarshal(message, &m); err != nil || m.Error == nil || m.Method != nil || m.Result != nil {
		return message, 0
	}
	var data map[string]any
	if len(m.Error.Data) > 0 && json.Unmarshal(m.Error.Data, &data) != nil {
		return message, m.Error.Code
	}
	if data["request_id"] == requestID {
		return message, m.Error.Code
	}
	switch {
	case m.Error.Code == 0 && m.Error.Message == context.Canceled.Error(): // the SDK gave up on the call before the tool did
		m.Error.Code, m.Error.Message = codeServer, toolbox.ErrCancelled.Error()
	case m.Error.Code == 0, strings.Contains(m.Error.Message, "*mcp."):
		m.Error.Code = jsonrpc.CodeInvalidParams
		m.Error.Message = fmt.Sprintf("the params are not what %s takes", clip(method))
	}
	m.Error = (&rpcError{Code: m.Error.Code, Message: m.Error.Message, Data: data}).wire(requestID)
	if m.ID == nil {
		m.ID = json.RawMessage("null")
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return message, m.Error.Code
	}
	return raw, m.Error.Code
}

// clip shortens what a stranger sent, for saying it back.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
