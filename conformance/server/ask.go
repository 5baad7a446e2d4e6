//lint:file-ignore SA1019 The suite asks for sampling, roots and logging, which old clients go on using.

package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// converse is a conversation about the client.
type converse func(ctx context.Context, arguments json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error)

func conversation(name, description string, schema json.RawMessage, f converse) toolbox.Conversation {
	return toolbox.Conversation{
		Definition: &mcp.Tool{Name: name, Description: description, InputSchema: schema},
		Call: func(ctx context.Context, arguments json.RawMessage, _ func(done, total float64, message string), c *toolbox.Client) (*mcp.CallToolResult, error) {
			return f(ctx, arguments, c)
		},
	}
}

// askingTools ask the client for one thing, tell it something, or let go of it.
func askingTools() []toolbox.Conversation {
	return []toolbox.Conversation{
		conversation("test_tool_with_logging", "logs while it works", noArguments, logging),
		conversation("test_logging_tool", "logs, if the client wants to hear it", noArguments, func(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
			c.Log("info", "test_logging_tool ran")
			return said("it ran"), nil
		}),
		conversation("test_sampling", "asks the client's model", json.RawMessage(`{"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]}`), sampling),
		conversation("test_elicitation", "asks the person", json.RawMessage(`{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`), elicitation),
		conversation("test_elicitation_sep1034_defaults", "asks the person, with defaults", noArguments, form("Please check these", `{
			"type": "object",
			"properties": {
				"name": {"type": "string", "default": "John Doe"},
				"age": {"type": "integer", "default": 30},
				"score": {"type": "number", "default": 95.5},
				"status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
				"verified": {"type": "boolean", "default": true}
			}}`)),
		conversation("test_elicitation_sep1330_enums", "asks the person to choose", noArguments, form("Please choose", `{
			"type": "object",
			"properties": {
				"untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
				"titledSingle": {"type": "string", "oneOf": [{"const": "value1", "title": "First Option"},
					{"const": "value2", "title": "Second Option"}, {"const": "value3", "title": "Third Option"}]},
				"legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
				"untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
				"titledMulti": {"type": "array", "items": {"anyOf": [{"const": "value1", "title": "First Choice"},
					{"const": "value2", "title": "Second Choice"}, {"const": "value3", "title": "Third Choice"}]}}
			}}`)),
		conversation("test_missing_capability", "asks the client's model, which not every client has", noArguments, func(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
			return ask("words", sample("Say something", 100)), nil
		}),
		conversation("test_reconnection", "lets go of the client and answers when it is back", noArguments, func(ctx context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
			c.LetGo(50 * time.Millisecond)
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return nil, err
			}
			return said("the client is back"), nil
		}),
	}
}

func logging(ctx context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	for i, line := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		if i > 0 {
			if err := pause(ctx, 50*time.Millisecond); err != nil {
				return nil, err
			}
		}
		c.Log("info", line)
	}
	return said("it is done"), nil
}

func sampling(_ context.Context, arguments json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	var a struct{ Prompt string }
	if err := json.Unmarshal(arguments, &a); err != nil {
		return nil, err
	}
	if words, answered := sampled(c, "words"); answered {
		return said("LLM response: %s", words), nil
	}
	return ask("words", sample(a.Prompt, 100)), nil
}

func elicitation(ctx context.Context, arguments json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
	var a struct{ Message string }
	if err := json.Unmarshal(arguments, &a); err != nil {
		return nil, err
	}
	return form(a.Message, `{
		"type": "object",
		"properties": {
			"username": {"type": "string", "description": "User's response"},
			"email": {"type": "string", "description": "User's email address"}
		},
		"required": ["username", "email"]}`)(ctx, arguments, c)
}

// form asks the person to fill in a form, and says what came back.
func form(message, schema string) converse {
	return func(_ context.Context, _ json.RawMessage, c *toolbox.Client) (*mcp.CallToolResult, error) {
		if answer, is := c.Answers["form"].(*mcp.ElicitResult); is {
			return said("Elicitation completed: action=%s, content=%v", answer.Action, answer.Content), nil
		}
		return ask("form", elicit(message, schema)), nil
	}
}

func ask(key string, request mcp.InputRequest) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{key: request}}
}

func elicit(message, schema string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Mode: "form", Message: message, RequestedSchema: json.RawMessage(schema)}
}

func sample(prompt string, most int64) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{Messages: []*mcp.SamplingMessage{{Role: "user", Content: text(prompt)}}, MaxTokens: most}
}

// sampled is the text a model gave.
func sampled(c *toolbox.Client, key string) (string, bool) {
	answer, is := c.Answers[key].(*mcp.CreateMessageWithToolsResult)
	if !is {
		return "", false
	}
	words := ""
	for _, piece := range answer.Content {
		if piece, is := piece.(*mcp.TextContent); is {
			words += piece.Text
		}
	}
	return words, true
}

// filled is what a person filled in under a field, if the form was accepted.
func filled(c *toolbox.Client, key, field string) (any, bool) {
	answer, is := c.Answers[key].(*mcp.ElicitResult)
	if !is || answer.Action != "accept" {
		return nil, false
	}
	value, there := answer.Content[field]
	return value, there
}
