// Package mcpserver is the toolbox as an MCP server, both protocol eras on one endpoint.
//
// It stands behind [Origins] and bearer.Protect: the caller is the identity in the request's context, and every request
// brings it anew. It decides nothing by itself: the toolbox says who may call what.
//
// A POST walks: the body is read once, bounded, and parsed once, strictly; the era is decided and its headers are held
// against the body; the toolbox is asked for the scopes of the operation, so that too little scope is an HTTP answer
// with a challenge. Then plain requests, most of all calls without progress, are answered directly; with all others the
// same bytes go to the official SDK, which calls back into the toolbox.
//
//	ServeHTTP  POST, GET, DELETE of the endpoint               mcpserver.go
//	parse      one JSON-RPC message, strictly                  message.go
//	modern     2026-07-28: stateless, headers mirror the body  modern.go
//	legacy     2025-11-25 and older: sessions                  legacy.go, sessions.go, events.go
//	fast       plain requests, answered without the SDK        fast.go, fast_session.go
//	sdk        the SDK's servers and what they call            sdk.go
//	offers     prompts, templates, completions                 offers.go
//	listen     streams of what changes                         subscriptions.go
//	shares     how much of something one user may use          shares.go
//	rounds     calls that ask the client for input             rounds.go, state.go
//	answer     request ids, keep-alives, errors on the wire    answer.go, rpcerror.go
//	Follow     traces of clients, and how much there is now    trace.go, stats.go
//	Origins    which hosts and pages may talk to us            origin.go
//
// What stands in _meta["io.modelcontextprotocol/protocolVersion"] or a MCP-Protocol-Version header of 2026-07-28 or
// later makes a request modern; initialize, a session id or an older version makes it legacy. A session is bound to the
// identity that began it and is never a proof of who is calling. Batches are refused in every version: 2025-03-26 alone
// had them, and one answer could not carry a challenge for some of its calls.
package mcpserver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/limits"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// Guard answers for the resource server where a token carries too little scope.
type Guard interface {
	// InsufficientScope answers with status 403 and a challenge that asks for all of scopes. RFC 6750, section 3.1.
	InsufficientScope(w http.ResponseWriter, r *http.Request, scopes []string)
}

// Options fit a Handler to a server.
type Options struct {
	Box          *toolbox.Box // required
	Name         string       // required: the server's name, as clients show it
	Version      string       // required: the server's version, as clients show it
	Instructions string       // what a client may tell its model about the server; empty means nothing

	// Guard answers where scope is missing; nil means a plain 403, for a server without sign-in.
	Guard Guard

	MaxBody int64 // the largest body in bytes; 0 means 1 MiB
	// SessionTimeout ends a legacy session that was not used for so long; 0 means 30 minutes.
	SessionTimeout time.Duration
	// MaxSessions limits legacy sessions; 0 means 10,000. MaxSessionsPerUser limits those of one identity; 0 means 100,
	// and it does not bind where nobody signs in. Who has too many loses the one idle for longest. Both limit the
	// subscriptions of the modern era too, and there who has too many gets no more.
	MaxSessions, MaxSessionsPerUser int
	// KeepAlive is after how much silence a stream gets a comment, so that nothing between takes it for dead; 0 means
	// 15 seconds.
	KeepAlive time.Duration
	// WriteTimeout is how long a client may take to receive one write before it counts as gone; 0 means 30 seconds.
	WriteTimeout time.Duration
	// StateKey seals what clients carry between the rounds of a call that asks them for input: 32 random bytes that are for
	// nothing else. Servers of one key go on with each other's calls. Nil means a key of this process's own.
	StateKey []byte
	// AnnouncesLists lets clients subscribe to changes of the lists. Each that does holds a stream open, and MCP Inspector
	// 2.12 loses a call that it makes while it subscribes; so a server whose lists seldom change does without, and
	// clients see changes when what they hold is stale, after a minute.
	AnnouncesLists bool

	// OnRefuse is told of every JSON-RPC error that r is answered with, before it goes out: to older clients most have the
	// status 200. Nil means nobody is. It cannot change the answer, and may be called from many goroutines.
	OnRefuse func(r *http.Request, code int64)
	// Follow is told of each message before anything is done about it, and returns the context that it is served in: ctx,
	// or one made from it. Nil changes nothing.
	Follow func(ctx context.Context, m Message) context.Context
	// OnLimit is told when a request is refused because of a limit: "body" or "sessions". Nil means nobody is.
	OnLimit func(limit string)

	Logger *slog.Logger // nil means silence
}

