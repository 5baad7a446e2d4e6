package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Tracing exports the spans of requests: HTTP request → verify, policy, the call. A nil *Tracing exports nothing, and
// still carries the trace that a client names to the context of the tool.
//
// Where to, how many and under which service name the standard variables of OpenTelemetry say, which its SDK reads by
// itself: OTEL_EXPORTER_OTLP_…, OTEL_TRACES_SAMPLER, OTEL_BSP_…, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTracing returns tracing for this version of the program. It opens no connection. What cannot be exported goes to
// logger, and no request waits for it.
func NewTracing(ctx context.Context, version string, logger *slog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	r, err := process(ctx, version)
	if err != nil {
		return nil, err
	}
	tellErrors(logger)
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(r))
	return &Tracing{provider: provider, tracer: provider.Tracer(scope, trace.WithInstrumentationVersion(version))}, nil
}

// scope names who makes spans and logs.
const scope = "github.com/fastmcp-auth/fastmcp-auth"

// process describes this process; what the environment says of it wins.
func process(ctx context.Context, version string) (*resource.Resource, error) {
	r, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "fastmcp-auth"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return r, nil
}

// tellErrors has the SDK, which knows one place for them in a process, tell its errors here.
func tellErrors(logger *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("opentelemetry", "cause", err) }))
}

// Close exports what is left, until ctx ends.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// carried is how traces are named on the wire: W3C Trace Context and W3C Baggage.
var carried = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// trip is one request on its way. Its span begins late, since the parent may stand in the body, with the time at which
// the request came.
type trip struct {
	request   *http.Request
	came      time.Time
	span      trace.Span // nil until it begins
	verifying time.Time  // zero: nobody verifies
	verified  time.Time
	refused   string // why the token was
	method    string // of the message
	link      trace.SpanContext
}

type tripKey struct{}

func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// Requests follows what next answers.
func (t *Tracing) Requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t == nil && r.Header["Traceparent"] == nil && r.Header["Baggage"] == nil {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if len(r.Header["Traceparent"]) <= 1 { // more than one is none. W3C Trace Context, section 3.2
			ctx = carried.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		if t == nil {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		p := &trip{request: r, came: time.Now()}
		watched, panicked := &watcher{ResponseWriter: w}, true
		defer func() {
			t.begin(ctx, p)
			switch {
			case watched.status == 0 && panicked:
				p.end(http.StatusInternalServerError)
			case watched.status == 0:
				p.end(http.StatusOK) // the server writes it when the handler returns
			default:
				p.end(watched.status)
			}
		}()
		next.ServeHTTP(watched, r.WithContext(context.WithValue(ctx, tripKey{}, p)))
		panicked = false
	})
}

// Verifying notes when next, which verifies who calls, begins to.
func (t *Tracing) Verifying(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := tripOf(r.Context()); p != nil {
			p.verifying = time.Now()
		}
		next.ServeHTTP(w, r)
	})
}

// Verified notes that it is known who calls, or why not: reason is empty where it is.
func (t *Tracing) Verified(ctx context.Context, reason string) {
	if t == nil {
		return
	}
	if p := tripOf(ctx); p != nil {
		p.verified, p.refused = time.Now(), reason
	}
}

// Message is what a message says of its trace: the texts that the headers of W3C Trace Context and W3C Baggage would hold.
type Message struct{ Method, Parent, State, Baggage string }

