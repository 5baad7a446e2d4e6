package toolbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// ear is an observer that notes what it hears.
type ear struct {
	mu    sync.Mutex
	lines []string
}

type earKey struct{}

func (e *ear) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

func (e *ear) Decided(_ context.Context, d toolbox.Decided) {
	e.note("%s %s %t", d.Decision, d.Operation, d.Since.IsZero())
}

func (e *ear) Begun(ctx context.Context, operation string) context.Context {
	e.note("begun %s", operation)
	return context.WithValue(ctx, earKey{}, "heard")
}

func (e *ear) Ended(ctx context.Context, operation, outcome string, took time.Duration) {
	e.note("ended %s %s %v", operation, outcome, ctx.Value(earKey{}))
}

func (e *ear) ShadowDiffers() { e.note("shadow") }

// TestAnObserverHearsWhatTheRecordHas, with a record, with one that fails, and without one.
func TestAnObserverHearsWhatTheRecordHas(t *testing.T) {
	sees := func(ctx context.Context, _ json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		if ctx.Value(earKey{}) != "heard" {
			return nil, errors.New("the tool runs in another context than the observer made")
		}
		return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "abc"}}, nil
	}
	for _, row := range []struct {
		name   string
		tool   string
		scope  string
		record toolbox.Audit
		want   string
	}{
		{"a call that is recorded", "narrow", "execute", &book{failFrom: -1}, "allow narrow false; begun narrow; ended narrow ok heard"},
		{"a call that nobody records", "narrow", "execute", nil, "allow narrow false; begun narrow; ended narrow ok heard"},
		{"a call whose decision cannot be recorded", "narrow", "execute", &book{}, "allow narrow false; ended narrow not_recorded <nil>"},
		{"a call whose outcome cannot be recorded", "narrow", "execute", &book{failFrom: 1}, "allow narrow false; begun narrow; ended narrow not_recorded heard"},
		{"too little scope", "narrow", "a:read", nil, "needs_scope narrow false"},
		{"a name that a stranger made up", "sesame", "execute", nil, "deny  false"},
	} {
		t.Run(row.name, func(t *testing.T) {
			box := newBox(t, toolbox.Options{Audit: row.record, Tools: []toolbox.Tool{tool("narrow", sees)}})
			e := &ear{}
			box.Observe(e)
			box.Call(as(t.Context(), "ada", row.scope), &toolbox.Call{Name: row.tool, Arguments: json.RawMessage(`{"text":"x"}`)})
			if got := strings.Join(e.lines, "; "); got != row.want {
				t.Errorf("heard %s\nwant  %s", got, row.want)
			}
			e.lines = nil
			if err := box.AllowCall(as(t.Context(), "ada", row.scope), row.tool, nil); (err == nil) != (len(e.lines) == 0) {
				t.Errorf("asked before: %v, heard %v", err, e.lines)
			}
			for _, line := range e.lines {
				if !strings.HasPrefix(row.want, strings.TrimSuffix(line, "; ")) {
					t.Errorf("heard %s, and of the call %s", line, row.want)
				}
			}
		})
	}
	if box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{tool("narrow", sees)}}); !slices.Contains(box.Operations(), "narrow") {
		t.Error("the tool is not among the operations")
	}
}
