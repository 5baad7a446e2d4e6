package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// apiAnswer is an answer of the REST API, read whole.
type apiAnswer struct {
	status int
	header http.Header
	body   string
}

func (a apiAnswer) into(t *testing.T, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), to); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// api asks the REST API. header are NAME: value.
func (h *house) api(t *testing.T, method, path, token, body string, header ...string) apiAnswer {
	t.Helper()
	resp := h.ask(t, method, path, token, body, header...)
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return apiAnswer{resp.StatusCode, resp.Header, string(read)}
}

func (h *house) ask(t *testing.T, method, path, token, body string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, line := range header {
		name, value, given := strings.Cut(line, ": ")
		if !given {
			continue
		}
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestTheToolsAreARESTAPI(t *testing.T) {
	h := open(t, Options{})
	all := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	clock := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	for _, row := range []struct {
		name, method, path, token, body, header string
		status                                  int
		has                                     string
	}{
		{"a tool answers with what its schema says", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"abc"}`, "", 200, `{"reversed_query":"cba"}`},
		{"the older API answers as it did", "POST", "/reverse", all, `{"input_string":"añb"}`, "", 200, `{"reversed":"bña"}`},
		{"the older API checks the scope", "POST", "/reverse", clock, `{"input_string":"abc"}`, "", 403, `"code":"insufficient_scope"`},
		{"the older API names what is missing", "POST", "/reverse", all, `{}`, "", 422, `"field":"input_string"`},
		{"a field that is not known is named", "POST", "/reverse", all, `{"input_string":"a","Input_string":"b"}`, "", 422, `"field":"Input_string"`},
		{"the tools are listed", "GET", "/api/v1/tools", all, "", "", 200, `"name":"reverse_tool"`},
		{"a tool says what the caller lacks", "GET", "/api/v1/tools/reverse_tool", clock, "", "", 200, `"missing_scopes":["execute"]`},
		{"a resource is read", "GET", "/api/v1/resources/read?uri=time://timezones", all, "", "", 200, `"contents":[`},
		{"the resources are listed", "GET", "/api/v1/resources", all, "", "", 200, `"uri":"time://current"`},
		{"the caller is told who it is", "GET", "/api/v1/me", clock, "", "", 200, `"scopes":["time:read"]`},

		{"no token is 401 with a challenge", "GET", "/api/v1/tools", "", "", "", 401, `"code":"sign_in_needed"`},
		{"a bad token is 401", "GET", "/api/v1/me", "e30.e30.AA", "", "", 401, `"code":"invalid_token"`},
		{"too little scope is 403 with all of it", "POST", "/api/v1/tools/reverse_tool", clock, `{"query":"abc"}`, "", 403, `"scopes":["execute"]`},
		{"a long call needs the scope too", "POST", "/api/v1/calls", clock, `{"tool":"reverse_tool"}`, "", 403, `"code":"insufficient_scope"`},
		{"an unknown tool is 404", "POST", "/api/v1/tools/none", all, `{}`, "", 404, `"code":"unknown_tool"`},
		{"an unknown resource is 404", "GET", "/api/v1/resources/read?uri=time://none", all, "", "", 404, `"code":"unknown_resource"`},
		{"an unknown call is 404", "GET", "/api/v1/calls/none", all, "", "", 404, `"code":"unknown_call"`},
		{"a wrong argument is named", "POST", "/api/v1/tools/reverse_tool", all, `{"query":1}`, "", 422, `"field":"query"`},
		{"attack 41 a key twice is refused", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"a","query":"b"}`, "", 400, `"code":"invalid_json"`},
		{"attack 43 trailing data is refused", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"a"}{}`, "", 400, `"code":"invalid_json"`},
		{"attack 49 a form is not read", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"a"}`, "Content-Type: text/plain", 415, `"code":"unsupported_media_type"`},
		{"a body too large is 413", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"` + strings.Repeat("a", 2<<20) + `"}`, "", 413, `"code":"too_large"`},
		{"another method is 405", "PUT", "/api/v1/tools", all, `{}`, "", 405, `"code":"method_not_allowed"`},
		{"an unknown path is 404", "GET", "/api/v1/none", all, "", "", 404, `"code":"no_such_path"`},
		{"attack 30 a token in the query is refused", "GET", "/api/v1/tools?access_token=x", "", "", "", 400, `"code":"invalid_request"`},
		{"attack 49 a page of another site is refused", "POST", "/api/v1/tools/reverse_tool", all, `{"query":"abc"}`, "Origin: https://evil.example", 403, `"code":"foreign_origin"`},
		{"attack 48 a name that is not ours is refused", "GET", "/api/v1/me", all, "", "Host: evil.example", 403, `"code":"foreign_origin"`},
		{"attack 52 a trick in the path leads around nothing", "GET", "/api/v1/../v1/%2e%2e/v1/me", "", "", "", 404, `"code":"no_such_path"`},
		{"attack 52 two slashes lead around nothing", "GET", "//api/v1/me", "", "", "", 401, `"code":"sign_in_needed"`},
		{"a bad event id is refused", "GET", "/api/v1/calls/none/events", all, "", "Last-Event-ID: -1", 400, `"code":"invalid_last_event_id"`},
		{"a resource without a name is refused", "GET", "/api/v1/resources/read", all, "", "", 400, `"field":"uri"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var header []string
			if row.header != "" {
				header = []string{row.header}
			}
			a := h.api(t, row.method, row.path, row.token, row.body, header...)
			if a.status != row.status || !strings.Contains(a.body, row.has) {
				t.Fatalf("answered %d %s, want %d with %s", a.status, a.body, row.status, row.has)
			}
			challenged := a.header.Get("WWW-Authenticate") != ""
			if want := row.status == 401 || row.status == 403 && !strings.Contains(row.has, "foreign_origin") || row.name == "attack 30 a token in the query is refused"; challenged != want {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
			if row.status < 400 {
				return
			}
			var p struct {
				Type, Title, Detail, Code, RequestID string
				Status                               int
			}
			a.into(t, &p)
			if a.header.Get("Content-Type") != "application/problem+json" || p.Status != row.status || p.Detail == "" ||
				p.Type != "urn:fastmcp-auth:problem:"+p.Code || !strings.Contains(a.body, `"request_id":"`+a.header.Get("X-Request-Id")+`"`) {
				t.Errorf("no problem document: %s %s", a.header.Get("Content-Type"), a.body)
			}
		})
	}
}

