package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Tools are what a model may call. Both methods may be called at the same time.
type Tools interface {
	// List is what there is now. Names are unique.
	List(ctx context.Context) ([]Tool, error)
	// Call runs a tool that List named. hear is told how far it is, in order and never after Call has returned. When ctx
	// ends, so does the call. A tool that answers with an error of its own is a Result with IsError, and no error.
	Call(ctx context.Context, t Tool, arguments json.RawMessage, hear func(Progress)) (Result, error)
}

// Tool is one tool. Its words are a stranger's.
type Tool struct {
	Name        string          // what the model calls it; unique
	Server      string          // whose it is: what rules know it by, such as a URL
	ServerName  string          // the same, short, for people
	ServerTool  string          // what the server calls it
	Description string          // for the model
	Schema      json.RawMessage // of the arguments; nil means any object
	ReadOnly    bool            // the server says that it changes nothing
}

// Progress is how far a call is.
type Progress struct {
	Done, Total float64 // Total 0 means unknown
	Message     string  // a stranger's words
}

// Result is what a tool answered.
type Result struct {
	Text    string
	IsError bool
}

// envelope marks a text as what a tool answered. JSON has an end that the text cannot write.
func envelope(t Tool, outcome, text string) string {
	raw, err := json.Marshal(struct {
		Tool    string `json:"from_tool"`
		Server  string `json:"server,omitempty"`
		Outcome string `json:"outcome"`
		Text    string `json:"data"`
	}{t.Name, t.ServerName, outcome, text})
	if err != nil {
		return `{"outcome":"error","data":"the answer cannot be shown"}`
	}
	return string(raw)
}

// capped bounds a text to n bytes, and says what is missing.
func capped(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return fmt.Sprintf("%s\n[cut here: %d of %d bytes are left out]", text[:cut], len(text)-cut, len(text))
}
