package app

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	log "go.opentelemetry.io/proto/otlp/logs/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// collector receives OTLP over HTTP, as the specification has it.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*trace.Span
	records  []*log.LogRecord
	resource map[string]string
	headers  http.Header
	answer   func(w http.ResponseWriter) bool // of logs, in place of the usual one; nil, or false: the usual one
}

// collect starts a collector and has the environment name it. The variables are returned as the settings read them.
func collect(t *testing.T, variables ...string) (*collector, []string) {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	variables = append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL}, variables...)
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return c, variables
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "no OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header
	var answer proto.Message
	switch r.URL.Path {
	case "/v1/traces":
		var in traces.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, of := range in.ResourceSpans {
			c.resource = plain(of.Resource.Attributes)
			for _, s := range of.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
		answer = &traces.ExportTraceServiceResponse{}
	case "/v1/logs":
		var in logs.ExportLogsServiceRequest
		if err := proto.Unmarshal(raw, &in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if c.answer != nil && c.answer(w) {
			return
		}
		for _, of := range in.ResourceLogs {
			c.resource = plain(of.Resource.Attributes)
			for _, s := range of.ScopeLogs {
				c.records = append(c.records, s.LogRecords...)
			}
		}
		answer = &logs.ExportLogsServiceResponse{}
	default:
		http.NotFound(w, r)
		return
	}
	out, err := proto.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(out)
}

// plain are the attributes that are texts or whole numbers.
func plain(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		all[a.Key] = a.Value.GetStringValue()
		if n, isNumber := a.Value.Value.(*common.AnyValue_IntValue); isNumber {
			all[a.Key] = strconv.FormatInt(n.IntValue, 10)
		}
	}
	return all
}

// named are the spans of this name.
func (c *collector) named(name string) []*trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s *trace.Span) bool { return s.Name != name })
}

const (
	headerTrace = "0af7651916cd43dd8448eb211c80319c"
	metaTrace   = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentSpan  = "b7ad6b7169203331"
)

