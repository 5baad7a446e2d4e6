package toolbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

type work = func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error)

// tool returns a tool that takes {"text": string, "times": integer} and answers {"said": string}.
func tool(name string, call work) toolbox.Tool {
	shut := &jsonschema.Schema{Not: &jsonschema.Schema{}}
	return toolbox.Tool{
		Definition: &mcp.Tool{
			Name: name,
			InputSchema: &jsonschema.Schema{Type: "object", Required: []string{"text"}, AdditionalProperties: shut, Properties: map[string]*jsonschema.Schema{
				"text":  {Type: "string", MinLength: jsonschema.Ptr(1), MaxLength: jsonschema.Ptr(5)},
				"times": {Type: "integer", Minimum: jsonschema.Ptr(1.0), Maximum: jsonschema.Ptr(3.0)},
				"how":   {Type: "string", Enum: []any{"loud", "soft"}},
			}},
			OutputSchema: &jsonschema.Schema{Type: "object", Required: []string{"said"}, AdditionalProperties: shut, Properties: map[string]*jsonschema.Schema{
				"said": {Type: "string"},
			}},
		},
		Call: call,
	}
}

func say(what any) work {
	return func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{StructuredContent: what}, nil
	}
}

// wait is a tool's work that ends with its context.
func wait(ctx context.Context, _ json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func newBox(t *testing.T, o toolbox.Options) *toolbox.Box {
	t.Helper()
	if o.Policy == nil {
		p, err := policy.New(policy.Rules{Broad: "execute", Scopes: map[string][]string{"narrow": {"a:read", "a:write"}, "data://x": {"a:read"}}})
		if err != nil {
			t.Fatal(err)
		}
		o.Policy = p
	}
	box, err := toolbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// as returns a context with a caller of these scopes.
func as(ctx context.Context, subject string, scopes ...string) context.Context {
	return identity.NewContext(ctx, &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: subject, Scopes: scopes})
}

func TestCallAsksThePolicyFirst(t *testing.T) {
	called := false
	box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{
		tool("narrow", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			called = true
			return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "x"}}, nil
		}),
	}})
	arguments := json.RawMessage(`{"text":"x"}`)

	t.Run("RS-13 too little scope is refused with all scopes", func(t *testing.T) {
		_, err := box.Call(as(t.Context(), "ada", "a:read"), &toolbox.Call{Name: "narrow", Arguments: arguments})
		var scope *toolbox.ScopeError
		if !errors.As(err, &scope) || strings.Join(scope.Scopes, " ") != "a:read a:write" || called {
			t.Errorf("got %v, called %v", err, called)
		}
	})
	t.Run("nobody is refused as if the tool were not there", func(t *testing.T) {
		_, err := box.Call(t.Context(), &toolbox.Call{Name: "narrow", Arguments: arguments})
		if err == nil || err.Error() != `unknown tool "narrow"` || called {
			t.Errorf("got %v, called %v", err, called)
		}
	})
	t.Run("the scopes let in", func(t *testing.T) {
		if _, err := box.Call(as(t.Context(), "ada", "a:read", "a:write"), &toolbox.Call{Name: "narrow", Arguments: arguments}); err != nil || !called {
			t.Errorf("got %v, called %v", err, called)
		}
	})
	t.Run("wrong arguments do not tell who may call", func(t *testing.T) {
		_, err := box.Call(as(t.Context(), "ada"), &toolbox.Call{Name: "narrow", Arguments: json.RawMessage(`{"wrong":1}`)})
		var scope *toolbox.ScopeError
		if !errors.As(err, &scope) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUnknownAndDeniedLookAlike(t *testing.T) {
	// Without a broad scope, what no rule names is denied to everyone.
	p, err := policy.New(policy.Rules{Scopes: map[string][]string{"narrow": {"a:read"}}})
	if err != nil {
		t.Fatal(err)
	}
	box := newBox(t, toolbox.Options{Policy: p, Tools: []toolbox.Tool{
		tool("denied", say(nil)), tool("narrow", say(nil)),
	}})
	ctx := as(t.Context(), "ada")
	t.Run("attack 44 a denied tool is not listed", func(t *testing.T) {
		if listed := box.Tools(ctx); len(listed) != 1 || listed[0].Name != "narrow" {
			t.Errorf("listed %v", listed)
		}
	})
	t.Run("attack 44 a denied tool is answered as an unknown one", func(t *testing.T) {
		_, denied := box.Call(ctx, &toolbox.Call{Name: "denied"})
		_, unknown := box.Call(ctx, &toolbox.Call{Name: "denyed"})
		if denied.Error() != `unknown tool "denied"` || unknown.Error() != `unknown tool "denyed"` {
			t.Errorf("got %v and %v", denied, unknown)
		}
	})
	t.Run("a typing error gets the near name", func(t *testing.T) {
		_, err := box.Call(ctx, &toolbox.Call{Name: "Narow"})
		if err.Error() != `unknown tool "Narow"; did you mean "narrow"?` {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Decide denies what does not exist", func(t *testing.T) {
		if d := box.Decide(ctx, "nothing"); d.Effect != policy.Deny || d.Rule != "unknown" {
			t.Errorf("got %+v", d)
		}
	})
}

func TestArgumentsAreHeldAgainstTheSchema(t *testing.T) {
	called := false
	box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{tool("t", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		called = true
		return nil, nil
	})}})
	for _, row := range []struct{ name, arguments, want string }{
		{"an unknown argument is named, with what was meant", `{"text":"x","tiems":1}`, `"tiems" is not an argument of this tool; did you mean "times"?`},
		{"an unknown argument is named, with what there is", `{"text":"x","zzzzzzzzz":1}`, `"zzzzzzzzz" is not an argument of this tool; the arguments are how, text, times`},
		{"another case is another argument", `{"TEXT":"x"}`, `"TEXT" is not an argument of this tool; did you mean "text"?; "text" is missing`},
		{"a missing argument is named", `{}`, `"text" is missing`},
		{"no arguments are empty ones", ``, `"text" is missing`},
		{"null is empty", ` null `, `"text" is missing`},
		{"a wrong type is named", `{"text":7}`, `"text" must be a string, not a number`},
		{"a fraction is no integer", `{"text":"x","times":1.5}`, `"times" must be an integer, not a number with a fraction`},
		{"null is no integer", `{"text":"x","times":null}`, `"times" must be an integer, not null`},
		{"too small is said", `{"text":"x","times":0}`, `"times" is less than 1`},
		{"too large is said", `{"text":"x","times":4}`, `"times" is greater than 3`},
		{"too long is said without the text", `{"text":"xxxxxx"}`, `"text" has 6 characters; at most 5 are allowed`},
		{"too short is said", `{"text":""}`, `"text" has 0 characters; at least 1 are needed`},
		{"all problems are told at once", `{"times":0}`, `"text" is missing; "times" is less than 1`},
		{"an array is no object", `[]`, `they must be an object, not an array`},
		{"what is not JSON is said", `{`, `they are not JSON`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := box.Call(as(t.Context(), "ada", "execute"), &toolbox.Call{Name: "t", Arguments: json.RawMessage(row.arguments)})
			var wrong *toolbox.ArgumentsError
			if !errors.As(err, &wrong) || err.Error() != "the arguments of t are not right: "+row.want {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("what the words do not cover is left to the schema", func(t *testing.T) {
		_, err := box.Call(as(t.Context(), "ada", "execute"), &toolbox.Call{Name: "t", Arguments: json.RawMessage(`{"text":"x","how":"so"}`)})
		var wrong *toolbox.ArgumentsError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "how") {
			t.Errorf("got %v", err)
		}
	})
	if called {
		t.Error("the tool was called with wrong arguments")
	}
}

func TestFailuresAreOurs(t *testing.T) {
	var logged strings.Builder
	box := newBox(t, toolbox.Options{
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		Tools: []toolbox.Tool{
			tool("panics", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				panic("database password wrong")
			}),
			tool("fails", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return nil, errors.New("database password wrong")
			}),
			tool("says_nothing", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return nil, nil
			}),
			tool("says_no_structure", say(nil)),
			tool("says_another_type", say(map[string]any{"said": 7})),
			tool("says_too_much", say(map[string]any{"said": "x", "more": "y"})),
		},
	})
	for _, name := range []string{"panics", "fails", "says_nothing", "says_no_structure", "says_another_type", "says_too_much"} {
		t.Run("a tool that "+name+" is an error with the request id", func(t *testing.T) {
			logged.Reset()
			_, err := box.Call(as(t.Context(), "ada", "execute"), &toolbox.Call{Name: name, Arguments: json.RawMessage(`{"text":"x"}`), RequestID: "r-7"})
			var failed *toolbox.FailedError
			if !errors.As(err, &failed) || err.Error() != name+" failed inside the server; the request id is r-7" {
				t.Errorf("got %v", err)
			}
			if !strings.Contains(logged.String(), "request_id=r-7") || !strings.Contains(logged.String(), "tool="+name) {
				t.Errorf("logged %s", logged.String())
			}
		})
	}
	if n := len(box.Running()); n != 0 {
		t.Errorf("%d calls still run", n)
	}
}

