package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// scripted is a server of language models that says what stands in a file, a line for each time it is asked; the last line
// is said again and again.
//
//	say TEXT                 it speaks
//	call TOOL JSON [&& TOOL JSON]…   it asks for calls
//	obey                     it calls what the last tool says: call TOOL JSON
//	cut TEXT                 it breaks off in the middle of a call
//	status CODE TEXT         it refuses
type scripted struct {
	mu    sync.Mutex
	lines []string
	asked int
}

// model starts one, and sets $OPENAI_BASE_URL, $OPENAI_MODEL and $OPENAI_API_KEY.
func model(ts *testscript.TestScript, _ bool, args []string) {
	s := &scripted{lines: strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Setenv("OPENAI_BASE_URL", server.URL+"/v1")
	ts.Setenv("OPENAI_MODEL", "scripted")
	ts.Setenv("OPENAI_API_KEY", "hush-hush")
}

// elsewhere opens the only conversation in a folder until the script ends.
func elsewhere(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.MkAbs(args[0]), "conversations")
	all, err := agent.Transcripts(dir)
	ts.Check(err)
	if len(all) != 1 {
		ts.Fatalf("%s holds %d conversations", args[0], len(all))
	}
	open, err := agent.OpenTranscript(dir, all[0].ID)
	ts.Check(err)
	ts.Defer(func() { open.Close() })
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Messages []struct{ Role, Content string } `json:"messages"`
		Tools    []any                            `json:"tools"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Header.Get("Authorization") != "Bearer hush-hush" {
		http.Error(w, `{"error":{"message":"not like that"}}`, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	line := s.lines[min(s.asked, len(s.lines)-1)]
	s.asked++
	s.mu.Unlock()
	verb, rest, _ := strings.Cut(line, " ")
	last := q.Messages[len(q.Messages)-1].Content
	if verb == "obey" {
		var e struct{ Data string }
		json.Unmarshal([]byte(last), &e)
		verb, rest = "say", "I was told nothing"
		if _, order, found := strings.Cut(e.Data, "call "); found {
			verb, rest = "call", strings.TrimSuffix(strings.ReplaceAll(order, `\"`, `"`), `"}`)
		}
	}
	if verb == "status" {
		code, text := 0, ""
		fmt.Sscan(rest, &code)
		_, text, _ = strings.Cut(rest, " ")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"message":%q}}`, text)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	piece := func(delta any, finish any) {
		raw, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}})
		fmt.Fprintf(w, "data: %s\n\n", raw)
	}
	finish := "stop"
	switch verb {
	case "say":
		for word := range strings.SplitAfterSeq(strings.ReplaceAll(rest, "$LAST", last), " ") {
			piece(map[string]any{"content": word}, nil)
		}
	case "call", "cut":
		finish = "tool_calls"
		for i, call := range strings.Split(rest, " && ") {
			tool, arguments, _ := strings.Cut(call, " ")
			piece(map[string]any{"tool_calls": []any{map[string]any{"index": i, "id": fmt.Sprintf("c%d", i), "type": "function", "function": map[string]any{"name": tool, "arguments": arguments}}}}, nil)
		}
		if verb == "cut" {
			return
		}
	}
	piece(map[string]any{}, finish)
	io.WriteString(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n")
}