// TestTracesFollowACall receives the spans of calls, with a trace named by header, by _meta, by both and by neither.
func TestTracesFollowACall(t *testing.T) {
	for _, row := range []struct {
		name, header, meta string
		request, call      string // the trace of the request and of the call; empty: one of our own, the same for both
		parent             string // of the request
		link               bool
	}{
		{"nobody names a trace", "", "", "", "", "", false},
		{"the header names one", headerTrace, "", headerTrace, headerTrace, parentSpan, false},
		{"_meta names one", "", metaTrace, metaTrace, metaTrace, parentSpan, false},
		{"both name the same", headerTrace, headerTrace, headerTrace, headerTrace, parentSpan, false},
		{"each names its own", headerTrace, metaTrace, headerTrace, metaTrace, parentSpan, true},
	} {
		for _, way := range []string{"plain", "stream"} {
			t.Run(row.name+", "+way, func(t *testing.T) {
				record := filepath.Join(t.TempDir(), "audit.jsonl")
				c, variables := collect(t, "OTEL_SERVICE_NAME=tools", "OTEL_EXPORTER_OTLP_HEADERS=x-tenant=7")
				h := open(t, Options{Version: "1.2.3"}, append(variables, "FASTMCP_AUTH_AUDIT_FILE_PATH="+record)...)
				token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
				meta := `"io.modelcontextprotocol/protocolVersion":"` + modern + `","io.modelcontextprotocol/clientCapabilities":{}`
				if row.meta != "" {
					meta += `,"traceparent":"00-` + row.meta + `-` + parentSpan + `-01"`
				}
				if way == "stream" {
					meta += `,"progressToken":1`
				}
				header := map[string]string{"MCP-Protocol-Version": modern, "Mcp-Method": "tools/call", "Mcp-Name": "reverse_tool"}
				if row.header != "" {
					header["Traceparent"] = "00-" + row.header + "-" + parentSpan + "-01"
				}
				a, err := h.post(token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"sesame"},"_meta":{`+meta+`}}}`, header)
				if err != nil || a.status != 200 || !strings.Contains(a.body, "emases") {
					t.Fatalf("answered %+v, %v", a, err)
				}
				if err := h.stop(); err != nil {
					t.Fatal(err)
				}
				one := func(name string) *trace.Span {
					found := c.named(name)
					if len(found) != 1 {
						t.Fatalf("%d spans are named %q among %v", len(found), name, c.spans)
					}
					return found[0]
				}
				request, verify, policy, call := one("POST /mcp"), one("verify"), one("policy"), one("tools/call reverse_tool")
				id := func(b []byte) string { return hex.EncodeToString(b) }
				own := id(request.TraceId)
				want := func(trace string) string {
					if trace == "" {
						return own
					}
					return trace
				}
				if own != want(row.request) || id(verify.TraceId) != own || id(policy.TraceId) != want(row.call) || id(call.TraceId) != want(row.call) {
					t.Errorf("the traces are %s, %x, %x, %x", own, verify.TraceId, policy.TraceId, call.TraceId)
				}
				if id(request.ParentSpanId) != row.parent || id(verify.ParentSpanId) != id(request.SpanId) {
					t.Errorf("the parents are %x of the request, %x of the verification", request.ParentSpanId, verify.ParentSpanId)
				}
				parent := id(request.SpanId)
				if row.link {
					parent = parentSpan
				}
				if id(call.ParentSpanId) != parent || id(policy.ParentSpanId) != parent {
					t.Errorf("the parents are %x of the call, %x of the policy, want %s", call.ParentSpanId, policy.ParentSpanId, parent)
				}
				if linked := len(call.Links) == 1 && bytes.Equal(call.Links[0].SpanId, request.SpanId); linked != row.link {
					t.Errorf("the call is linked to %v", call.Links)
				}
				if request.StartTimeUnixNano > verify.StartTimeUnixNano || verify.EndTimeUnixNano > policy.EndTimeUnixNano ||
					policy.EndTimeUnixNano > call.EndTimeUnixNano || call.EndTimeUnixNano > request.EndTimeUnixNano {
					t.Errorf("the order is not that of a request: %v", c.spans)
				}
				if got := plain(policy.Attributes); got["decision"] != "allow" || got["rule"] == "" || got["operation"] != "reverse_tool" {
					t.Errorf("the policy says %v", got)
				}
				if got := plain(call.Attributes); got["outcome"] != "ok" {
					t.Errorf("the call says %v", got)
				}
				if c.resource["service.name"] != "tools" || c.resource["service.version"] != "1.2.3" || c.headers.Get("X-Tenant") != "7" {
					t.Errorf("the environment is not heard: %v, %v", c.resource, c.headers)
				}
				for _, e := range events(t, record) {
					if e.TraceID != own {
						t.Errorf("the record names the trace %q, want %s", e.TraceID, own)
					}
				}
				if text := request.String() + verify.String() + policy.String() + call.String(); strings.Contains(text, token) || strings.Contains(text, "sesame") {
					t.Errorf("RS-19: a token or an argument is in a span: %s", text)
				}
			})
		}
	}
}

// TestRefusalsAreTraced ends the trace of a request where it was refused.
func TestRefusalsAreTraced(t *testing.T) {
	c, variables := collect(t)
	h := open(t, Options{}, variables...)
	h.reverse("", "abc")
	h.post(h.token(t, h.provider.Server, devidp.UserUser, "execute"), "{", nil)
	h.get(t, "/sesame")
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	verify := c.named("verify")
	if len(verify) != 2 || plain(verify[0].Attributes)["reason"] != "missing" || verify[0].Status.Code != trace.Status_STATUS_CODE_ERROR {
		t.Errorf("verified: %v", verify)
	}
	if len(c.named("POST /mcp")) != 2 || len(c.named("GET")) != 1 || len(c.spans) != 5 {
		t.Errorf("the spans are %v", c.spans)
	}
}

// TestTheTraceOfAMessageIsRecordedWithoutTracing: no variable is set, and the record still names the client's trace.
func TestTheTraceOfAMessageIsRecordedWithoutTracing(t *testing.T) {
	record := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+record)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	call := func(method, name, header, meta string) {
		t.Helper()
		headers := map[string]string{"MCP-Protocol-Version": modern, "Mcp-Method": method, "Mcp-Name": name}
		if header != "" {
			headers["Traceparent"] = header
		}
		_, err := h.post(token, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":{"name":"`+name+`","arguments":{"query":"abc"},`+
			`"_meta":{"traceparent":"`+meta+`","io.modelcontextprotocol/protocolVersion":"`+modern+`","io.modelcontextprotocol/clientCapabilities":{}}}}`, headers)
		if err != nil {
			t.Fatal(err)
		}
	}
	parent := func(trace string) string { return "00-" + trace + "-" + parentSpan + "-01" }
	call("tools/call", "reverse_tool", "", parent(metaTrace))
	call("tools/call", "reverse_tool", parent(headerTrace), parent(metaTrace))
	call("tools/call", "reverse_tool", "", "sesame")
	call("tools/call", "no_tool", "", parent(metaTrace))
	call("tools/sesame", "reverse_tool", "", parent(metaTrace))
	h.stop()
	var got []string
	for _, e := range events(t, record) {
		got = append(got, e.TraceID)
	}
	if want := []string{metaTrace, metaTrace, headerTrace, headerTrace, "", "", metaTrace, metaTrace}; !slices.Equal(got, want) {
		t.Errorf("the record names the traces %q, want %q", got, want)
	}
	if h.tracing != nil {
		t.Error("traces are exported though no variable asks for it")
	}
}

