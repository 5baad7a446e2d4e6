package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// events reads a file of the record: each line is one event, with no field that is not documented.
func events(t *testing.T, path string) []audit.Event {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Event
	for line := range strings.Lines(string(body)) {
		var e audit.Event
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// of are the events of one request.
func of(all []audit.Event, a *answer) []audit.Event {
	id := a.header.Get("X-Request-Id")
	return slices.DeleteFunc(slices.Clone(all), func(e audit.Event) bool { return e.RequestID != id })
}

// TestRecord calls, and is refused in every way there is, and finds for each request the events it is due.
func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	good := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	narrow := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	ask := func(token, body string, header map[string]string) func() (*answer, error) {
		return func() (*answer, error) { return h.post(token, body, header) }
	}
	for _, row := range []struct {
		name   string
		do     func() (*answer, error)
		status int
		want   string // decision rule tool [outcome] of each event
		nobody bool
	}{
		{"a call", func() (*answer, error) { return h.reverse(good, "abc") }, 200,
			"allow,broad scope,reverse_tool; allow,broad scope,reverse_tool,ok", false},
		{"a read", func() (*answer, error) {
			return h.call(narrow, "resources/read", "time://timezones", `"uri":"time://timezones",`)
		}, 200,
			"allow,scopes,time://timezones; allow,scopes,time://timezones,ok", false},
		{"arguments that do not fit", func() (*answer, error) {
			return h.call(good, "tools/call", "reverse_tool", `"name":"reverse_tool","arguments":{"querry":"x"},`)
		}, 200, "allow,broad scope,reverse_tool; allow,broad scope,reverse_tool,bad_arguments", false},
		{"too little scope", func() (*answer, error) { return h.reverse(narrow, "abc") }, 403, "needs_scope,scopes,reverse_tool", false},
		{"a tool there is not, whose name is a stranger's text", func() (*answer, error) {
			return h.call(good, "tools/call", good[:40], `"name":"`+good[:40]+`","arguments":{},`)
		}, 400, "deny,unknown,", false},
		{"no token", func() (*answer, error) { return h.reverse("", "abc") }, 401, "refuse,missing,", true},
		{"a token that is none", func() (*answer, error) { return h.reverse("sesame", "abc") }, 401, "refuse,opaque,", true},
		{"a token whose signature is wrong", func() (*answer, error) { return h.reverse(good[:len(good)-8]+"AAAAAAAA", "abc") }, 401, "refuse,signature,", true},
		{"a body that is no JSON", ask(good, "{", nil), 400, "refuse,status 400,", false},
		{"headers that do not mirror the body", func() (*answer, error) {
			return h.call(good, "tools/call", "other", `"name":"reverse_tool","arguments":{"query":"x"},`)
		}, 400, "refuse,status 400,", false},
		{"a foreign page", ask(good, "{}", map[string]string{"Origin": "https://evil.example"}), 403, "refuse,status 403,", true},
		{"a list, which decides nothing", func() (*answer, error) { return h.call(good, "tools/list", "", "") }, 200, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := row.do()
			if err != nil || a.status != row.status {
				t.Fatalf("answered %+v, %v", a, err)
			}
			var said []string
			for _, e := range of(events(t, path), a) {
				line := []string{string(e.Decision), e.Rule, e.Tool}
				if e.Outcome != nil {
					line = append(line, e.Outcome.Result)
				}
				said = append(said, strings.Join(line, ","))
				if (e.Kind == audit.Ended) != (e.Outcome != nil) || e.Address != "127.0.0.1" || e.Time.IsZero() {
					t.Errorf("the event is %+v", e)
				}
				if (e.Principal == nil) != row.nobody || !row.nobody && (e.Principal.Issuer != h.at.Issuer || e.Principal.Subject == "" || e.Client == "") {
					t.Errorf("the caller is %+v by %q", e.Principal, e.Client)
				}
			}
			if got := strings.Join(said, "; "); got != row.want {
				t.Errorf("recorded %s\nwant     %s", got, row.want)
			}
		})
	}
}

