package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// fast answers plain requests itself, with what the SDK would answer: calls of tools without progress, lists in one
// page, reads. What it is not sure of it leaves to the SDK: progress, cursors, input rounds, whatever else stands in
// the params. It guards nothing; who gets here was let in by the same parser, checks and policy as the rest.
type fast struct {
	off       bool
	info      json.RawMessage                   // who the server is
	meta      json.RawMessage                   // the _meta that says so
	tools     map[*mcp.Tool]json.RawMessage     // as they stand in lists
	resources map[*mcp.Resource]json.RawMessage // as they stand in lists
	slow      map[string]bool                   // tools that converse, and those whose arguments headers mirror
	mimeTypes map[string]string                 // of resources, by URI

	clients, capabilities shapes // of clients that were here
}

// shapes remembers values that were found to have the right shape: clients say the same of themselves at each request.
type shapes struct {
	mu    sync.RWMutex
	known map[string]bool
}

// Bounds of what is remembered of strangers' words.
const (
	maxShapes = 256
	maxShape  = 512 // bytes
)

// fits reports whether value decodes into shape.
func (s *shapes) fits(value json.RawMessage, shape any) bool {
	s.mu.RLock()
	known := s.known[string(value)]
	s.mu.RUnlock()
	if known {
		return true
	}
	if json.Unmarshal(value, shape) != nil {
		return false
	}
	if len(value) <= maxShape {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.known == nil || len(s.known) >= maxShapes {
			s.known = map[string]bool{}
		}
		s.known[string(value)] = true
	}
	return true
}

// newFast describes the box once. It errs where the SDK would panic.
func newFast(box *toolbox.Box, implementation *mcp.Implementation) (*fast, error) {
	f := &fast{tools: map[*mcp.Tool]json.RawMessage{}, resources: map[*mcp.Resource]json.RawMessage{},
		slow: map[string]bool{}, mimeTypes: map[string]string{}}
	var err error
	if f.info, err = json.Marshal(implementation); err != nil {
		return nil, err
	}
	f.meta = slices.Concat([]byte(`{"`+mcp.MetaKeyServerInfo+`":`), f.info, []byte("}"))
	for _, t := range box.AllTools() {
		if f.tools[t], err = json.Marshal(t); err != nil {
			return nil, err
		}
		schema, err := json.Marshal(t.InputSchema)
		if err != nil {
			return nil, err
		}
		f.slow[t.Name] = mirrors(schema) || box.Converses(t.Name)
	}
	for _, r := range box.AllResources() {
		if f.resources[r], err = json.Marshal(r); err != nil {
			return nil, err
		}
		f.mimeTypes[r.URI] = r.MIMEType
	}
	return f, nil
}

// mirrors reports whether a schema asks for headers that repeat arguments, at any depth.
func mirrors(schema json.RawMessage) bool {
	found := false
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, member := range v {
				found = found || key == "x-mcp-header"
				walk(member)
			}
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	var v any
	if json.Unmarshal(schema, &v) != nil {
		return true
	}
	walk(v)
	return found
}

// takes reports whether the message can be answered here.
func (f *fast) takes(m *message, header http.Header) bool {
	if f.off || !m.plain || m.token || header[lastEventHeader] != nil {
		return false
	}
	// The SDK refuses a client that describes itself in another shape than the protocol's.
	if m.info != nil && !f.clients.fits(m.info, new(mcp.Implementation)) {
		return false
	}
	if len(m.capabilities) > len("{}") && !f.capabilities.fits(m.capabilities, new(mcp.ClientCapabilities)) {
		return false
	}
	switch m.method {
	case "tools/call":
		return !f.slow[m.name]
	case "resources/read":
		_, described := f.mimeTypes[m.name]
		return described
	}
	return true
}

// answerFast answers a plain request of the modern era that is no call, and reports whether it did.
func (h *Handler) answerFast(a *answer, r *http.Request, m *message) bool {
	switch m.method {
	case "tools/list", "resources/list":
		list, ok := h.fast.list(r.Context(), a, h.box, m.method, true)
		if ok {
			a.result(list)
		}
		return ok
	case "resources/read":
		contents, err := h.box.Read(r.Context(), m.name, a.requestID)
		if err != nil {
			h.answerError(a, r, m, err, true)
			return true
		}
		h.writeResult(a, r, m)(h.fast.contents(a, m.name, contents))
		return true
	}
	return false
}

// callFast answers a plain call of the modern era.
func (h *Handler) callFast(a *answer, r *http.Request, m *message) {
	call := h.admit(a, r, m, nil)
	if call == nil {
		return
	}
	result, err := call.Call(r.Context())
	result, err = told(result, err, a.requestID)
	h.answerCall(a, r, m, result, err, true)
}