// TestEventsAreOpenTelemetryLogs receives the decision and the outcome of a call, with all that the file has.
func TestEventsAreOpenTelemetryLogs(t *testing.T) {
	record := filepath.Join(t.TempDir(), "audit.jsonl")
	c, variables := collect(t, "OTEL_TRACES_EXPORTER=none", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	h := open(t, Options{Version: "1.2.3"}, append(variables, "FASTMCP_AUTH_AUDIT_OTEL=true", "FASTMCP_AUTH_AUDIT_FILE_PATH="+record)...)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	if a, err := h.reverse(token, "sesame"); err != nil || a.status != 200 {
		t.Fatalf("answered %+v, %v", a, err)
	}
	if len(c.records) != 2 { // they are there before the answer is
		t.Fatalf("received %v", c.records)
	}
	a, err := h.post("", "{}", map[string]string{"Traceparent": "00-" + headerTrace + "-" + parentSpan + "-01"})
	if err != nil || a.status != 401 {
		t.Fatalf("answered %+v, %v", a, err)
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	lines := events(t, record)
	if len(c.records) != 3 || len(lines) != 3 || len(c.spans) != 0 {
		t.Fatalf("received %v and %v, recorded %v", c.records, c.spans, lines)
	}
	for i, r := range c.records {
		e, got := lines[i], plain(r.Attributes)
		if r.EventName != "fastmcp_auth.audit."+string(e.Kind) || r.TimeUnixNano != uint64(e.Time.UnixNano()) || hex.EncodeToString(r.TraceId) != e.TraceID {
			t.Errorf("received %v for %+v", r, e)
		}
		var body audit.Event
		if err := json.Unmarshal([]byte(r.Body.GetStringValue()), &body); err != nil || !reflect.DeepEqual(body, e) {
			t.Errorf("the body is %s, %v, want %+v", r.Body.GetStringValue(), err, e)
		}
		if got["request_id"] != e.RequestID || got["decision"] != string(e.Decision) || got["rule"] != e.Rule || got["tool"] != e.Tool ||
			got["arguments_hash"] != e.Arguments || got["address"] != "127.0.0.1" || got["client"] != e.Client {
			t.Errorf("the attributes are %v of %+v", got, e)
		}
		if e.Principal != nil && (got["principal.issuer"] != e.Principal.Issuer || got["principal.subject"] != e.Principal.Subject) {
			t.Errorf("the caller is %v of %+v", got, e.Principal)
		}
		if e.Outcome != nil && (got["outcome.result"] != "ok" || got["outcome.result_bytes"] != strconv.FormatInt(e.Outcome.Bytes, 10)) {
			t.Errorf("the outcome is %v of %+v", got, e.Outcome)
		}
		if text := r.String(); strings.Contains(text, token) || strings.Contains(text, "sesame") {
			t.Errorf("RS-19: a token or an argument is in %s", text)
		}
	}
	if c.resource["service.name"] != "fastmcp-auth" || c.resource["service.version"] != "1.2.3" || c.resource["deployment.environment.name"] != "test" {
		t.Errorf("the resource is %v", c.resource)
	}
	if hex.EncodeToString(c.records[2].TraceId) != headerTrace {
		t.Errorf("the refusal is of the trace %x", c.records[2].TraceId)
	}
}

// TestACollectorThatDoesNotKeepEventsClosesTheDoor: no call is made, whatever way it fails, and calls are made again
// when it works again.
func TestACollectorThatDoesNotKeepEventsClosesTheDoor(t *testing.T) {
	say := func(status int) func(w http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool { w.WriteHeader(status); return true }
	}
	for _, row := range []struct {
		name   string
		answer func(w http.ResponseWriter) bool
	}{
		{"it fails", say(500)},
		{"it is overloaded, and asks to try again", say(503)},
		{"it wants to know who sends", say(401)},
		{"it cuts the connection", func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) }},
		{"it takes the request and rejects what is in it", func(w http.ResponseWriter) bool {
			out, err := proto.Marshal(&logs.ExportLogsServiceResponse{PartialSuccess: &logs.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "full"}})
			if err != nil {
				panic(err)
			}
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(out)
			return true
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, variables := collect(t, "OTEL_TRACES_EXPORTER=none")
			var ahead atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			h := open(t, Options{Now: now}, append(variables, "FASTMCP_AUTH_AUDIT_OTEL=true", "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0")...)
			token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
			answer := func(f func(w http.ResponseWriter) bool) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.answer = f
			}
			answer(row.answer)
			for range 2 { // once by asking the collector, once without
				a, err := h.reverse(token, "abc")
				if err != nil || strings.Contains(a.body, "reversed_query") || !strings.Contains(a.body, "the audit trail is unavailable") {
					t.Fatalf("answered %+v, %v", a, err)
				}
			}
			n := h.numbers(t)
			if n[`fastmcp_auth_audit_sink_failing{sink="otel"}`] != 1 || n[`fastmcp_auth_audit_events_total{result="failed",sink="otel"}`] != 4 ||
				n[`fastmcp_auth_calls_total{outcome="not_recorded",tool="reverse_tool"}`] != 2 || n[`fastmcp_auth_calls_total{outcome="ok",tool="reverse_tool"}`] != 0 {
				t.Errorf("counted %v", n)
			}
			answer(nil)
			ahead.Store(int64(2 * time.Second)) // it tries again a second after it failed
			if a, err := h.reverse(token, "abc"); err != nil || !strings.Contains(a.body, "cba") {
				t.Errorf("the collector works again, and the call is answered %+v, %v", a, err)
			}
		})
	}
}

