package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// events answers with server-sent events.
func events(data ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, d := range data {
			fmt.Fprintf(w, "data: %s\n\n", d)
		}
	}
}

func delta(body string) string { return `{"choices":[{"index":0,"delta":` + body + `}]}` }

const (
	stop  = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	tools = `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
	usage = `{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`
)

func model(t *testing.T, h http.HandlerFunc, c Config) *Model {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c.URL, c.Model = s.URL+c.URL, "m"
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnswersArePutTogether(t *testing.T) {
	for _, row := range []struct {
		name  string
		data  []string
		text  string
		calls []agent.ToolCall
		usage *agent.Usage
	}{
		{"text in pieces", []string{delta(`{"role":"assistant","content":"Hel"}`), delta(`{"content":"lo"}`), stop, usage, "[DONE]"}, "Hello", nil, &agent.Usage{In: 12, Out: 5}},
		{"usage that nobody says is unknown", []string{delta(`{"content":"x"}`), stop, "[DONE]"}, "x", nil, nil},
		{"an end without a last word", []string{delta(`{"content":"x"}`), stop}, "x", nil, nil},
		{"two calls whose pieces are mixed", []string{
			delta(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":"{\"q\""}}]}`),
			delta(`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":""}}]}`),
			delta(`{"tool_calls":[{"index":1,"function":{"arguments":"{}"}},{"index":0,"function":{"arguments":":1}"}}]}`), tools, "[DONE]"},
			"", []agent.ToolCall{{ID: "a", Tool: "one", Arguments: `{"q":1}`}, {ID: "b", Tool: "two", Arguments: "{}"}}, nil},
		{"calls that nobody counts", []string{
			delta(`{"tool_calls":[{"id":"a","function":{"name":"one","arguments":"{}"}},{"id":"b","function":{"name":"one","arguments":"{"}}]}`),
			delta(`{"tool_calls":[{"function":{"arguments":"}"}}]}`), stop, "[DONE]"},
			"", []agent.ToolCall{{ID: "a", Tool: "one", Arguments: "{}"}, {ID: "b", Tool: "one", Arguments: "{}"}}, nil},
		{"two calls that are both counted as the first", []string{
			delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"{}"}}]}`),
			delta(`{"tool_calls":[{"index":0,"id":"b","function":{"name":"two","arguments":"{"}},{"index":0,"function":{"arguments":"}"}}]}`), tools, "[DONE]"},
			"", []agent.ToolCall{{ID: "a", Tool: "one", Arguments: "{}"}, {ID: "b", Tool: "two", Arguments: "{}"}}, nil},
		{"a name that each piece repeats", []string{
			delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"{"}}]}`),
			delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"}"}}]}`), tools, "[DONE]"},
			"", []agent.ToolCall{{ID: "a", Tool: "one", Arguments: "{}"}}, nil},
		{"arguments that are no JSON come as they are", []string{delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"{\"q\":"}}]}`), tools, "[DONE]"},
			"", []agent.ToolCall{{ID: "a", Tool: "one", Arguments: `{"q":`}}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var pieces strings.Builder
			r, err := model(t, events(row.data...), Config{}).Stream(t.Context(), agent.Request{}, func(s string) { pieces.WriteString(s) })
			if err != nil {
				t.Fatal(err)
			}
			if r.Text != row.text || pieces.String() != row.text || fmt.Sprint(r.Calls) != fmt.Sprint(row.calls) {
				t.Errorf("%+v, heard %q", r, pieces.String())
			}
			if (r.Usage == nil) != (row.usage == nil) || r.Usage != nil && *r.Usage != *row.usage {
				t.Errorf("usage %+v, want %+v", r.Usage, row.usage)
			}
		})
	}
}

