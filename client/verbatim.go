package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"
)

// Verbatim runs ask, which asks a session for something with the context it is given, and returns the results of the
// requests in it as the server sent them, byte for byte and in order: of a list the pages, of a call with input rounds
// each round.
//
//	raw, err := client.Verbatim(ctx, func(ctx context.Context) error {
//		result, err = session.Call(ctx, "reverse_tool", arguments, nil)
//		return err
//	})
func Verbatim(ctx context.Context, ask func(ctx context.Context) error) ([]json.RawMessage, error) {
	t := &transcript{}
	err := ask(context.WithValue(ctx, transcriptKey{}, t))
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.results, err
}

type transcriptKey struct{}

// transcript gathers results.
type transcript struct {
	mu      sync.Mutex
	results []json.RawMessage
}

// hear takes in what may be an answer with a result.
func (t *transcript) hear(message []byte) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(message, &m) != nil || m.Method != "" || len(m.ID) == 0 || len(m.Result) == 0 {
		return
	}
	t.mu.Lock()
	t.results = append(t.results, m.Result)
	t.mu.Unlock()
}

// transcribed hears the answer in body, which is one message or a stream of events, where somebody wants it verbatim.
func transcribed(ctx context.Context, body io.ReadCloser, events bool) io.ReadCloser {
	t, ok := ctx.Value(transcriptKey{}).(*transcript)
	if !ok {
		return body
	}
	return &transcriber{ReadCloser: body, t: t, events: events}
}

// transcriber keeps a message until it is whole.
type transcriber struct {
	io.ReadCloser
	t      *transcript
	events bool

	line, data []byte
	over       bool // there is more than is kept
	afterCR    bool
}

// Read reads from the body and hears what is in it.
func (r *transcriber) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if !r.events {
		r.keep(&r.data, p[:n])
		if err == io.EOF && !r.over {
			r.t.hear(r.data)
			r.data = nil
		}
		return n, err
	}
	for rest := p[:n]; len(rest) > 0; {
		if r.afterCR = r.afterCR && rest[0] == '\n'; r.afterCR {
			r.afterCR, rest = false, rest[1:]
			continue
		}
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			r.keep(&r.line, rest)
			break
		}
		r.keep(&r.line, rest[:i])
		r.afterCR = rest[i] == '\r'
		r.endLine()
		rest = rest[i+1:]
	}
	return n, err
}

func (r *transcriber) keep(into *[]byte, b []byte) {
	if r.over = r.over || len(*into)+len(b) > maxResponse; !r.over {
		*into = append(*into, b...)
	}
}

// endLine takes in a line of an event stream; an empty one ends the event.
func (r *transcriber) endLine() {
	line := r.line
	r.line = r.line[:0]
	if len(line) == 0 {
		if len(r.data) > 0 && !r.over {
			r.t.hear(r.data)
		}
		r.data, r.over = r.data[:0], false
		return
	}
	if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
		r.keep(&r.data, append(bytes.TrimPrefix(value, []byte(" ")), '\n'))
	}
}
