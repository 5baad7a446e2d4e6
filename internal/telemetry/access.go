package telemetry

import (
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AccessLog writes one DEBUG line for each request when it has been answered. Of the query only names are logged, of
// the header and the body nothing (RS-16, RS-19). With a logger that leaves DEBUG out it costs nothing.
//
// address says who called; nil means the peer's address.
func AccessLog(logger *slog.Logger, address func(*http.Request) string, next http.Handler) http.Handler {
	if address == nil {
		address = func(r *http.Request) string { return r.RemoteAddr }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !logger.Enabled(r.Context(), slog.LevelDebug) {
			next.ServeHTTP(w, r)
			return
		}
		start, watched := time.Now(), &watcher{ResponseWriter: w}
		ended := false
		defer func() {
			status := watched.status
			switch {
			case status == 0 && ended:
				status = http.StatusOK // the server writes it when the handler returns
			case status == 0:
				status = http.StatusInternalServerError // a panic is on its way up
			}
			logger.DebugContext(r.Context(), "request",
				"method", shorten(r.Method), "path", shorten(r.URL.Path), "query", QueryNames(r.URL.RawQuery),
				"from", shorten(address(r)), "status", status, "bytes", watched.bytes, "duration", time.Since(start), "complete", ended)
		}()
		next.ServeHTTP(watched, r)
		ended = true
	})
}

// shorten bounds what a stranger can write into one line, and takes from it what speaks to the terminal of whoever reads.
func shorten(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most] + hidden
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// watcher sees what is written to a response. Streams work through it: it flushes, and [http.ResponseController] finds
// what is below.
type watcher struct {
	http.ResponseWriter
	status int // 0 until the header is sent
	bytes  int64
}

// WriteHeader sends the header. Interim answers (1xx) are not the answer.
func (w *watcher) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *watcher) Write(body []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(body)
	w.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered, and reports where nothing below can.
func (w *watcher) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush sends what is buffered, for callers that ask for an [http.Flusher].
func (w *watcher) Flush() { _ = w.FlushError() }

// Unwrap is for [http.ResponseController].
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watcher) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
