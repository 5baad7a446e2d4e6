package tools

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// MaxNumber bounds random_number_tool on both sides: beyond it, not every JSON reader keeps whole numbers whole.
const MaxNumber = 1<<53 - 1

// randomNumber returns random_number_tool.
func randomNumber() Tool {
	bound := func(description string) *jsonschema.Schema {
		return &jsonschema.Schema{
			Type: "integer", Description: description,
			Minimum: jsonschema.Ptr(float64(-MaxNumber)), Maximum: jsonschema.Ptr(float64(MaxNumber)),
		}
	}
	return Tool{
		Definition: &mcp.Tool{
			Name:        "random_number_tool",
			Title:       "Random number",
			Description: "Draws a whole number between min and max, both included, each equally likely, from a cryptographic source.",
			Annotations: hint("Random number"),
			InputSchema: document(object(map[string]*jsonschema.Schema{
				"min": bound("The least number that may be drawn."),
				"max": bound("The greatest number that may be drawn; not less than min."),
			}, []string{"min", "max"}, "min", "max")),
			OutputSchema: document(object(map[string]*jsonschema.Schema{
				"random_number": bound("The number drawn."),
			}, []string{"random_number"}, "random_number")),
		},
		Call: func(ctx context.Context, arguments json.RawMessage, _ func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			var in struct {
				Min, Max json.RawMessage
			}
			if err := json.Unmarshal(arguments, &in); err != nil {
				return refusal("random_number_tool takes an object with the whole numbers %q and %q", "min", "max")
			}
			least, err := wholeNumber("min", in.Min)
			if err != nil {
				return refusal("%v", err)
			}
			most, err := wholeNumber("max", in.Max)
			if err != nil {
				return refusal("%v", err)
			}
			if least > most {
				return refusal("%q is %d and %q is %d: min must not be greater than max", "min", least, "max", most)
			}
			// rand.Int is unbiased. The range cannot overflow: it is at most 2^54.
			n, err := rand.Int(rand.Reader, big.NewInt(most-least+1))
			if err != nil {
				return nil, fmt.Errorf("draw a number: %w", err)
			}
			return answer(map[string]int64{"random_number": least + n.Int64()})
		},
	}
}

// wholeNumber reads an argument that must be a whole number. A fraction of zeros is whole; an exponent is not taken.
func wholeNumber(name string, raw json.RawMessage) (int64, error) {
	digits := string(raw)
	if whole, fraction, found := strings.Cut(digits, "."); found && fraction != "" && strings.Trim(fraction, "0") == "" {
		digits = whole
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case len(raw) == 0:
		return 0, fmt.Errorf("%q is missing", name)
	case errors.Is(err, strconv.ErrRange), err == nil && (n > MaxNumber || n < -MaxNumber):
		return 0, fmt.Errorf("%q is too large: numbers from %d to %d are allowed", name, -MaxNumber, MaxNumber)
	case err != nil:
		return 0, fmt.Errorf("%q must be a whole number, written in digits", name)
	}
	return n, nil
}
