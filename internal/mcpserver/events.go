package mcpserver

import (
	"container/list"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
)

// Bounds of what is kept for clients that come back to a broken stream.
const (
	maxStreams       = 32       // streams of one session
	maxSessionEvents = 1 << 20  // bytes of one session
	maxAllEvents     = 64 << 20 // bytes of all sessions
	eventOverhead    = 64       // bytes counted for an event beside its data
)

// events keeps what was sent on the streams of legacy sessions, so that Last-Event-ID finds it. It forgets the oldest
// first, within a session and among sessions, and says so to who asks for it.
type events struct {
	mu       sync.Mutex
	size     int
	sessions map[string]*list.Element // of *kept
	used     list.List                // the session written to longest ago first
}

// kept is what is remembered of one session.
type kept struct {
	id      string
	size    int
	streams map[string]*sent
	opened  []string // stream ids, the oldest first
}

// sent is what was sent on one stream, from number first on.
type sent struct {
	first int
	data  [][]byte
}

var errForgotten = errors.New("the events are no longer kept")

func newEvents() *events { return &events{sessions: map[string]*list.Element{}} }

// Open begins to remember a stream.
func (e *events) Open(_ context.Context, sessionID, streamID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	element := e.sessions[sessionID]
	if element == nil {
		element = e.used.PushBack(&kept{id: sessionID, streams: map[string]*sent{}})
		e.sessions[sessionID] = element
	}
	k := element.Value.(*kept)
	if k.streams[streamID] != nil {
		return nil
	}
	k.streams[streamID] = &sent{}
	k.opened = append(k.opened, streamID)
	if len(k.opened) > maxStreams {
		// The first is the session's own stream, which lives as long as the session.
		e.forget(k, k.opened[1])
	}
	return nil
}

// Append remembers an event.
func (e *events) Append(_ context.Context, sessionID, streamID string, data []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	element := e.sessions[sessionID]
	if element == nil {
		return errForgotten
	}
	e.used.MoveToBack(element)
	k := element.Value.(*kept)
	s := k.streams[streamID]
	if s == nil {
		return errForgotten
	}
	s.data = append(s.data, data)
	e.count(k, len(data)+eventOverhead)
	for k.size > maxSessionEvents && e.dropOldest(k) {
	}
	for e.size > maxAllEvents {
		oldest := e.used.Front().Value.(*kept)
		if !e.dropOldest(oldest) {
			e.used.MoveToBack(e.used.Front())
		}
	}
	return nil
}

// After returns what was sent after number index, or an error if some of it is forgotten.
func (e *events) After(_ context.Context, sessionID, streamID string, index int) iter.Seq2[[]byte, error] {
	data, err := e.after(sessionID, streamID, index)
	return func(yield func([]byte, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for _, d := range data {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (e *events) after(sessionID, streamID string, index int) ([][]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	element := e.sessions[sessionID]
	if element == nil {
		return nil, errForgotten
	}
	s := element.Value.(*kept).streams[streamID]
	if s == nil || index+1 < s.first {
		return nil, errForgotten
	}
	return slices.Clone(s.data[min(index+1-s.first, len(s.data)):]), nil
}

// SessionClosed forgets a session.
func (e *events) SessionClosed(_ context.Context, sessionID string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if element := e.sessions[sessionID]; element != nil {
		e.size -= element.Value.(*kept).size
		e.used.Remove(element)
		delete(e.sessions, sessionID)
	}
	return nil
}

func (e *events) count(k *kept, size int) {
	k.size += size
	e.size += size
}

// dropOldest forgets the oldest event of a session; it reports whether there was one.
func (e *events) dropOldest(k *kept) bool {
	for _, id := range k.opened {
		if s := k.streams[id]; len(s.data) > 0 {
			e.count(k, -len(s.data[0])-eventOverhead)
			s.data[0] = nil
			s.data = s.data[1:]
			s.first++
			return true
		}
	}
	return false
}

// forget forgets a whole stream.
func (e *events) forget(k *kept, streamID string) {
	for _, d := range k.streams[streamID].data {
		e.count(k, -len(d)-eventOverhead)
	}
	delete(k.streams, streamID)
	k.opened = slices.DeleteFunc(k.opened, func(id string) bool { return id == streamID })
}