// TestRS19_NoTokenAndNoArgumentInAnyEvent walks whole flows in both eras, with the log at its loudest beside the record.
func TestRS19_NoTokenAndNoArgumentInAnyEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var out, log buffer
	h := open(t, Options{Stdout: &out, Logger: telemetry.Logger(&log, "debug", "json")},
		"FASTMCP_AUTH_AUDIT_FILE_PATH="+path, "FASTMCP_AUTH_AUDIT_STDOUT=true")
	const argument = "opensesame"
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		session := h.signInAs(t, devidp.UserAdmin, h.at.MCP, version, "execute")
		if _, err := session.Call(t.Context(), "reverse_tool", map[string]any{"query": argument}, nil); err != nil {
			t.Fatal(err)
		}
		session.Call(t.Context(), "reverse_tool", map[string]any{argument: 1}, nil)
	}
	h.reverse(token, argument)
	h.reverse(token+"x", argument)
	h.call(token, "tools/call", argument, `"name":"`+argument+`","arguments":{"x":"`+argument+`"},`)
	h.call(token, "tools/call", token, `"name":"`+token+`","arguments":{},`)
	h.post(token, argument, nil)
	if _, err := do(must(http.NewRequest("POST", h.at.MCP+"?access_token="+token, nil))); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(events(t, path)); n < 12 || out.String() != string(file) {
		t.Errorf("%d events are in the file, and stdout has others:\n%s", n, out.String())
	}
	reversed := "emasesnepo"
	for name, text := range map[string]string{"record": string(file), "log": log.String()} {
		for _, secret := range []string{token, token[:30], strings.Split(token, ".")[1], argument, reversed, "Bearer ey"} {
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %q", name, secret)
			}
		}
		if strings.Contains(text, "eyJ") {
			t.Errorf("the %s holds what looks like a token", name)
		}
	}
	for _, e := range events(t, path) {
		if e.Tool == "reverse_tool" && !strings.HasPrefix(e.Arguments, "hmac-sha256:") {
			t.Errorf("the arguments of %+v have no fingerprint", e)
		}
	}
}

