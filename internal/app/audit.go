package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// openTrail opens the places that decisions and outcomes are recorded in.
func (s *Server) openTrail(o Options) error {
	sinks, err := openSinks(&s.settings.Audit, o)
	if err != nil {
		return err
	}
	trail, err := audit.NewTrail(audit.Options{
		Sinks:  sinks,
		Open:   s.settings.Audit.OnFailure == "open",
		Key:    s.settings.Audit.HashKey(),
		Now:    o.Now,
		Logger: o.Logger,
	})
	s.record = &recorder{Trail: trail}
	return err
}

// openSinks opens every place that a names, or none.
func openSinks(a *config.Audit, o Options) (sinks []audit.Sink, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, s := range sinks {
			if c, ok := s.(io.Closer); ok {
				c.Close()
			}
		}
	}()
	if a.File.Path != "" {
		file, err := audit.OpenFile(audit.FileOptions{
			Path: a.File.Path, MaxSize: a.File.MaxSize, MaxAge: a.File.MaxAge, Keep: int(a.File.Keep), Sync: a.File.Sync,
			Now: o.Now, Logger: o.Logger,
		})
		if err != nil {
			return nil, fmt.Errorf("audit.file.path: %w", err)
		}
		sinks = append(sinks, file)
	}
	if a.Syslog != "" {
		syslog, err := audit.OpenSyslog(a.Syslog)
		if err != nil {
			return sinks, &SetupError{fmt.Errorf("audit.syslog: %w", err), "name a syslog with --audit-syslog, such as unix:///dev/log or tls://logs.example.com:6514"}
		}
		sinks = append(sinks, syslog)
	}
	if a.OTel {
		otel, err := telemetry.OpenAuditLog(context.Background(), cmp.Or(o.Version, "devel"), o.Now)
		if err != nil {
			return sinks, &SetupError{fmt.Errorf("audit.otel: %w", err), "see that OTEL_EXPORTER_OTLP_ENDPOINT and its neighbours name a collector"}
		}
		sinks = append(sinks, otel)
	}
	if a.Stdout {
		if o.Stdout == nil {
			return sinks, errors.New("audit.stdout: there is no stdout here")
		}
		sinks = append(sinks, audit.NewStream("stdout", o.Stdout))
	}
	return sinks, nil
}

// ReloadAudit takes over from next where decisions and outcomes are recorded, and what happens when they cannot be. Where
// a place cannot be opened it returns an error, and everything stays as it was.
func (s *Server) ReloadAudit(next *config.Settings) error {
	sinks, err := openSinks(&next.Audit, s.options)
	if err != nil {
		return err
	}
	s.record.Replace(sinks, next.Audit.OnFailure == "open")
	return nil
}

// visit is one request to the endpoint as the record sees it.
type visit struct {
	origin   audit.Origin
	recorded atomic.Bool // the toolbox recorded a decision
	caller   atomic.Pointer[identity.Identity]
	reason   atomic.Pointer[bearer.Reason]
	code     atomic.Int64 // of the JSON-RPC error it is answered with, or 0
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// recorder is the trail as the toolbox sees it: it knows the requests that are being answered, and notes which of them
// have their event.
type recorder struct {
	*audit.Trail
	visits sync.Map // by request id
}

// Write records e. Within a session, ctx is that of the request that began it, so the request id leads to the right one.
func (r *recorder) Write(ctx context.Context, e audit.Event) error {
	v := visitOf(ctx)
	if e.RequestID != "" && (v == nil || v.origin.RequestID != e.RequestID) {
		found, _ := r.visits.Load(e.RequestID)
		if v, _ = found.(*visit); v != nil {
			ctx = audit.NewContext(ctx, v.origin)
		} else {
			ctx = audit.NewContext(ctx, audit.Origin{})
		}
	}
	if v != nil {
		v.recorded.Store(true)
	}
	return r.Trail.Write(ctx, e)
}

// recorded gives every request to the endpoint its event: where the toolbox has not recorded a decision and the answer
// is a refusal, by its status or as a JSON-RPC error, one is recorded here. Nothing was done, so it may come after the answer. Requests over a limit have
// none: whoever floods the server must not flood the record.
func (s *Server) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.record.Keeps() || r.URL.Path != mcpPath && !strings.HasPrefix(r.URL.Path, mcpPath+"/") && !isAPI(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		v := &visit{origin: audit.Origin{
			RequestID: telemetry.RequestIDFrom(r.Context()),
			TraceID:   traceID(r.Header),
			Address:   s.address(r),
		}}
		s.record.visits.Store(v.origin.RequestID, v)
		defer s.record.visits.Delete(v.origin.RequestID)
		ctx := audit.NewContext(context.WithValue(r.Context(), visitKey{}, v), v.origin)
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r.WithContext(ctx))
		code := v.code.Load()
		if seen.status < http.StatusBadRequest && code == 0 || seen.status == http.StatusTooManyRequests || v.recorded.Load() {
			return
		}
		e := audit.Event{Kind: audit.Decided, Decision: audit.Refuse, Rule: fmt.Sprintf("status %d", seen.status)}
		if seen.status < http.StatusBadRequest {
			e.Rule = fmt.Sprintf("code %d", code) // older clients take other statuses for a broken transport
		}
		if reason := v.reason.Load(); reason != nil {
			e.Rule = string(*reason)
		}
		if id := v.caller.Load(); id != nil {
			e.Principal, e.Client = audit.Of(id), id.ClientID
		}
		e.TraceID = v.origin.TraceID
		s.record.Write(ctx, e) // it is refused in any case; the trail tells of sinks that fail
	})
}

// recognized counts and notes for the record who was let in by the guard.
func (s *Server) recognized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.signedIn.Inc()
		s.tracing.Verified(r.Context(), "")
		if s.record.Keeps() {
			if v := visitOf(r.Context()); v != nil {
				v.caller.Store(identity.FromContext(r.Context()))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refused is told whom the guard did not let in, and why: for the record, and for the limit of their address.
func (s *Server) refused(r *http.Request, e *bearer.Error) {
	s.failed(r, e)
	if e.Reason != bearer.ReasonScope { // who lacks a scope was signed in, and counts so; what they lack is the policy's
		s.metrics.SignIn(string(e.Reason)).Inc()
		s.tracing.Verified(r.Context(), string(e.Reason))
	}
	if v := visitOf(r.Context()); v != nil {
		v.reason.Store(&e.Reason)
	}
}

// turnedAway is told which JSON-RPC error a request is answered with.
func (s *Server) turnedAway(r *http.Request, code int64) {
	s.metrics.RPCError(int(code))
	if v := visitOf(r.Context()); v != nil {
		v.code.Store(code)
	}
}

// traceID is the trace that the caller says its request belongs to, or nothing. W3C Trace Context, section 3.2.2.
func traceID(header http.Header) string {
	lines := header.Values("Traceparent")
	if len(lines) != 1 {
		return ""
	}
	parts := strings.Split(lines[0], "-")
	if len(parts) < 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || strings.Trim(parts[1], "0") == "" ||
		strings.Trim(parts[0]+parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}

// statusWriter sees with which status a request is answered. Streams work through it.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 until the header is sent
}

// WriteHeader sends the header.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *statusWriter) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(body)
}

// FlushError sends what is buffered.
func (w *statusWriter) FlushError() error {
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush sends what is buffered, for callers that ask for an [http.Flusher].
func (w *statusWriter) Flush() { _ = w.FlushError() }

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
