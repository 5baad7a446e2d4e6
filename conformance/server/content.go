package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// The smallest things of their kind: a red pixel, and a moment of silence.
var (
	pixel   = decoded("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==")
	silence = decoded("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")
)

func decoded(text string) []byte {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return raw
}

// noArguments is the schema of a tool that takes none.
var noArguments = json.RawMessage(`{"type":"object"}`)

// contentTools are those that know everything they need.
func contentTools() []toolbox.Tool {
	image := &mcp.ImageContent{Data: pixel, MIMEType: "image/png"}
	return []toolbox.Tool{
		answers("test_simple_text", "answers with a text", text("This is a simple text response for testing.")),
		answers("test_image_content", "answers with an image", image),
		answers("test_audio_content", "answers with a sound", &mcp.AudioContent{Data: silence, MIMEType: "audio/wav"}),
		answers("test_embedded_resource", "answers with a resource",
			embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
		answers("test_multiple_content_types", "answers with a text, an image and a resource",
			text("Multiple content types test:"), image,
			embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)),
		{
			Definition: &mcp.Tool{Name: "test_error_handling", Description: "says that something went wrong", InputSchema: noArguments},
			Call: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{text("This tool intentionally returns an error for testing")}}, nil
			},
		},
		{
			Definition: &mcp.Tool{Name: "test_tool_with_progress", Description: "says how far it is", InputSchema: noArguments},
			Call:       withProgress,
		},
		{
			Definition: &mcp.Tool{Name: "json_schema_2020_12_tool", Description: "has an input schema with most of what JSON Schema 2020-12 knows",
				InputSchema: json.RawMessage(schema202012)},
			Call: func(_ context.Context, arguments json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return said("called with %s", arguments), nil
			},
		},
		{
			Definition: &mcp.Tool{Name: "test_x_mcp_header", Description: "has an argument that a header repeats",
				InputSchema: json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"level":{"type":"integer"}}}`)},
			Call: func(_ context.Context, arguments json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return said("called with %s", arguments), nil
			},
		},
		// A stream carries notifications and the result, never a request.
		answers("test_streaming_elicitation", "answers on a stream", text("nothing was asked on the stream")),
	}
}

// changingTools change what there is to see.
func changingTools(change func()) []toolbox.Tool {
	changes := func(name string) toolbox.Tool {
		t := answers(name, "changes the lists", text("the lists have changed"))
		answer := t.Call
		t.Call = func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			change()
			return answer(ctx, arguments, progress)
		}
		return t
	}
	return []toolbox.Tool{changes("test_trigger_tool_change"), changes("test_trigger_prompt_change")}
}

const schema202012 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object",
		"properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"},
		"address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]},
		"phone": {"type": "string"},
		"email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

func withProgress(ctx context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
	for _, done := range []float64{0, 50, 100} {
		progress(done, 100, fmt.Sprintf("%.0f of 100", done))
		if done == 100 {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return said("all steps are done"), nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answers is a tool that always gives the same content.
func answers(name, description string, content ...mcp.Content) toolbox.Tool {
	return toolbox.Tool{
		Definition: &mcp.Tool{Name: name, Description: description, InputSchema: noArguments},
		Call: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		},
	}
}

func text(s string) *mcp.TextContent { return &mcp.TextContent{Text: s} }

func said(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{text(fmt.Sprintf(format, args...))}}
}

func embedded(uri, mimeType, content string) *mcp.EmbeddedResource {
	return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: mimeType, Text: content}}
}
