package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestCallsOfOneTurnRunAtTheSameTime(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	b := &bench{tools: []agent.Tool{tool("reverse_tool", true)}}
	b.do = func(_ context.Context, _ agent.Tool, arguments string, hear func(agent.Progress)) (agent.Result, error) {
		both.Done()
		both.Wait() // each goes on only when the other runs too
		hear(agent.Progress{Done: 1, Total: 2, Message: arguments})
		return agent.Result{Text: arguments}, nil
	}
	m := &script{replies: []any{calls(`reverse_tool {"q":"first"}`, `reverse_tool {"q":"second"}`)}}
	h := &heard{}
	out, err := newAgent(t, agent.Options{Model: m, Tools: b, Hear: h.hear}).Turn(context.Background(), "both")
	if err != nil || out.Text != "done" || out.Calls != 2 || out.Steps != 2 {
		t.Fatalf("%+v %v", out, err)
	}
	got := m.answers(t)
	if len(got) != 2 || !strings.Contains(got[0]["data"], "first") || !strings.Contains(got[1]["data"], "second") {
		t.Errorf("the model hears %v, want the answers in the order of the calls", got)
	}
	steps := h.of(agent.EventProgress)
	if len(steps) != 2 || steps[0].Call == steps[1].Call {
		t.Errorf("progress of %+v, want that of two calls apart", steps)
	}
	for _, s := range steps {
		if want := map[string]string{"c0": "first", "c1": "second"}[s.Call]; !strings.Contains(s.Progress.Message, want) {
			t.Errorf("%s reports %q", s.Call, s.Progress.Message)
		}
	}
}

func TestNoServerGetsMoreThanItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := map[string]int{}, map[string]int{}
		one, two := tool("one", true), tool("two", true)
		two.Server = "https://b.example/mcp"
		b := &bench{tools: []agent.Tool{one, two}}
		b.do = func(_ context.Context, t agent.Tool, _ string, _ func(agent.Progress)) (agent.Result, error) {
			mu.Lock()
			running[t.Server]++
			running["all"]++
			most[t.Server], most["all"] = max(most[t.Server], running[t.Server]), max(most["all"], running["all"])
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running[t.Server]--
			running["all"]--
			mu.Unlock()
			return agent.Result{}, nil
		}
		var named []string
		for i := range 10 {
			named = append(named, fmt.Sprintf(`one {"i":%d}`, i), fmt.Sprintf(`two {"i":%d}`, i))
		}
		a := newAgent(t, agent.Options{Model: &script{replies: []any{calls(named...)}}, Tools: b, Limits: agent.Limits{Calls: 5, OfServer: 3}})
		if _, err := a.Turn(context.Background(), "go"); err != nil {
			t.Fatal(err)
		}
		if most["https://a.example/mcp"] != 3 || most["https://b.example/mcp"] != 3 || most["all"] != 5 {
			t.Errorf("at most %v ran at the same time, want 3, 3 and 5", most)
		}
	})
}

func TestOneOfThreeCallsIsCancelled(t *testing.T) {
	b := &bench{tools: []agent.Tool{tool("wait", true)}}
	var a *agent.Agent
	var all sync.WaitGroup
	all.Add(3)
	b.do = func(ctx context.Context, _ agent.Tool, arguments string, _ func(agent.Progress)) (agent.Result, error) {
		all.Done()
		all.Wait()
		if strings.Contains(arguments, "2") {
			if !a.Cancel("c1") {
				t.Error("c1 is not running")
			}
			<-ctx.Done()
			return agent.Result{}, ctx.Err()
		}
		return agent.Result{Text: "well"}, nil
	}
	m := &script{replies: []any{calls(`wait {"n":1}`, `wait {"n":2}`, `wait {"n":3}`)}}
	a = newAgent(t, agent.Options{Model: m, Tools: b})
	if _, err := a.Turn(context.Background(), "go"); err != nil {
		t.Fatal(err)
	}
	got := m.answers(t)
	if got[0]["data"] != "well" || got[1]["outcome"] != "cancelled" || got[2]["data"] != "well" {
		t.Errorf("%v", got)
	}
	if a.Cancel("c1") {
		t.Error("a call that is over was cancelled")
	}
}

func TestATurnThatIsCancelledLeavesAWholeConversation(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{tools: []agent.Tool{tool("wait", true)}}
	b.do = func(ctx context.Context, _ agent.Tool, _ string, _ func(agent.Progress)) (agent.Result, error) {
		cancel()
		<-ctx.Done()
		return agent.Result{}, ctx.Err()
	}
	m := &script{replies: []any{calls(`wait {}`)}}
	a := newAgent(t, agent.Options{Model: m, Tools: b})
	if _, err := a.Turn(ctx, "go"); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want cancelled", err)
	}
	if _, err := a.Turn(context.Background(), "and now"); err != nil {
		t.Fatal(err)
	}
	if got := m.answers(t); len(got) != 1 || got[0]["outcome"] != "cancelled" {
		t.Errorf("%v", got)
	}
}