func TestFaultsHaveNames(t *testing.T) {
	refuse := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, row := range []struct {
		name  string
		h     http.HandlerFunc
		fault agent.Fault
		after time.Duration
		says  string
	}{
		{"401, and the key it repeats is not", refuse(401, "", `{"error":{"message":"Incorrect API key provided: hush-hush. See the docs."}}`), agent.FaultKey, 0, "401, Incorrect API key provided: … See the docs."},
		{"403", refuse(403, "", `no`), agent.FaultKey, 0, "403"},
		{"429 that says how long", refuse(429, "Retry-After: 7", `{"error":{"message":"slow down"}}`), agent.FaultBusy, 7 * time.Second, "429, slow down"},
		{"429 without money", refuse(429, "", `{"error":{"message":"no quota","code":"insufficient_quota"}}`), agent.FaultKey, 0, "no quota"},
		{"500", refuse(500, "", `oops`), agent.FaultServer, 0, "500"},
		{"404", refuse(404, "", `{"error":{"message":"no such model"}}`), agent.FaultRequest, 0, "no such model"},
		{"a redirect", refuse(307, "Location: http://127.0.0.1:1/", ``), agent.FaultRequest, 0, "redirect"},
		{"no end", events(delta(`{"content":"x"}`)), agent.FaultCut, 0, "no end"},
		{"cut in a call", events(delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"{\"q\""}}]}`)), agent.FaultCut, 0, "no end"},
		{"an error in the middle", events(delta(`{"content":"x"}`), `{"error":{"message":"overloaded","type":"server_error"}}`), agent.FaultServer, 0, "overloaded"},
		{"no JSON in the middle", events(delta(`{"content":"x"}`), `{{{`), agent.FaultCut, 0, "invalid"},
		{"the connection breaks", func(w http.ResponseWriter, r *http.Request) {
			events(delta(`{"content":"x"}`))(w, r)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, agent.FaultCut, 0, "EOF"},
		{"too long", events(`{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`), agent.FaultRequest, 0, "longer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := model(t, row.h, Config{Key: "hush-hush."})
			_, err := m.Stream(t.Context(), agent.Request{}, func(string) {})
			var fault *agent.ModelError
			if !errors.As(err, &fault) || fault.Fault != row.fault || fault.RetryAfter != row.after || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v, want %s saying %q", err, row.fault, row.says)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the key is told: %v", err)
			}
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	m, err := New(Config{URL: gone.URL, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var fault *agent.ModelError
	if _, err := m.Stream(t.Context(), agent.Request{}, func(string) {}); !errors.As(err, &fault) || fault.Fault != agent.FaultUnreachable {
		t.Errorf("%v, want unreachable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Stream(ctx, agent.Request{}, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
}

func TestWhatIsAsked(t *testing.T) {
	var got *http.Request
	var body map[string]any
	h := func(w http.ResponseWriter, r *http.Request) {
		got = r
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		events(stop, "[DONE]")(w, r)
	}
	request := agent.Request{
		Messages: []agent.Message{{Role: agent.RoleSystem, Text: "s"}, {Role: agent.RoleUser, Text: "u"},
			{Role: agent.RoleAssistant, Calls: []agent.ToolCall{{ID: "a", Tool: "one", Arguments: "{broken"}}}, {Role: agent.RoleTool, CallID: "a", Text: "t"}},
		Tools: []agent.Tool{{Name: "one", Description: "d", Schema: json.RawMessage(`{"type":"object"}`)}},
	}
	token := func(context.Context) (*oauth2.Token, error) { return &oauth2.Token{AccessToken: "t"}, nil }
	for _, row := range []struct {
		name   string
		c      Config
		path   string
		header [2]string
	}{
		{"with a key", Config{URL: "/v1/", Key: "k"}, "/v1/chat/completions", [2]string{"Authorization", "Bearer k"}},
		{"without one", Config{URL: "/v1"}, "/v1/chat/completions", [2]string{"Authorization", ""}},
		{"Azure with a key", Config{Azure: true, Key: "k"}, "/openai/deployments/m/chat/completions?api-version=" + DefaultAzureVersion, [2]string{"Api-Key", "k"}},
		{"Azure as OpenAI is asked, with a token", Config{URL: "/openai/v1/", Azure: true, Token: token}, "/openai/v1/chat/completions", [2]string{"Authorization", "Bearer t"}},
		{"Azure as OpenAI is asked, with a key", Config{URL: "/openai/v1", Azure: true, Key: "k"}, "/openai/v1/chat/completions", [2]string{"Authorization", "Bearer k"}},
		{"Azure with a token", Config{Azure: true, AzureVersion: "v9", Token: token}, "/openai/deployments/m/chat/completions?api-version=v9", [2]string{"Authorization", "Bearer t"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := model(t, h, row.c).Stream(t.Context(), request, func(string) {}); err != nil {
				t.Fatal(err)
			}
			if got.URL.RequestURI() != row.path || got.Header.Get(row.header[0]) != row.header[1] {
				t.Errorf("%s with %v", got.URL.RequestURI(), got.Header)
			}
		})
	}
	got = nil
	lost := errors.New("the person went home")
	m := model(t, h, Config{Azure: true, Token: func(context.Context) (*oauth2.Token, error) { return nil, lost }})
	if _, err := m.Stream(t.Context(), request, func(string) {}); !errors.Is(err, lost) || errors.As(err, new(*agent.ModelError)) || got != nil {
		t.Errorf("without a token: %v, asked %v", err, got)
	}
	raw, err := json.Marshal(body["messages"])
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"content":"s","role":"system"},{"content":"u","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"one"},"id":"a","type":"function"}]},{"content":"t","role":"tool","tool_call_id":"a"}]`
	if string(raw) != want || body["stream"] != true {
		t.Errorf("asked %s", raw)
	}
	for name, c := range map[string]Config{
		"no model":              {URL: "https://m.example"},
		"a key over plain http": {URL: "http://m.example/v1", Model: "m", Key: "k"},
		"a user in the URL":     {URL: "https://u:p@m.example/v1", Model: "m"},
		"no URL":                {URL: "m.example", Model: "m"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestModelsOnThisMachineAreFound(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/models" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked %s with %v", r.URL, r.Header)
		}
		io.WriteString(w, `{"object":"list","data":[{"id":"tiny"},{"id":"small"}]}`)
	}))
	defer s.Close()
	other := httptest.NewServer(http.NotFoundHandler()) // somebody else listens there
	defer other.Close()
	got := find(t.Context(), nil, []Local{{Name: "Ollama", URL: other.URL + "/v1"}, {Name: "vLLM", URL: s.URL + "/v1"}})
	if len(got) != 1 || got[0].Name != "vLLM" || len(got[0].Models) != 2 {
		t.Errorf("found %+v", got)
	}
}

// TestAnswersAreBounded: what never ends is given up, and not asked for again.
func TestAnswersAreBounded(t *testing.T) {
	mega := strings.Repeat("x", 4<<20)
	for _, row := range []struct{ name, first, each, says string }{
		{"arguments of a hundred megabytes", "", delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"` + mega + `"}}]}`), "more than 8 MiB"},
		{"text of a hundred megabytes", "", delta(`{"content":"` + mega + `"}`), "more than 8 MiB"},
		{"a name of a hundred megabytes", "", delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"` + mega + `"}},{"index":0,"function":{"name":"y"}}]}`), "more than 8 MiB"},
		{"a piece without end", `{"choices":[{"index":0,"delta":{"content":"`, mega, "more than 8 MiB"},
		{"calls without number", "", delta(`{"tool_calls":[` + strings.TrimSuffix(strings.Repeat(`{"function":{"name":"one"}},`, 500), ",") + `]}`), "more than 1000 calls"},
		{"comments without end", delta(`{"content":"x"}`) + "\n\n", ": " + mega + "\n\n", "more than 64 MiB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := model(t, func(w http.ResponseWriter, r *http.Request) {
				before, after := "data: ", "\n\n"
				if row.first != "" {
					io.WriteString(w, before+row.first)
					before, after = "", ""
				}
				for r.Context().Err() == nil {
					io.WriteString(w, before+row.each+after)
				}
			}, Config{})
			_, err := m.Stream(t.Context(), agent.Request{}, func(string) {})
			var fault *agent.ModelError
			if !errors.As(err, &fault) || fault.Fault != agent.FaultRequest || !strings.Contains(err.Error(), row.says) {
				t.Errorf("%.200v, want %q", err, row.says)
			}
		})
	}
}
