package telemetry

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// Recover answers a panic below it with 500 and the request id, and logs its value and stack as an ERROR. Strangers
// learn nothing of the cause. Where the answer had begun, the connection is cut instead, so that nobody takes a part for
// the whole. [http.ErrAbortHandler] passes through.
func Recover(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watcher{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			logger.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if watched.status != 0 {
				panic(http.ErrAbortHandler)
			}
			answerPanic(w, RequestIDFrom(r.Context()))
		}()
		next.ServeHTTP(watched, r)
	})
}

// answerPanic writes the answer, without what the handler had put into the header for its own.
func answerPanic(w http.ResponseWriter, id string) {
	header := w.Header()
	clear(header)
	if id != "" {
		header.Set(RequestIDHeader, id)
	}
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"error":             "server_error",
		"error_description": "the server failed on this request",
		"request_id":        id,
	})
}
