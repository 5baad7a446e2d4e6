package mcpserver

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/strictjson"
)

// maxID is how many bytes a JSON-RPC id or a progress token may have.
const maxID = 256

// logLevelKey is the member of _meta that asks for log messages.
const logLevelKey = "io.modelcontextprotocol/logLevel"

// message is one JSON-RPC message, with what must be known of it before the SDK sees it.
type message struct {
	id       json.RawMessage // nil for a notification
	method   string          // empty for a response
	response bool            // an answer of the client to a request of the server
	params   bool            // there are params: an object

	name      string          // tools/call: the tool; resources/read: the URI; prompts/get: the prompt
	uri       string          // resources/subscribe: the URI; completion/complete: the URI template
	prompt    string          // completion/complete: the prompt
	arguments json.RawMessage // tools/call: the arguments, an object or null; nil if not given
	version   string          // of _meta; empty if not given
	// capable reports that _meta holds the client's capabilities.
	capable bool
	// token reports that the client asked for progress.
	token bool
	// log reports that the client asked for log messages.
	log   bool
	trace Trace // of _meta

	// What the fast path needs. plain reports that the params hold nothing else than it reads.
	plain        bool
	info         json.RawMessage // of _meta: who the client says it is
	capabilities json.RawMessage // of _meta
	cancels      json.RawMessage // notifications/cancelled: the id of the call
}

// isCall reports whether the message wants an answer.
func (m *message) isCall() bool { return m.id != nil && !m.response }

// isModern reports whether the message belongs to 2026-07-28 or later, given the version of the HTTP header.
func (m *message) isModern(header string) bool {
	if m.method == "initialize" && m.version == "" {
		return false
	}
	return m.version != "" || header >= firstModern
}

// The keys that mean something in a message, in its params and in their _meta. A key that differs from one of them only
// by case, U+017F and U+212A included, means mischief: some readers would take it for the key.
var (
	messageKeys = []string{"jsonrpc", "id", "method", "params", "result", "error"}
	paramsKeys  = []string{"_meta", "name", "arguments", "uri", "cursor", "protocolVersion", "capabilities", "clientInfo",
		"requestId", "reason", "progressToken", "progress", "notifications", "inputResponses", "requestState", "level", "ref", "argument", "context"}
	metaKeys = []string{"progressToken", mcp.MetaKeyProtocolVersion, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities, logLevelKey}
)

// What the fast path reads. Everything else in the params, and of _meta what belongs to the protocol, is the SDK's.
var (
	plainParams  = []string{"_meta", "name", "arguments", "uri"}
	plainMeta    = []string{mcp.MetaKeyProtocolVersion, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities}
	protocolKeys = "io.modelcontextprotocol/"
)

// members are those of one object of the protocol.
type members map[string]json.RawMessage

// read reads an object of the protocol: no two keys differ only by case, none looks like a key that means something.
func read(s *strictjson.Scanner, where string, known []string) (members, error) {
	found := members{}
	var folded strictjson.Keys
	err := s.Object(func(key string, value []byte) error {
		if !slices.Contains(known, key) {
			for _, k := range known {
				if strings.EqualFold(key, k) {
					return s.Fail("%s has the key %q, which looks like %q", where, strictjson.Clip(key), k)
				}
			}
		}
		if !folded.Add(fold(key)) {
			return s.Fail("%s has two keys that differ only by case: %q", where, strictjson.Clip(key))
		}
		found[key] = value
		return nil
	})
	return found, err
}

// reading is read of an object that was passed over before.
func reading(raw []byte, where string, known []string) (members, error) {
	s := strictjson.On(raw, spelled)
	return read(&s, where, known)
}

// fold maps keys that strings.EqualFold takes for equal to one string.
func fold(key string) string {
	same := true
	for i := range len(key) {
		switch c := key[i]; {
		case c >= utf8.RuneSelf:
			return strings.ToLower(strings.ToUpper(key))
		case c >= 'A' && c <= 'Z':
			same = false
		}
	}
	if same {
		return key
	}
	return strings.ToLower(key)
}

// spelled are the keys that most messages have, so that reading them makes no copies.
var spelled = func() map[string]string {
	all := map[string]string{}
	for _, key := range slices.Concat(messageKeys, paramsKeys, metaKeys, []string{"version"}) {
		all[key] = key
	}
	return all
}()

// parse reads one JSON-RPC message and nothing else. When it refuses, the message it returns holds the id, if there was
// one, or is nil.
func parse(body []byte) (*message, *rpcError) {
	if !utf8.Valid(body) {
		return nil, &rpcError{Code: jsonrpc.CodeParseError, Message: "the body is not valid UTF-8"}
	}
	s := strictjson.On(body, spelled)
	switch s.Peek() {
	case '{':
	case '[':
		return nil, invalidRequest("batches are not supported; send one message in each request")
	case 0:
		if s.Empty() {
			return nil, invalidRequest("the body is empty")
		}
		fallthrough
	default:
		return nil, &rpcError{Code: jsonrpc.CodeParseError, Message: "the body is not a JSON object"}
	}
	top, err := read(&s, "the message", messageKeys)
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return nil, &rpcError{Code: jsonrpc.CodeParseError, Message: "the body is not the JSON of one message: " + said(err)}
	}
	m := &message{}
	if fault := m.readEnvelope(top); fault != nil {
		return m, fault
	}
	return m, m.readParams(top["params"])
}