// TestTheTraceOfACallInASession calls twice in one session, each call with a trace of its own.
func TestTheTraceOfACallInASession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	send := func(session, trace, body string) *answer {
		header := map[string]string{"Traceparent": "00-" + trace + "-b7ad6b7169203331-01", "MCP-Protocol-Version": "2025-11-25"}
		if session != "" {
			header["Mcp-Session-Id"] = session
		}
		a, err := h.post(token, body, header)
		if err != nil || a.status >= 300 {
			t.Fatalf("answered %+v, %v", a, err)
		}
		return a
	}
	first, second, third := strings.Repeat("1", 32), strings.Repeat("2", 32), strings.Repeat("3", 32)
	session := send("", first, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`).header.Get("Mcp-Session-Id")
	send(session, first, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	call := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"abc"},"_meta":{"progressToken":1}}}`
	want := map[string]string{
		send(session, second, call).header.Get("X-Request-Id"): second,
		send(session, third, call).header.Get("X-Request-Id"):  third,
	}
	all := events(t, path)
	if len(all) != 4 {
		t.Errorf("there are %d events", len(all))
	}
	for _, e := range all {
		if e.TraceID != want[e.RequestID] || e.TraceID == "" || e.Address != "127.0.0.1" {
			t.Errorf("the event is %+v", e)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// buffer may be written from many goroutines.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestAttack54_WithoutARecordNothingIsDone takes the record's folder away, and gives it back.
func TestAttack54_WithoutARecordNothingIsDone(t *testing.T) {
	for _, row := range []struct {
		name, onFailure string
		lets            bool
	}{
		{"attack 54 a record that cannot be kept closes the door", "closed", false},
		{"calls pass where the operator said so", "open", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+filepath.Join(dir, "audit.jsonl"), "FASTMCP_AUTH_AUDIT_ON_FAILURE="+row.onFailure)
			token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			for _, call := range []func() (*answer, error){
				func() (*answer, error) { return h.reverse(token, "abc") },
				func() (*answer, error) {
					return h.call(token, "resources/read", "time://timezones", `"uri":"time://timezones",`)
				},
			} {
				a, err := call()
				if err != nil {
					t.Fatal(err)
				}
				id := a.header.Get("X-Request-Id")
				says := strings.Contains(a.body, `"code":-32000`) && strings.Contains(a.body, "audit trail is unavailable, so nothing was done") && strings.Contains(a.body, id)
				if says == row.lets || strings.Contains(a.body, `"error"`) == row.lets || strings.Contains(a.body, dir) {
					t.Errorf("answered %d %s", a.status, a.body)
				}
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if a, err := h.reverse(token, "abc"); err != nil || !strings.Contains(a.body, "cba") {
				t.Errorf("with the folder back it answers %+v, %v", a, err)
			}
		})
	}
}

// TestTheRecordIsReplacedWithoutARestart also shows that a place that cannot be opened changes nothing.
func TestTheRecordIsReplacedWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.jsonl"), filepath.Join(dir, "second.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+first)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	count := func(path string) int {
		body, _ := os.ReadFile(path)
		return bytes.Count(body, []byte("\n"))
	}
	for i, row := range []struct {
		path          string
		fails         bool
		first, second int
	}{
		{first, false, 2, 0},
		{filepath.Join(dir, "none", "audit.jsonl"), true, 4, 0},
		{second, false, 4, 2},
		{"", false, 4, 2},
	} {
		env := []string{"FASTMCP_AUTH_ADDR=127.0.0.1:0"}
		if row.path != "" {
			env = append(env, "FASTMCP_AUTH_AUDIT_FILE_PATH="+row.path)
		}
		next, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: env})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ReloadAudit(next); (err != nil) != row.fails {
			t.Errorf("%d: answered %v", i, err)
		}
		if a, err := h.reverse(token, "abc"); err != nil || !strings.Contains(a.body, "cba") {
			t.Errorf("%d: answered %+v, %v", i, a, err)
		}
		if count(first) != row.first || count(second) != row.second {
			t.Errorf("%d: %d and %d events", i, count(first), count(second))
		}
	}
}

// TestEveryCallHasItsTwoEventsUnderLoad calls from many goroutines while files rotate and the record moves to and fro.
func TestEveryCallHasItsTwoEventsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	var moved []*config.Settings
	for _, name := range []string{"first.jsonl", "second.jsonl"} {
		moved = append(moved, settingsOf(t, "FASTMCP_AUTH_AUDIT_FILE_PATH="+filepath.Join(dir, name), "FASTMCP_AUTH_AUDIT_FILE_MAX_SIZE=4KiB", "FASTMCP_AUTH_AUDIT_FILE_KEEP=0"))
	}
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+filepath.Join(dir, "first.jsonl"), "FASTMCP_AUTH_AUDIT_FILE_MAX_SIZE=4KiB", "FASTMCP_AUTH_AUDIT_FILE_KEEP=0")
	tokens := []string{h.token(t, h.provider.Server, devidp.UserUser, "execute"), h.token(t, h.provider.Server, devidp.UserAdmin, "execute")}
	const callers, each = 6, 40
	var group sync.WaitGroup
	var mu sync.Mutex
	made := map[string]bool{}
	for i := range callers {
		group.Go(func() {
			for range each {
				a, err := h.reverse(tokens[i%2], "abc")
				if err != nil || !strings.Contains(a.body, "cba") {
					t.Errorf("answered %+v, %v", a, err)
					return
				}
				mu.Lock()
				made[a.header.Get("X-Request-Id")] = true
				mu.Unlock()
			}
		})
	}
	for i := range 20 {
		if err := h.ReloadAudit(moved[i%2]); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) < 10 {
		t.Errorf("there are %d files, %v", len(files), err)
	}
	said := map[string][]audit.Kind{}
	for _, file := range files {
		for _, e := range events(t, file) {
			said[e.RequestID] = append(said[e.RequestID], e.Kind)
		}
	}
	if len(made) != callers*each || len(said) != len(made) {
		t.Errorf("%d calls were made, %d are recorded", len(made), len(said))
	}
	for id, kinds := range said {
		slices.Sort(kinds)
		if !made[id] || !slices.Equal(kinds, []audit.Kind{audit.Decided, audit.Ended}) {
			t.Errorf("%s has the events %v", id, kinds)
		}
	}
}

func TestARecordThatCannotBeOpenedStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	s, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: []string{"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_AUDIT_FILE_PATH=none/audit.jsonl"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), s, Options{}); err == nil || !strings.HasPrefix(err.Error(), "audit.file.path: ") {
		t.Errorf("answered %v", err)
	}
}

func TestTheTraceOfARequest(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	for _, row := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"a whole header names its trace", []string{"00-" + trace + "-b7ad6b7169203331-01"}, trace},
		{"a later version may say more", []string{"cc-" + trace + "-b7ad6b7169203331-01-more"}, trace},
		{"none names none", nil, ""},
		{"two name none", []string{"00-" + trace + "-b7ad6b7169203331-01", "00-" + trace + "-b7ad6b7169203331-01"}, ""},
		{"zeros are no trace", []string{"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"}, ""},
		{"capitals are no trace", []string{"00-" + strings.ToUpper(trace) + "-b7ad6b7169203331-01"}, ""},
		{"a text is no trace", []string{"00-" + strings.Repeat("x", 32) + "-b7ad6b7169203331-01"}, ""},
		{"half a header is none", []string{"00-" + trace}, ""},
	} {
		if got := traceID(http.Header{"Traceparent": row.lines}); got != row.want {
			t.Errorf("%s: %q", row.name, got)
		}
	}
}

func jsonLog(w io.Writer) *slog.Logger { return telemetry.Logger(w, "info", "json") }

func settingsOf(t *testing.T, environ ...string) *config.Settings {
	t.Helper()
	s, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(), Environ: append([]string{"FASTMCP_AUTH_ADDR=127.0.0.1:0"}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRecordOfASession finds one event for each request within a session that is refused, though most of these have the
// status 200, and none for what is no refusal.
func TestRecordOfASession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	a, err := h.post(token, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("answered %+v, %v", a, err)
	}
	header := map[string]string{"Mcp-Session-Id": a.header.Get("Mcp-Session-Id"), "MCP-Protocol-Version": "2025-11-25"}
	for _, row := range []struct {
		name, message string
		status        int
		want          string // decision and rule of each event
	}{
		{"a method there is not", `"method":"tools/destroy"`, 200, "refuse code -32601"},
		{"a cursor that is none, which the SDK finds out", `"method":"tools/list","params":{"cursor":"%%%"}`, 200, "refuse code -32602"},
		{"the same with progress", `"method":"tools/list","params":{"cursor":"%%%","_meta":{"progressToken":"p"}}`, 200, "refuse code -32602"},
		{"params of a wrong shape, which the SDK finds out", `"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"x"},"inputResponses":7}`, 200, "refuse code -32602"},
		{"params that are none", `"method":"tools/list","params":7`, 400, "refuse status 400"},
		{"a tool there is not", `"method":"tools/call","params":{"name":"none"}`, 200, "deny unknown"},
		{"a call", `"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"x"}}`, 200, "allow broad scope; allow broad scope"},
		{"a list", `"method":"tools/list"`, 200, ""},
		{"a ping", `"method":"ping"`, 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := h.post(token, `{"jsonrpc":"2.0","id":1,`+row.message+`}`, header)
			if err != nil || a.status != row.status {
				t.Fatalf("answered %+v, %v", a, err)
			}
			var said []string
			for _, e := range of(events(t, path), a) {
				said = append(said, string(e.Decision)+" "+e.Rule)
				if e.Principal == nil {
					t.Errorf("nobody is named in %+v", e)
				}
			}
			if got := strings.Join(said, "; "); got != row.want {
				t.Errorf("recorded %q, want %q; answered %s", got, row.want, a.body)
			}
		})
	}
}
