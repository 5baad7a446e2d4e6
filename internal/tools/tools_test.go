package tools_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
)

// find returns a built-in tool by its name.
func find(t *testing.T, name string, o tools.Options) tools.Tool {
	t.Helper()
	for _, tool := range tools.All(o) {
		if tool.Definition.Name == name {
			return tool
		}
	}
	t.Fatalf("there is no tool %s", name)
	panic("unreachable")
}

// resolved are the output schemas, by the tool's name.
var resolved = map[string]*jsonschema.Resolved{}

func silent(float64, float64, string) {}

// call calls a tool and checks what it answers against its own output schema. It returns the structured content, or the
// text of a refusal.
func call(t *testing.T, tool tools.Tool, arguments string) (structured map[string]any, refused string) {
	t.Helper()
	result, err := tool.Call(t.Context(), json.RawMessage(arguments), silent)
	if err != nil {
		t.Fatalf("%s(%s): %v", tool.Definition.Name, arguments, err)
	}
	text := result.Content[0].(*mcp.TextContent).Text
	if result.IsError {
		if result.StructuredContent != nil {
			t.Error("a refusal has structured content")
		}
		return nil, text
	}
	raw, err := json.Marshal(result.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != text {
		t.Errorf("the text is %s and the structured content %s", text, raw)
	}
	if err := json.Unmarshal(raw, &structured); err != nil {
		t.Fatal(err)
	}
	if resolved[tool.Definition.Name] == nil {
		if resolved[tool.Definition.Name], err = tool.Definition.OutputSchema.(*jsonschema.Schema).Resolve(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := resolved[tool.Definition.Name].Validate(structured); err != nil {
		t.Errorf("%s does not fit the output schema: %v", raw, err)
	}
	return structured, ""
}

func TestDefinitions(t *testing.T) {
	all := tools.All(tools.Options{})
	if len(all) != 4 {
		t.Fatalf("there are %d tools", len(all))
	}
	for _, tool := range all {
		d := tool.Definition
		t.Run(d.Name, func(t *testing.T) {
			if d.Title == "" || d.Description == "" || d.Annotations.Title == "" {
				t.Error("a title or description is missing")
			}
			if !d.Annotations.ReadOnlyHint || !d.Annotations.IdempotentHint || *d.Annotations.OpenWorldHint || *d.Annotations.DestructiveHint {
				t.Errorf("the annotations are %+v", d.Annotations)
			}
			for _, s := range []any{d.InputSchema, d.OutputSchema} {
				raw, err := json.Marshal(s)
				if err != nil {
					t.Fatal(err)
				}
				var document map[string]any
				if err := json.Unmarshal(raw, &document); err != nil {
					t.Fatal(err)
				}
				if document["$schema"] != "https://json-schema.org/draft/2020-12/schema" || document["type"] != "object" {
					t.Errorf("the schema is %s", raw)
				}
				checkClosed(t, d.Name, document)
			}
		})
	}
}

// checkClosed checks that every object of a schema is closed and every member described.
func checkClosed(t *testing.T, where string, s map[string]any) {
	t.Helper()
	if s["type"] == "object" && s["additionalProperties"] != false {
		t.Errorf("%s takes any member", where)
	}
	properties, _ := s["properties"].(map[string]any)
	for name, p := range properties {
		p := p.(map[string]any)
		if p["description"] == nil {
			t.Errorf("%s.%s has no description", where, name)
		}
		checkClosed(t, where+"."+name, p)
	}
}

func TestNothingPanicsOnOddArguments(t *testing.T) {
	for _, tool := range tools.All(tools.Options{}) {
		for _, arguments := range []string{``, `null`, `[]`, `"x"`, `{}`, `{"query":null}`, `{"min":null,"max":null}`, `{"timezone":7}`, `{"time":[]}`, `{"date":null}`} {
			result, err := tool.Call(t.Context(), json.RawMessage(arguments), silent)
			if err != nil {
				t.Errorf("%s(%s): %v", tool.Definition.Name, arguments, err)
			} else if !result.IsError && tool.Definition.Name != "reverse_tool" {
				t.Errorf("%s(%s) was answered", tool.Definition.Name, arguments)
			}
		}
	}
}

func TestResources(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }
	got := map[string]map[string]any{}
	for _, r := range tools.Resources(tools.Options{Now: now}) {
		contents, err := r.Read(context.Background())
		if err != nil || len(contents) != 1 || contents[0].URI != r.Definition.URI || contents[0].MIMEType != "application/json" || r.Definition.MIMEType != "application/json" {
			t.Fatalf("%s: %+v, %v", r.Definition.URI, contents, err)
		}
		var read map[string]any
		if err := json.Unmarshal([]byte(contents[0].Text), &read); err != nil {
			t.Fatal(err)
		}
		got[r.Definition.URI] = read
	}
	want := map[string]any{"timezone": "UTC", "datetime": "2026-07-01T12:00:00+00:00", "is_dst": false}
	if !reflect.DeepEqual(got["time://current"], want) {
		t.Errorf("time://current is %v", got["time://current"])
	}
	names, _ := got["time://timezones"]["timezones"].([]any)
	if len(names) < 500 {
		t.Fatalf("time://timezones has %d names", len(names))
	}
	clock := find(t, "get_current_time", tools.Options{Now: now})
	for _, name := range names {
		if _, refused := call(t, clock, `{"timezone":"`+name.(string)+`"}`); refused != "" {
			t.Errorf("%s is listed and not known: %s", name, refused)
		}
	}
	if strings.Contains(strings.Join(toStrings(names), " "), "Factory") {
		t.Error("the placeholder zone Factory is listed")
	}
}

func toStrings(of []any) []string {
	var all []string
	for _, x := range of {
		all = append(all, x.(string))
	}
	return all
}
