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

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// book is a record in memory. It fails from the event of index failFrom on, if that is not negative.
type book struct {
	mu       sync.Mutex
	events   []audit.Event
	tries    int
	failFrom int
}

func (b *book) Write(_ context.Context, e audit.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.failFrom >= 0 && b.tries > b.failFrom {
		return audit.ErrUnavailable
	}
	b.events = append(b.events, e)
	return nil
}

func (b *book) Keeps() bool { return true }

func (b *book) Hash(arguments []byte) string { return fmt.Sprintf("%d bytes", len(arguments)) }

// lines are the events in short.
func (b *book) lines() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, e := range b.events {
		line := fmt.Sprintf("%s %s %s %q", e.Kind, e.Decision, e.Tool, e.Rule)
		if e.Outcome != nil {
			line += " " + e.Outcome.Result
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestWhatIsRecordedOfACall(t *testing.T) {
	secret := json.RawMessage(`{"text":"x"}`)
	for _, row := range []struct {
		name  string
		tool  string
		args  string
		work  work
		limit int64
		ctx   func(context.Context) context.Context
		want  string
	}{
		{name: "a call that works", tool: "narrow", work: say(map[string]string{"said": "abc"}),
			want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" ok"},
		{name: "what the tool says the caller did wrong", tool: "narrow", work: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{IsError: true}, nil
		}, want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" tool_error"},
		{name: "a tool that fails", tool: "narrow", work: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			return nil, errors.New("no")
		}, want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" failed"},
		{name: "a tool that panics", tool: "narrow", work: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			panic("no")
		}, want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" failed"},
		{name: "arguments that do not fit", tool: "narrow", args: `{"text":1}`, work: say(nil),
			want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" bad_arguments"},
		{name: "a result over the bound", tool: "narrow", limit: 10, work: say(map[string]string{"said": "abc"}),
			want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" too_large"},
		{name: "a caller that leaves", tool: "narrow", work: wait, ctx: func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}, want: "decision allow narrow \"broad scope\"\noutcome allow narrow \"broad scope\" cancelled"},
		{name: "too little scope", tool: "narrow", work: say(nil), ctx: func(ctx context.Context) context.Context { return as(ctx, "ada", "a:read") },
			want: "decision needs_scope narrow \"scopes\""},
		{name: "a name nothing has, which is a stranger's text", tool: "opensesame", work: say(nil),
			want: "decision deny  \"unknown\""},
	} {
		t.Run(row.name, func(t *testing.T) {
			record := &book{failFrom: -1}
			box := newBox(t, toolbox.Options{Audit: record, MaxResult: row.limit, Tools: []toolbox.Tool{tool("narrow", row.work)}})
			ctx := as(t.Context(), "ada", "execute")
			if row.ctx != nil {
				ctx = row.ctx(ctx)
			}
			args := secret
			if row.args != "" {
				args = json.RawMessage(row.args)
			}
			_, err := box.Call(ctx, &toolbox.Call{Name: row.tool, Arguments: args, RequestID: "r1"})
			if got := record.lines(); got != row.want {
				t.Errorf("recorded\n%s\nwant\n%s\nafter %v", got, row.want, err)
			}
			for _, e := range record.events {
				if e.RequestID != "r1" || e.Principal == nil || e.Principal.Subject != "ada" || e.Arguments != fmt.Sprintf("%d bytes", len(args)) {
					t.Errorf("the event is %+v", e)
				}
			}
			if row.limit > 0 && !errors.Is(err, toolbox.ErrTooLarge) {
				t.Errorf("answered %v", err)
			}
		})
	}
}

func TestTheOutcomeSaysHowLongAndHowMuch(t *testing.T) {
	record := &book{failFrom: -1}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	box := newBox(t, toolbox.Options{Audit: record, Now: func() time.Time { return now }, Tools: []toolbox.Tool{
		tool("x", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			now = now.Add(1500 * time.Microsecond)
			return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "abc"}, Content: []mcp.Content{
				&mcp.TextContent{Text: "12345"}, &mcp.ImageContent{Data: make([]byte, 7)}}}, nil
		}),
	}})
	if _, err := box.Call(as(t.Context(), "ada", "execute"), &toolbox.Call{Name: "x", Arguments: json.RawMessage(`{"text":"x"}`)}); err != nil {
		t.Fatal(err)
	}
	if o := *record.events[1].Outcome; o != (audit.Outcome{Result: "ok", Micros: 1500, Bytes: int64(len(`{"said":"abc"}`) + 5 + 7)}) {
		t.Errorf("the outcome is %+v", o)
	}
}

