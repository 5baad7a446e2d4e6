package toolbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

var anything = map[string]any{"type": "object"}

func conversation(name string, f func(c *toolbox.Client) (*mcp.CallToolResult, error)) toolbox.Conversation {
	return toolbox.Conversation{
		Definition: &mcp.Tool{Name: name, InputSchema: anything},
		Call: func(_ context.Context, _ json.RawMessage, _ func(done, total float64, message string), c *toolbox.Client) (*mcp.CallToolResult, error) {
			return f(c)
		},
	}
}

func asking() *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"name": &mcp.ElicitParams{Message: "Your name?"}}}
}

func prompt(name string) toolbox.Prompt {
	return toolbox.Prompt{
		Definition: &mcp.Prompt{Name: name, Arguments: []*mcp.PromptArgument{{Name: "who", Required: true}}},
		Get: func(_ context.Context, arguments map[string]string, _ *toolbox.Client) (*mcp.GetPromptResult, error) {
			switch arguments["who"] {
			case "panic":
				panic("a secret of the prompt")
			case "nobody":
				return &mcp.GetPromptResult{}, nil
			}
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: arguments["who"]}}}}, nil
		},
		Complete: func(context.Context, string, string, map[string]string) ([]string, error) {
			return make([]string, 150), nil
		},
	}
}

func note() toolbox.Template {
	return toolbox.Template{
		Definition: &mcp.ResourceTemplate{Name: "note", URITemplate: "note://{id}/text"},
		Read: func(_ context.Context, uri string, variables map[string]string) ([]*mcp.ResourceContents, error) {
			return []*mcp.ResourceContents{{URI: uri, Text: variables["id"]}}, nil
		},
	}
}

