package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rivo/uniseg"
)

// MaxQuery is the longest text reverse_tool takes, in Unicode code points.
const MaxQuery = 65536

// reverseSteps is how many times a reversal says how far it is.
const reverseSteps = 20

type reversed struct {
	Query string `json:"reversed_query"`
}

// reverse returns reverse_tool, which takes its time over the work so that progress can be watched.
func reverse(duration time.Duration) Tool {
	return Tool{
		Definition: &mcp.Tool{
			Name:        "reverse_tool",
			Title:       "Reverse text",
			Description: "Reverses a text by what people see as characters: accents, flags and joined emoji stay whole. Reports progress while it works.",
			Annotations: hint("Reverse text"),
			InputSchema: document(object(map[string]*jsonschema.Schema{
				"query": {Type: "string", Description: "The text to reverse.", MaxLength: jsonschema.Ptr(MaxQuery)},
			}, []string{"query"}, "query")),
			OutputSchema: document(object(map[string]*jsonschema.Schema{
				"reversed_query": text("The text, reversed."),
			}, []string{"reversed_query"}, "reversed_query")),
		},
		Call: func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			var in struct {
				Query string `json:"query"`
			}
			if err := json.Unmarshal(arguments, &in); err != nil {
				return refusal("reverse_tool takes an object with the text as %q", "query")
			}
			if n := utf8.RuneCountInString(in.Query); n > MaxQuery {
				return refusal("%q has %d characters; at most %d are allowed", "query", n, MaxQuery)
			}
			if err := takeTime(ctx, duration, uniseg.GraphemeClusterCount(in.Query), progress); err != nil {
				return nil, err
			}
			return answer(reversed{uniseg.ReverseString(in.Query)})
		},
	}
}

// takeTime lets duration pass in steps, saying at each how many of the characters are done. It returns when ctx ends.
func takeTime(ctx context.Context, duration time.Duration, characters int, progress func(done, total float64, message string)) error {
	if duration <= 0 {
		progress(reverseSteps, reverseSteps, said(characters, characters))
		return ctx.Err()
	}
	tick := time.NewTicker(max(duration/reverseSteps, 1))
	defer tick.Stop()
	progress(0, reverseSteps, said(0, characters))
	for step := 1; step <= reverseSteps; step++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		progress(float64(step), reverseSteps, said(characters*step/reverseSteps, characters))
	}
	return nil
}

func said(done, characters int) string {
	return fmt.Sprintf("reversed %d of %d characters", done, characters)
}