// TestACollectorThatIsSilentIsNotWaitedForLong: the variable of OpenTelemetry bounds it, and the sink does.
func TestACollectorThatIsSilentIsNotWaitedForLong(t *testing.T) {
	c, variables := collect(t, "OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_TIMEOUT=50")
	h := open(t, Options{}, append(variables, "FASTMCP_AUTH_AUDIT_OTEL=true")...)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	silent := make(chan struct{})
	c.answer = func(http.ResponseWriter) bool { <-silent; return true }
	a, err := h.reverse(token, "abc")
	close(silent)
	if err != nil || !strings.Contains(a.body, "the audit trail is unavailable") {
		t.Fatalf("answered %+v, %v", a, err)
	}
}

// TestEventsOfManyCallsShareRequests writes from many goroutines and finds each event once.
func TestEventsOfManyCallsShareRequests(t *testing.T) {
	c, variables := collect(t, "OTEL_TRACES_EXPORTER=none")
	h := open(t, Options{}, append(variables, "FASTMCP_AUTH_AUDIT_OTEL=true")...)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	const calls = 50
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if a, err := h.reverse(token, "abc"); err != nil || a.status != 200 {
				t.Errorf("answered %+v, %v", a, err)
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, r := range c.records {
		got := plain(r.Attributes)
		seen[got["event"]+got["request_id"]]++
	}
	if len(seen) != 2*calls || len(c.records) != 2*calls {
		t.Errorf("%d events came, of which %d differ", len(c.records), len(seen))
	}
}
