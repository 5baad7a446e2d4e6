package telemetry

import (
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts what a process does. A nil *Metrics counts nothing and costs nothing. What is counted while a request
// is answered goes into instruments that were resolved beforehand; everything else is read when somebody asks.
type Metrics struct {
	registry *prometheus.Registry

	requests  [len(routes)]statuses
	httpVec   *prometheus.CounterVec
	errors    map[int]Count
	otherErr  Count
	signIns   map[string]Count
	signInVec *prometheus.CounterVec
	decided   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	took      *prometheus.HistogramVec
	limits    *prometheus.CounterVec
	shadow    Count
}

// Count is a counter that was resolved beforehand. The zero Count counts nothing.
type Count struct{ c prometheus.Counter }

// Inc counts one.
func (c Count) Inc() {
	if c.c != nil {
		c.c.Inc()
	}
}

// durations are the upper bounds of the histogram's buckets in seconds: from a call that only computes to one that a
// person waits for.
var durations = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// NewMetrics returns the metrics of a process of this version.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), errors: map[int]Count{}, signIns: map[string]Count{}}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: buildInfo, Help: row(buildInfo).Help,
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()}})
	build.Set(1)
	m.registry.MustRegister(build)

	m.httpVec = m.counter(httpRequests)
	m.signInVec = m.counter(authentications)
	m.decided = m.counter(policyDecisions)
	m.ended = m.counter(calls)
	m.limits = m.counter(limitsHit)
	m.shadow = Count{m.counter(shadowDifferences).WithLabelValues()}
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: callDuration, Help: row(callDuration).Help, Buckets: durations},
		names(row(callDuration)))
	m.registry.MustRegister(m.took)

	for _, limit := range []string{"caller_rate", "address_rate", "calls", "call_timeout", "result", "body", "sessions", "sign_ins"} {
		m.limits.WithLabelValues(limit) // there from the start, so that the first one is seen as a rise
	}
	errs := m.counter(rpcErrors)
	for _, code := range rpcCodes {
		m.errors[code] = Count{errs.WithLabelValues(strconv.Itoa(code))}
	}
	m.otherErr = Count{errs.WithLabelValues("other")}
	return m
}

// rpcCodes are the codes of JSON-RPC 2.0, section 5.1, this server's own, and those of MCP.
var rpcCodes = []int{-32700, -32600, -32601, -32602, -32603, -32000, -32002, -32020, -32021, -32022, -32042}

func row(name string) Metric {
	for _, r := range catalogue {
		if r.Name == name {
			return r
		}
	}
	panic("telemetry: no metric " + name)
}

func names(r Metric) []string {
	list := []string{}
	for _, l := range r.Labels {
		list = append(list, l.Name)
	}
	return list
}

func (m *Metrics) counter(name string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: row(name).Help}, names(row(name)))
	m.registry.MustRegister(c)
	return c
}

// Handler answers with the metrics in the formats of Prometheus and OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// SignIns makes reasons known to [Metrics.SignIn].
func (m *Metrics) SignIns(reasons ...string) {
	if m == nil {
		return
	}
	for _, reason := range reasons {
		m.signIns[reason] = Count{m.signInVec.WithLabelValues(reason)}
	}
}

// SignIn is the counter of a reason that [Metrics.SignIns] made known.
func (m *Metrics) SignIn(reason string) Count {
	if m == nil {
		return Count{}
	}
	return m.signIns[reason]
}

// RPCError counts an answer with this code.
func (m *Metrics) RPCError(code int) {
	if m == nil {
		return
	}
	c, known := m.errors[code]
	if !known {
		c = m.otherErr
	}
	c.Inc()
}

// Limit is the counter of what was refused because of a limit.
func (m *Metrics) Limit(name string) Count {
	if m == nil {
		return Count{}
	}
	return Count{m.limits.WithLabelValues(name)}
}

// ShadowDiffers counts a decision in which the shadow policy would have decided otherwise.
func (m *Metrics) ShadowDiffers() {
	if m != nil {
		m.shadow.Inc()
	}
}

// Unknown is the tool that stands for all that do not exist.
const Unknown = "(unknown)"

// Tool counts what becomes of the calls of one tool or the reads of one resource.
type Tool struct {
	decided map[string]Count
	ended   map[string]Count
	took    prometheus.Observer
	timeout Count
	busy    Count
	large   Count
}

// Tool returns the counters of a tool. Decisions and outcomes are all that it will count.
func (m *Metrics) Tool(name string, decisions, outcomes []string) *Tool {
	if m == nil {
		return nil
	}
	t := &Tool{decided: map[string]Count{}, ended: map[string]Count{}, took: m.took.WithLabelValues(name)}
	for _, d := range decisions {
		t.decided[d] = Count{m.decided.WithLabelValues(name, d)}
	}
	for _, o := range outcomes {
		t.ended[o] = Count{m.ended.WithLabelValues(name, o)}
	}
	t.timeout, t.busy, t.large = m.Limit("call_timeout"), m.Limit("calls"), m.Limit("result")
	return t
}

// Decided counts a decision.
func (t *Tool) Decided(decision string) {
	if t != nil {
		t.decided[decision].Inc()
	}
}

// Ended counts the end of a call, and what it says of limits.
func (t *Tool) Ended(outcome string, took time.Duration) {
	if t == nil {
		return
	}
	t.ended[outcome].Inc()
	t.took.Observe(took.Seconds())
	switch outcome {
	case "timeout":
		t.timeout.Inc()
	case "busy":
		t.busy.Inc()
	case "too_large":
		t.large.Inc()
	}
}

// statuses are the counters of one route, resolved when a status first comes.
type statuses [600]atomic.Pointer[Count]

// routes are what requests are counted by.
var routes = [...]string{"mcp", "metadata", "healthz", "readyz", "front", "api", "console", "other"}

// Requests counts what next answers. route says by its index in the list of routes which one a request is for.
func (m *Metrics) Requests(route func(path string) Route, next http.Handler) http.Handler {
	if m == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, watched := route(r.URL.Path), &watcher{ResponseWriter: w}
		aborted := true
		defer func() {
			status := watched.status
			switch {
			case aborted:
				status = 0
			case status == 0:
				status = http.StatusOK // the server writes it when the handler returns
			}
			m.request(at, status).Inc()
		}()
		next.ServeHTTP(watched, r)
		aborted = false
	})
}

// Route is what a request is for.
type Route int

// The routes, each with its name in the metrics.
const (
	RouteMCP Route = iota
	RouteMetadata
	RouteHealth
	RouteReady
	RouteFront
	RouteAPI
	RouteConsole
	RouteOther
)

func (m *Metrics) request(at Route, status int) Count {
	if status < 0 || status >= len(m.requests[at]) {
		status = 0
	}
	if c := m.requests[at][status].Load(); c != nil {
		return *c
	}
	label := "aborted"
	if status != 0 {
		label = strconv.Itoa(status)
	}
	c := Count{m.httpVec.WithLabelValues(routes[at], label)}
	m.requests[at][status].Store(&c)
	return c
}