// readEnvelope reads everything but the params. JSON-RPC 2.0, sections 4 and 5.
func (m *message) readEnvelope(top members) *rpcError {
	if id, given := top["id"]; given {
		if !isID(id) {
			return invalidRequest("the id must be a string or a whole number up to 2^53, of at most %d bytes", maxID)
		}
		m.id = id
	}
	if string(top["jsonrpc"]) != `"2.0"` {
		return invalidRequest(`"jsonrpc" must be "2.0"`)
	}
	method, isRequest := top["method"]
	_, hasResult := top["result"]
	_, hasError := top["error"]
	if isRequest && (hasResult || hasError) {
		return invalidRequest("the message is a request and an answer at once")
	}
	if !isRequest {
		if m.id == nil || hasResult == hasError {
			return invalidRequest("the message has no method and is no answer either")
		}
		m.response = true
		return nil
	}
	if json.Unmarshal(method, &m.method) != nil || m.method == "" || len(m.method) > maxID ||
		strings.ContainsFunc(m.method, unicode.IsControl) { // answers and logs repeat it
		m.method = ""
		return invalidRequest(`"method" must be the name of a method`)
	}
	return nil
}

// readParams reads of the params what must be known before the SDK sees them.
func (m *message) readParams(raw json.RawMessage) *rpcError {
	m.plain = true
	if m.response || raw == nil || string(raw) == "null" {
		return m.missing(nil)
	}
	if raw[0] != '{' {
		return invalidParams("the params of %s must be an object", clip(m.method))
	}
	m.params = true
	params, err := reading(raw, "the params", paramsKeys)
	if err != nil {
		return invalidParams("the params of %s are not right: %s", clip(m.method), said(err))
	}
	if fault := m.readMeta(params["_meta"]); fault != nil {
		return fault
	}
	if cursor, given := params["cursor"]; given && cursor[0] != '"' {
		return invalidParams(`"cursor" must be a string`)
	}
	for key := range params {
		m.plain = m.plain && slices.Contains(plainParams, key)
	}
	m.cancels = params["requestId"]
	return m.missing(params)
}

// missing refuses a call without what its method needs.
func (m *message) missing(params members) *rpcError {
	need := func(key string, to *string) *rpcError {
		value, given := params[key]
		if !given {
			return invalidParams("%s needs %q in its params", m.method, key)
		}
		if json.Unmarshal(value, to) != nil || *to == "" || value[0] != '"' {
			return invalidParams("%q must be a string that is not empty", key)
		}
		return nil
	}
	switch m.method {
	case "tools/call":
		if arguments, given := params["arguments"]; given && arguments[0] != '{' && string(arguments) != "null" {
			return invalidParams(`"arguments" must be an object`)
		}
		m.arguments = params["arguments"]
		return need("name", &m.name)
	case "resources/read":
		return need("uri", &m.name)
	case "initialize":
		if m.version != "" {
			return nil // the modern era does not know it
		}
		var version string
		return need("protocolVersion", &version)
	case "subscriptions/listen":
		return readNotifications(params["notifications"])
	}
	return m.readOffer(params, need)
}

func (m *message) readMeta(raw json.RawMessage) *rpcError {
	if raw == nil || string(raw) == "null" {
		return nil
	}
	if raw[0] != '{' {
		return invalidParams(`"_meta" must be an object`)
	}
	meta, err := reading(raw, "_meta", metaKeys)
	if err != nil {
		return invalidParams("the _meta of %s is not right: %s", clip(m.method), said(err))
	}
	if version, given := meta[mcp.MetaKeyProtocolVersion]; given {
		if json.Unmarshal(version, &m.version) != nil || m.version == "" {
			return invalidParams("%q in _meta must be a protocol version", mcp.MetaKeyProtocolVersion)
		}
	}
	if capabilities, given := meta[mcp.MetaKeyClientCapabilities]; given {
		if capabilities[0] != '{' {
			return invalidParams("%q in _meta must be an object", mcp.MetaKeyClientCapabilities)
		}
		m.capable, m.capabilities = true, capabilities
	}
	if info, given := meta[mcp.MetaKeyClientInfo]; given && info[0] != '{' {
		return invalidParams("%q in _meta must be an object", mcp.MetaKeyClientInfo)
	} else if given {
		m.info = info
	}
	if token, given := meta["progressToken"]; given {
		if !isID(token) {
			return invalidParams(`"progressToken" must be a string or a whole number, of at most %d bytes`, maxID)
		}
		m.token = true
	}
	_, m.log = meta[logLevelKey]
	m.trace = traceOf(meta)
	for key := range meta {
		if strings.HasPrefix(key, protocolKeys) && !slices.Contains(plainMeta, key) {
			m.plain = false
		}
	}
	return nil
}

// isID reports whether raw may name a request: a string, or a whole number every reader keeps whole.
func isID(raw json.RawMessage) bool {
	if len(raw) > maxID {
		return false
	}
	if raw[0] == '"' {
		return true
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return err == nil && n > -1<<53 && n < 1<<53 && string(raw) != "-0" // a second spelling of 0
}

// said returns what a syntax error says, without wrapping.
func said(err error) string {
	var syntax *strictjson.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Error()
	}
	return "it cannot be read"
}
