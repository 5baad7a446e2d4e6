package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// model starts aimock, which says these replies in order, and returns its URL. It ends with the test.
func model(t *testing.T, replies ...map[string]any) string {
	t.Helper()
	readSources(t)
	given, err := json.Marshal(replies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), nodePath, "model.mjs")
	cmd.Env = environment(t, "OPTIONS="+string(given))
	stderr := &syncBuffer{}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var ready struct{ URL string }
		if json.Unmarshal(lines.Bytes(), &ready) == nil && ready.URL != "" {
			return ready.URL
		}
	}
	t.Fatalf("the model does not start: %s", stderr)
	return ""
}

func toolCall(name, arguments string) map[string]any {
	return map[string]any{"name": name, "arguments": arguments}
}

// happened is one line of --output jsonl.
type happened struct {
	At        time.Time
	Event     string
	Call      string
	Tool      string
	Outcome   string
	Text      string
	Error     string
	Arguments json.RawMessage
	Progress  struct{ Done, Total float64 }
	Totals    struct{ In, Out int64 }
}

// agentOf runs the agent once, signed in as a program, and returns what happened.
func agentOf(t *testing.T, s *server, url, prompt string) []happened {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "agent", s.MCP, "-p", prompt, "--output", "jsonl")
	cmd.Dir = t.TempDir()
	cmd.Env = environment(t, "OPENAI_BASE_URL="+url, "OPENAI_MODEL=mock", "OPENAI_API_KEY=not-a-key",
		"FASTMCP_AUTH_CLIENT_ID=dev-service", "FASTMCP_AUTH_CLIENT_SECRET=dev-service-secret", "FASTMCP_AUTH_CLIENT_ISSUER="+s.Issuer)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), stderr.String())
	}
	var all []happened
	for line := range strings.Lines(out.String()) {
		var h happened
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, h)
	}
	return all
}

func TestTheAgentWorksWithAModelThatIsNotOurs(t *testing.T) {
	s := serve(t, "--reverse-duration", "300ms")
	url := model(t,
		map[string]any{"toolCalls": []any{toolCall("reverse_tool", `{"query":"this text"}`), toolCall("random_number_tool", `{"min":1,"max":40}`)}},
		map[string]any{"content": "Both are done."})
	results := map[string]string{}
	last := happened{}
	tools := map[string]string{}
	for _, h := range agentOf(t, s, url, "reverse this text and give me a random number between 1 and 40") {
		switch last = h; h.Event {
		case "call":
			tools[h.Call] = h.Tool
		case "result":
			results[tools[h.Call]] = h.Outcome + h.Text
		}
	}
	if !strings.Contains(results["reverse_tool"], "txet siht") || !strings.Contains(results["random_number_tool"], `"random_number":`) {
		t.Errorf("the tools answered %v", results)
	}
	if last.Event != "end" || last.Text != "Both are done." || last.Error != "" || last.Totals.In == 0 {
		t.Errorf("it ends with %+v", last)
	}
}

// TestTwoCallsOfOneToolOverlap: each begins before the other ends, and reports progress of its own meanwhile.
func TestTwoCallsOfOneToolOverlap(t *testing.T) {
	s := serve(t, "--reverse-duration", "1s")
	url := model(t,
		map[string]any{"toolCalls": []any{toolCall("reverse_tool", `{"query":"one"}`), toolCall("reverse_tool", `{"query":"two and more"}`)}},
		map[string]any{"content": "Both are done."})
	began, ended, steps := map[string]time.Time{}, map[string]time.Time{}, map[string]int{}
	var order []string
	for _, h := range agentOf(t, s, url, "reverse both") {
		switch h.Event {
		case "call":
			order = append(order, h.Call)
		case "start":
			began[h.Call] = h.At
		case "progress":
			if len(began) == 2 && len(ended) == 0 {
				steps[h.Call]++
			}
		case "result":
			ended[h.Call] = h.At
			if h.Outcome != "done" {
				t.Errorf("%+v", h)
			}
		}
	}
	if len(order) != 2 || order[0] == order[1] {
		t.Fatalf("calls %v, want two", order)
	}
	for i, id := range order {
		other := order[1-i]
		if !began[id].Before(ended[other]) {
			t.Errorf("%s began at %v, after %s had ended at %v", id, began[id], other, ended[other])
		}
		if steps[id] == 0 {
			t.Errorf("%s reports no progress while both run", id)
		}
	}
}
