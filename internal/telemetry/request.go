package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net/http"
)

// Middleware is what stands before every handler of a process: [RequestID], then [AccessLog], then [Recover]. A nil
// logger means silence; a nil address means the peer's address.
func Middleware(logger *slog.Logger, address func(*http.Request) string, next http.Handler) http.Handler {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return RequestID(AccessLog(logger, address, Recover(logger, next)))
}

// RequestIDHeader carries the id of a request in its answer.
const RequestIDHeader = "X-Request-Id"

type requestKey struct{}

var idLetters = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// RequestID gives each request an id: 16 letters and digits with 80 bits that nobody can guess. It stands in the
// request's context, see [RequestIDFrom], and in the answer's X-Request-Id. An id that the caller sends is not read,
// since it would let a stranger write into the log.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newID()
		w.Header().Set(RequestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, id)))
	})
}

// RequestIDFrom returns the id of the request that ctx belongs to, or "" outside of one.
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

func newID() string {
	var random [10]byte
	rand.Read(random[:])
	return idLetters.EncodeToString(random[:])
}
