package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
)

const (
	auditPatience = 5 * time.Second // for one request to the collector
	auditPause    = time.Second     // after a failure, in which nothing is tried
)

// AuditLog sends each event as an OpenTelemetry log, and waits until the collector has said that it has it. It is an
// audit.Sink, and may be used from many goroutines: what they write while a request is under way goes together with the
// next.
//
// It does not try again. Who must not lose calls to a collector that is down has a collector on the same machine, which
// keeps what it cannot pass on.
type AuditLog struct {
	exporter sdklog.Exporter
	logger   log.Logger
	provider *sdklog.LoggerProvider
	now      func() time.Time

	mu      sync.Mutex
	next    *batch // what waits for the request under way; nil: nothing
	sending bool
	pause   time.Time
	cause   error // of the last failure
	closed  bool
}

// batch is what goes out with one request.
type batch struct {
	records []sdklog.Record
	sent    chan struct{} // closed when it has, or has not
	err     error
}

// OpenAuditLog returns a sink that sends to where the standard variables of OpenTelemetry say: OTEL_EXPORTER_OTLP_…,
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES. It opens no connection. A nil now means time.Now.
func OpenAuditLog(ctx context.Context, version string, now func() time.Time) (*AuditLog, error) {
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: false}))
	if err != nil {
		return nil, fmt.Errorf("send logs: %w", err)
	}
	r, err := process(ctx, version)
	if err != nil {
		return nil, err
	}
	l := &AuditLog{exporter: exporter, now: now}
	if now == nil {
		l.now = time.Now
	}
	// The SDK alone can make its records, and has no way to say what became of one. So it hands them over here, and they
	// are exported by hand.
	l.provider = sdklog.NewLoggerProvider(sdklog.WithResource(r), sdklog.WithProcessor(handOver{}))
	l.logger = l.provider.Logger(scope, log.WithInstrumentationVersion(version))
	return l, nil
}

// handOver puts each record to where its context says.
type handOver struct{}

type recordKey struct{}

// Enabled reports that every record is wanted.
func (handOver) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit hands a record over.
func (handOver) OnEmit(ctx context.Context, r *sdklog.Record) error {
	to, ok := ctx.Value(recordKey{}).(*sdklog.Record)
	if !ok {
		return errors.New("a record that nobody asked for")
	}
	*to = r.Clone()
	return nil
}

// ForceFlush has nothing to do.
func (handOver) ForceFlush(context.Context) error { return nil }

// Shutdown has nothing to do.
func (handOver) Shutdown(context.Context) error { return nil }

// Write sends e, and returns when the collector has it. After a failure it fails at once for a second, so that calls do
// not queue behind a collector that is gone.
func (l *AuditLog) Write(ctx context.Context, e audit.Event) error {
	record, err := l.record(ctx, e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return errors.New("otel: closed")
	case l.now().Before(l.pause):
		cause := l.cause
		l.mu.Unlock()
		return cause
	}
	if l.next == nil {
		l.next = &batch{sent: make(chan struct{})}
	}
	b := l.next
	b.records = append(b.records, record)
	if !l.sending {
		l.sending = true
		go l.send()
	}
	l.mu.Unlock()
	<-b.sent
	return b.err
}

// send sends what waits until nothing does.
func (l *AuditLog) send() {
	for {
		l.mu.Lock()
		b := l.next
		l.next = nil
		if b == nil {
			l.sending = false
			l.mu.Unlock()
			return
		}
		if l.now().Before(l.pause) {
			b.err = l.cause
		}
		l.mu.Unlock()
		if b.err == nil {
			b.err = l.export(b.records)
		}
		close(b.sent)
	}
}

// export sends records in one request.
func (l *AuditLog) export(records []sdklog.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), auditPatience)
	defer cancel()
	err := l.exporter.Export(ctx, records)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause, l.cause = l.now().Add(auditPause), fmt.Errorf("otel: %w", err)
	return l.cause
}

// record is e as a log: its JSON as the body, and each field as an attribute by its name.
func (l *AuditLog) record(ctx context.Context, e audit.Event) (made sdklog.Record, err error) {
	body, err := json.Marshal(e)
	if err != nil {
		return made, fmt.Errorf("otel: %w", err)
	}
	var r log.Record
	r.SetTimestamp(e.Time)
	r.SetObservedTimestamp(e.Time)
	r.SetEventName("fastmcp_auth.audit." + string(e.Kind))
	r.SetSeverity(log.SeverityInfo)
	r.SetSeverityText("INFO")
	if e.Decision != audit.Allow {
		r.SetSeverity(log.SeverityInfo2) // what syslog calls a notice
		r.SetSeverityText("NOTICE")
	}
	r.SetBody(attribute.StringValue(string(body)))
	r.AddAttributes(attributes(e)...)
	l.logger.Emit(context.WithValue(ctx, recordKey{}, &made), r)
	if id, err := trace.TraceIDFromHex(e.TraceID); err == nil && made.TraceID() != id {
		made.SetTraceID(id)
		made.SetSpanID(trace.SpanID{}) // it is of another trace
	}
	if made.EventName() == "" {
		return made, errors.New("otel: the SDK made no record")
	}
	return made, nil
}

func attributes(e audit.Event) []attribute.KeyValue {
	var all []attribute.KeyValue
	add := func(name, value string) {
		if value != "" {
			all = append(all, attribute.String(name, value))
		}
	}
	add("event", string(e.Kind))
	add("request_id", e.RequestID)
	add("address", e.Address)
	if p := e.Principal; p != nil {
		add("principal.issuer", p.Issuer)
		add("principal.tenant", p.Tenant)
		add("principal.object_id", p.ObjectID)
		add("principal.subject", p.Subject)
		add("principal.kind", string(p.Kind))
	}
	add("client", e.Client)
	add("tool", e.Tool)
	add("decision", string(e.Decision))
	add("rule", e.Rule)
	add("arguments_hash", e.Arguments)
	if o := e.Outcome; o != nil {
		add("outcome.result", o.Result)
		all = append(all, attribute.Int64("outcome.duration_us", o.Micros), attribute.Int64("outcome.result_bytes", o.Bytes))
	}
	return all
}

// Close lets nothing more be written. What is being written is sent.
func (l *AuditLog) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return nil
}

// String names the sink.
func (l *AuditLog) String() string { return "otel" }