// Handler serves MCP at one URL. It may be used from many goroutines.
type Handler struct {
	box       *toolbox.Box
	guard     Guard
	maxBody   int64
	silence   time.Duration
	patience  time.Duration
	announces bool // see Options.AnnouncesLists
	onRefuse  func(*http.Request, int64)
	logger    *slog.Logger
	sessions  *sessions
	fast      *fast
	streams   atomic.Int64 // open ones
	places    sync.Pool    // see answer

	follow  func(ctx context.Context, m Message) context.Context // nil: nobody does
	onLimit func(limit string)

	plain  http.Handler // modern, answered by one JSON document
	stream http.Handler // modern, answered by an event stream
	legacy http.Handler // with sessions

	methods       methods
	subscriptions *limits.Shares
	bodies        *limits.Shares  // large ones that are being read
	leaving       context.Context // ends when the handler closes
	leave         context.CancelFunc
	states        *states
	servers       []*mcp.Server // of both eras

	requests sync.Map // what the SDK's servers ask for by the private header: nonce → *request

	mu      sync.Mutex
	closing bool
	posts   int
	idle    chan struct{} // closed when closing and no POST is being answered
}

// New returns a handler. It refuses options that lack what is required. It starts nothing; [Handler.Close] ends the
// sessions that begin through it.
func New(o Options) (_ *Handler, err error) {
	var faults []error
	if o.Box == nil {
		faults = append(faults, errors.New("mcpserver: Box is missing"))
	}
	if o.Name == "" {
		faults = append(faults, errors.New("mcpserver: Name is missing"))
	}
	if o.Version == "" {
		faults = append(faults, errors.New("mcpserver: Version is missing"))
	}
	if o.MaxBody < 0 || o.SessionTimeout < 0 || o.MaxSessions < 0 || o.MaxSessionsPerUser < 0 || o.KeepAlive < 0 || o.WriteTimeout < 0 {
		faults = append(faults, errors.New("mcpserver: a limit is negative"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	// The SDK panics on a tool it cannot describe to clients.
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("mcpserver: %v", v)
		}
	}()
	h := &Handler{
		box:     o.Box,
		guard:   o.Guard,
		maxBody: cmp.Or(o.MaxBody, 1<<20),
		silence: cmp.Or(o.KeepAlive, 15*time.Second), patience: cmp.Or(o.WriteTimeout, 30*time.Second),
		announces: o.AnnouncesLists, onRefuse: o.OnRefuse,
		logger: o.Logger,
		sessions: newSessions(cmp.Or(o.MaxSessions, 10_000), cmp.Or(o.MaxSessionsPerUser, 100),
			cmp.Or(o.SessionTimeout, 30*time.Minute)),
		idle:   make(chan struct{}),
		follow: o.Follow, onLimit: o.OnLimit,
	}
	if h.onLimit == nil {
		h.onLimit = func(string) {}
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	h.methods = newMethods(h.box)
	h.subscriptions = limits.NewShares(h.sessions.max, h.sessions.maxPerUser)
	h.bodies = limits.NewShares(maxBodies, maxBodiesPerUser)
	h.leaving, h.leave = context.WithCancel(context.Background())
	if h.states, err = newStates(o.StateKey); err != nil {
		return nil, fmt.Errorf("mcpserver: %w", err)
	}
	implementation := &mcp.Implementation{Name: o.Name, Version: o.Version}
	if h.fast, err = newFast(h.box, implementation); err != nil {
		return nil, fmt.Errorf("mcpserver: %w", err)
	}
	modern := h.newServer(implementation, o.Instructions)
	older := h.newServer(implementation, o.Instructions)
	common := mcp.StreamableHTTPOptions{
		DisableLocalhostProtection:   true, // Origins does this, and knows a reverse proxy from an attack
		MaxRequestBodyBytes:          h.maxBody,
		PropagateRequestCancellation: true,
		Logger:                       onlyErrors(h.logger),
	}
	plain, stream, legacy := common, common, common
	plain.Stateless, plain.JSONResponse = true, true
	stream.Stateless = true
	legacy.EventStore = newEvents()
	h.plain = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return modern }, &plain)
	h.stream = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return modern }, &stream)
	h.legacy = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return older }, &legacy)
	h.box.OnChange(h.listsChanged)
	return h, nil
}