// admit lets a plain call in. Where it is not let in, it answers and returns nil. e is what a call in a session has, and
// nil in the modern era.
func (h *Handler) admit(a *answer, r *http.Request, m *message, e *early) *toolbox.Admitted {
	c, isModern := &toolbox.Call{Name: m.name, Arguments: m.arguments, RequestID: a.requestID}, e == nil
	if e != nil {
		c.Begun = e.begun
	}
	call, err := h.box.Admit(r.Context(), c)
	switch {
	case err == nil:
		return call
	case errors.Is(err, toolbox.ErrNotRecorded):
		h.answerError(a, r, m, err, isModern)
	case isModern:
		h.deny(a, r, err, http.StatusBadRequest)
	default:
		h.deny(a, r, err, http.StatusOK)
	}
	return nil
}

// answerCall answers with what came of a call.
func (h *Handler) answerCall(a *answer, r *http.Request, m *message, result *mcp.CallToolResult, err error, isModern bool) {
	if err != nil {
		h.answerError(a, r, m, err, isModern)
		return
	}
	h.writeResult(a, r, m)(h.fast.result(a, result, isModern))
}

// answerError answers with why there is no result. Where the caller has too many calls running, 429 says when to try
// again (RFC 6585, section 4); to older clients a refusal by status means that the transport is broken.
func (h *Handler) answerError(a *answer, r *http.Request, m *message, err error, isModern bool) {
	wire := h.translate(r.Context(), m.method, err, a.requestID)
	if isModern && errors.Is(err, toolbox.ErrBusy) {
		a.ResponseWriter.Header().Set("Retry-After", "1")
		a.failedWith(http.StatusTooManyRequests, wire)
		return
	}
	a.failed(wire, isModern)
}

// writeResult returns what answers with a result, or says that it cannot be written.
func (h *Handler) writeResult(a *answer, r *http.Request, m *message) func([]byte, error) {
	return func(result []byte, err error) {
		if err != nil {
			a.failed(h.translate(r.Context(), m.method, err, a.requestID), false)
			return
		}
		a.result(result)
	}
}

