// Package telemetry is what one process says about itself: structured logs in which no secret stands, each line with
// the request it belongs to; metrics; traces.
//
// It decides nothing and keeps nothing. The first defence of a secret is its type; what is redacted here by name and by
// look is the second, for what slipped through.
//
//	Logger      level, form, request id           telemetry.go
//	redaction   by key, by type, by look          redact.go
//	Secret      prints as "…"                     secret.go
//	Middleware  all of the following              request.go
//	RequestID   names each request                request.go
//	AccessLog   one DEBUG line for each request   access.go
//	Recover     a panic becomes a 500             recover.go
//	Metrics     what was done, in numbers         metrics.go state.go
//	Catalogue   every metric there is             catalogue.go
//	Tracing     which request took how long where tracing.go
//	AuditLog    the record as OpenTelemetry logs  auditlog.go
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// Logger returns a logger that writes to w. The level is "debug", "info", "warn" or "error"; anything else means info.
// The format is "json", "text", or "auto" (also the meaning of anything else), which is text where w is a terminal and
// JSON elsewhere.
//
// Lines that are logged with the context of a request carry request_id. Secrets are redacted, see the package comment.
func Logger(w io.Writer, level, format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: levelOf(level), ReplaceAttr: redact}
	if format == "text" || format != "json" && terminal(w) {
		return slog.New(&requestHandler{Handler: slog.NewTextHandler(w, options)})
	}
	return slog.New(&requestHandler{Handler: slog.NewJSONHandler(w, options)})
}

func levelOf(name string) slog.Level {
	switch name {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

func terminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// requestHandler adds request_id to what is logged for a request, outside of every group.
type requestHandler struct {
	slog.Handler
	outer  slog.Handler                      // before the first group; nil while there is none
	opened []func(slog.Handler) slog.Handler // what was asked for since then
}

// Handle writes r.
func (h *requestHandler) Handle(ctx context.Context, r slog.Record) error {
	id := RequestIDFrom(ctx)
	if id == "" || h.outer == nil && named(r) {
		return h.Handler.Handle(ctx, r)
	}
	attr := slog.String("request_id", id)
	if h.outer == nil {
		r = r.Clone()
		r.AddAttrs(attr)
		return h.Handler.Handle(ctx, r)
	}
	inner := h.outer.WithAttrs([]slog.Attr{attr})
	for _, open := range h.opened {
		inner = open(inner)
	}
	return inner.Handle(ctx, r)
}

// named reports whether a line says by itself which request it belongs to. Within a session that may be another one than
// the context's.
func named(r slog.Record) (is bool) {
	r.Attrs(func(a slog.Attr) bool {
		is = a.Key == "request_id"
		return !is
	})
	return is
}

// WithAttrs returns a handler that adds attrs to every line.
func (h *requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if h.outer == nil {
		return &requestHandler{Handler: h.Handler.WithAttrs(attrs)}
	}
	return h.then(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

// WithGroup returns a handler that puts what follows into a group.
func (h *requestHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.then(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func (h *requestHandler) then(open func(slog.Handler) slog.Handler) slog.Handler {
	next := &requestHandler{Handler: open(h.Handler), outer: h.outer}
	if next.outer == nil {
		next.outer = h.Handler
	}
	next.opened = append(append(next.opened, h.opened...), open)
	return next
}