// ServeHTTP answers one request of the endpoint. Every answer carries X-Request-Id: the one already set on w, or one
// made up.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := w.Header().Get(requestIDHeader)
	if requestID == "" {
		requestID = rand.Text()
		w.Header().Set(requestIDHeader, requestID)
	}
	a := h.newAnswer(w, r, requestID)
	defer a.finish()

	switch r.Method {
	case http.MethodPost:
		if !h.begin() {
			a.refuse(http.StatusServiceUnavailable, &rpcError{Code: codeServer, Message: toolbox.ErrDraining.Error()})
			return
		}
		defer h.end()
		h.post(a, r)
	case http.MethodGet:
		h.get(a, r)
	case http.MethodDelete:
		h.delete(a, r)
	default:
		a.Header().Set("Allow", "GET, POST, DELETE")
		a.refuse(http.StatusMethodNotAllowed, invalidRequest("the method %s is not served here; use POST", clip(r.Method)))
	}
}

// post reads and parses the message and hands it to its era.
func (h *Handler) post(a *answer, r *http.Request) {
	if err := jsonBody(r); err != nil {
		a.refuse(http.StatusUnsupportedMediaType, err)
		return
	}
	body, err := h.read(a, r)
	if err != nil {
		if errors.Is(err, errTooManyBodies) {
			a.Header().Set("Retry-After", "1")
			a.refuse(http.StatusTooManyRequests, &rpcError{Code: codeServer, Message: err.Error()})
			return
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			h.onLimit("body")
			a.refuse(http.StatusRequestEntityTooLarge, invalidRequest("the body is larger than %d bytes", h.maxBody))
			return
		}
		a.refuse(http.StatusBadRequest, invalidRequest("the body could not be read to its end"))
		return
	}
	// A server's read timeout is for the request. Left standing, it would end the answer's stream.
	a.control.SetReadDeadline(time.Time{})
	m, fault := parse(body)
	if m != nil {
		a.id, a.method = m.id, m.method
	}
	if fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	if h.follow != nil {
		if ctx := h.follow(r.Context(), Message{Method: m.method, Name: m.name, Trace: m.trace}); ctx != r.Context() {
			r = r.WithContext(ctx)
		}
	}
	if fault := accepts(r, "application/json", "text/event-stream"); fault != nil {
		a.refuse(http.StatusNotAcceptable, fault)
		return
	}
	version, fault := one(r.Header, versionHeader)
	if fault != nil {
		a.refuse(http.StatusBadRequest, fault)
		return
	}
	if m.isModern(version) {
		h.modern(a, r, m, version, body)
		return
	}
	h.older(a, r, m, version, body)
}