// result is a result of tools/call as it goes out. MCP 2026-07-28 adds who answers, and that this is all.
func (f *fast) result(a *answer, result *mcp.CallToolResult, isModern bool) ([]byte, error) {
	b := append(a.beginResult(), '{')
	if meta, err := f.metaOf(result.Meta, isModern); err != nil {
		return nil, err
	} else if meta != nil {
		b = append(append(append(b, `"_meta":`...), meta...), ',')
	}
	b = append(b, `"content":[`...)
	for i, c := range result.Content {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendContent(b, c); err != nil {
			return nil, err
		}
	}
	b = append(b, ']')
	if result.StructuredContent != nil {
		raw, err := json.Marshal(result.StructuredContent)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"structuredContent":`...), raw...)
	}
	if result.IsError {
		b = append(b, `,"isError":true`...)
	}
	if isModern {
		b = append(b, `,"resultType":"complete"`...)
	}
	return append(b, '}'), nil
}

// appendContent appends one piece of content. Most are bare texts.
func appendContent(b []byte, c mcp.Content) ([]byte, error) {
	if c == nil {
		return nil, errors.New("a piece of content is nil")
	}
	text, isText := c.(*mcp.TextContent)
	if !isText || text.Meta != nil || text.Annotations != nil {
		raw, err := json.Marshal(c)
		return append(b, raw...), err
	}
	b, err := appendText(append(b, `{"type":"text","text":`...), text.Text)
	return append(b, '}'), err
}

// appendText appends a string as package json writes it. Most have nothing to escape but quotation marks.
func appendText(b []byte, text string) ([]byte, error) {
	start, from := len(b), 0
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(append(b, text[from:i]...), '\\')
			from = i
		case c < ' ' || c > '~' || c == '<' || c == '>' || c == '&':
			raw, err := json.Marshal(text)
			return append(b[:start], raw...), err
		}
	}
	return append(append(b, text[from:]...), '"'), nil
}

// metaOf is the _meta of a result, or nil.
func (f *fast) metaOf(meta mcp.Meta, isModern bool) (json.RawMessage, error) {
	switch {
	case !isModern && len(meta) == 0:
		return nil, nil
	case len(meta) == 0:
		return f.meta, nil
	}
	all := map[string]any{}
	if isModern {
		all[mcp.MetaKeyServerInfo] = f.info
	}
	for k, v := range meta {
		all[k] = v
	}
	return json.Marshal(all)
}

// list is the one page of what the caller in ctx may see. It reports false where there is more than one page, or
// something that was not described before.
func (f *fast) list(ctx context.Context, a *answer, box *toolbox.Box, method string, isModern bool) ([]byte, bool) {
	var all []json.RawMessage
	var member string
	switch method {
	case "tools/list":
		member = "tools"
		for _, t := range box.Tools(ctx) {
			all = append(all, f.tools[t])
		}
	case "resources/list":
		member = "resources"
		for _, r := range box.Resources(ctx) {
			all = append(all, f.resources[r])
		}
	}
	if max(len(f.tools), len(f.resources)) > mcp.DefaultPageSize || slices.ContainsFunc(all, func(raw json.RawMessage) bool { return raw == nil }) {
		return nil, false
	}
	b := f.cacheable(a, listTTL, isModern)
	b = append(append(append(b, `,"`...), member...), `":[`...)
	for i, raw := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, raw...)
	}
	return append(b, "]}"...), true
}

// cacheable begins a result that its caller alone may keep for so many milliseconds.
func (f *fast) cacheable(a *answer, ttl int64, isModern bool) []byte {
	b := append(a.beginResult(), '{')
	if isModern {
		b = append(append(append(b, `"resultType":"complete","_meta":`...), f.meta...), ',')
	}
	b = append(b, `"ttlMs":`...)
	b = strconv.AppendInt(b, ttl, 10)
	return append(b, `,"cacheScope":"private"`...)
}

// contents is a result of resources/read.
func (f *fast) contents(a *answer, uri string, contents []*mcp.ResourceContents) ([]byte, error) {
	filled := make([]*mcp.ResourceContents, len(contents))
	for i, c := range contents {
		whole := *c
		whole.URI = cmp.Or(c.URI, uri)
		whole.MIMEType = cmp.Or(c.MIMEType, f.mimeTypes[uri])
		filled[i] = &whole
	}
	raw, err := json.Marshal(filled)
	if err != nil {
		return nil, err
	}
	b := append(f.cacheable(a, 0, true), `,"contents":`...)
	return append(append(b, raw...), '}'), nil
}

// beginResult begins an answer with a result, which is appended to what it returns, in a place that result gives back.
func (a *answer) beginResult() []byte {
	if a.place, _ = a.places.Get().(*[]byte); a.place == nil {
		a.place = new([]byte)
	}
	b := append((*a.place)[:0], `{"jsonrpc":"2.0","id":`...)
	b = append(b, a.id...)
	return append(b, `,"result":`...)
}

// result answers with what beginResult began.
func (a *answer) result(b []byte) {
	b = append(b, '}')
	a.document(http.StatusOK, b)
	if cap(b) <= maxPlace {
		*a.place = b
		a.places.Put(a.place)
	}
	a.place = nil
}

// maxPlace is how many bytes of a place to write in are kept for another answer.
const maxPlace = 16 << 10

// failed answers with an error of a call that was let in. In the modern era what the caller did wrong is a status too.
func (a *answer) failed(err *jsonrpc.Error, isModern bool) {
	status := http.StatusOK
	if isModern && (err.Code == jsonrpc.CodeInvalidParams || err.Code == mcp.CodeUnsupportedProtocolVersion || err.Code == mcp.CodeMissingRequiredClientCapabilities) {
		status = http.StatusBadRequest
	}
	if isModern && err.Code == jsonrpc.CodeMethodNotFound {
		status = http.StatusNotFound
	}
	a.failedWith(status, err)
}

func (a *answer) failedWith(status int, err *jsonrpc.Error) {
	a.refused(err.Code)
	raw, fault := json.Marshal(err)
	if fault != nil {
		raw = []byte(`{"code":-32603,"message":"the server could not answer"}`)
	}
	b := append(append([]byte(`{"jsonrpc":"2.0","id":`), a.id...), `,"error":`...)
	a.document(status, append(append(b, raw...), '}'))
}

// document writes the whole answer at once.
func (a *answer) document(status int, body []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.committed = true
	header := a.ResponseWriter.Header()
	header["Content-Type"] = jsonType
	header["Cache-Control"] = notKept
	if len(body) > 2<<10 { // up to there net/http does it by itself, and sends it when the handler has returned
		header.Set("Content-Length", strconv.Itoa(len(body)))
		a.limit()
	}
	a.ResponseWriter.WriteHeader(status)
	a.ResponseWriter.Write(body)
}

// The values of headers, which every answer shares.
var (
	jsonType = []string{"application/json"}
	notKept  = []string{"no-cache, no-transform"}
)