func TestAttack54_WhatCannotBeRecordedIsNotDone(t *testing.T) {
	for _, row := range []struct {
		name     string
		failFrom int
		runs     bool
		says     string
	}{
		{"attack 54 a decision that cannot be recorded stops the call", 0, false, "the audit trail is unavailable, so nothing was done; the request id is r1"},
		{"attack 54 an outcome that cannot be recorded withholds the result", 1, true, "the audit trail is unavailable, so the result of the call, which was made, is withheld; the request id is r1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			ran := false
			record := &book{failFrom: row.failFrom}
			box := newBox(t, toolbox.Options{Audit: record,
				Tools: []toolbox.Tool{tool("x", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
					ran = true
					return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "abc"}}, nil
				})},
				Resources: []toolbox.Resource{{Definition: &mcp.Resource{URI: "data://x", Name: "x"}, Read: func(context.Context) ([]*mcp.ResourceContents, error) {
					ran = true
					return []*mcp.ResourceContents{{URI: "data://x", Text: "x"}}, nil
				}}},
			})
			ctx := as(t.Context(), "ada", "execute")
			result, err := box.Call(ctx, &toolbox.Call{Name: "x", Arguments: json.RawMessage(`{"text":"x"}`), RequestID: "r1"})
			if !errors.Is(err, toolbox.ErrNotRecorded) || err.Error() != row.says || result != nil || ran != row.runs {
				t.Errorf("answered %v, %v, ran %v", result, err, ran)
			}
			ran, record.tries = false, 0
			contents, err := box.Read(ctx, "data://x", "r1")
			if !errors.Is(err, toolbox.ErrNotRecorded) || err.Error() != row.says || contents != nil || ran != row.runs {
				t.Errorf("read %v, %v, ran %v", contents, err, ran)
			}
		})
	}
	t.Run("attack 54 a refusal stays the refusal it is", func(t *testing.T) {
		box := newBox(t, toolbox.Options{Audit: &book{}, Tools: []toolbox.Tool{tool("narrow", say(nil))}})
		_, err := box.Call(as(t.Context(), "ada"), &toolbox.Call{Name: "narrow"})
		if !errors.As(err, new(*toolbox.ScopeError)) || errors.Is(err, toolbox.ErrNotRecorded) {
			t.Errorf("answered %v", err)
		}
		if err := box.AllowCall(as(t.Context(), "ada"), "narrow", nil); !errors.As(err, new(*toolbox.ScopeError)) {
			t.Errorf("allowed with %v", err)
		}
	})
}

// TestAskingIsRecordedOnlyWhereItRefuses shows that a face which asks before it calls does not make two events of one.
func TestAskingIsRecordedOnlyWhereItRefuses(t *testing.T) {
	record := &book{failFrom: -1}
	box := newBox(t, toolbox.Options{Audit: record, Tools: []toolbox.Tool{tool("narrow", say(map[string]string{"said": "x"}))},
		Templates: []toolbox.Template{{Definition: &mcp.ResourceTemplate{URITemplate: "note://{title}", Name: "notes"},
			Read: func(_ context.Context, uri string, _ map[string]string) ([]*mcp.ResourceContents, error) {
				return []*mcp.ResourceContents{{URI: uri, Text: "x"}}, nil
			}}},
	})
	good := as(t.Context(), "ada", "execute")
	if box.AllowCall(good, "narrow", nil) != nil || record.lines() != "" {
		t.Errorf("recorded %s", record.lines())
	}
	box.AllowCall(as(t.Context(), "ada"), "narrow", nil)
	box.AllowResource(as(t.Context(), "ada"), "data://none")
	if _, err := box.Read(good, "note://opensesame", ""); err != nil {
		t.Fatal(err)
	}
	want := []string{`decision needs_scope narrow "scopes"`, `decision deny  "unknown"`,
		`decision allow note://{title} "broad scope"`, `outcome allow note://{title} "broad scope" ok`}
	if got := strings.Split(record.lines(), "\n"); !slices.Equal(got, want) {
		t.Errorf("recorded %q", got)
	}
}
