package app

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// TestEveryRefusalHasItsCodeAndItsEvent sends every kind of bad request in both eras. Each is answered with the status
// and the code that the specifications name, has one event in the record, and nothing is done for it.
func TestEveryRefusalHasItsCodeAndItsEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0")
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	narrow := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	session := h.begin(t, token)
	others := h.begin(t, h.token(t, h.provider.Server, devidp.UserAdmin, "execute"))

	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	type request struct {
		method string // of HTTP; empty: POST
		token  string // empty: a good one; "none": none
		body   string
		header map[string]string // with an empty value: without that header
	}
	mirrored := func(method, name string, more ...string) map[string]string {
		header := map[string]string{"MCP-Protocol-Version": modern, "Mcp-Method": method}
		if name != "" {
			header["Mcp-Name"] = name
		}
		for i := 0; i < len(more); i += 2 {
			header[more[i]] = more[i+1]
		}
		return header
	}
	modernly := func(method, name, params string, more ...string) request {
		return request{body: `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`, header: mirrored(method, name, more...)}
	}
	call := func(more ...string) request {
		return modernly("tools/call", "reverse_tool", `"name":"reverse_tool","arguments":{"query":"ABC"},`+meta, more...)
	}
	raw := func(body string) request { return request{body: body, header: mirrored("tools/call", "reverse_tool")} }
	inSession := func(message string, more ...string) request {
		header := map[string]string{"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
		for i := 0; i < len(more); i += 2 {
			header[more[i]] = more[i+1]
		}
		return request{body: `{"jsonrpc":"2.0",` + message + `}`, header: header}
	}
	const legacyCall = `"id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"ABC"}}`
	const initialize = `"id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`
	with := func(r request, method, token string) request {
		r.method, r.token = method, token
		return r
	}

	var got []*answer
	rows := []struct {
		name string
		request
		status int
		code   int // of JSON-RPC; 0: none
		event  string
	}{
		// before there is an era
		{"no token", with(call(), "", "none"), 401, 0, "refuse missing"},
		{"a token that is none", with(call(), "", "sesame"), 401, 0, "refuse opaque"},
		{"a page of another site", call("Origin", "https://evil.example"), 403, -32600, "refuse status 403"},
		{"another method of HTTP", with(call(), "PUT", ""), 405, -32600, "refuse status 405"},
		{"no JSON by its type", call("Content-Type", "text/plain"), 415, -32600, "refuse status 415"},
		{"no answer that is taken", call("Accept", "text/html"), 406, -32600, "refuse status 406"},
		{"an empty body", raw(""), 400, -32600, "refuse status 400"},
		{"a body that breaks off", raw(`{"jsonrpc":"2.0",`), 400, -32700, "refuse status 400"},
		{"a body that is no UTF-8", raw("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}"), 400, -32700, "refuse status 400"},
		{"a body that is no object", raw(`"tools/call"`), 400, -32700, "refuse status 400"},
		{"a batch", raw(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`), 400, -32600, "refuse status 400"},
		{"a body that is too large", raw(`{"x":"` + strings.Repeat("x", 2<<20) + `"}`), 413, -32600, "refuse status 413"},
		{"another JSON-RPC", raw(`{"jsonrpc":"1.0","id":1,"method":"ping"}`), 400, -32600, "refuse status 400"},
		{"an id that is none", raw(`{"jsonrpc":"2.0","id":{},"method":"ping"}`), 400, -32600, "refuse status 400"},
		{"a method that is none", raw(`{"jsonrpc":"2.0","id":1,"method":7}`), 400, -32600, "refuse status 400"},
		{"params that are no object", raw(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}`), 400, -32602, "refuse status 400"},

		// 2026-07-28
		{"T-10 a version in the header that is not the body's", call("MCP-Protocol-Version", "2099-01-01"), 400, -32020, "refuse status 400"},
		{"T-10 no version in the header", call("MCP-Protocol-Version", ""), 400, -32020, "refuse status 400"},
		{"T-11 a version that is not spoken", modernly("tools/list", "", strings.ReplaceAll(meta, modern, "2099-01-01"), "MCP-Protocol-Version", "2099-01-01"), 400, -32022, "refuse status 400"},
		{"T-12 a method there is not", modernly("tools/destroy", "", meta), 404, -32601, "refuse status 404"},
		{"T-14 no Mcp-Method", call("Mcp-Method", ""), 400, -32020, "refuse status 400"},
		{"T-14 another Mcp-Method", call("Mcp-Method", "tools/list"), 400, -32020, "refuse status 400"},
		{"T-14 another Mcp-Name", call("Mcp-Name", "convert_time"), 400, -32020, "refuse status 400"},
		{"T-14 an Mcp-Name that is no base64", call("Mcp-Name", "=?base64?%%?="), 400, -32020, "refuse status 400"},
		{"T-16 no _meta", modernly("tools/call", "reverse_tool", `"name":"reverse_tool","arguments":{}`), 400, -32602, "refuse status 400"},
		{"T-16 no capabilities in _meta", modernly("tools/call", "reverse_tool", `"name":"reverse_tool","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`), 400, -32602, "refuse status 400"},
		{"no tool is named", modernly("tools/call", "", `"arguments":{},`+meta), 400, -32602, "refuse status 400"},
		{"arguments that are no object", modernly("tools/call", "reverse_tool", `"name":"reverse_tool","arguments":7,`+meta), 400, -32602, "refuse status 400"},
		{"a cursor that is none", modernly("tools/list", "", `"cursor":"%%%",`+meta), 400, -32602, "refuse status 400"},
		{"an answer to what nobody asked", request{body: `{"jsonrpc":"2.0","id":1,"result":{}}`, header: mirrored("", "")}, 400, -32600, "refuse status 400"},
		{"a tool there is not", modernly("tools/call", "no_tool", `"name":"no_tool",`+meta), 400, -32602, "deny unknown"},
		{"a resource there is not", modernly("resources/read", "time://no", `"uri":"time://no",`+meta), 400, -32602, "deny unknown"},
		{"too little scope", with(call(), "", narrow), 403, 0, "needs_scope scopes"},
		{"T-22 GET", request{method: "GET", header: map[string]string{"MCP-Protocol-Version": modern}}, 405, -32600, "refuse status 405"},
		{"T-22 DELETE", request{method: "DELETE", header: map[string]string{"MCP-Protocol-Version": modern}}, 405, -32600, "refuse status 405"},

		// 2025-11-25 and older
		{"no session", inSession(legacyCall, "Mcp-Session-Id", ""), 400, -32600, "refuse status 400"},
		{"a session there is not", inSession(legacyCall, "Mcp-Session-Id", "sesame"), 404, -32600, "refuse status 404"},
		{"a session of somebody else", inSession(legacyCall, "Mcp-Session-Id", others), 404, -32600, "refuse status 404"},
		{"an older version that was never spoken", inSession(legacyCall, "MCP-Protocol-Version", "2020-01-01"), 400, -32022, "refuse status 400"},
		{"initialize, which the version does not have", inSession(initialize, "Mcp-Session-Id", "", "MCP-Protocol-Version", modern), 400, -32022, "refuse status 400"},
		{"initialize without a version", inSession(`"id":1,"method":"initialize","params":{"capabilities":{}}`, "Mcp-Session-Id", ""), 400, -32602, "refuse status 400"},
		{"initialize a second time", inSession(initialize), 400, -32600, "refuse status 400"},
		{"params of a session that are no object", inSession(`"id":1,"method":"tools/list","params":7`), 400, -32602, "refuse status 400"},
		{"a message that needs an id", inSession(`"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"ABC"}}`), 400, -32600, "refuse status 400"},
		{"a method there is not, in a session", inSession(`"id":1,"method":"tools/destroy"`), 200, -32601, "refuse code -32601"},
		{"a cursor that is none, in a session", inSession(`"id":1,"method":"tools/list","params":{"cursor":"%%%"}`), 200, -32602, "refuse code -32602"},
		{"a shape that the SDK finds wrong", inSession(`"id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"x"},"inputResponses":7}`), 200, -32602, "refuse code -32602"},
		{"a tool there is not, in a session", inSession(`"id":1,"method":"tools/call","params":{"name":"no_tool"}`), 200, -32602, "deny unknown"},
		{"a stream of no session", request{method: "GET", header: map[string]string{"Accept": "text/event-stream"}}, 405, -32600, "refuse status 405"},
		{"a stream of a session there is not", request{method: "GET", header: map[string]string{"Mcp-Session-Id": "sesame"}}, 404, -32600, "refuse status 404"},
		{"a stream that is not taken", request{method: "GET", header: map[string]string{"Mcp-Session-Id": session, "Accept": "text/html"}}, 406, -32600, "refuse status 406"},
		{"the end of a session there is not", request{method: "DELETE", header: map[string]string{"Mcp-Session-Id": "sesame"}}, 404, -32600, "refuse status 404"},
	}
	for _, row := range rows {
		got = append(got, h.send(t, row.name, token, row.method, row.token, row.body, row.header))
	}
	numbers := h.numbers(t)
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	all := events(t, path)
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := got[i]
			if a.status != row.status || row.code != 0 && !strings.Contains(a.body, fmt.Sprintf(`"code":%d`, row.code)) {
				t.Errorf("answered %d %s, want %d with code %d", a.status, a.body, row.status, row.code)
			}
			if strings.Contains(a.body, "CBA") { // in capitals, which no request id has
				t.Errorf("the tool was called: %s", a.body)
			}
			mine := of(all, a)
			if len(mine) != 1 || mine[0].Kind != audit.Decided || string(mine[0].Decision)+" "+mine[0].Rule != row.event {
				t.Errorf("recorded %+v, want one event: %s", mine, row.event)
			}
		})
	}
	if len(all) != len(rows) {
		t.Errorf("%d requests have %d events", len(rows), len(all))
	}
	for series, n := range numbers {
		if strings.HasPrefix(series, "fastmcp_auth_calls_total") && n != 0 || strings.Contains(series, `decision="allow"`) && n != 0 {
			t.Errorf("something was done: %s is %v", series, n)
		}
	}
}

// begin begins a session of 2025-11-25 and returns its id.
func (h *house) begin(t *testing.T, token string) string {
	t.Helper()
	a, err := h.post(token, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("answered %+v, %v", a, err)
	}
	return a.header.Get("Mcp-Session-Id")
}

// send sends a request with what every request has, where header says nothing else.
func (h *house) send(t *testing.T, name, good, method, token, body string, header map[string]string) *answer {
	t.Helper()
	if method == "" {
		method = "POST"
	}
	r, err := http.NewRequest(method, h.at.MCP, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	switch token {
	case "":
		r.Header.Set("Authorization", "Bearer "+good)
	case "none":
	default:
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		r.Header.Del(k)
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	a, err := do(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}
