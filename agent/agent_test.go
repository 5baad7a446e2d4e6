package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// script is a model that says what stands in it, one reply after the other, and remembers what it was asked.
type script struct {
	mu      sync.Mutex
	replies []any // *agent.Reply, an error, or func(agent.Request) any
	asked   []agent.Request
}

func (s *script) Stream(ctx context.Context, r agent.Request, hear func(string)) (*agent.Reply, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	var next any = &agent.Reply{Text: "done"}
	if len(s.replies) > 0 {
		next, s.replies = s.replies[0], s.replies[1:]
	}
	s.mu.Unlock()
	if f, ok := next.(func(agent.Request) any); ok {
		next = f(r)
	}
	if err, ok := next.(error); ok {
		return nil, err
	}
	reply := next.(*agent.Reply)
	if reply.Text != "" {
		hear(reply.Text)
	}
	return reply, ctx.Err()
}

// answers is what the model was last told by tools, in order.
func (s *script) answers(t *testing.T) []map[string]string {
	t.Helper()
	var all []map[string]string
	for _, m := range s.asked[len(s.asked)-1].Messages {
		if m.Role != agent.RoleTool {
			continue
		}
		var e map[string]string
		if err := json.Unmarshal([]byte(m.Text), &e); err != nil {
			t.Fatalf("a tool's message is no envelope: %v\n%s", err, m.Text)
		}
		all = append(all, e)
	}
	return all
}

func calls(named ...string) *agent.Reply {
	r := &agent.Reply{}
	for i, n := range named {
		tool, arguments, _ := strings.Cut(n, " ")
		r.Calls = append(r.Calls, agent.ToolCall{ID: fmt.Sprint("c", i), Tool: tool, Arguments: arguments})
	}
	return r
}

// bench is a set of tools that do what do says.
type bench struct {
	tools []agent.Tool
	do    func(ctx context.Context, t agent.Tool, arguments string, hear func(agent.Progress)) (agent.Result, error)

	mu   sync.Mutex
	made []string
}

func (b *bench) List(context.Context) ([]agent.Tool, error) { return b.tools, nil }

func (b *bench) Call(ctx context.Context, t agent.Tool, arguments json.RawMessage, hear func(agent.Progress)) (agent.Result, error) {
	b.mu.Lock()
	b.made = append(b.made, t.Name+" "+string(arguments))
	b.mu.Unlock()
	if b.do == nil {
		return agent.Result{Text: "ok"}, nil
	}
	return b.do(ctx, t, string(arguments), hear)
}

func tool(name string, readOnly bool) agent.Tool {
	return agent.Tool{Name: name, ServerTool: name, Server: "https://a.example/mcp", ServerName: "a", ReadOnly: readOnly}
}

// heard collects events.
type heard struct {
	mu  sync.Mutex
	all []agent.Event
}

func (h *heard) hear(e agent.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
}

func (h *heard) of(kind agent.EventKind) (some []agent.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.all {
		if e.Kind == kind {
			some = append(some, e)
		}
	}
	return some
}

func newAgent(t *testing.T, o agent.Options) *agent.Agent {
	t.Helper()
	a, err := agent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