func TestWhatAModelGetsWrong(t *testing.T) {
	for _, row := range []struct{ name, call, says string }{
		{"a tool that does not exist", `no_such {}`, "no tool called"},
		{"a name that looks like one", "lооk {}", "no tool called"},
		{"a name with something behind it", "look\x00 {}", "no tool called"},
		{"arguments that are too deep", `look ` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000), "no JSON object"},
		{"arguments that are too long", `look {"a":"` + strings.Repeat("x", 2<<20) + `"}`, "more than"},
		{"arguments that are no JSON", `look {"q":`, "no JSON object"},
		{"arguments that are no object", `look [1]`, "no JSON object"},
		{"something after the arguments", `look {} {}`, "something follows"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := &script{replies: []any{calls(row.call, `look {"ok":1}`)}}
			b := &bench{tools: []agent.Tool{tool("look", true)}}
			out, err := newAgent(t, agent.Options{Model: m, Tools: b}).Turn(context.Background(), "go")
			got := m.answers(t)
			if err != nil || out.Text != "done" || !strings.Contains(got[0]["data"], row.says) || got[0]["outcome"] != "invalid" || got[1]["outcome"] != "done" {
				t.Errorf("%v %v", got, err)
			}
			if len(b.made) != 1 {
				t.Errorf("%v were called", b.made)
			}
		})
	}
}

func TestALargeAnswerIsCut(t *testing.T) {
	m := &script{replies: []any{calls(`look {}`)}}
	b := &bench{tools: []agent.Tool{tool("look", true)}}
	b.do = func(context.Context, agent.Tool, string, func(agent.Progress)) (agent.Result, error) {
		return agent.Result{Text: strings.Repeat("é", 5<<20)}, nil
	}
	if _, err := newAgent(t, agent.Options{Model: m, Tools: b}).Turn(context.Background(), "go"); err != nil {
		t.Fatal(err)
	}
	got := m.answers(t)[0]["data"]
	if len(got) > 65<<10 || !strings.HasSuffix(got, "[cut here: 10420224 of 10485760 bytes are left out]") {
		t.Errorf("%d bytes, ends %q", len(got), got[len(got)-80:])
	}
}

// TestAToolThatPanics panics where Turn was called, after the other calls are over; the file holds the call.
func TestAToolThatPanics(t *testing.T) {
	dir := t.TempDir()
	kept, err := agent.NewTranscript(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{tools: []agent.Tool{tool("look", true), tool("break", true)}}
	b.do = func(_ context.Context, tool agent.Tool, _ string, _ func(agent.Progress)) (agent.Result, error) {
		if tool.Name == "break" {
			panic("oh no")
		}
		return agent.Result{Text: "well"}, nil
	}
	func() {
		defer func() {
			if r := fmt.Sprint(recover()); !strings.Contains(r, "oh no") || !strings.Contains(r, "calls_test.go") {
				t.Errorf("it panics with %q", r)
			}
		}()
		newAgent(t, agent.Options{Model: &script{replies: []any{calls(`look {}`, `break {}`)}}, Tools: b, Transcript: kept}).Turn(context.Background(), "go")
	}()
	kept.Close()
	again, err := agent.OpenTranscript(dir, kept.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	m := &script{}
	if _, err := newAgent(t, agent.Options{Model: m, Transcript: again}).Turn(context.Background(), "and now?"); err != nil {
		t.Fatal(err)
	}
	if got := m.answers(t); len(got) != 2 || got[0]["outcome"] != "unknown" || got[1]["outcome"] != "unknown" {
		t.Errorf("the model hears %v", got)
	}
}

// TestEachCallHasAnIdOfItsOwn, whatever the model calls it: answers, bars and cancels go by it.
func TestEachCallHasAnIdOfItsOwn(t *testing.T) {
	b := &bench{tools: []agent.Tool{tool("look", true)}}
	b.do = func(_ context.Context, _ agent.Tool, arguments string, _ func(agent.Progress)) (agent.Result, error) {
		return agent.Result{Text: arguments}, nil
	}
	same := func(first int) *agent.Reply {
		r := &agent.Reply{}
		for i, id := range []string{"x", "x", "", "", "call_2_0"} {
			r.Calls = append(r.Calls, agent.ToolCall{ID: id, Tool: "look", Arguments: fmt.Sprintf(`{"n":%d}`, first+i)})
		}
		return r
	}
	m := &script{replies: []any{same(0), same(5)}}
	h := &heard{}
	a := newAgent(t, agent.Options{Model: m, Tools: b, Hear: h.hear})
	if _, err := a.Turn(context.Background(), "go"); err != nil {
		t.Fatal(err)
	}
	wanted, seen := map[string]string{}, map[string]bool{}
	for _, message := range a.Messages() {
		for _, c := range message.Calls {
			if seen[c.ID] || c.ID == "" {
				t.Errorf("the id %q is there twice, or empty", c.ID)
			}
			seen[c.ID], wanted[c.ID] = true, c.Arguments
		}
		if message.Role == agent.RoleTool {
			var e map[string]string
			if err := json.Unmarshal([]byte(message.Text), &e); err != nil || e["data"] != wanted[message.CallID] {
				t.Errorf("the call %s with %s is answered %v %v", message.CallID, wanted[message.CallID], e, err)
			}
			delete(wanted, message.CallID)
		}
	}
	if len(seen) != 10 || len(wanted) != 0 || len(h.of(agent.EventResult)) != 10 {
		t.Errorf("%d ids, %d without an answer", len(seen), len(wanted))
	}
}
