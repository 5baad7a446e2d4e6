package agent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
		{"decision": "ask", "server": "*", "tool": "look"}]}`
	for _, row := range []struct{ name, call, outcome string }{
		{"what is allowed", `write {"path":"/tmp/x"}`, "done"},
		{"a deny counts more than an allow", `write {"path":"/tmp/../etc/passwd"}`, "refused"},
		{"another path", `write {"path":"/etc/passwd"}`, "refused"},
		{"an argument that no pattern names", `write {"path":"/tmp/x","mode":"0777"}`, "refused"},
		{"an argument that is missing", `write {}`, "refused"},
		{"the last of two arguments of one name is what is sent, and what is decided about", `write {"path":"/tmp/x","path":"/etc/passwd"}`, "refused"},
		{"no server is believed that its tool changes nothing", `list {}`, "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := agent.ParseRules([]byte(file))
			if err != nil {
				t.Fatal(err)
			}
			m := &script{replies: []any{calls(row.call)}}
			a := newAgent(t, agent.Options{Model: m, Rules: r, Tools: &bench{tools: []agent.Tool{tool("write", false), tool("look", true), tool("list", true)}}})
			if _, err := a.Turn(context.Background(), "go"); err != nil {
				t.Fatal(err)
			}
			if got := m.answers(t)[0]; got["outcome"] != row.outcome {
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
