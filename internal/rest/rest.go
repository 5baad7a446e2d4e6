// Package rest is the toolbox as a REST API.
//
// It parses, asks the toolbox or the calls that outlive a request, and writes; who is calling was decided before. Every
// operation stands in one table with its documentation, so that the OpenAPI document says what is there and nothing else.
//
//	operations   what stands where, and how it is described    operations.go
//	tools        list, describe, call and wait                 tools.go
//	calls        begin, look, answer, cancel                   calls.go
//	events       what happens to a call, as a stream           events.go
//	resources    list, read                                    resources.go
//	me           who is calling                                me.go
//	reverse      the operation of an older API                 reverse.go
//	read, write  strict JSON in, JSON and entity tags out      wire.go
//	refusals     problem documents, RFC 9457                   problem.go
//	document     OpenAPI 3.1, from the table and the tools     document.go
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/limits"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// Base is the path that every operation but the older one begins with.
const Base = "/api/v1"

// Options of a Handler.
type Options struct {
	Box   *toolbox.Box  // required
	Calls *calls.Runner // required
	// Protect lets signed-in callers through, with their identity in the context. Nil means that nobody signs in.
	Protect func(http.Handler) http.Handler
	// NeedsScope answers 403 with a challenge that names all of scopes, by way of [Handler.Refused]. Required with Protect.
	NeedsScope func(w http.ResponseWriter, r *http.Request, scopes []string)

	Version string // of the program
	Public  string // base URL that clients see, without a slash at the end
	// SignIn is what the document says of signing in, as far as it is known when somebody asks; nil means nothing.
	SignIn func(context.Context) SignIn
	// Cookie is the name of the cookie of the console's session, for the document; empty means that there is none.
	Cookie string
	// Streams are the streams of events that are open, of all and of each caller; nil means 10,000 and 64.
	Streams   *limits.Shares
	MaxBody   int64         // bytes of a request; 0 means 4 MiB
	Keepalive time.Duration // between comments in a stream that is silent; 0 means 15 seconds
	// WriteTimeout is the longest that one event, or 64 KiB of an answer, may take to leave; 0 means 30 seconds.
	WriteTimeout time.Duration
	// RequestID names a request; nil means that none has a name.
	RequestID func(*http.Request) string
	Logger    *slog.Logger // nil means silence
}

// SignIn is what the OpenAPI document says of signing in.
type SignIn struct {
	Issuer                     string
	AuthorizationURL, TokenURL string // empty where they are not known
	Scope                      string // to ask for
}

// Handler answers the REST API.
type Handler struct {
	o       Options
	bodies  *limits.Shares            // large ones that are being read
	results *limits.Shares            // large ones that are being written
	written atomic.Pointer[described] // nil before anybody asked
}

// New returns a handler. It starts nothing.
func New(o Options) (*Handler, error) {
	if o.Box == nil || o.Calls == nil || o.Protect != nil && o.NeedsScope == nil {
		return nil, errors.New("rest: Box, Calls or NeedsScope is missing")
	}
	if o.MaxBody == 0 {
		o.MaxBody = 4 << 20
	}
	if o.Keepalive == 0 {
		o.Keepalive = 15 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.RequestID == nil {
		o.RequestID = func(*http.Request) string { return "" }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SignIn == nil {
		o.SignIn = func(context.Context) SignIn { return SignIn{} }
	}
	if o.Streams == nil {
		o.Streams = limits.NewShares(10_000, 64)
	}
	return &Handler{o: o, bodies: limits.NewShares(maxBodies, maxBodiesPerUser), results: limits.NewShares(maxResults, maxResultsPerUser)}, nil
}

// Register puts every operation into mux, each behind sign-in by itself, and the document, which everyone may read.
func (h *Handler) Register(mux *http.ServeMux) {
	allowed := map[string][]string{}
	for _, op := range h.operations() {
		allowed[op.path] = append(allowed[op.path], op.method)
		var served http.Handler = h.serve(op.handle)
		if h.o.Protect != nil {
			served = h.o.Protect(served)
		}
		mux.Handle(op.method+" "+op.path, served)
	}
	for path, methods := range allowed {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			h.refuse(w, r, errNoMethod)
		})
	}
	mux.HandleFunc("GET /api/openapi.json", h.document("application/json", func(d *described) ([]byte, error) { return d.json, nil }))
	mux.HandleFunc("GET /api/openapi.yaml", h.document("application/yaml", func(d *described) ([]byte, error) { return d.yaml() }))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { h.refuse(w, r, errNoRoute) })
}

// serve lets one function write every refusal.
func (h *Handler) serve(handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &paced{ResponseWriter: w, control: http.NewResponseController(w), patience: h.o.WriteTimeout}
		if err := handle(w, r); err != nil {
			h.refuse(w, r, err)
		}
	})
}
