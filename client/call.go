package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Progress is how far a running call is, as the server tells it.
type Progress struct {
	Tool    string  // the tool that was called
	Done    float64 // grows with each report
	Total   float64 // what Done is a part of; 0 means unknown
	Message string  // the server's words, which may hold anything; may be empty
}

// running is a call that still hears its progress.
type running struct {
	tool string
	hear func(Progress)

	mu    sync.Mutex
	ended bool
}

// Call runs the tool called name with args, which must encode to a JSON object; nil means no arguments. onProgress
// hears the reports of the server in order, one at a time and never after Call has returned, and must return soon: the
// answer waits meanwhile. nil means the session's own function.
//
// When ctx ends, so does the call, at the server too. A tool that answers with an error of its own is a result with
// IsError, not an error.
func (s *Session) Call(ctx context.Context, name string, args any, onProgress func(Progress)) (*mcp.CallToolResult, error) {
	if onProgress == nil {
		onProgress = s.onProgress
	}
	arguments, err := objectOf(args)
	if err != nil {
		return nil, fmt.Errorf("client: call %q: %w", name, err)
	}
	params := &mcp.CallToolParams{Name: name, Arguments: arguments}
	if onProgress != nil {
		token := rand.Text()
		params.SetProgressToken(token)
		defer s.listen(token, &running{tool: name, hear: onProgress})()
	}
	result, err := s.session.CallTool(ctx, params)
	if isHeaderMismatch(err) {
		// The server wants arguments mirrored in headers, which the protocol layer knows from the list of tools.
		if _, listing := s.Tools(ctx); listing == nil {
			result, err = s.session.CallTool(ctx, params)
		}
	}
	if err != nil {
		return nil, s.explain(fmt.Sprintf("call %q", name), err)
	}
	return result, nil
}

// isHeaderMismatch reports whether the server refused a request because of its headers: nothing was done.
func isHeaderMismatch(err error) bool {
	var e *jsonrpc.Error
	return errors.As(err, &e) && e.Code == mcp.CodeHeaderMismatch
}

// objectOf encodes arguments, whatever kind of nothing they are: a JSON object it must be.
func objectOf(args any) (json.RawMessage, error) {
	raw, err := json.Marshal(args)
	switch {
	case err != nil:
		return nil, err
	case string(raw) == "null":
		return json.RawMessage("{}"), nil
	case raw[0] != '{':
		return nil, errors.New("the arguments are not a JSON object")
	}
	return raw, nil
}

// listen lets r hear the reports for token until the function it returns is called.
func (s *Session) listen(token string, r *running) (stop func()) {
	s.mu.Lock()
	s.calls[token] = r
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.calls, token)
		s.mu.Unlock()
		r.mu.Lock()
		r.ended = true
		r.mu.Unlock()
	}
}

// progressed hands a report to the call it belongs to. A report for no call of ours is dropped.
func (s *Session) progressed(m report) {
	token, _ := m.Params.Token.(string)
	s.mu.Lock()
	r := s.calls[token]
	s.mu.Unlock()
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.hear(Progress{Tool: r.tool, Done: m.Params.Done, Total: m.Params.Total, Message: m.Params.Message})
	}
}

// Text joins the text contents of a result, one to a line. A result without any is the empty text.
func Text(result *mcp.CallToolResult) string {
	var lines []string
	for _, c := range result.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			lines = append(lines, text.Text)
		}
	}
	return strings.Join(lines, "\n")
}
