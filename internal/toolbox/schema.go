package toolbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

// schema is a JSON Schema, ready for use.
type schema struct {
	root     *jsonschema.Schema
	resolved *jsonschema.Resolved
}

// compile makes a schema of anything that marshals to one.
func compile(from any) (*schema, error) {
	if from == nil {
		return nil, errors.New("it is missing")
	}
	raw, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	root := &jsonschema.Schema{}
	if err := json.Unmarshal(raw, root); err != nil {
		return nil, err
	}
	resolved, err := root.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		return nil, err
	}
	return &schema{root: root, resolved: resolved}, nil
}

// problems says what of value does not fit. The faults of each member of an object are named in words; what remains is
// left to the schema library.
func (s *schema) problems(value json.RawMessage) []Problem {
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return []Problem{{Message: "they are not JSON"}}
	}
	object, isObject := v.(map[string]any)
	if s.root.Type == "object" && !isObject {
		return []Problem{{Message: "they must be an object, not " + kindOf(v)}}
	}
	problems := s.memberProblems(object)
	if len(problems) > 0 {
		return problems
	}
	if err := s.resolved.Validate(v); err != nil {
		return []Problem{{Message: clip(err.Error(), 300)}}
	}
	return nil
}

func (s *schema) memberProblems(object map[string]any) []Problem {
	var problems []Problem
	known := slices.Sorted(maps.Keys(s.root.Properties))
	if closed(s.root.AdditionalProperties) && len(s.root.PatternProperties) == 0 {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if s.root.Properties[name] == nil {
				problems = append(problems, unknownMember(name, known))
			}
		}
	}
	for _, name := range s.root.Required {
		if _, given := object[name]; !given {
			problems = append(problems, Problem{Field: name, Message: "is missing"})
		}
	}
	for _, name := range known {
		if v, given := object[name]; given {
			if said := misfit(s.root.Properties[name], v); said != "" {
				problems = append(problems, Problem{Field: name, Message: said})
			}
		}
	}
	const enough = 10
	return problems[:min(len(problems), enough)]
}

func unknownMember(name string, known []string) Problem {
	p := Problem{Field: clip(name, 64), Message: "is not an argument of this tool"}
	if near := nearest.Name(name, known); near != "" {
		p.Message += fmt.Sprintf("; did you mean %q?", near)
	} else if len(known) > 0 {
		p.Message += "; the arguments are " + strings.Join(known, ", ")
	}
	return p
}

// closed reports whether s is the schema false, which nothing fits.
func closed(s *jsonschema.Schema) bool {
	return reflect.DeepEqual(s, &jsonschema.Schema{Not: &jsonschema.Schema{}})
}

// misfit says in words why v does not fit the plain keywords of s, or nothing.
func misfit(s *jsonschema.Schema, v any) string {
	types := s.Types
	if s.Type != "" {
		types = []string{s.Type}
	}
	if len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return isType(t, v) }) {
		return "must be " + article(strings.Join(types, " or ")) + ", not " + kindOf(v)
	}
	switch v := v.(type) {
	case string:
		switch n := utf8.RuneCountInString(v); {
		case s.MaxLength != nil && n > *s.MaxLength:
			return fmt.Sprintf("has %d characters; at most %d are allowed", n, *s.MaxLength)
		case s.MinLength != nil && n < *s.MinLength:
			return fmt.Sprintf("has %d characters; at least %d are needed", n, *s.MinLength)
		}
	case float64:
		switch {
		case s.Minimum != nil && v < *s.Minimum:
			return "is less than " + number(*s.Minimum)
		case s.Maximum != nil && v > *s.Maximum:
			return "is greater than " + number(*s.Maximum)
		}
	}
	return ""
}

func isType(want string, v any) bool {
	switch v := v.(type) {
	case nil:
		return want == "null"
	case bool:
		return want == "boolean"
	case string:
		return want == "string"
	case float64:
		return want == "number" || want == "integer" && v == math.Trunc(v)
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return false
}

// kindOf says in words what v is.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case float64:
		if v == math.Trunc(v) {
			return "a number"
		}
		return "a number with a fraction"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

func article(noun string) string {
	if noun != "" && strings.Contains("aeiou", noun[:1]) {
		return "an " + noun
	}
	return "a " + noun
}

// number writes x without an exponent.
func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
