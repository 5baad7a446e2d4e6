package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/openai"
)

// Cassettes are conversations as they went over the wire between this package and a server that is not ours. They are
// replayed: what is asked must be what was asked then, word for word. One is recorded anew by, for example,
//
//	go test ./agent/openai -run TestCassettes/smollm2 -record http://127.0.0.1:8080/v1
//
// Headers are not recorded, but for the two of an answer that count, and where the key stands in a body, it is cut out.
// Of those that are here, two-calls, cut and refused are of @copilotkit/aimock 1.43.0, as interop/model.mjs starts it, and
// smollm2 is of a real model that is tiny, as interop/smollm2.py starts it.
var (
	record    = flag.String("record", "", "ask the server at this URL, and write the cassettes anew")
	recordKey = flag.String("record-key", "not-a-key", "the key for that server")
)

// cassette is one file.
type cassette struct {
	Model     string     `json:"model"`
	Exchanges []exchange `json:"exchanges"`
}

type exchange struct {
	Path   string            `json:"path"` // below the base URL
	Asked  json.RawMessage   `json:"asked"`
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []string          `json:"body"`             // its lines
	Broken bool              `json:"broken,omitempty"` // the connection broke after them
}

// recorder passes requests on, and remembers them.
type recorder struct {
	base, key string
	cassette  cassette
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	asked, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(asked))
	res, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, broke := io.ReadAll(res.Body)
	res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), ends(broke != nil)))
	e := exchange{Path: strings.TrimPrefix(q.URL.String(), r.base), Asked: asked, Status: res.StatusCode, Header: map[string]string{}, Broken: broke != nil,
		Body: strings.SplitAfter(strings.ReplaceAll(string(body), r.key, "…"), "\n")}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if v := res.Header.Get(name); v != "" {
			e.Header[name] = v
		}
	}
	r.cassette.Exchanges = append(r.cassette.Exchanges, e)
	return res, nil
}

// player answers as was answered then.
type player struct {
	t        *testing.T
	cassette cassette
	base     string
	next     int
}

func (p *player) RoundTrip(q *http.Request) (*http.Response, error) {
	if p.next == len(p.cassette.Exchanges) {
		return nil, errors.New("the cassette has ended")
	}
	e := p.cassette.Exchanges[p.next]
	p.next++
	asked, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	var got, want any
	if err := errors.Join(json.Unmarshal(asked, &got), json.Unmarshal(e.Asked, &want)); err != nil || !reflect.DeepEqual(got, want) || q.URL.String() != p.base+e.Path {
		p.t.Errorf("question %d differs from what was asked: %v\n%s %s\nthen it was\n%s %s", p.next, err, q.URL, asked, e.Path, e.Asked)
	}
	header := http.Header{}
	for name, value := range e.Header {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: e.Status, Header: header, Body: io.NopCloser(io.MultiReader(strings.NewReader(strings.Join(e.Body, "")), ends(e.Broken))), Request: q}, nil
}

// ends is how a body ends: true with a connection that breaks.
type ends bool

func (e ends) Read([]byte) (int, error) {
	if e {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

// workshop are tools that always answer the same.
type workshop struct {
	mu   sync.Mutex
	made []string
}

func (*workshop) List(context.Context) ([]agent.Tool, error) {
	tool := func(name, description, schema string) agent.Tool {
		return agent.Tool{Name: name, Description: description, Schema: json.RawMessage(schema), Server: "https://mcp.example.com/mcp", ServerName: "mcp.example.com", ServerTool: name, ReadOnly: true}
	}
	return []agent.Tool{
		tool("reverse_tool", "Reverse a text", `{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}`),
		tool("random_number_tool", "A random number", `{"type":"object","properties":{"min":{"type":"integer"},"max":{"type":"integer"}},"required":["min","max"]}`),
	}, nil
}

func (w *workshop) Call(_ context.Context, t agent.Tool, arguments json.RawMessage, _ func(agent.Progress)) (agent.Result, error) {
	w.mu.Lock()
	w.made = append(w.made, t.Name+" "+string(arguments))
	w.mu.Unlock()
	if t.Name == "random_number_tool" {
		return agent.Result{Text: `{"random_number":7}`}, nil
	}
	var asked struct{ Query string }
	if err := json.Unmarshal(arguments, &asked); err != nil {
		return agent.Result{Text: err.Error(), IsError: true}, nil
	}
	letters := []byte(asked.Query)
	slices.Reverse(letters)
	return agent.Result{Text: `{"reversed_query":"` + string(letters) + `"}`}, nil
}

func TestCassettes(t *testing.T) {
	for _, row := range []struct {
		name, model, prompt string
		made                []string
		says                string
		fault               agent.Fault
	}{
		{"two-calls", "mock", "reverse this text and give me a random number between 1 and 40",
			[]string{`random_number_tool {"max":40,"min":1}`, `reverse_tool {"query":"this text"}`}, "txet siht, and 7.", ""},
		{"cut", "mock", "reverse this text", nil, "", agent.FaultCut},
		{"refused", "mock", "reverse this text", nil, "", agent.FaultKey},
		{"smollm2", "SmolLM2-135M-Instruct", "give me a random number between 1 and 40", []string{`random_number_tool {"max":40,"min":1}`}, "7", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := filepath.Join("testdata", "cassettes", row.name+".json")
			base := "https://model.example/v1"
			var transport http.RoundTripper
			var recorded *recorder
			if *record != "" {
				base = strings.TrimSuffix(*record, "/")
				recorded = &recorder{base: base, key: *recordKey, cassette: cassette{Model: row.model}}
				transport = recorded
			} else {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				p := &player{t: t, base: base}
				if err := json.Unmarshal(body, &p.cassette); err != nil {
					t.Fatal(err)
				}
				defer func() {
					if p.next != len(p.cassette.Exchanges) {
						t.Errorf("%d of %d questions were asked", p.next, len(p.cassette.Exchanges))
					}
				}()
				transport = p
			}
			model, err := openai.New(openai.Config{URL: base, Model: row.model, Key: *recordKey, HTTPClient: &http.Client{Transport: transport}})
			if err != nil {
				t.Fatal(err)
			}
			tools := &workshop{}
			a, err := agent.New(agent.Options{Model: model, Tools: tools, System: "You call tools.", Limits: agent.Limits{Tries: 1, Calls: 1}})
			if err != nil {
				t.Fatal(err)
			}
			out, err := a.Turn(t.Context(), row.prompt)
			var fault *agent.ModelError
			switch {
			case row.fault == "" && (err != nil || !strings.Contains(out.Text, row.says)):
				t.Errorf("%q %v, want %q", out.Text, err, row.says)
			case row.fault != "" && (!errors.As(err, &fault) || fault.Fault != row.fault):
				t.Errorf("%v, want %s", err, row.fault)
			}
			slices.Sort(tools.made) // calls of one turn run at the same time
			if !slices.Equal(tools.made, row.made) {
				t.Errorf("%q were called, want %q", tools.made, row.made)
			}
			if recorded != nil {
				recorded.write(t, file)
			}
		})
	}
}

func (r *recorder) write(t *testing.T, file string) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(r.cassette); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), r.key) {
		t.Fatal("the key would stand in the cassette")
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}
