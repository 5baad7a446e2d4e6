package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// counted has every metric with something in it.
func counted() *Metrics {
	m := NewMetrics("1.2.3")
	m.SignIns("ok", "expired")
	m.SignIn("ok").Inc()
	m.RPCError(-32700)
	m.RPCError(12345)
	m.Limit("body").Inc()
	m.ShadowDiffers()
	t := m.Tool("reverse_tool", []string{"allow"}, []string{"ok", "busy"})
	t.Decided("allow")
	t.Decided("sesame") // not among those it was made for
	t.Ended("ok", 3*time.Millisecond)
	t.Ended("busy", 0)
	m.Read(func() State {
		return State{Running: 1, Keys: []KeyState{{Issuer: "https://a.example", Fetched: 1, Keys: 2, Age: time.Minute}, {Issuer: "https://b.example"}},
			Sinks: []SinkState{{Sink: "file", Written: 1}}, Policies: []PolicyState{{Policy: "policy", Used: 1}}}
	})
	return m
}

// TestMetricsPassTheLintOfPrometheus holds names, help and types to what promtool check metrics asks for.
func TestMetricsPassTheLintOfPrometheus(t *testing.T) {
	problems, err := testutil.GatherAndLint(counted().registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// TestRequestsAreCountedHoweverTheyEnd also shows what has no status of its own.
func TestRequestsAreCountedHoweverTheyEnd(t *testing.T) {
	m := NewMetrics("1")
	route := func(path string) Route {
		if path == "/mcp" {
			return RouteMCP
		}
		return RouteOther
	}
	server := httptest.NewServer(m.Requests(route, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("do") {
		case "abort":
			panic(http.ErrAbortHandler)
		case "write":
			w.Write([]byte("x"))
		case "early":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		}
	})))
	defer server.Close()
	for _, path := range []string{"/mcp", "/mcp?do=write", "/mcp?do=abort", "/mcp?do=early", "/sesame?do=write"} {
		if res, err := http.Get(server.URL + path); err == nil {
			res.Body.Close()
		}
	}
	want := `# HELP fastmcp_auth_http_requests_total Requests answered, by route and status.
# TYPE fastmcp_auth_http_requests_total counter
fastmcp_auth_http_requests_total{route="mcp",status="200"} 2
fastmcp_auth_http_requests_total{route="mcp",status="418"} 1
fastmcp_auth_http_requests_total{route="mcp",status="aborted"} 1
fastmcp_auth_http_requests_total{route="other",status="200"} 1
`
	server.Close() // a request counts when it has ended
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), httpRequests); err != nil {
		t.Error(err)
	}
}

// TestNobodyCounting shows that a nil *Metrics bears everything.
func TestNobodyCounting(t *testing.T) {
	var m *Metrics
	m.SignIns("ok")
	m.SignIn("ok").Inc()
	m.RPCError(1)
	m.Limit("body").Inc()
	m.ShadowDiffers()
	m.Read(nil)
	tool := m.Tool("x", nil, nil)
	tool.Decided("allow")
	tool.Ended("ok", 0)
	next := http.NotFoundHandler()
	if got := m.Requests(nil, next); got == nil {
		t.Error("nobody answers")
	}
}

// BenchmarkCall is what counting costs a call: a request, a sign-in, a decision and an outcome.
func BenchmarkCall(b *testing.B) {
	m := NewMetrics("1")
	m.SignIns("ok")
	ok := m.SignIn("ok")
	tools := map[string]*Tool{"reverse_tool": m.Tool("reverse_tool", []string{"allow"}, []string{"ok"})}
	b.ReportAllocs()
	for b.Loop() {
		ok.Inc()
		tools["reverse_tool"].Decided("allow")
		tools["reverse_tool"].Ended("ok", time.Millisecond)
		m.request(RouteMCP, 200).Inc()
	}
}