// Bounds of what is held of bodies while they are being read. Who has a token could otherwise fill the memory with
// bodies that never end.
const (
	cheapBody        = 16 << 10 // bytes of one that does not count
	maxBodies        = 1024
	maxBodiesPerUser = 32
)

var errTooManyBodies = errors.New("you are sending too many large messages at once; try again when one has arrived")

// read reads the body, bounded. What a client says of its length is believed as far as it costs little.
func (h *Handler) read(a *answer, r *http.Request) ([]byte, error) {
	if n := r.ContentLength; n >= 0 && n <= min(cheapBody, h.maxBody) {
		return exactly(r.Body, int(n))
	}
	if r.ContentLength < 0 || r.ContentLength > cheapBody {
		key := identity.KeyFrom(r.Context())
		if !h.bodies.Enter(key) {
			return nil, errTooManyBodies
		}
		defer h.bodies.Leave(key)
	}
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), cheapBody)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(a.ResponseWriter, r.Body, h.maxBody))
	return body.Bytes(), err
}

var errTooLong = errors.New("the body is longer than was said")

// exactly reads n bytes, after which the body must end.
func exactly(from io.Reader, n int) ([]byte, error) {
	body := make([]byte, n+1)
	got, err := io.ReadFull(from, body)
	switch {
	case got > n:
		return nil, errTooLong
	case got == n && (err == io.EOF || err == io.ErrUnexpectedEOF): // the last of them was not there to read
		return body[:n], nil
	case err == io.EOF:
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}

// Close refuses new messages, waits until those being answered have been, and then ends all sessions and with them
// their open streams. It waits no longer than ctx. The calls themselves are the toolbox's to drain, before.
func (h *Handler) Close(ctx context.Context) {
	h.mu.Lock()
	if !h.closing {
		h.closing = true
		if h.posts == 0 {
			close(h.idle)
		}
	}
	h.mu.Unlock()
	h.leave()
	select {
	case <-h.idle:
	case <-ctx.Done():
	}
	h.sessions.endAll(ctx)
}

func (h *Handler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.posts++
	return true
}

func (h *Handler) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.posts--; h.posts == 0 && h.closing {
		close(h.idle)
	}
}

// jsonBody refuses a body that is not plain JSON. A page of another site can send text/plain without being asked, but
// not application/json.
func jsonBody(r *http.Request) *rpcError {
	if values := r.Header["Content-Type"]; len(values) == 1 && values[0] == "application/json" && r.Header["Content-Encoding"] == nil {
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" || len(r.Header.Values("Content-Type")) != 1 {
		return invalidRequest("the Content-Type must be application/json")
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return invalidRequest("the charset must be utf-8")
	}
	if r.Header["Content-Encoding"] != nil { // an empty one too: others stand behind it, or it is meant to hide one
		return invalidRequest("the body must not be encoded; Content-Encoding is not supported")
	}
	return nil
}

// accepts checks that the client takes an answer of each of these media types.
func accepts(r *http.Request, mediaTypes ...string) *rpcError {
	if values := r.Header["Accept"]; len(values) == 1 && values[0] == usualAccept {
		return nil
	}
	taken := map[string]bool{}
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			mediaType, _, _ := strings.Cut(part, ";")
			taken[strings.ToLower(strings.TrimSpace(mediaType))] = true
		}
	}
	for _, want := range mediaTypes {
		kind, _, _ := strings.Cut(want, "/")
		if !taken[want] && !taken[kind+"/*"] && !taken["*/*"] {
			return invalidRequest("the Accept header must allow %s", strings.Join(mediaTypes, " and "))
		}
	}
	return nil
}

// usualAccept is what clients send, and allows all that is answered here.
const usualAccept = "application/json, text/event-stream"

// one returns the value of a header that may stand once at most.
func one(header http.Header, name string) (string, *rpcError) {
	values := header.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", &rpcError{Code: mcp.CodeHeaderMismatch, Message: fmt.Sprintf("the header %s stands there more than once", name)}
	}
}
