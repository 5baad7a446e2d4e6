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
		c := &identified{Context: r.Context(), id: [1]string{newID()}}
		w.Header()[RequestIDHeader] = c.id[:]
		next.ServeHTTP(w, r.WithContext(c))
	})
}

// identified is the context of a request that has an id. It is one piece with the value of the header, since every request
// needs both.
type identified struct {
	context.Context
	id [1]string
}

// Value finds itself for this package, and leaves everything else to the context below.
func (c *identified) Value(key any) any {
	if key == (requestKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// RequestIDFrom returns the id of the request that ctx belongs to, or "" outside of one.
func RequestIDFrom(ctx context.Context) string {
	if c, ok := ctx.Value(requestKey{}).(*identified); ok {
		return c.id[0]
	}
	return ""
}

func newID() string {
	var random [10]byte
	var letters [16]byte
	rand.Read(random[:])
	idLetters.Encode(letters[:], random[:])
	return string(letters[:])
}