func TestNewRefusesOffersThatAreNotWhole(t *testing.T) {
	gone := prompt("p")
	gone.Get = nil
	unread := note()
	unread.Read = nil
	broken := note()
	broken.Definition = &mcp.ResourceTemplate{Name: "x", URITemplate: "note://{"}
	_, err := toolbox.New(toolbox.Options{
		Tools:         []toolbox.Tool{tool("prompts/taken", say(nil))},
		Conversations: []toolbox.Conversation{{Definition: &mcp.Tool{Name: "c", InputSchema: anything}}, conversation("prompts/taken", nil)},
		Prompts:       []toolbox.Prompt{{}, gone, prompt("twice"), prompt("twice"), prompt("taken")},
		Templates:     []toolbox.Template{{}, unread, broken, note(), note()},
		Changing:      []string{"data://unheard-of"},
	})
	for _, want := range []string{
		"Conversations[0]: c: Call is missing", "Conversations[1]: prompts/taken: a second tool of this name",
		"Prompts[0]: a prompt without a name", "Prompts[1]: p: Get is missing", "Prompts[3]: twice: a second prompt of this name",
		"Prompts[4]: taken: the policy could not tell it from the tool or resource prompts/taken",
		"Templates[0]: a template without a URI template", "Templates[1]: note://{id}/text: Read is missing", "Templates[2]: note://{: ",
		"Templates[4]: note://{id}/text: a second template of this text", `Changing[0]: there is no resource "data://unheard-of"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	both := func(*toolbox.Client) (*mcp.CallToolResult, error) {
		result := asking()
		result.Content = []mcp.Content{&mcp.TextContent{Text: "x"}}
		return result, nil
	}
	b := &book{failFrom: -1}
	box := newBox(t, toolbox.Options{
		Audit: b,
		Tools: []toolbox.Tool{{Definition: &mcp.Tool{Name: "plain", InputSchema: anything},
			Call: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return asking(), nil
			}}},
		Conversations: []toolbox.Conversation{
			conversation("asks", func(*toolbox.Client) (*mcp.CallToolResult, error) { return asking(), nil }),
			conversation("asks_and_answers", both),
			conversation("unable", func(*toolbox.Client) (*mcp.CallToolResult, error) {
				return nil, &toolbox.CapabilityError{Required: []string{"sampling"}}
			}),
			conversation("alone", func(c *toolbox.Client) (*mcp.CallToolResult, error) {
				c.Log("info", "nobody hears")
				c.LetGo(0)
				if c.Capabilities == nil || c.Answers != nil || c.State != "" {
					return nil, errors.New("there is a client")
				}
				return &mcp.CallToolResult{}, nil
			}),
		},
	})
	ctx := as(t.Context(), "ada", "execute")
	var failed *toolbox.FailedError
	for _, name := range []string{"plain", "asks_and_answers"} {
		if _, err := box.Call(ctx, &toolbox.Call{Name: name}); !errors.As(err, &failed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if result, err := box.Call(ctx, &toolbox.Call{Name: "asks"}); err != nil || result.InputRequests["name"] == nil {
		t.Errorf("%+v, %v", result, err)
	}
	var lacks *toolbox.CapabilityError
	if _, err := box.Call(ctx, &toolbox.Call{Name: "unable"}); !errors.As(err, &lacks) {
		t.Error(err)
	}
	if _, err := box.Call(ctx, &toolbox.Call{Name: "alone"}); err != nil {
		t.Errorf("a face without a client: %v", err)
	}
	for _, want := range []string{"outcome allow asks \"broad scope\" asked", "outcome allow unable \"broad scope\" client_incapable", "outcome allow plain \"broad scope\" failed"} {
		if !strings.Contains(b.lines(), want) {
			t.Errorf("%q is not in\n%s", want, b.lines())
		}
	}
}

func TestPromptsPassTheDoor(t *testing.T) {
	b := &book{failFrom: -1}
	box := newBox(t, toolbox.Options{Audit: b, Prompts: []toolbox.Prompt{prompt("praise")}, Templates: []toolbox.Template{note()}})
	ada := as(t.Context(), "ada", "execute")

	var scope *toolbox.ScopeError
	if _, err := box.GetPrompt(as(t.Context(), "bob", "a:read"), &toolbox.Get{Name: "praise"}); !errors.As(err, &scope) || strings.Join(scope.Scopes, " ") != "execute" {
		t.Errorf("RS-12 too little scope: %v", err)
	}
	var unknown *toolbox.UnknownError
	if _, err := box.GetPrompt(ada, &toolbox.Get{Name: "prais"}); !errors.As(err, &unknown) || unknown.Near != "praise" {
		t.Errorf("an unknown prompt: %v", err)
	}
	var wrong *toolbox.ArgumentsError
	if _, err := box.GetPrompt(ada, &toolbox.Get{Name: "praise"}); !errors.As(err, &wrong) {
		t.Errorf("a missing argument: %v", err)
	}
	var failed *toolbox.FailedError
	for _, who := range []string{"panic", "nobody"} {
		if _, err := box.GetPrompt(ada, &toolbox.Get{Name: "praise", Arguments: map[string]string{"who": who}}); !errors.As(err, &failed) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", who, err)
		}
	}
	if got, err := box.GetPrompt(ada, &toolbox.Get{Name: "praise", Arguments: map[string]string{"who": "Ada"}}); err != nil || len(got.Messages) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if values, err := box.CompleteArgument(ada, toolbox.Completing{Prompt: "praise", Argument: "who"}); err != nil || len(values) != 100 {
		t.Errorf("%d values, %v", len(values), err)
	}
	if _, err := box.CompleteArgument(t.Context(), toolbox.Completing{Template: "note://{id}/text"}); !errors.As(err, &unknown) {
		t.Errorf("attack 44 a completion of nobody's: %v", err)
	}
	if len(box.Prompts(t.Context()))+len(box.Templates(t.Context())) != 0 || len(box.Prompts(ada)) != 1 || len(box.Templates(ada)) != 1 {
		t.Error("RS-20 the lists do not follow the caller")
	}
	if contents, err := box.Read(ada, "note://a-secret/text", ""); err != nil || contents[0].Text != "a-secret" {
		t.Errorf("%v, %v", contents, err)
	}
	for _, want := range []string{"decision needs_scope prompts/praise", "outcome allow prompts/praise \"broad scope\" bad_arguments", "outcome allow prompts/praise \"broad scope\" ok", "outcome allow note://{id}/text \"broad scope\" ok"} {
		if !strings.Contains(b.lines(), want) {
			t.Errorf("%q is not in\n%s", want, b.lines())
		}
	}
	if strings.Contains(b.lines(), "a-secret") {
		t.Errorf("what stands in a template is recorded:\n%s", b.lines())
	}
}

func TestSomebodyHearsOfANewPolicy(t *testing.T) {
	box := newBox(t, toolbox.Options{})
	heard := 0
	box.OnChange(func() { heard++ })
	box.SetPolicy(nil)
	box.SetPolicy(nil)
	if heard != 2 {
		t.Errorf("heard of %d changes, want 2", heard)
	}
}
