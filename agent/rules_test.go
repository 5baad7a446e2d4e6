package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestRulesOutliveTheProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "rules.json")
	for i := range 2 {
		r, err := agent.LoadRules(path)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		a := newAgent(t, agent.Options{Model: &script{replies: []any{calls(`write {"x":1}`)}}, Tools: &bench{tools: []agent.Tool{tool("write", false)}}, Rules: r,
			Approve: func(context.Context, agent.Call) (agent.Answer, error) {
				asked++
				return agent.Answer{Allow: true, Keep: agent.AlwaysSame}, nil
			}})
		if _, err := a.Turn(context.Background(), "go"); err != nil || asked != 1-i {
			t.Errorf("run %d: asked %d times, %v", i+1, asked, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want 0600", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.LoadRules(path); !errors.Is(err, agent.ErrRulesExposed) {
		t.Errorf("a file that others may write is read: %v", err)
	}
}

func TestRulesDecideAsTheySay(t *testing.T) {
	const file = `{"read_only": "ask", "rules": [
		{"decision": "allow", "server": "https://a.example/*", "tool": "write", "arguments": {"path": "/tmp/*"}},
		{"decision": "deny", "server": "*", "tool": "*", "arguments": {"path": "*..*"}, "reason": "no way up"},
		{"decision": "allow", "server": "*", "tool": "count", "arguments": {"n": "5"}},
		{"decision": "deny", "server": "*", "tool": "count", "arguments": {"n": "13"}, "reason": "unlucky"},
		{"decision": "ask", "server": "*", "tool": "look"}]}`
	for _, row := range []struct{ name, call, outcome string }{
		{"what is allowed", `write {"path":"/tmp/x"}`, "done"},
		{"a deny counts more than an allow", `write {"path":"/tmp/../etc/passwd"}`, "refused"},
		{"another path", `write {"path":"/etc/passwd"}`, "refused"},
		{"an argument that no pattern names", `write {"path":"/tmp/x","mode":"0777"}`, "refused"},
		{"an argument that is missing", `write {}`, "refused"},
		{"the last of two arguments of one name is what is sent, and what is decided about", `write {"path":"/tmp/x","path":"/etc/passwd"}`, "refused"},
		{"an argument more does not get around a deny", `write {"path":"/tmp/../x","mode":"0777"}`, "refused"},
		{"a text that looks like a number is another value", `count {"n":"5"}`, "refused"},
		{"the number itself", `count {"n":5}`, "done"},
		{"a text does not get around a deny of a number", `count {"n":"13"}`, "denied"},
		{"a deny of a number", `count {"n":13}`, "denied"},
		{"no server is believed that its tool changes nothing", `list {}`, "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := agent.ParseRules([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			m := &script{replies: []any{calls(row.call)}}
			a := newAgent(t, agent.Options{Model: m, Rules: r, Tools: &bench{tools: []agent.Tool{tool("write", false), tool("look", true), tool("list", true), tool("count", false)}}})
			if _, err := a.Turn(context.Background(), "go"); err != nil {
				t.Fatal(err)
			}
			got := m.answers(t)[0]
			if strings.Contains(got["data"], "a rule refuses it: unlucky") {
				got["outcome"] = "denied"
			}
			if got["outcome"] != row.outcome {
				t.Errorf("%v, want %s", got, row.outcome)
			}
		})
	}
	for name, file := range map[string]string{
		"a word that is not known":  `{"rules":[{"decision":"allow","server":"*","tool":"*","argument":{}}]}`,
		"a decision that is none":   `{"rules":[{"decision":"permit","server":"*","tool":"*"}]}`,
		"a rule without a server":   `{"rules":[{"decision":"allow","tool":"*"}]}`,
		"something after the rules": `{"rules":[]}{"rules":[]}`,
		"a strange read_only":       `{"read_only":"deny"}`,
	} {
		if _, err := agent.ParseRules([]byte(file)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestWhatIsAllowedIsNoMoreThanThat: what a person allowed does not grow by a name that is a pattern, by arguments that were
// not there, by a value of another kind, or by a restart.
func TestWhatIsAllowedIsNoMoreThanThat(t *testing.T) {
	for _, row := range []struct {
		name         string
		keep         agent.Keep
		allowed, not string
	}{
		{"a tool whose name is a pattern", agent.AlwaysWhatever, `* {}`, `erase {}`},
		{"a tool whose name is a pattern, for the session", agent.Session, `* {}`, `erase {}`},
		{"a tool whose name is part of a pattern", agent.AlwaysWhatever, `era* {}`, `erase {}`},
		{"a call without arguments", agent.AlwaysSame, `erase {}`, `erase {"all":true}`},
		{"false, and the text false", agent.AlwaysSame, `erase {"all":false}`, `erase {"all":"false"}`},
		{"the text false, and false", agent.AlwaysSame, `erase {"all":"false"}`, `erase {"all":false}`},
		{"null, and the text null", agent.AlwaysSame, `erase {"all":null}`, `erase {"all":"null"}`},
		{"an object, and its text", agent.AlwaysSame, `erase {"all":{"a":1}}`, `erase {"all":"{\"a\":1}"}`},
		{"a text in quotes, and the text", agent.AlwaysSame, `erase {"all":"\"x\""}`, `erase {"all":"x"}`},
		{"a star, and what it could stand for", agent.AlwaysSame, `erase {"all":"/tmp/*"}`, `erase {"all":"/tmp/x"}`},
		{"a star in an object", agent.AlwaysSame, `erase {"all":{"a":"*"}}`, `erase {"all":{"a":"x"}}`},
		{"a backslash, and what it could take away", agent.AlwaysSame, `erase {"all":"a\\*"}`, `erase {"all":"a*"}`},
		{"one number, and another way to write a larger one", agent.AlwaysSame, `erase {"n":1}`, `erase {"n":1e9}`},
		{"nested names in another place", agent.AlwaysSame, `erase {"a":{"b":1},"c":2}`, `erase {"a":{"b":1,"c":2}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rules.json")
			tools := []agent.Tool{tool("erase", false), tool("*", false), tool("era*", false)}
			var rules *agent.Rules
			var a *agent.Agent
			asked := 0
			m := &script{}
			start := func() {
				var err error
				if rules, err = agent.LoadRules(path); err != nil {
					t.Fatal(err)
				}
				a = newAgent(t, agent.Options{Model: m, Tools: &bench{tools: tools}, Rules: rules, Approve: func(context.Context, agent.Call) (agent.Answer, error) {
					asked++
					return agent.Answer{Allow: true, Keep: row.keep}, nil
				}})
			}
			ask := func(call string, times int) {
				t.Helper()
				asked = 0
				m.replies = []any{calls(call)}
				if _, err := a.Turn(context.Background(), "go"); err != nil {
					t.Fatal(err)
				}
				if asked != times {
					t.Errorf("%s: asked %d times, want %d", call, asked, times)
				}
			}
			start()
			ask(row.allowed, 1)
			ask(row.allowed, 0)
			if row.keep != agent.Session {
				start()
				ask(row.allowed, 0)
			}
			ask(row.not, 1)
		})
	}
}

// TestTwoProcessesKeepRules: what one keeps, and what a person writes into the file meanwhile, is not lost to the other.
func TestTwoProcessesKeepRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.json")
	var both [2]*agent.Rules
	for i := range both {
		var err error
		if both[i], err = agent.LoadRules(path); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(r *agent.Rules, name string) {
		if err := r.Keep(agent.Rule{Decision: agent.Allow, Server: "*", Tool: name}); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(path, []byte(`{"read_only":"ask","rules":[{"decision":"deny","server":"*","tool":"erase"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var keeping sync.WaitGroup
	for i, r := range both {
		keeping.Go(func() {
			for n := range 20 {
				keep(r, fmt.Sprint("tool", i, "-", n))
			}
		})
	}
	keeping.Wait()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(body), `"decision": "allow"`); n != 40 || !strings.Contains(string(body), `"deny"`) || !strings.Contains(string(body), `"read_only": "ask"`) {
		t.Errorf("%d rules are kept, want 40, and the deny\n%s", n, body)
	}
	broken := []byte(`{"rules":[`)
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := both[0].Keep(agent.Rule{Decision: agent.Allow, Server: "*", Tool: "x"}); err == nil {
		t.Error("a file that cannot be read is written over")
	}
	if body, err = os.ReadFile(path); err != nil || string(body) != string(broken) {
		t.Errorf("what stood there is gone: %s %v", body, err)
	}
}

// TestAlwaysIsGoodForNowWhereARuleAsks: a rule that wants a person to be asked counts more than what is kept.
func TestAlwaysIsGoodForNowWhereARuleAsks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(path, []byte(`{"rules":[{"decision":"ask","server":"*","tool":"write"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := agent.LoadRules(path)
	if err != nil {
		t.Fatal(err)
	}
	asked, h := 0, &heard{}
	m := &script{}
	a := newAgent(t, agent.Options{Model: m, Hear: h.hear, Tools: &bench{tools: []agent.Tool{tool("write", false)}}, Rules: rules,
		Approve: func(context.Context, agent.Call) (agent.Answer, error) {
			asked++
			return agent.Answer{Allow: true, Keep: agent.AlwaysWhatever}, nil
		}})
	for range 2 {
		m.replies = []any{calls(`write {}`)}
		if _, err := a.Turn(context.Background(), "go"); err != nil {
			t.Fatal(err)
		}
	}
	if notes := h.of(agent.EventNote); asked != 1 || len(notes) != 1 || !strings.Contains(notes[0].Text, "another one counts more") {
		t.Errorf("asked %d times, told %v", asked, notes)
	}
}
