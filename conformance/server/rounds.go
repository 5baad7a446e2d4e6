//lint:file-ignore SA1019 The suite asks for sampling, roots and logging, which old clients go on using.

package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

const (
	nameForm    = `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`
	colorForm   = `{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}`
	confirmForm = `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`
)

// roundTools need the client's answers before they have a result.
func roundTools() []toolbox.Conversation {
	const prefix = "test_input_required_result_"
	return []toolbox.Conversation{
		conversation(prefix+"elicitation", "asks for a name", noArguments, greet),
		conversation(prefix+"sampling", "asks the client's model a question", noArguments, capital),
		conversation(prefix+"list_roots", "asks for the client's roots", noArguments, roots),
		conversation(prefix+"request_state", "remembers something while it asks", noArguments, confirm),
		conversation(prefix+"tampered_state", "remembers something while it asks", noArguments, confirm),
		conversation(prefix+"multiple_inputs", "asks for three things at once", noArguments, three),
		conversation(prefix+"multi_round", "asks twice", noArguments, twice),
		conversation(prefix+"capabilities", "asks for what the client can do", noArguments, whatItCan),
	}
}

func greet(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	if name, is := filled(c, "user_name", "name"); is {
		return said("Hello, %v!", name), nil
	}
	return ask("user_name", elicit("What is your name?", nameForm)), nil
}

func capital(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	if words, answered := sampled(c, "capital_question"); answered {
		return said("The model says: %s", words), nil
	}
	return ask("capital_question", sample("What is the capital of France?", 100)), nil
}

func roots(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	if answer, is := c.Answers["client_roots"].(*mcp.ListRootsResult); is {
		var uris []string
		for _, root := range answer.Roots {
			uris = append(uris, root.URI)
		}
		return said("The roots are: %s", strings.Join(uris, ", ")), nil
	}
	return ask("client_roots", &mcp.ListRootsParams{}), nil
}

// confirm remembers that it asked. It does not look into its state: what was changed on the way does not get here.
func confirm(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	if ok, is := filled(c, "confirm", "ok"); is && c.State == "asked" {
		return said("state-ok: the answer is %v", ok), nil
	}
	result := ask("confirm", elicit("Please confirm", confirmForm))
	result.RequestState = "asked"
	return result, nil
}

func three(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	name, named := filled(c, "user_name", "name")
	greeting, greeted := sampled(c, "greeting")
	found, rooted := c.Answers["client_roots"].(*mcp.ListRootsResult)
	if named && greeted && rooted && c.State == "asked" {
		return said("%s %v, you have %d roots", greeting, name, len(found.Roots)), nil
	}
	return &mcp.CallToolResult{
		InputRequests: mcp.InputRequestMap{
			"user_name":    elicit("What is your name?", nameForm),
			"greeting":     sample("Generate a greeting", 50),
			"client_roots": &mcp.ListRootsParams{},
		},
		RequestState: "asked",
	}, nil
}

// twice remembers the name of the first round in the second.
func twice(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	name, known := strings.CutPrefix(c.State, "name:")
	if known {
		if color, is := filled(c, "step2", "color"); is {
			return said("%s likes %v", name, color), nil
		}
	} else if answer, is := filled(c, "step1", "name"); is && c.State == "first" {
		name, known = answer.(string)
	}
	result := ask("step1", elicit("Step 1: What is your name?", nameForm))
	result.RequestState = "first"
	if known {
		result = ask("step2", elicit("Step 2: What is your favorite color?", colorForm))
		result.RequestState = "name:" + name
	}
	return result, nil
}

func whatItCan(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	if len(c.Answers) > 0 {
		return said("Thank you"), nil
	}
	asks := mcp.InputRequestMap{}
	if c.Capabilities.Elicitation != nil {
		asks["user_name"] = elicit("What is your name?", nameForm)
	}
	if c.Capabilities.Sampling != nil {
		asks["greeting"] = sample("Generate a greeting", 50)
	}
	if len(asks) == 0 {
		return said("There is nothing the client could be asked for"), nil
	}
	return &mcp.CallToolResult{InputRequests: asks}, nil
}
