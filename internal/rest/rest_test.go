package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/rest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// api is a REST API with one tool, whose result is large. Who calls says so in a header.
func api(t *testing.T) http.Handler {
	t.Helper()
	box, err := toolbox.New(toolbox.Options{Policy: policy.Open(), Tools: []toolbox.Tool{{
		Definition: &mcp.Tool{Name: "large", InputSchema: json.RawMessage(`{"type":"object"}`)},
		Call: func(context.Context, json.RawMessage, func(float64, float64, string)) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("x", 320<<10)}}}, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := calls.New(calls.Options{Box: box, Store: store.Memory(store.MemoryOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	go runner.Run(t.Context())
	h, err := rest.New(rest.Options{Box: box, Calls: runner, WriteTimeout: time.Minute, NeedsScope: func(http.ResponseWriter, *http.Request, []string) {},
		Protect: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				who := &identity.Identity{Issuer: "https://idp.example", Subject: r.Header.Get("Who"), Kind: identity.Person}
				next.ServeHTTP(w, r.WithContext(identity.NewContext(r.Context(), who)))
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	return mux
}

// ended makes a call and returns its place once it has ended.
func ended(t *testing.T, h http.Handler, who string) string {
	t.Helper()
	r := httptest.NewRequest("POST", "/api/v1/calls", strings.NewReader(`{"tool":"large"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Who", who)
	begun := httptest.NewRecorder()
	h.ServeHTTP(begun, r)
	place := begun.Header().Get("Location")
	if begun.Code != 202 || place == "" {
		t.Fatalf("begun: %d %s", begun.Code, begun.Body)
	}
	if events := get(h, place+"/events", who, &slow{ResponseRecorder: httptest.NewRecorder()}); !strings.Contains(events.Body.String(), `"state":"completed"`) {
		t.Fatalf("it ends with %s", events.Body)
	}
	return place
}

func get[W http.ResponseWriter](h http.Handler, place, who string, w W) W {
	r := httptest.NewRequest("GET", place, nil)
	r.Header.Set("Who", who)
	h.ServeHTTP(w, r)
	return w
}

// slow is a reader who takes nothing until told to, and keeps how long each piece may take.
type slow struct {
	*httptest.ResponseRecorder
	reached chan<- struct{} // receives when something is to be taken
	take    <-chan struct{} // closed when it is; nil means at once

	pieces    []int
	deadlines []time.Time
}

func (s *slow) SetWriteDeadline(at time.Time) error {
	s.deadlines = append(s.deadlines, at)
	return nil
}

func (s *slow) Write(data []byte) (int, error) {
	if len(s.pieces) == 0 && s.take != nil {
		s.reached <- struct{}{}
		<-s.take
	}
	s.pieces = append(s.pieces, len(data))
	return s.ResponseRecorder.Write(data)
}

// attack 60: results that are read slowly are held in memory meanwhile.
func TestAttack60_OneCallerReadsOnlySoManyLargeResultsAtOnce(t *testing.T) {
	h := api(t)
	anna, bert := ended(t, h, "anna"), ended(t, h, "bert")
	reached, take, done := make(chan struct{}), make(chan struct{}), make(chan *slow)
	for range 8 {
		go func() {
			done <- get(h, anna, "anna", &slow{ResponseRecorder: httptest.NewRecorder(), reached: reached, take: take})
		}()
		<-reached
	}
	if w := get(h, anna, "anna", httptest.NewRecorder()); w.Code != 429 || !strings.Contains(w.Body.String(), `"code":"busy"`) || w.Header().Get("Retry-After") == "" {
		t.Errorf("one too many: %d %v %.200s", w.Code, w.Header(), w.Body)
	}
	if w := get(h, bert, "bert", httptest.NewRecorder()); w.Code != 200 {
		t.Errorf("somebody else: %d %.200s", w.Code, w.Body)
	}
	close(take)
	for range 8 {
		s := <-done
		if s.Code != 200 || s.Body.Len() < 320<<10 || !json.Valid(s.Body.Bytes()) {
			t.Errorf("a slow reader: %d, %d bytes", s.Code, s.Body.Len())
		}
		if len(s.pieces) < 5 || len(s.deadlines) < len(s.pieces) {
			t.Errorf("%d bytes in %d pieces, with %d deadlines", s.Body.Len(), len(s.pieces), len(s.deadlines))
		}
	}
	if w := get(h, anna, "anna", httptest.NewRecorder()); w.Code != 200 {
		t.Errorf("afterwards: %d %.200s", w.Code, w.Body)
	}
}
