package mcpserver

import (
	"bytes"
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

// members are those of one object of the protocol. They are few, so that looking through them is faster than looking up.
type members []member

type member struct {
	key   string
	value json.RawMessage
}

// get returns the value of key, or nil where it is not given.
func (m members) get(key string) json.RawMessage {
	for i := range m {
		if m[i].key == key {
			return m[i].value
		}
	}
	return nil
}

// text reads a value that must be a string. Most hold no escapes, and stand for themselves.
func text(value json.RawMessage, to *string) bool {
	if len(value) < 2 || value[0] != '"' {
		return false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		*to = string(inner)
		return true
	}
	return json.Unmarshal(value, to) == nil
}

// read reads an object of the protocol: no two keys differ only by case, none looks like a key that means something.
func read(s *strictjson.Scanner, where string, known []string) (members, error) {
	found := make(members, 0, 8)
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
		found = append(found, member{key, value})
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
	return m, m.readParams(top.get("params"))
}

// readEnvelope reads everything but the params. JSON-RPC 2.0, sections 4 and 5.
func (m *message) readEnvelope(top members) *rpcError {
	if id := top.get("id"); id != nil {
		if !isID(id) {
			return invalidRequest("the id must be a string or a whole number up to 2^53, of at most %d bytes", maxID)
		}
		m.id = id
	}
	if string(top.get("jsonrpc")) != `"2.0"` {
		return invalidRequest(`"jsonrpc" must be "2.0"`)
	}
	method := top.get("method")
	isRequest, hasResult, hasError := method != nil, top.get("result") != nil, top.get("error") != nil
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
	if !text(method, &m.method) || m.method == "" || len(m.method) > maxID ||
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
	if fault := m.readMeta(params.get("_meta")); fault != nil {
		return fault
	}
	if cursor := params.get("cursor"); cursor != nil && cursor[0] != '"' {
		return invalidParams(`"cursor" must be a string`)
	}
	for _, p := range params {
		m.plain = m.plain && slices.Contains(plainParams, p.key)
	}
	m.cancels = params.get("requestId")
	return m.missing(params)
}

// missing refuses a call without what its method needs.
func (m *message) missing(params members) *rpcError {
	need := func(key string, to *string) *rpcError {
		value := params.get(key)
		if value == nil {
			return invalidParams("%s needs %q in its params", m.method, key)
		}
		if !text(value, to) || *to == "" {
			return invalidParams("%q must be a string that is not empty", key)
		}
		return nil
	}
	switch m.method {
	case "tools/call":
		if arguments := params.get("arguments"); arguments != nil && arguments[0] != '{' && string(arguments) != "null" {
			return invalidParams(`"arguments" must be an object`)
		}
		m.arguments = params.get("arguments")
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
		return readNotifications(params.get("notifications"))
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
	if version := meta.get(mcp.MetaKeyProtocolVersion); version != nil {
		if !text(version, &m.version) || m.version == "" {
			return invalidParams("%q in _meta must be a protocol version", mcp.MetaKeyProtocolVersion)
		}
	}
	if capabilities := meta.get(mcp.MetaKeyClientCapabilities); capabilities != nil {
		if capabilities[0] != '{' {
			return invalidParams("%q in _meta must be an object", mcp.MetaKeyClientCapabilities)
		}
		m.capable, m.capabilities = true, capabilities
	}
	if info := meta.get(mcp.MetaKeyClientInfo); info != nil && info[0] != '{' {
		return invalidParams("%q in _meta must be an object", mcp.MetaKeyClientInfo)
	} else if info != nil {
		m.info = info
	}
	if token := meta.get("progressToken"); token != nil {
		if !isID(token) {
			return invalidParams(`"progressToken" must be a string or a whole number, of at most %d bytes`, maxID)
		}
		m.token = true
	}
	m.log = meta.get(logLevelKey) != nil
	m.trace = traceOf(meta)
	for _, member := range meta {
		if strings.HasPrefix(member.key, protocolKeys) && !slices.Contains(plainMeta, member.key) {
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