func TestProgressRisesAndEndsWithTheCall(t *testing.T) {
	var kept func(done, total float64, message string)
	box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{tool("t", func(_ context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		for _, done := range []float64{0, 2, 1, 2, 3} {
			progress(done, 3, "on")
		}
		kept = progress
		return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "x"}}, nil
	})}})
	ctx := as(t.Context(), "ada", "execute")
	var heard []float64
	call := &toolbox.Call{Name: "t", Arguments: json.RawMessage(`{"text":"x"}`), Progress: func(done, _ float64, _ string) { heard = append(heard, done) }}
	if _, err := box.Call(ctx, call); err != nil {
		t.Fatal(err)
	}
	kept(9, 9, "late")
	if fmt.Sprint(heard) != "[0 2 3]" {
		t.Errorf("heard %v", heard)
	}
	t.Run("nobody needs to listen", func(t *testing.T) {
		if _, err := box.Call(ctx, &toolbox.Call{Name: "t", Arguments: call.Arguments}); err != nil {
			t.Error(err)
		}
	})
}

func TestRunningAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newBox(t, toolbox.Options{MaxRunning: 3, MaxRunningPerCaller: 2, Tools: []toolbox.Tool{tool("t", wait)}})
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 9)
		start := func(who string) {
			go func() {
				_, err := box.Call(as(ctx, who, "execute"), &toolbox.Call{Name: "t", Arguments: json.RawMessage(`{"text":"x"}`), RequestID: "of-" + who})
				ended <- err
			}()
			synctest.Wait()
		}
		start("ada")
		start("ada")
		start("ada")
		if err := <-ended; !errors.Is(err, toolbox.ErrBusy) {
			t.Errorf("a third call of one caller: %v", err)
		}
		start("bob")
		start("eve")
		if err := <-ended; !errors.Is(err, toolbox.ErrBusy) {
			t.Errorf("a fourth call of all: %v", err)
		}
		running := box.Running()
		if len(running) != 3 || running[2] != (toolbox.Running{ID: "of-bob", Tool: "t", Since: begin, Who: "bob"}) {
			t.Errorf("running are %+v", running)
		}
		cancel()
		for range 3 {
			if err := <-ended; !errors.Is(err, toolbox.ErrCancelled) {
				t.Errorf("a cancelled call: %v", err)
			}
		}
		if n := len(box.Running()); n != 0 {
			t.Errorf("%d calls still run", n)
		}
	})
}

func TestACallThatTakesTooLongIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := toolbox.Tool{Definition: &mcp.Tool{Name: "t", InputSchema: &jsonschema.Schema{Type: "object"}},
			Call: func(ctx context.Context, _ json.RawMessage, _ func(float64, float64, string)) (*mcp.CallToolResult, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		box, err := toolbox.New(toolbox.Options{Policy: policy.Open(), Tools: []toolbox.Tool{slow}, CallTimeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := box.Call(t.Context(), &toolbox.Call{Name: "t"}); !errors.Is(err, toolbox.ErrTimeout) {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestDrain(t *testing.T) {
	call := func(box *toolbox.Box, ctx context.Context, name string) chan error {
		ended := make(chan error, 1)
		go func() {
			_, err := box.Call(as(ctx, "ada", "execute"), &toolbox.Call{Name: name, Arguments: json.RawMessage(`{"text":"x"}`), RequestID: "id-" + name})
			ended <- err
		}()
		synctest.Wait()
		return ended
	}
	short := tool("short", func(ctx context.Context, _ json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		time.Sleep(time.Second)
		return &mcp.CallToolResult{StructuredContent: map[string]string{"said": "x"}}, nil
	})
	t.Run("calls that end in time finish, the others are cancelled, and it says which", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{short, tool("long", wait)}})
			shortEnded, longEnded := call(box, t.Context(), "short"), call(box, t.Context(), "long")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			finished, cancelled := box.Drain(ctx)
			if len(finished) != 1 || finished[0].ID != "id-short" || len(cancelled) != 1 || cancelled[0].ID != "id-long" {
				t.Errorf("finished %v, cancelled %v", finished, cancelled)
			}
			if err := <-shortEnded; err != nil {
				t.Errorf("the short call: %v", err)
			}
			if err := <-longEnded; !errors.Is(err, toolbox.ErrDraining) || err.Error() != "long was cancelled: the server is shutting down" {
				t.Errorf("the long call: %v", err)
			}
			if err := <-call(box, t.Context(), "short"); !errors.Is(err, toolbox.ErrDraining) {
				t.Errorf("a later call: %v", err)
			}
			if finished, cancelled := box.Drain(ctx); len(finished)+len(cancelled) != 0 {
				t.Errorf("draining again found %v %v", finished, cancelled)
			}
		})
	})
	t.Run("with nothing running it returns at once", func(t *testing.T) {
		box := newBox(t, toolbox.Options{})
		box.Drain(t.Context())
	})
	t.Run("a tool that does not listen does not hold it for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			box := newBox(t, toolbox.Options{Tools: []toolbox.Tool{tool("deaf", func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				<-release
				return nil, errors.New("late")
			})}})
			ended := call(box, t.Context(), "deaf")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			begin := time.Now()
			if _, cancelled := box.Drain(ctx); len(cancelled) != 1 || time.Since(begin) != 5*time.Second {
				t.Errorf("cancelled %v after %v", cancelled, time.Since(begin))
			}
			close(release)
			<-ended
		})
	})
}

