package toolbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

const shortTexts = "rules:\n  - name: short texts\n    tools: [echo]\n    when: arguments.text.size() < 4\n"

func parsed(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAttack55TheCallDecidesAgain: what a face asked about and what it then calls are two things, and each is decided.
func TestAttack55TheCallDecidesAgain(t *testing.T) {
	called := 0
	box := newBox(t, toolbox.Options{Policy: parsed(t, shortTexts), Tools: []toolbox.Tool{
		tool("echo", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			called++
			return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "x"}}, nil
		}),
	}})
	ctx := as(t.Context(), "ada")
	if err := box.AllowCall(ctx, "echo", json.RawMessage(`{"text":"abc"}`)); err != nil {
		t.Fatal(err)
	}
	_, err := box.Call(ctx, &toolbox.Call{Name: "echo", Arguments: json.RawMessage(`{"text":"abcd"}`)})
	var refused *toolbox.UnknownError
	if !errors.As(err, &refused) || !refused.Listed || called != 0 {
		t.Errorf("a call that was changed is answered %v, called %d times", err, called)
	}
	if _, err := box.Call(ctx, &toolbox.Call{Name: "echo", Arguments: json.RawMessage(`{"text":"abc"}`)}); err != nil || called != 1 {
		t.Errorf("the call that was asked about is answered %v, called %d times", err, called)
	}
	// The policy that is in use when the call begins decides, not the one that was asked.
	if err := box.AllowCall(ctx, "echo", json.RawMessage(`{"text":"abc"}`)); err != nil {
		t.Fatal(err)
	}
	box.SetPolicy(parsed(t, "rules: []\n"))
	if _, err := box.Call(ctx, &toolbox.Call{Name: "echo", Arguments: json.RawMessage(`{"text":"abc"}`)}); err == nil || err.Error() != `unknown tool "echo"` || called != 1 {
		t.Errorf("a call under another policy is answered %v, called %d times", err, called)
	}
}

func TestSetPolicy(t *testing.T) {
	box := newBox(t, toolbox.Options{Policy: parsed(t, shortTexts), Tools: []toolbox.Tool{tool("echo", say(nil))}})
	ctx := as(t.Context(), "ada")
	for _, row := range []struct {
		name   string
		policy *policy.Policy
		listed int
		allows bool
	}{
		{"RS-20 the list shows what some arguments open", parsed(t, shortTexts), 1, true},
		{"a policy without rules hides everything", parsed(t, "rules: []\n"), 0, false},
		{"attack 54 no policy denies everything", nil, 0, false},
		{"and what comes next decides", parsed(t, "rules: [{name: all, tools: '*'}]\n"), 1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			box.SetPolicy(row.policy)
			if got := len(box.Tools(ctx)); got != row.listed {
				t.Errorf("%d tools are listed", got)
			}
			if err := box.AllowCall(ctx, "echo", json.RawMessage(`{"text":"abc"}`)); (err == nil) != row.allows {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestShadow(t *testing.T) {
	var log bytes.Buffer
	box := newBox(t, toolbox.Options{
		Policy: parsed(t, "rules: [{name: all, tools: '*'}]\n"), Tools: []toolbox.Tool{tool("echo", say(map[string]string{"said": "x"}))},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	box.SetShadow(parsed(t, shortTexts))
	ctx := as(t.Context(), "ada")
	for text, differs := range map[string]bool{"abc": false, "hush!": true} {
		log.Reset()
		if _, err := box.Call(ctx, &toolbox.Call{Name: "echo", RequestID: "r1", Arguments: json.RawMessage(`{"text":"` + text + `"}`)}); err != nil {
			t.Fatal(err)
		}
		said := log.String()
		if differs != strings.Contains(said, `msg="shadow policy differs" operation=echo decision=allow rule=all request_id=r1 would_be=deny would_be_rule="no rule"`) {
			t.Errorf("%s is told as %s", text, said)
		}
		if strings.Contains(said, "hush") || strings.Contains(said, "ada") {
			t.Errorf("the log names the caller or the arguments: %s", said)
		}
	}
	log.Reset()
	box.SetShadow(nil)
	if _, err := box.Call(ctx, &toolbox.Call{Name: "echo", Arguments: json.RawMessage(`{"text":"hush!"}`)}); err != nil || log.Len() > 0 {
		t.Errorf("without a shadow it answers %v and says %s", err, log.String())
	}
}

// TestAttack54AChangeOfPolicyIsWhole: while policies are swapped, each call is decided by one of them, wholly.
func TestAttack54AChangeOfPolicyIsWhole(t *testing.T) {
	rules := "rules:\n  - {name: short, tools: [echo], when: arguments.text.size() < 3}\n  - {name: known, tools: [echo], tenants: [%s]}\n"
	policies := []*policy.Policy{parsed(t, fmt.Sprintf(rules, "a")), parsed(t, fmt.Sprintf(rules, "b")), parsed(t, "rules: [{name: short, tools: '*', when: 'arguments.text != \"abc\"'}]\n")}
	box := newBox(t, toolbox.Options{Policy: policies[0], MaxRunningPerCaller: 100, Tools: []toolbox.Tool{tool("echo", say(map[string]string{"said": "x"}))}})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			ctx := as(t.Context(), "ada")
			for i := range 300 {
				text, allowed := "ab", true
				if i%2 == 0 {
					text, allowed = "abc", false
				}
				_, err := box.Call(ctx, &toolbox.Call{Name: "echo", Arguments: json.RawMessage(`{"text":"` + text + `"}`)})
				if (err == nil) != allowed {
					t.Errorf("%s is answered %v", text, err)
				}
				if len(box.Tools(ctx)) != 1 {
					t.Error("the tool is not listed")
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for i := 0; ; i++ {
		box.SetPolicy(policies[i%len(policies)])
		select {
		case <-done:
			return
		default:
		}
	}
}
