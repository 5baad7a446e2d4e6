package mcpserver

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const requestIDHeader = "X-Request-Id"

// answer is the response to one request. It stands between the SDK and the wire: errors the SDK writes get the form and
// the request id of ours, and event streams are kept alive.
//
// The SDK writes from one goroutine at a time; the keep-alive comments come from another.
type answer struct {
	http.ResponseWriter
	control   *http.ResponseController
	requestID string
	silence   time.Duration // after which a stream gets a comment
	patience  time.Duration // for one write

	request  *http.Request
	onRefuse func(*http.Request, int64) // told of each JSON-RPC error that goes out; nil: nobody is

	id     json.RawMessage // of the JSON-RPC request; nil until known
	method string

	streams *atomic.Int64 // open ones, of all answers

	places *sync.Pool // of *[]byte: where results are written before they are sent
	place  *[]byte    // the one that this answer has; nil: none

	header http.Header // what is set before the first write, and copied to the wire with it; nil until asked for

	mu        sync.Mutex
	committed bool
	stream    bool          // the wire carries events
	unframed  bool          // the SDK took the stream for unused and writes a bare message
	plain     *bytes.Buffer // an error the SDK answers as text, kept to be answered as JSON-RPC
	status    int           // of plain
	written   time.Time
	limited   bool        // a write deadline was set
	beat      *time.Timer // of the keep-alives; nil before they begin
	finished  bool
}

func (h *Handler) newAnswer(w http.ResponseWriter, r *http.Request, requestID string) *answer {
	return &answer{
		request:        r,
		onRefuse:       h.onRefuse,
		ResponseWriter: w,
		control:        http.NewResponseController(w),
		requestID:      requestID,
		silence:        h.silence,
		patience:       h.patience,
		streams:        &h.streams,
		places:         &h.places,
	}
}

// refused tells of a JSON-RPC error that goes out.
func (a *answer) refused(code int64) {
	if a.onRefuse != nil {
		a.onRefuse(a.request, code)
	}
}

// refuse answers with a JSON-RPC error.
func (a *answer) refuse(status int, e *rpcError) {
	a.mu.Lock()
	a.committed = true
	a.mu.Unlock()
	maps.Copy(a.ResponseWriter.Header(), a.header)
	a.refused(e.Code)
	writeError(a.ResponseWriter, status, a.id, e.wire(a.requestID))
}

// Header returns the header that goes out with the first write.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = a.ResponseWriter.Header().Clone()
	}
	return a.header
}

// WriteHeader begins the answer. An error in plain text is held back until it is whole.
func (a *answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.plain != nil:
	case a.committed:
		a.unframed = a.stream
	case status >= 400 && !strings.HasPrefix(a.header.Get("Content-Type"), "application/json"):
		a.plain, a.status = &bytes.Buffer{}, status
	default:
		a.commit(a.header, status)
	}
}

// commit sends the header. It is called with mu held.
func (a *answer) commit(header http.Header, status int) {
	a.committed = true
	wire := a.ResponseWriter.Header()
	maps.Copy(wire, header)
	a.stream = strings.HasPrefix(wire.Get("Content-Type"), "text/event-stream")
	if a.stream {
		wire.Set("X-Accel-Buffering", "no")
		wire.Del("Connection") // meaningless in HTTP/2, needless in HTTP/1.1
	}
	a.ResponseWriter.WriteHeader(status)
	if a.stream {
		a.streams.Add(1)
		a.startKeepAlive()
	}
}

// Write sends one message, or one event of a stream: the SDK writes each in one piece.
func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.plain != nil {
		return a.plain.Write(p)
	}
	if !a.committed {
		a.commit(a.header, http.StatusOK)
	}
	out := p
	switch {
	case a.unframed:
		out = event("", a.named(p))
	case a.stream:
		if before, data, found := bytes.Cut(p, []byte("data: ")); found {
			message := bytes.TrimSuffix(data, []byte("\n\n"))
			if named := a.named(message); !bytes.Equal(named, message) {
				out = event(string(before), named)
			}
		}
	default:
		out = a.named(p)
	}
	if err := a.send(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// named is a message with the request id in it, if it is an error.
func (a *answer) named(message []byte) []byte {
	out, code := withRequestID(message, a.method, a.requestID)
	if code != 0 && a.id != nil { // what a stream says again was told of when it was said first
		a.refused(code)
	}
	return out
}

// event frames a message; fields are the lines before its data, or empty.
func event(fields string, message []byte) []byte {
	if fields == "" {
		fields = "event: message\n"
	}
	return append(append([]byte(fields+"data: "), message...), "\n\n"...)
}

// send writes to the wire, within the time a client has. It is called with mu held.
func (a *answer) send(p []byte) error {
	a.limit()
	_, err := a.ResponseWriter.Write(p)
	a.written = time.Now()
	return err
}

// limit gives the client a while to take what is written next. Not every writer has deadlines. It is called with mu held.
func (a *answer) limit() {
	a.limited = true
	a.control.SetWriteDeadline(time.Now().Add(a.patience))
}

// Flush sends what was written.
func (a *answer) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.committed {
		a.control.Flush()
	}
}

// keepAlive sends comments while the answer is silent. It is called when the SDK has set the header of a stream and
// before it writes.
func (a *answer) keepAlive() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.finished && strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream") {
		a.startKeepAlive()
	}
}

// startKeepAlive begins the comments, once. It is called with mu held, while nobody changes the header. A timer costs an
// idle stream less than a goroutine that waits.
func (a *answer) startKeepAlive() {
	if a.beat != nil {
		return
	}
	var header http.Header
	if !a.committed {
		header = a.header.Clone()
	}
	a.written = time.Now()
	a.beat = time.AfterFunc(math.MaxInt64, func() { a.comment(header) })
	a.beat.Reset(a.silence) // now that comment finds it
}

// comment sends a comment, if nothing was sent for so long, and comes again. Header is for an answer that has not begun.
func (a *answer) comment(header http.Header) {
	if !a.mu.TryLock() {
		a.beat.Reset(a.silence) // somebody writes, so it is not silent
		return
	}
	defer a.mu.Unlock()
	if a.finished {
		return
	}
	defer a.beat.Reset(a.silence)
	if time.Since(a.written) < a.silence {
		return
	}
	if !a.committed {
		a.commit(header, http.StatusOK)
	}
	if a.stream && a.send([]byte(": keep-alive\n\n")) == nil {
		a.control.Flush()
	}
}

// finish ends the answer: no write comes after it.
func (a *answer) finish() {
	a.mu.Lock()
	a.finished = true
	if a.beat != nil {
		a.beat.Stop() // one that has begun sees that the answer is finished
	}
	plain, status := a.plain, a.status
	a.plain = nil
	committed, limited := a.committed, a.limited
	if a.stream {
		a.streams.Add(-1)
	}
	a.mu.Unlock()
	if plain != nil {
		a.header.Del("X-Content-Type-Options")
		a.refuse(status, plainError(status, plain.String()))
	} else if !committed {
		maps.Copy(a.ResponseWriter.Header(), a.header)
	}
	if limited {
		a.control.SetWriteDeadline(time.Time{})
	}
}

// plainError says as JSON-RPC what the SDK said as text.
func plainError(status int, said string) *rpcError {
	if status == http.StatusNotFound {
		return sessionNotFound()
	}
	return invalidRequest("%s", clip(strings.TrimSpace(said)))
}

// handOver lets somebody else write the whole answer.
func (a *answer) handOver(to func(w http.ResponseWriter)) {
	a.mu.Lock()
	a.committed = true
	a.mu.Unlock()
	to(a.ResponseWriter)
}