func TestResources(t *testing.T) {
	box := newBox(t, toolbox.Options{Resources: []toolbox.Resource{
		{Definition: &mcp.Resource{URI: "data://x", Name: "x"}, Read: func(context.Context) ([]*mcp.ResourceContents, error) {
			return []*mcp.ResourceContents{{URI: "data://x", Text: "hello"}}, nil
		}},
		{Definition: &mcp.Resource{URI: "data://panics", Name: "panics"}, Read: func(context.Context) ([]*mcp.ResourceContents, error) {
			panic("oh")
		}},
	}})
	t.Run("the scope lets in", func(t *testing.T) {
		contents, err := box.Read(as(t.Context(), "ada", "a:read"), "data://x", "r-1")
		if err != nil || contents[0].Text != "hello" {
			t.Errorf("got %v, %v", contents, err)
		}
	})
	t.Run("too little scope is refused", func(t *testing.T) {
		_, err := box.Read(as(t.Context(), "ada"), "data://x", "r-1")
		var scope *toolbox.ScopeError
		if !errors.As(err, &scope) || strings.Join(scope.Scopes, " ") != "a:read" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown URI is named", func(t *testing.T) {
		_, err := box.Read(as(t.Context(), "ada", "execute"), "data://y", "r-1")
		if err == nil || err.Error() != `unknown resource "data://y"; did you mean "data://x"?` {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a panic is an error with the request id", func(t *testing.T) {
		_, err := box.Read(as(t.Context(), "ada", "execute"), "data://panics", "r-1")
		var failed *toolbox.FailedError
		if !errors.As(err, &failed) || failed.RequestID != "r-1" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("all are listed for who may get there with more scope", func(t *testing.T) {
		if listed := box.Resources(as(t.Context(), "ada")); len(listed) != 2 || listed[0].URI != "data://panics" {
			t.Errorf("listed %v", listed)
		}
		if listed := box.Resources(t.Context()); len(listed) != 0 {
			t.Errorf("nobody was shown %v", listed)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	open := policy.Open()
	object := &jsonschema.Schema{Type: "object"}
	for _, row := range []struct {
		name string
		o    toolbox.Options
		want string
	}{
		{"no policy", toolbox.Options{}, "Policy is missing"},
		{"a tool without a definition", toolbox.Options{Policy: open, Tools: []toolbox.Tool{{}}}, "Tools[0]: a tool without a name"},
		{"a tool that does nothing", toolbox.Options{Policy: open, Tools: []toolbox.Tool{{Definition: &mcp.Tool{Name: "t", InputSchema: object}}}}, "t: Call is missing"},
		{"a tool without an input schema", toolbox.Options{Policy: open, Tools: []toolbox.Tool{{Definition: &mcp.Tool{Name: "t"}, Call: wait}}}, "t: input schema: it is missing"},
		{"a tool that takes an array", toolbox.Options{Policy: open, Tools: []toolbox.Tool{{Definition: &mcp.Tool{Name: "t", InputSchema: map[string]any{"type": "array"}}, Call: wait}}}, "the type must be object"},
		{"two tools of one name", toolbox.Options{Policy: open, Tools: []toolbox.Tool{tool("t", wait), tool("t", wait)}}, "Tools[1]: t: a second tool"},
		{"a resource without a URI", toolbox.Options{Policy: open, Resources: []toolbox.Resource{{}}}, "Resources[0]: a resource without a URI"},
		{"a resource that cannot be read", toolbox.Options{Policy: open, Resources: []toolbox.Resource{{Definition: &mcp.Resource{URI: "a://b"}}}}, "a://b: Read is missing"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			if _, err := toolbox.New(row.o); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
