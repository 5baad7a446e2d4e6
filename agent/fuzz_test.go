package agent

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzArguments: what is decided about is one object, written in one way.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{"", "{}", "null", `{"a":1,"a":"2"}`, `{"a":{"b":[1e9,"\u202e"]}} `, "{} {}", "[1]", "{\"a\":\xff}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := object(text)
		if err != nil {
			return
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(once, &fields); err != nil || fields == nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		if again, err := object(string(once)); err != nil || !bytes.Equal(again, once) {
			t.Errorf("%q became %q, and that %q: %v", text, once, again, err)
		}
		call := Call{Tool: Tool{Server: "s", ServerTool: "t"}, Arguments: once}
		if rule := (Rule{Decision: Allow, Server: "s", Tool: "t", Arguments: exactly(once)}); !rule.means(call) {
			t.Errorf("the pattern of %q is not like itself: %q", once, rule.Arguments)
		}
	})
}

// FuzzPattern: a pattern of a text is like that text alone, and * like every one.
func FuzzPattern(f *testing.F) {
	f.Add("/tmp/*", "/tmp/x")
	f.Add(`a\*b\\`, "a*b")
	f.Add("*a*a*", "aa")
	f.Fuzz(func(t *testing.T, one, other string) {
		if !like(literally(one), one) || !like("*", one) || like(literally(one), other) && one != other {
			t.Errorf("%q and %q", one, other)
		}
		like(one, other) // ends
	})
}

// FuzzTranscript: a file is refused, or it holds a conversation that is whole up to where it was cut.
func FuzzTranscript(f *testing.F) {
	begin := `{"kind":"begin","version":1}` + "\n"
	f.Add([]byte(begin + `{"kind":"message","message":{"role":"user","text":"x"}}` + "\n" + `{"kind":"us`))
	f.Add([]byte(begin + `{"kind":"compacted","messages":[{"role":"assistant","calls":[{"id":"a"}]}]}` + "\n"))
	f.Add([]byte("\n\n{}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		old := &Transcript{}
		whole, err := old.read(bytes.NewReader(body))
		if whole > int64(len(body)) || whole > 0 && body[whole-1] != '\n' {
			t.Fatalf("%d of %d bytes are whole", whole, len(body))
		}
		if err != nil {
			return
		}
		a := &Agent{messages: old.begun}
		a.settle()
		open := map[string]bool{}
		for _, m := range a.messages {
			if m.Role == RoleTool {
				delete(open, m.CallID)
				continue
			}
			if len(open) > 0 {
				t.Fatalf("%v have no answer", open)
			}
			for _, c := range m.Calls {
				open[c.ID] = true
			}
		}
		var out strings.Builder
		if err := Export(&out, a.messages); err != nil {
			t.Error(err)
		}
	})
}
