package app

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// openTracing begins to export traces, where the environment says so.
func (s *Server) openTracing(ctx context.Context, o Options) (err error) {
	if s.settings.OTel.Traces {
		s.tracing, err = telemetry.NewTracing(ctx, cmp.Or(o.Version, "devel"), s.log)
	}
	return err
}

// observe has whoever counts and traces hear of what happens, and says where the rest is read.
func (s *Server) observe() {
	if s.metrics == nil && s.tracing == nil {
		return
	}
	o := &observer{metrics: s.metrics, tracing: s.tracing, tools: map[string]*telemetry.Tool{}}
	decisions := []string{string(audit.Allow), string(audit.Deny), string(audit.NeedsScope)}
	for _, name := range s.box.Operations() {
		o.tools[name] = s.metrics.Tool(name, decisions, toolbox.Outcomes())
	}
	o.tools[""] = s.metrics.Tool(telemetry.Unknown, decisions[1:2], nil)
	s.box.Observe(o)

	reasons := []string{signedIn}
	for _, r := range bearer.Reasons() {
		if r != bearer.ReasonScope {
			reasons = append(reasons, string(r))
		}
	}
	s.metrics.SignIns(reasons...)
	s.signedIn = s.metrics.SignIn(signedIn)
	s.metrics.Read(s.state)
}

// signedIn stands among the reasons of refusals for the tokens that were accepted.
const signedIn = "ok"

// follow goes on with the trace that a message names. The record has its id too, where no header named one.
func (s *Server) follow(ctx context.Context, m mcpserver.Message) context.Context {
	ctx, id := s.tracing.Follow(ctx, telemetry.Message{Method: m.Method, Parent: m.Trace.Parent, State: m.Trace.State, Baggage: m.Trace.Baggage})
	if v := visitOf(ctx); v != nil && v.origin.TraceID == "" && id != "" {
		v.origin.TraceID = id
		ctx = audit.NewContext(ctx, v.origin)
	}
	return ctx
}

// observer counts and traces what happens in the toolbox.
type observer struct {
	metrics *telemetry.Metrics
	tracing *telemetry.Tracing
	tools   map[string]*telemetry.Tool
}

func (o *observer) Decided(ctx context.Context, d toolbox.Decided) {
	o.tools[d.Operation].Decided(string(d.Decision))
	if o.tracing != nil {
		o.tracing.Decided(ctx, telemetry.Decision{Operation: d.Operation, Decision: string(d.Decision), Rule: d.Rule, Since: d.Since})
	}
}

func (o *observer) Begun(ctx context.Context, operation string) context.Context {
	return o.tracing.Begun(ctx, operation)
}

func (o *observer) Ended(ctx context.Context, operation, outcome string, took time.Duration) {
	o.tools[operation].Ended(outcome, took)
	o.tracing.Ended(ctx, outcome, slices.Contains(faults, outcome))
}

// faults are the outcomes that the tool or the server is to blame for.
var faults = []string{"failed", "timeout", "too_large", "not_recorded"}

func (o *observer) ShadowDiffers() { o.metrics.ShadowDiffers() }

// state is what the rooms count by themselves.
func (s *Server) state() telemetry.State {
	mcp := s.mcp.Stats()
	t := telemetry.State{Running: s.box.Count(), Sessions: mcp.Sessions, Streams: mcp.Streams, Subscriptions: mcp.Subscriptions}
	now := time.Now
	if s.options.Now != nil {
		now = s.options.Now
	}
	if s.guard != nil {
		g := s.guard.Stats()
		t.CacheHits, t.CacheMisses, t.CacheEntries = g.CacheHits, g.CacheMisses, g.CacheEntries
		t.Keys = keyStates(g.Keys, now())
	}
	t.Sinks = sinkStates(s.record.Stats())
	for _, f := range s.policyFiles {
		t.Policies = append(t.Policies, f.state())
	}
	return t
}

// keyStates adds up what providers with several key sets of one issuer's name have.
func keyStates(stats []bearer.KeyStats, now time.Time) []telemetry.KeyState {
	var all []telemetry.KeyState
	at := map[string]int{}
	for _, k := range stats {
		i, seen := at[k.Issuer]
		if !seen {
			i = len(all)
			at[k.Issuer] = i
			all = append(all, telemetry.KeyState{Issuer: k.Issuer})
		}
		all[i].Fetched += k.Fetched
		all[i].Failed += k.Failed
		all[i].Keys += k.Keys
		if k.Keys > 0 {
			all[i].Age = max(all[i].Age, now.Sub(k.At))
		}
	}
	return all
}

// sinkStates has one state for each kind of sink: the first word of its name. Where it writes to may change.
func sinkStates(stats []audit.SinkStats) []telemetry.SinkState {
	var all []telemetry.SinkState
	at := map[string]int{}
	for _, k := range stats {
		kind, _, _ := strings.Cut(k.Sink, " ")
		i, seen := at[kind]
		if !seen {
			i = len(all)
			at[kind] = i
			all = append(all, telemetry.SinkState{Sink: kind})
		}
		all[i].Written += k.Written
		all[i].Failed += k.Failed
		all[i].Failing = all[i].Failing || k.Failing
	}
	return all
}

// routeOf is the route that a path is for, as the metrics have it.
func routeOf(path string) telemetry.Route {
	switch {
	case path == mcpPath || path == mcpPath+"/":
		return telemetry.RouteMCP
	case path == "/healthz":
		return telemetry.RouteHealth
	case path == "/readyz":
		return telemetry.RouteReady
	case path == "/":
		return telemetry.RouteFront
	case strings.HasPrefix(path, "/.well-known/oauth-protected-resource"):
		return telemetry.RouteMetadata
	case isAPI(path):
		return telemetry.RouteAPI
	case isConsole(path):
		return telemetry.RouteConsole
	}
	return telemetry.RouteOther
}
