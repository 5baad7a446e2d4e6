package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// patience bounds the wait for an answer. Reaching it is a failure, never a measurement.
const patience = 30 * time.Second

// raw sends bytes as they are over a connection of their own, and reads one answer. A nil answer means that the server
// closed the connection without one.
func (h *house) raw(t *testing.T, text string) *answer {
	t.Helper()
	conn, err := net.Dial("tcp", h.at.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, text) // the server may answer, and close, before it has read everything
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if e, timeout := err.(net.Error); timeout && e.Timeout() {
			t.Fatalf("no answer to %.80q", text)
		}
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Close {
		res.Header.Set("Connection", "close") // ReadResponse takes it away
	}
	return &answer{res.StatusCode, res.Header, string(body)}
}

// reversing is a call of reverse_tool, as a body.
const reversing = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"abc"},` +
	`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`

// wire is a POST of body to the endpoint, with lines of headers besides those that a call of reverse_tool needs.
func (h *house) wire(body string, lines ...string) string {
	return fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: %s\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"+
		"Mcp-Method: tools/call\r\nMcp-Name: reverse_tool\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n\r\n%s",
		h.at.Addr, len(body), strings.Join(lines, "\r\n"), body)
}

func inUTF16(text string, order func(unit uint16) []byte) string {
	var out bytes.Buffer
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out.Write(order(unit))
	}
	return out.String()
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestHostileRequests sends what no client sends. Each is answered with the code it is due, nothing is done for it, and
// what reaches the server is recorded once.
func TestHostileRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var log buffer
	h := open(t, Options{Logger: telemetry.Logger(&log, "debug", "json")}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	good := "Authorization: Bearer " + token
	chunked := func(body string, trailers ...string) string {
		text := h.wire("", append(trailers[:len(trailers):len(trailers)], "Transfer-Encoding: chunked")...)
		text = strings.Replace(text, "Content-Length: 0\r\n", "", 1)
		return text + fmt.Sprintf("%x\r\n%s\r\n0\r\n", len(body), body)
	}
	const parse, invalid, params, mismatch = "-32700", "-32600", "-32602", "-32020"
	for _, row := range []struct {
		name     string
		text     string
		status   int
		code     string // of JSON-RPC; empty where the refusal has none
		recorded bool
	}{
		{"attack 43 a byte order mark before the message", h.wire("\ufeff"+reversing, good), 400, parse, true},
		{"attack 43 UTF-16, little end first", h.wire(inUTF16(reversing, func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }), good), 400, parse, true},
		{"attack 43 UTF-16, big end first", h.wire(inUTF16(reversing, func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }), good), 400, parse, true},
		{"attack 43 an overlong spelling of a quote", h.wire(strings.Replace(reversing, `"abc"`, "\"a\xc0\xa2bc\"", 1), good), 400, parse, true},
		{"attack 43 a second message behind the first", h.wire(reversing+"\n"+reversing, good), 400, parse, true},
		{"attack 43 a depth bomb", h.wire(strings.Replace(reversing, `"abc"`, strings.Repeat("[", 200_000), 1), good), 400, parse, true},
		{"attack 43 a zipped body that says so", h.wire(zipped(t, reversing), good, "Content-Encoding: gzip"), 415, invalid, true},
		{"attack 43 a zipped body that says so in a second line", h.wire(zipped(t, reversing), good, "Content-Encoding: ", "Content-Encoding: gzip"), 415, invalid, true},
		{"attack 43 a body that is said to be zipped and is not", h.wire(reversing, good, "Content-Encoding: gzip"), 415, invalid, true},
		{"attack 43 a body that is said to be zipped in a second line, and is not", h.wire(reversing, good, "Content-Encoding: ", "Content-Encoding: gzip"), 415, invalid, true},
		{"attack 43 a zipped body that does not say so", h.wire(zipped(t, reversing), good), 400, parse, true},
		{"attack 43 an id of ten thousand digits", h.wire(strings.Replace(reversing, `"id":1`, `"id":1`+strings.Repeat("0", 10_000), 1), good), 400, invalid, true},
		{"attack 41 a second name", h.wire(strings.Replace(reversing, `"name"`, `"name":"get_current_time","name"`, 1), good), 400, parse, true},
		{"attack 41 a second name in another case", h.wire(strings.Replace(reversing, `"name"`, `"Name":"get_current_time","name"`, 1), good), 400, params, true},
		{"attack 41 a second name, spelt with an escape", h.wire(strings.Replace(reversing, `"name"`, `"n\u0061me":"get_current_time","name"`, 1), good), 400, parse, true},
		{"attack 42 a second Mcp-Name in another case", h.wire(reversing, good, "MCP-NAME: get_current_time"), 400, mismatch, true},
		{"attack 42 an Mcp-Name in base64 of another tool", strings.Replace(h.wire(reversing, good), "Mcp-Name: reverse_tool", "Mcp-Name: =?base64?Z2V0X2N1cnJlbnRfdGltZQ==?=", 1), 400, mismatch, true},
		{"attack 42 an Mcp-Name in base64 within base64", strings.Replace(h.wire(reversing, good), "Mcp-Name: reverse_tool", "Mcp-Name: =?base64?PT9iYXNlNjQ/Y21WMlpYSnpaVjkwYjI5cz89?=", 1), 400, mismatch, true},
		{"attack 42 an Mcp-Name with an underscore for its hyphen", strings.Replace(h.wire(reversing, good), "Mcp-Name:", "Mcp_Name:", 1), 400, mismatch, true},
		{"attack 50 two tokens", h.wire(reversing, good, "Authorization: Bearer other"), 400, "", true},
		{"attack 50 the same token twice", h.wire(reversing, good, good), 400, "", true},
		{"attack 50 two tokens in one line", h.wire(reversing, good+", Bearer "+token), 400, "", true},
		{"attack 50 the token in a header that is a proxy's", h.wire(reversing, "Proxy-Authorization: Bearer "+token), 401, "", true},
		{"attack 50 the token in a header that looks like the right one", h.wire(reversing, "Authorization_: Bearer "+token, "X-Authorization: Bearer "+token, "HTTP_AUTHORIZATION: Bearer "+token), 401, "", true},
		{"attack 50 a caller in the headers of a proxy", h.wire(reversing, "X-Forwarded-User: admin", "X-Auth-Request-User: admin", "X-Remote-User: admin", "Remote_User: admin", "X-Forwarded-Access-Token: "+token), 401, "", true},
		{"attack 50 the token in a trailer", chunked(reversing, "Trailer: Authorization") + good + "\r\n\r\n", 401, "", true},
		{"attack 50 the token in a trailer that nobody announced", chunked(reversing) + good + "\r\n\r\n", 401, "", true},
		{"attack 50 a header name with a space behind it", h.wire(reversing, "Authorization : Bearer "+token), 400, "", false},
		{"attack 30 the token as a cookie", h.wire(reversing, "Cookie: access_token="+token+"; Authorization=Bearer "+token), 401, "", true},
		{"attack 31 a header without end", h.wire(reversing, good, "X-Long: "+strings.Repeat("x", 200<<10)), 431, "", false},
		{"attack 31 headers without number", h.wire(reversing, good, strings.TrimSuffix(strings.Repeat("X: y\r\n", 40<<10), "\r\n")), 431, "", false},
		{"attack 31 a token of many kilobytes", h.wire(reversing, "Authorization: Bearer "+strings.Repeat("a.", 15<<10)), 401, "", true},
		{"attack 48 two hosts", h.wire(reversing, good, "Host: evil.example"), 400, "", false},
		{"attack 48 another host in the request line", strings.Replace(h.wire(reversing, good), "POST /mcp ", "POST http://evil.example/mcp ", 1), 403, invalid, true},
		{"attack 48 a host with a dot at its end", strings.Replace(h.wire(reversing, good), "Host: 127.0.0.1", "Host: 127.0.0.1.", 1), 403, invalid, true},
		{"attack 50 two lengths", h.wire(reversing, good, "Content-Length: 7"), 400, "", false},
		{"attack 50 a carriage return within a header", h.wire(reversing, good, "X-A: b\rX-B: c"), 400, "", false},
		{"attack 50 a coding of the transfer that is none", h.wire(reversing, good, "Transfer-Encoding: gzip, chunked"), 501, "", false},
		{"attack 52 another host and a line break in the path", strings.Replace(h.wire(reversing), "/mcp ", "//evil.example/%2e%2e/%0d%0aSet-Cookie:x ", 1), 307, "", false},
		{"attack 52 a host behind a backslash in the path", strings.Replace(h.wire(reversing), "/mcp ", "/./\\evil.example ", 1), 307, "", false},
		{"attack 52 a path below the endpoint", strings.Replace(h.wire(reversing, good), "/mcp ", "/mcp/%2e%2e/mcp ", 1), 404, "", true},
		{"attack 52 a method of a proxy", strings.Replace(h.wire(reversing, good), "POST /mcp ", "CONNECT /mcp ", 1), 405, invalid, true},
		{"attack 52 no path", strings.Replace(h.wire(reversing), "POST /mcp ", "OPTIONS * ", 1), 400, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := h.raw(t, row.text)
			if a == nil || a.status != row.status || row.code != "" && !strings.Contains(a.body, `"code":`+row.code) {
				t.Fatalf("answered %+v, want %d %s", a, row.status, row.code)
			}
			if to := a.header.Get("Location"); a.header.Get("Set-Cookie") != "" || to != "" && (to[0] != '/' || strings.HasPrefix(to, "//") || strings.Contains(to, `\`)) {
				t.Errorf("the header is %v", a.header)
			}
			if strings.Contains(a.body, "reversed_query") || strings.Contains(a.body, token) {
				t.Errorf("answered %s", a.body)
			}
			all := of(events(t, path), a)
			if row.recorded != (len(all) == 1) || slices.ContainsFunc(all, func(e audit.Event) bool { return e.Decision == audit.Allow }) {
				t.Errorf("recorded %+v", all)
			}
		})
	}
	if strings.Contains(log.String(), token) {
		t.Error("the token is in the log")
	}
	if a := h.raw(t, h.wire(reversing, good)); a == nil || a.status != http.StatusOK || !strings.Contains(a.body, "cba") {
		t.Errorf("a call as it should be is answered %+v", a)
	}
}

// TestAttack50WhatOnlyInsidersSayIsNotHeard sends headers that mean something inside of this server, or to one behind a
// proxy, together with a good token: they change nothing, neither in the answer nor in the record.
func TestAttack50WhatOnlyInsidersSayIsNotHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var log buffer
	h := open(t, Options{Logger: telemetry.Logger(&log, "debug", "json")}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	for _, row := range []struct {
		name  string
		lines []string
	}{
		{"the header that names a request to the SDK", []string{"X-Mcpserver-Request: AAAAAAAAAAAAAAAAAAAAAAAAAA"}},
		{"the same twice, and with underscores", []string{"X-Mcpserver-Request: a", "x-mcpserver-request: b", "X_Mcpserver_Request: c"}},
		{"a request id of one's own", []string{"X-Request-Id: forged-id", "X_Request_Id: forged-id"}},
		{"an address of one's own", []string{"X-Forwarded-For: 203.0.113.77", "X-Real-Ip: 203.0.113.77", "Forwarded: for=203.0.113.77", "True-Client-Ip: 203.0.113.77"}},
		{"a scheme, host and path of one's own", []string{"X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil", "X-Original-Url: /healthz", "X-Rewrite-Url: /healthz", "X-Forwarded-Uri: /healthz"}},
		{"another caller", []string{"X-Forwarded-User: admin", "X-User: admin", "X-Ms-Client-Principal: admin"}},
		{"another method", []string{"X-Http-Method-Override: DELETE", "X-Method-Override: GET"}},
		{"a hop that takes headers away", []string{"Connection: Authorization, Mcp-Name, X-Request-Id, Content-Type"}},
		{"a trace that is none", []string{"Traceparent: 00-evil-evil-01", "Baggage: user=admin"}},
	} {
		for _, progress := range []bool{false, true} {
			t.Run(fmt.Sprintf("attack 50 %s, progress %v", row.name, progress), func(t *testing.T) {
				body := reversing
				if progress {
					body = strings.Replace(body, `"_meta":{`, `"_meta":{"progressToken":"p",`, 1)
				}
				a := h.raw(t, h.wire(body, append(row.lines, "Authorization: Bearer "+token)...))
				if a == nil || a.status != http.StatusOK || !strings.Contains(a.body, "cba") {
					t.Fatalf("answered %+v", a)
				}
				all := of(events(t, path), a)
				if len(all) != 2 || all[0].Principal.Subject != all[1].Principal.Subject || all[0].Address != "127.0.0.1" || all[0].TraceID != "" {
					t.Errorf("recorded %+v", all)
				}
				var header strings.Builder
				if err := a.header.Write(&header); err != nil {
					t.Fatal(err)
				}
				for _, word := range []string{"forged", "evil", "203.0.113.77", "admin"} {
					if strings.Contains(header.String()+a.body+fmt.Sprint(all), word) {
						t.Errorf("%q is in the answer or the record", word)
					}
				}
			})
		}
	}
	if strings.Contains(log.String(), "203.0.113.77") || strings.Contains(log.String(), "forged") {
		t.Error("what a stranger made up is in the log")
	}
}

// TestAttack53NoNameOpensTheDoor: who says that it only looks whether the server is well is asked for a token like
// everybody else, and the places for that answer everybody alike and tell nothing.
func TestAttack53NoNameOpensTheDoor(t *testing.T) {
	h := open(t, Options{})
	plain := func(a *answer) string {
		return fmt.Sprint(a.status) + a.header.Get("WWW-Authenticate") + strings.ReplaceAll(a.body, a.header.Get("X-Request-Id"), "ID")
	}
	want := plain(h.raw(t, h.wire(reversing, "User-Agent: client/1")))
	if !strings.HasPrefix(want, "401Bearer ") {
		t.Fatalf("answered %s", want)
	}
	for _, agent := range []string{"kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/2.53.0", "Consul Health Check", "", "Mozilla/5.0"} {
		t.Run("attack 53 "+agent, func(t *testing.T) {
			line := "User-Agent: " + agent
			if got := plain(h.raw(t, h.wire(reversing, line))); got != want {
				t.Errorf("answered %s, others %s", got, want)
			}
			if got := plain(h.raw(t, h.wire(reversing, line, "X-Health-Check: 1", "X-Amz-Cf-Id: x", "Via: health"))); got != want {
				t.Errorf("answered %s, others %s", got, want)
			}
			for path, status := range map[string]string{"/healthz": `200{"status":"ok"}`, "/readyz": `200{"status":"ready"}`, "/healthz/../mcp": "307", "/mcp/healthz": "404"} {
				a := h.raw(t, "GET "+path+" HTTP/1.1\r\nHost: "+h.at.Addr+"\r\n"+line+"\r\n\r\n")
				if got := plain(a); !strings.HasPrefix(got, status) {
					t.Errorf("%s is answered %s", path, got)
				}
			}
		})
	}
}

// TestASlowBodyEnds: a caller who dawdles over its request is not waited for, and one without a token is not listened to.
func TestASlowBodyEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path, "FASTMCP_AUTH_LIMITS_READ_TIMEOUT=1s")
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	text := h.wire(reversing, "Authorization: Bearer "+token)
	half := text[:len(text)-20]
	t.Run("half a body is answered once the time for it is over", func(t *testing.T) {
		a := h.raw(t, half)
		if a == nil || a.status != http.StatusBadRequest || !strings.Contains(a.body, "could not be read to its end") || a.header.Get("Connection") != "close" {
			t.Errorf("answered %+v", a)
		}
	})
	t.Run("without a token the body is not waited for", func(t *testing.T) {
		if a := h.raw(t, strings.Replace(half, token, "none", 1)); a == nil || a.status != http.StatusUnauthorized {
			t.Errorf("answered %+v", a)
		}
	})
	t.Run("half a header is not answered, and the connection ends", func(t *testing.T) {
		if a := h.raw(t, "POST /mcp HTTP/1.1\r\nHost: "+h.at.Addr+"\r\nX-Slow: "); a != nil && a.status != http.StatusRequestTimeout && a.status != http.StatusBadRequest {
			t.Errorf("answered %+v", a)
		}
	})
	for _, e := range events(t, path) {
		if e.Decision != audit.Refuse {
			t.Errorf("recorded %+v", e)
		}
	}
}

// TestHTTP2IsGuardedAlike asks over HTTP/2, which TLS brings: the same door, with the same refusals.
func TestHTTP2IsGuardedAlike(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, append(trusting(p), "FASTMCP_AUTH_TLS_CERT="+filepath.Join(dir, "cert.pem"), "FASTMCP_AUTH_TLS_KEY="+filepath.Join(dir, "key.pem"))...)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	token := h.token(t, p.Server, devidp.UserUser, "execute")
	for _, row := range []struct {
		name   string
		host   string
		header http.Header
		status int
	}{
		{"a good token opens", "", http.Header{"Authorization": {"Bearer " + token}}, 200},
		{"no token does not", "", nil, 401},
		{"attack 50 two tokens do not", "", http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}, 400},
		{"attack 42 two names do not", "", http.Header{"Authorization": {"Bearer " + token}, "Mcp-Name": {"reverse_tool", "get_current_time"}}, 400},
		{"attack 48 another authority does not", "evil.example", http.Header{"Authorization": {"Bearer " + token}}, 403},
		{"attack 30 a cookie does not", "", http.Header{"Cookie": {"access_token=" + token}}, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", h.at.MCP, strings.NewReader(reversing))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
				"Mcp-Protocol-Version": {modern}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"reverse_tool"}}
			for name, values := range row.header {
				r.Header[name] = values
			}
			r.Host = row.host
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.ProtoMajor != 2 || res.StatusCode != row.status || strings.Contains(string(body), "cba") != (row.status == 200) {
				t.Errorf("answered %s %d %s, %v", res.Proto, res.StatusCode, body, err)
			}
		})
	}
}
