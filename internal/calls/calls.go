// Package calls runs calls of tools that outlive the request that began them.
//
// A call is begun, and then looked at, followed, answered and cancelled by its caller, and by nobody else, at any server
// that shares the store. It decides nothing: each call goes through the toolbox, with its policy and its record, as the
// person or program who began it.
//
//	begin     decide, keep, run                               begin.go run.go
//	look      one call, its result, the caller's history      look.go
//	follow    what happens to a call, from any point on       follow.go
//	change    cancel it, answer what it asks                  change.go
//	record    what is kept of a call, and how                 record.go
//	bound     how much is kept of one caller                  bound.go
//	lease     which server lives, so that none is waited for  lease.go
package calls

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

var (
	// ErrNotFound says that there is no such call, or that it is somebody else's: strangers cannot tell the two apart.
	ErrNotFound = errors.New("there is no such call")
	// ErrNotAsking says that the call does not wait for an answer.
	ErrNotAsking = errors.New("the call does not ask for input now")
	// ErrKeyReused says that an idempotency key came with another call than before.
	ErrKeyReused = errors.New("the idempotency key was used for another call")
	// ErrStore says that the store could not be asked. What was asked for was not done, or is not known to be.
	ErrStore = errors.New("what is kept of calls cannot be reached")
)

// State is how far a call is.
type State string

const (
	Running       State = "running"
	InputRequired State = "input_required" // it waits for [Runner.Answer]
	Completed     State = "completed"      // it has a result, which may say by isError what the caller did wrong
	Failed        State = "failed"         // it has none, and Failure says why
	Cancelled     State = "cancelled"
)

// Ended reports that nothing more will happen to the call.
func (s State) Ended() bool { return s == Completed || s == Failed || s == Cancelled }

// Call is a call as its caller sees it.
type Call struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	State     State           `json:"state"`
	Begun     time.Time       `json:"begun"`
	Ended     time.Time       `json:"ended,omitzero"`
	Progress  *Progress       `json:"progress,omitempty"`
	Input     json.RawMessage `json:"input_requests,omitempty"` // MCP's InputRequests, while it asks
	Failure   *Failure        `json:"failure,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // only where one call is looked at
	Result    json.RawMessage `json:"result,omitempty"`    // MCP's CallToolResult; only where one call is looked at
}

// Progress is how far a running call is, as the tool says.
type Progress struct {
	Done    float64 `json:"progress"`
	Total   float64 `json:"total,omitempty"` // 0 means unknown
	Message string  `json:"message,omitempty"`
}

// Failure says why a call has no result.
type Failure struct {
	Code      string `json:"code"` // a word of [Code]
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

// Event is one thing that happened to a call.
type Event struct {
	Index    uint64    `json:"-"`
	Type     string    `json:"type"` // "progress", or "state" with the call as it then was
	Progress *Progress `json:"progress,omitempty"`
	Call     *Call     `json:"call,omitempty"`
}

// Options of a Runner.
type Options struct {
	Box    *toolbox.Box     // required
	Store  store.Store      // required; what it keeps should be sealed, since results may be private
	Keep   time.Duration    // how long a call is kept after it ended; 0 means 24 hours
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence
}

// Runner runs calls. It may be used from many goroutines.
type Runner struct {
	box    *toolbox.Box
	store  store.Store
	keep   time.Duration
	now    func() time.Time
	logger *slog.Logger
	name   string // of this server among those that share the store

	reading chan struct{} // holds one value for each large call that is being read

	mu     sync.Mutex
	cancel map[string]context.CancelFunc // by call
	group  sync.WaitGroup
	closed bool
}

// New returns a runner. It starts nothing; calls can be begun while [Runner.Run] runs.
func New(o Options) (*Runner, error) {
	if o.Box == nil || o.Store == nil {
		return nil, errors.New("calls: Box or Store is missing")
	}
	r := &Runner{box: o.Box, store: o.Store, keep: o.Keep, now: o.Now, logger: o.Logger, name: rand.Text(), cancel: map[string]context.CancelFunc{}, reading: make(chan struct{}, maxReading)}
	if r.keep == 0 {
		r.keep = 24 * time.Hour
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.logger == nil {
		r.logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// Code says in one word what an error of the toolbox or of this package means, for those who branch on it.
func Code(err error) string {
	var unknown *toolbox.UnknownError
	var scope *toolbox.ScopeError
	var arguments *toolbox.ArgumentsError
	var lacks *toolbox.CapabilityError
	switch {
	case errors.As(err, &unknown):
		return "unknown_tool"
	case errors.As(err, &scope):
		return "insufficient_scope"
	case errors.As(err, &arguments):
		return "invalid_arguments"
	case errors.As(err, &lacks):
		return "client_incapable"
	case errors.Is(err, toolbox.ErrBusy):
		return "busy"
	case errors.Is(err, toolbox.ErrDraining):
		return "shutting_down"
	case errors.Is(err, toolbox.ErrTimeout):
		return "timeout"
	case errors.Is(err, toolbox.ErrTooLarge):
		return "result_too_large"
	case errors.Is(err, toolbox.ErrNotRecorded):
		return "not_recorded"
	case errors.Is(err, toolbox.ErrCancelled):
		return "cancelled"
	}
	return "failed"
}