func TestAListThatTheCallerHasIsNotSentAgain(t *testing.T) {
	h := open(t, Options{})
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	first := h.api(t, "GET", "/api/v1/tools", token, "")
	tag := first.header.Get("ETag")
	if again := h.api(t, "GET", "/api/v1/tools", token, "", "If-None-Match: "+tag); tag == "" || again.status != 304 || again.body != "" {
		t.Errorf("tag %s: answered %d %s", tag, again.status, again.body)
	}
	other := h.api(t, "GET", "/api/v1/tools", h.token(t, h.provider.Server, devidp.UserReader, "time:read"), "", "If-None-Match: "+tag)
	if other.status != 200 || !strings.Contains(first.header.Get("Cache-Control"), "private") {
		t.Errorf("C-24 another caller gets %d; %s", other.status, first.header.Get("Cache-Control"))
	}
}

// event is one of a stream.
type event struct{ id, name, data string }

// streamed reads a stream until it ends, or until enough says so.
func streamed(t *testing.T, resp *http.Response, enough func(event) bool) (list []event) {
	t.Helper()
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("no stream: %d %v", resp.StatusCode, resp.Header)
	}
	var e event
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				list = append(list, e)
				if enough(e) {
					return list
				}
			}
			e = event{}
		}
	}
	return list
}

func never(event) bool { return false }

func TestALongCallIsFollowedAcrossALostStream(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REVERSE_DURATION=2s")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	begun := h.api(t, "POST", "/api/v1/calls", token, `{"tool":"reverse_tool","arguments":{"query":"abc"}}`, "Idempotency-Key: k1")
	again := h.api(t, "POST", "/api/v1/calls", token, `{"tool":"reverse_tool","arguments":{"query":"abc"}}`, "Idempotency-Key: k1")
	place := begun.header.Get("Location")
	if begun.status != 202 || place == "" || again.header.Get("Location") != place || again.header.Get("Idempotent-Replayed") != "true" {
		t.Fatalf("begun %d %s, again %s %v", begun.status, begun.body, again.body, again.header)
	}
	if other := h.api(t, "POST", "/api/v1/calls", token, `{"tool":"random_number_tool"}`, "Idempotency-Key: k1"); other.status != 422 {
		t.Errorf("the key for another call: %d %s", other.status, other.body)
	}
	seen := streamed(t, h.ask(t, "GET", place+"/events", token, ""), func(e event) bool { return e.name == "progress" })
	last := seen[len(seen)-1]
	rest := streamed(t, h.ask(t, "GET", place+"/events", token, "", "Last-Event-ID: "+last.id), never)
	if len(rest) == 0 || rest[0].id != fmt.Sprint(len(seen)+1) || !strings.Contains(rest[len(rest)-1].data, `"state":"completed"`) {
		t.Errorf("saw %v, then %v", seen, rest)
	}
	done := h.api(t, "GET", place, token, "")
	if !strings.Contains(done.body, `"reversed_query":"cba"`) || !strings.Contains(done.body, `"arguments":{"query":"abc"}`) {
		t.Errorf("at the end: %s", done.body)
	}
	stranger := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	for _, ask := range []string{"GET " + place, "GET " + place + "/events", "DELETE " + place} {
		method, path, _ := strings.Cut(ask, " ")
		if a := h.api(t, method, path, stranger, ""); a.status != 404 {
			t.Errorf("attack 45 %s by another: %d %s", ask, a.status, a.body)
		}
	}
	if list := h.api(t, "GET", "/api/v1/calls", token, ""); !strings.Contains(list.body, `"state":"completed"`) {
		t.Errorf("the history: %s", list.body)
	}
	if a := h.api(t, "DELETE", place, token, ""); a.status != 204 {
		t.Errorf("forget: %d %s", a.status, a.body)
	}
	if a := h.api(t, "GET", place, token, ""); a.status != 404 {
		t.Errorf("after that: %d %s", a.status, a.body)
	}
}