// Follow goes on with the trace that a message names, and returns the context that it is served in with the id of its
// trace, or "" where there is none. The trace of the HTTP header goes before that of the message. Where they differ,
// the request has the one and the call the other, with a link between them.
func (t *Tracing) Follow(ctx context.Context, m Message) (context.Context, string) {
	outer := trace.SpanContextFromContext(ctx)
	var inner trace.SpanContext
	if m.Parent != "" || m.Baggage != "" {
		bare := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
		ctx = carried.Extract(bare, propagation.MapCarrier{"traceparent": m.Parent, "tracestate": m.State, "baggage": m.Baggage})
		inner = trace.SpanContextFromContext(ctx)
		if outer.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, outer)
		}
	}
	p := tripOf(ctx)
	if t == nil || p == nil {
		return ctx, traceOf(ctx)
	}
	p.method = m.Method
	ctx = t.begin(ctx, p)
	id := traceOf(ctx)
	if outer.IsValid() && inner.IsValid() && inner.TraceID() != outer.TraceID() {
		p.link = p.span.SpanContext()
		ctx = trace.ContextWithRemoteSpanContext(ctx, inner)
	}
	return ctx, id
}

func traceOf(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}

// begin begins the span of the request, and that of the verification, which is over; once.
func (t *Tracing) begin(ctx context.Context, p *trip) context.Context {
	if p.span != nil {
		return ctx
	}
	r := p.request
	ctx, p.span = t.tracer.Start(ctx, spanName(r), trace.WithTimestamp(p.came), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", methodName(r.Method)), attribute.String("url.path", shorten(r.URL.Path)),
			attribute.String("request_id", RequestIDFrom(r.Context()))))
	if p.verifying.IsZero() {
		return ctx
	}
	_, span := t.tracer.Start(ctx, "verify", trace.WithTimestamp(p.verifying))
	if p.refused != "" {
		span.SetAttributes(attribute.String("reason", p.refused))
		span.SetStatus(codes.Error, p.refused)
	}
	over := p.verified
	if over.IsZero() {
		over = time.Now()
	}
	span.End(trace.WithTimestamp(over))
	return ctx
}

// methodName is the method, if it is one that is known.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

// spanName is a name with few values: the method, and the path where it is one of ours.
func spanName(r *http.Request) string {
	switch r.URL.Path {
	case "/mcp", "/healthz", "/readyz", "/":
		return methodName(r.Method) + " " + r.URL.Path
	}
	return methodName(r.Method)
}

// end ends the span of the request, with what it was answered.
func (p *trip) end(status int) {
	if p.method != "" {
		p.span.SetAttributes(attribute.String("mcp.method.name", shorten(p.method)))
	}
	p.span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		p.span.SetStatus(codes.Error, "")
	}
	p.span.End()
}

// Decision is one of the policy.
type Decision struct {
	Operation, Decision, Rule string // an empty operation does not exist
	Since                     time.Time
}

// Decided makes a span of a decision, which is over.
func (t *Tracing) Decided(ctx context.Context, d Decision) {
	if t == nil {
		return
	}
	_, span := t.tracer.Start(ctx, "policy", trace.WithTimestamp(d.Since), trace.WithAttributes(attribute.String("operation", d.Operation),
		attribute.String("decision", d.Decision), attribute.String("rule", d.Rule)))
	span.End()
}

type callKey struct{}

// Begun begins the span of a call. The tool finds it in the context that is returned.
func (t *Tracing) Begun(ctx context.Context, operation string) context.Context {
	if t == nil {
		return ctx
	}
	name, options := operation, []trace.SpanStartOption{trace.WithAttributes(attribute.String("operation", operation))}
	if p := tripOf(ctx); p != nil {
		name = p.method + " " + operation // both are known: the call was let in
		if p.link.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: p.link}))
		}
	}
	ctx, span := t.tracer.Start(ctx, name, options...)
	return context.WithValue(ctx, callKey{}, span)
}

// Ended ends the span that Begun began. Failed says that the outcome is the server's or the tool's fault.
func (t *Tracing) Ended(ctx context.Context, outcome string, failed bool) {
	if t == nil {
		return
	}
	span, begun := ctx.Value(callKey{}).(trace.Span)
	if !begun {
		return
	}
	span.SetAttributes(attribute.String("outcome", outcome))
	if failed {
		span.SetStatus(codes.Error, outcome)
	}
	span.End()
}
