package calls_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// world is a store and the servers that share it.
type world struct {
	t     *testing.T
	store *flaky
	made  atomic.Int32 // calls of the tools
}

// flaky is a store that can be taken away.
type flaky struct {
	store.Store
	away atomic.Bool
}

var errAway = errors.New("connection refused at 10.1.2.3")

func (f *flaky) Put(ctx context.Context, key string, v []byte, w store.Write) (uint64, error) {
	if f.away.Load() {
		return 0, errAway
	}
	return f.Store.Put(ctx, key, v, w)
}

func (f *flaky) Get(ctx context.Context, key string) (store.Item, error) {
	if f.away.Load() {
		return store.Item{}, errAway
	}
	return f.Store.Get(ctx, key)
}

func (f *flaky) Append(ctx context.Context, log string, e []byte, k store.Keep) (uint64, error) {
	if f.away.Load() {
		return 0, errAway
	}
	return f.Store.Append(ctx, log, e, k)
}

func inWorld(t *testing.T, test func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, &world{t: t, store: &flaky{Store: store.Memory(store.MemoryOptions{})}})
	})
}

// server is one that shares the store; stop ends it as a kill does.
func (w *world) server() (r *calls.Runner, stop func()) {
	w.t.Helper()
	box, err := toolbox.New(toolbox.Options{Policy: policy.Open(), Tools: []toolbox.Tool{
		{Definition: definition("slow"), Call: w.slow},
		{Definition: definition("quick"), Call: w.quick},
		{Definition: definition("large"), Call: w.large},
		{Definition: definition("broken"), Call: func(context.Context, json.RawMessage, func(float64, float64, string)) (*mcp.CallToolResult, error) {
			return nil, errors.New("the password of the database is hunter2")
		}},
	}, Conversations: []toolbox.Conversation{{Definition: definition("asking"), Call: w.asking}}})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err = calls.New(calls.Options{Box: box, Store: w.store})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	synctest.Wait()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			<-ended
			drain, cancel := context.WithCancel(context.Background())
			cancel()
			box.Drain(drain)
			r.Close(context.Background())
		})
	}
	w.t.Cleanup(stop)
	return r, stop
}

func definition(name string) *mcp.Tool {
	return &mcp.Tool{Name: name, InputSchema: &jsonschema.Schema{Type: "object", Properties: map[string]*jsonschema.Schema{"q": {Type: "string"}},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}}}
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

func (w *world) quick(ctx context.Context, arguments json.RawMessage, _ func(float64, float64, string)) (*mcp.CallToolResult, error) {
	w.made.Add(1)
	return text(identity.FromContext(ctx).Subject + " says " + string(arguments)), nil
}

func (w *world) slow(ctx context.Context, _ json.RawMessage, progress func(float64, float64, string)) (*mcp.CallToolResult, error) {
	w.made.Add(1)
	for i := range 60 {
		progress(float64(i), 60, fmt.Sprintf("step %d", i))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return text("done"), nil
}

func (w *world) large(context.Context, json.RawMessage, func(float64, float64, string)) (*mcp.CallToolResult, error) {
	return text(strings.Repeat("x", 3<<20)), nil
}

func (w *world) asking(_ context.Context, _ json.RawMessage, _ func(float64, float64, string), c *toolbox.Client) (*mcp.CallToolResult, error) {
	w.made.Add(1)
	if answer, ok := c.Answers["name"].(*mcp.ElicitResult); ok && c.State == "remembered" {
		return text(fmt.Sprintf("hello %v", answer.Content["name"])), nil
	}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"name": &mcp.ElicitParams{Mode: "form", Message: "Your name?",
		RequestedSchema: &jsonschema.Schema{Type: "object"}}}, RequestState: "remembered"}, nil
}

func as(t *testing.T, who string) context.Context {
	return identity.NewContext(t.Context(), &identity.Identity{Issuer: "https://idp.example", Subject: who, Kind: identity.Person})
}

func begin(ctx context.Context, t *testing.T, r *calls.Runner, b calls.Begin) *calls.Call {
	t.Helper()
	call, fresh, err := r.Begin(ctx, b)
	if err != nil || !fresh || call.State != calls.Running {
		t.Fatalf("begin %s: %+v, fresh %v, %v", b.Tool, call, fresh, err)
	}
	return call
}

// follow reads what happens to a call until it ends.
func follow(ctx context.Context, t *testing.T, r *calls.Runner, id string, after uint64) (events []calls.Event) {
	t.Helper()
	happened, err := r.Follow(ctx, id, after)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range happened {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func last(t *testing.T, events []calls.Event) *calls.Call {
	t.Helper()
	if len(events) == 0 || events[len(events)-1].Call == nil {
		t.Fatalf("the last of %d events is no state", len(events))
	}
	return events[len(events)-1].Call
}
