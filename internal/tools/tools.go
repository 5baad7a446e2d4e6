// Package tools holds the built-in tools and resources.
//
// They know nothing of who calls them, over what, and whether they may: the toolbox asks the policy first and checks
// the arguments against the input schema. A fault of the caller is a result with IsError set and a sentence for people
// and models; an error is a fault of the tool.
//
//	reverse_tool        reverse a text by what people see as characters    reverse.go
//	random_number_tool  a whole number between two others                  random_number.go
//	get_current_time    the time in a zone                                 current_time.go
//	convert_time        a time of one zone in another                      convert_time.go
//	time://current      the time in UTC                                    resources.go
//	time://timezones    the names of all zones                             resources.go
//
// The zones and their rules are in the binary (zones.go), so every machine gives the same answers.
package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Tool is a tool as it is described and as it is called. It converts to the toolbox's Tool.
type Tool struct {
	Definition *mcp.Tool
	Call       func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error)
}

// Resource is something to read. It converts to the toolbox's Resource.
type Resource struct {
	Definition *mcp.Resource
	Read       func(ctx context.Context) ([]*mcp.ResourceContents, error)
}

// DefaultReverseDuration is how long reverse_tool takes where nobody says otherwise: long enough to watch progress.
const DefaultReverseDuration = 5 * time.Second

// Options fit the tools to a server. The zero Options work.
type Options struct {
	ReverseDuration time.Duration    // how long reverse_tool takes over its work; 0 means no longer than needed
	Now             func() time.Time // nil means time.Now
}

// All returns the built-in tools.
func All(o Options) []Tool {
	if o.Now == nil {
		o.Now = time.Now
	}
	return []Tool{
		convertTime(o.Now),
		currentTime(o.Now),
		randomNumber(),
		reverse(o.ReverseDuration),
	}
}

// Resources returns the built-in resources.
func Resources(o Options) []Resource {
	if o.Now == nil {
		o.Now = time.Now
	}
	return []Resource{currentTimeResource(o.Now), timezonesResource()}
}

const dialect = "https://json-schema.org/draft/2020-12/schema"

// object returns the schema of an object with these members and no others.
func object(properties map[string]*jsonschema.Schema, order []string, required ...string) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:                 "object",
		Properties:           properties,
		PropertyOrder:        order,
		Required:             required,
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
}

// document returns s as a schema that stands by itself.
func document(s *jsonschema.Schema) *jsonschema.Schema {
	s.Schema = dialect
	return s
}

// text returns the schema of a string with this description.
func text(description string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Description: description}
}

// answer returns structured content, and the same as text for clients that know only text.
func answer(content any) (*mcp.CallToolResult, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("marshal answer: %w", err)
	}
	return &mcp.CallToolResult{
		StructuredContent: json.RawMessage(raw),
		Content:           []mcp.Content{&mcp.TextContent{Text: string(raw)}},
	}, nil
}

// refusal tells the caller what was wrong with the call.
func refusal(format string, args ...any) (*mcp.CallToolResult, error) {
	return &mcp.CallToolResult{
		IsError: true,
		Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}},
	}, nil
}

// hint describes how a tool behaves: all of the built-in ones change nothing and stay inside the server.
func hint(title string) *mcp.ToolAnnotations {
	no := false
	return &mcp.ToolAnnotations{
		Title:           title,
		ReadOnlyHint:    true,
		DestructiveHint: &no,
		IdempotentHint:  true,
		OpenWorldHint:   &no,
	}
}
