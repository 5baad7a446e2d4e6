package openai

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// canned is a server that always answers the same.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(string(c))), Request: r}, nil
}

// FuzzStream: whatever a server sends is an answer, or an error that says what is at fault; what is heard is what is kept.
func FuzzStream(f *testing.F) {
	f.Add("data: " + delta(`{"content":"x"}`) + "\n\ndata: " + stop + "\n\ndata: [DONE]\n\n")
	f.Add("data: " + delta(`{"tool_calls":[{"index":-1,"id":"a","function":{"name":"one","arguments":"{"}},{"function":{"arguments":"}"}}]}`) + "\n\ndata: " + tools)
	f.Add("data: {\"error\":{\"message\":\"sk-secret hush-hush\"}}\n\n")
	f.Add(": ping\n\ndata: null\n\ndata: {\"choices\":[{}]}\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		m, err := New(Config{URL: "https://model.example/v1", Model: "m", Key: "hush-hush", HTTPClient: &http.Client{Transport: canned(body)}})
		if err != nil {
			t.Fatal(err)
		}
		var heard strings.Builder
		reply, err := m.Stream(context.Background(), agent.Request{}, func(s string) { heard.WriteString(s) })
		if err != nil {
			if !errors.As(err, new(*agent.ModelError)) {
				t.Errorf("%v", err)
			}
			if len(err.Error()) > 1000 || strings.Contains(err.Error(), "hush-hush") {
				t.Errorf("it says too much: %v", err)
			}
			return
		}
		if reply.Text != heard.String() {
			t.Errorf("heard %q, kept %q", heard.String(), reply.Text)
		}
	})
}
