package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnavailable says that an event could not be written to every sink. Nothing may be done then.
var ErrUnavailable = errors.New("the audit trail is unavailable")

// Options set a trail up. The zero value is a trail that keeps nothing.
type Options struct {
	// Sinks get every event, all of them. The trail owns them from now on and closes those that are an [io.Closer].
	Sinks []Sink
	// Open lets calls pass whose events cannot be written. Otherwise the door closes.
	Open bool
	// Key is what fingerprints of arguments are made with: 32 bytes or more. Nil means a random one, so that
	// fingerprints of two processes, or of one before and after a restart, cannot be compared.
	Key []byte

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence; told when a sink begins to fail, and when it works again
}

// Trail is all sinks as one. Make it with [NewTrail]; its methods may be called from many goroutines.
type Trail struct {
	hasher *hasher
	now    func() time.Time
	logger *slog.Logger

	mu      sync.Mutex
	current *set
	keeps   atomic.Bool // current has a sink
	closed  bool
	counts  []*count // of every sink there was, by name
}

// NewTrail returns a trail. It starts nothing; [Trail.Close] closes its sinks.
func NewTrail(o Options) (*Trail, error) {
	key := o.Key
	if key == nil {
		key = []byte(rand.Text() + rand.Text())
	}
	if len(key) < 32 {
		return nil, errors.New("audit: Key is shorter than 32 bytes")
	}
	t := &Trail{hasher: newHasher(key), now: o.Now, logger: o.Logger}
	if t.now == nil {
		t.now = time.Now
	}
	if t.logger == nil {
		t.logger = slog.New(slog.DiscardHandler)
	}
	t.current = t.newSet(o.Sinks, o.Open)
	t.keeps.Store(len(o.Sinks) > 0)
	return t, nil
}

// Write hands e to every sink, whatever ctx's end: what has been decided is recorded. It returns nil, or where the door
// is to close, an error that wraps [ErrUnavailable] and says what each failing sink said.
func (t *Trail) Write(ctx context.Context, e Event) error {
	s := t.take()
	defer s.give()
	if len(s.sinks) == 0 {
		return nil
	}
	if e.Time.IsZero() {
		e.Time = t.now()
	}
	e.Time = e.Time.UTC().Round(0)
	o := FromContext(ctx)
	fill(&e.RequestID, o.RequestID)
	fill(&e.TraceID, o.TraceID)
	fill(&e.Address, o.Address)
	e = bounded(e)

	ctx = context.WithoutCancel(ctx)
	var faults []error
	for _, k := range s.sinks {
		err := k.write(ctx, e)
		if k.count.add(err) {
			t.tell(ctx, k, err)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 || s.open {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(faults...))
}

// tell logs that a sink has begun to fail, or works again: once, not for each event.
func (t *Trail) tell(ctx context.Context, k *kept, err error) {
	if err == nil {
		t.logger.WarnContext(ctx, "audit sink works again", "sink", k.name())
		return
	}
	t.logger.ErrorContext(ctx, "audit sink fails", "sink", k.name(), "cause", err)
}

// Hash returns the fingerprint of arguments, which are JSON: "hmac-sha256:" and 64 hex digits, the same for the same
// values in whatever order and spacing. It returns "" where nothing is kept, or for what is no JSON.
func (t *Trail) Hash(arguments []byte) string {
	s := t.take()
	defer s.give()
	if len(s.sinks) == 0 {
		return ""
	}
	return t.hasher.fingerprint(arguments)
}

// Replace puts other sinks in the place of those the trail has. No event is lost or written to both: those being
// written end where they began, then the old sinks are closed.
func (t *Trail) Replace(sinks []Sink, open bool) {
	t.mu.Lock()
	next := t.newSet(sinks, open)
	if t.closed {
		t.mu.Unlock()
		next.give()
		return
	}
	old := t.current
	t.current = next
	t.keeps.Store(len(sinks) > 0)
	t.mu.Unlock()
	old.give()
}

// Keeps reports whether there is a sink at all.
func (t *Trail) Keeps() bool { return t.keeps.Load() }

// Close closes the sinks as soon as nobody writes to them. The trail keeps nothing afterwards, and what is written to
// it is an error. Sinks that come to [Trail.Replace] afterwards are closed.
func (t *Trail) Close() error {
	t.mu.Lock()
	old := t.current
	was := t.closed
	t.closed, t.current = true, &set{sinks: []*kept{{sink: closed{}, count: &count{}}}, users: 1}
	t.keeps.Store(true) // what is written now is an error
	t.mu.Unlock()
	if !was {
		old.give()
	}
	return nil
}

// closed is the sink of a trail that was closed: it does not pretend to keep.
type closed struct{}

func (closed) Write(context.Context, Event) error { return errors.New("audit: the trail is closed") }

func (t *Trail) take() *set {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.mu.Lock()
	t.current.users++
	t.current.mu.Unlock()
	return t.current
}

// set is the sinks of one configuration, closed by the last who uses it: the trail is one of them.
type set struct {
	sinks []*kept
	open  bool
	mu    sync.Mutex
	users int
}

// newSet is called with mu held, or before anybody else has the trail.
func (t *Trail) newSet(sinks []Sink, open bool) *set {
	s := &set{open: open, users: 1}
	for _, c := range t.counts {
		c.works() // a sink that goes fails no more, and one that comes is taken to work
	}
	for _, sink := range sinks {
		k := &kept{sink: sink}
		k.count = t.count(k.name())
		s.sinks = append(s.sinks, k)
	}
	return s
}

func (s *set) give() {
	s.mu.Lock()
	s.users--
	last := s.users == 0
	s.mu.Unlock()
	if !last {
		return
	}
	for _, k := range s.sinks {
		if c, ok := k.sink.(io.Closer); ok {
			c.Close() // what was kept was kept by Write
		}
	}
}

// kept is a sink and what became of what it was to keep.
type kept struct {
	sink  Sink
	count *count
}

// write turns a panic of the sink into an error: a sink that breaks does not open the door either.
func (k *kept) write(ctx context.Context, e Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return k.sink.Write(ctx, e)
}

func (k *kept) name() string {
	if s, ok := k.sink.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", k.sink)
}

func fill(to *string, from string) {
	if *to == "" {
		*to = from
	}
}
