package audit

import (
	"context"
	"io"
	"sync"
)

// Stream writes each event as one line of JSON, in one Write, to a writer that somebody else closes: stdout, as a rule.
// It may be used from many goroutines.
type Stream struct {
	name string
	mu   sync.Mutex
	to   io.Writer
}

// NewStream returns a stream to w; name is what the log calls it.
func NewStream(name string, w io.Writer) *Stream { return &Stream{name: name, to: w} }

// Write writes e.
func (s *Stream) Write(_ context.Context, e Event) error {
	text := line(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.to.Write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	return err
}

// String returns its name.
func (s *Stream) String() string { return s.name }