func TestALongCallIsCancelled(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REVERSE_DURATION=10m")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	place := h.api(t, "POST", "/api/v1/calls", token, `{"tool":"reverse_tool","arguments":{"query":"abc"}}`).header.Get("Location")
	stream := h.ask(t, "GET", place+"/events", token, "")
	if a := h.api(t, "DELETE", place, token, ""); a.status != 202 {
		t.Fatalf("cancel: %d %s", a.status, a.body)
	}
	seen := streamed(t, stream, never)
	if last := seen[len(seen)-1]; !strings.Contains(last.data, `"state":"cancelled"`) {
		t.Errorf("ended with %v", last)
	}
}

func TestTheDocumentSaysWhatThereIs(t *testing.T) {
	h := open(t, Options{Version: "1.2.3"})
	a := h.api(t, "GET", "/api/openapi.json", "", "")
	var doc struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
	}
	a.into(t, &doc)
	var ids []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			ids = append(ids, op.OperationID)
			got := h.api(t, strings.ToUpper(method), strings.NewReplacer("{id}", "x", "{name}", "x").Replace(path), "", "")
			if _, documented := op.Responses[fmt.Sprint(got.status)]; got.status != 401 || !documented {
				t.Errorf("%s %s without a token: %d", method, path, got.status)
			}
		}
	}
	slices.Sort(ids)
	want := "answer-call begin-call call-convert_time call-get_current_time call-random_number_tool call-reverse_tool call-tool cancel-call follow-call get-call get-convert_time get-get_current_time get-me get-random_number_tool get-reverse_tool get-tool list-calls list-resources list-tools read-resource reverse"
	if got := strings.Join(ids, " "); got != want || doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" {
		t.Errorf("operations %s of %s", got, doc.Info.Version)
	}
	if y := h.api(t, "GET", "/api/openapi.yaml", "", ""); !strings.Contains(y.body, "openapi: 3.1.0") {
		t.Errorf("as YAML: %s", y.body)
	}
}

func TestTheAPIAnswersOnAnAddressOfItsOwn(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REST_ADDR=127.0.0.1:0")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	main := h.public
	h.public = "http://" + h.restListener.Addr().String()
	if a := h.api(t, "POST", "/reverse", token, `{"input_string":"abc"}`); a.status != 200 || a.body != `{"reversed":"cba"}` {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	for _, row := range []struct {
		path, header string
		status       int
	}{{"/mcp", "", 404}, {"/console/session", "", 404}, {"/healthz", "", 404}, {"/api/v1/me", "Host: evil.example", 403}, {"/api/v1/me", "Origin: https://evil.example", 403}} {
		if a := h.api(t, "GET", row.path, token, "", strings.Split(row.header, "\n")...); a.status != row.status {
			t.Errorf("%s %s: %d %s", row.path, row.header, a.status, a.body)
		}
	}
	if a := h.api(t, "GET", "/api/v1/me", "", ""); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), main+"/.well-known/") {
		t.Errorf("the challenge: %d %v", a.status, a.header)
	}
}

func TestTheAPIsLimitsAreProblemsToo(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_LIMITS_CALLER_RATE=1")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	var last apiAnswer
	for range 20 { // ten at once are let through
		if last = h.api(t, "GET", "/api/v1/me", token, ""); last.status != 200 {
			break
		}
	}
	if last.status != 429 || !strings.Contains(last.body, `"code":"too_many_requests"`) || last.header.Get("Retry-After") == "" || last.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered %d %v %s", last.status, last.header, last.body)
	}
}

// attack 60: one caller's slow bodies fill the memory that is there for all.
func TestAttack60_OneCallerSendsOnlySoManyLargeBodiesAtOnce(t *testing.T) {
	h := open(t, Options{})
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	const bound, more = 32, 5
	answers := make(chan int, bound+more)
	var bodies []*io.PipeWriter
	for range bound + more {
		body, write := io.Pipe()
		bodies = append(bodies, write)
		req, err := http.NewRequestWithContext(t.Context(), "POST", h.public+"/api/v1/tools/reverse_tool", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		go func() {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				answers <- 0
				return
			}
			resp.Body.Close()
			answers <- resp.StatusCode
		}()
	}
	for range more { // those that are turned away are answered while the others wait for their bodies
		if status := <-answers; status != http.StatusTooManyRequests {
			t.Errorf("one too many is answered with %d", status)
		}
	}
	for _, write := range bodies {
		go func() {
			io.WriteString(write, `{"query":"abc"}`)
			write.Close()
		}()
	}
	for range bound {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("one within the bound is answered with %d", status)
		}
	}
}
