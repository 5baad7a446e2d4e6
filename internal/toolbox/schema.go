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
	members  []string // the names of the properties, sorted
	closed   bool     // no other members may be there
	plain    bool     // what memberProblems looks at is all there is
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
	return &schema{
		root: root, resolved: resolved,
		members: slices.Sorted(maps.Keys(root.Properties)),
		closed:  nothingFits(root.AdditionalProperties) && len(root.PatternProperties) == 0,
		plain:   isPlain(root),
	}, nil
}

// isPlain reports whether a schema is one of an object with plain members and says nothing that memberProblems does not
// look at, so that the schema library need not be asked.
func isPlain(root *jsonschema.Schema) bool {
	rest := *root
	for _, property := range rest.Properties {
		if !isPlainMember(property) {
			return false
		}
	}
	if rest.AdditionalProperties != nil && !nothingFits(rest.AdditionalProperties) {
		return false
	}
	ofObject := rest.Type == "object"
	rest.Type, rest.Properties, rest.Required, rest.AdditionalProperties, rest.PropertyOrder = "", nil, nil, nil, nil
	return ofObject && saysNothing(rest)
}

func isPlainMember(property *jsonschema.Schema) bool {
	if property == nil {
		return false
	}
	rest := *property
	rest.Type, rest.Types, rest.MinLength, rest.MaxLength, rest.Minimum, rest.Maximum = "", nil, nil, nil, nil, nil
	return saysNothing(rest)
}

// saysNothing reports whether a schema only describes.
func saysNothing(s jsonschema.Schema) bool {
	s.Schema, s.Title, s.Description, s.Comment, s.Default, s.Examples = "", "", "", "", nil, nil
	return reflect.DeepEqual(s, jsonschema.Schema{})
}

// problems says what of value does not fit. The faults of each member of an object are named in words; what remains is
// left to the schema library.
func (s *schema) problems(value json.RawMessage) []Problem {
	if s.plain && s.fits(value) {
		return nil
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return []Problem{{Message: "they are not JSON"}}
	}
	object, isObject := v.(map[string]any)
	if s.root.Type == "object" && !isObject {
		return []Problem{{Message: "they must be an object, not " + kindOf(v)}}
	}
	problems := s.memberProblems(object)
	if len(problems) > 0 || s.plain {
		return problems
	}
	if err := s.resolved.Validate(v); err != nil {
		return []Problem{{Message: clip(err.Error(), 300)}}
	}
	return nil
}

// enough is how many problems are told. Looking for the nearest name of each wrong one is work that a stranger's long
// object must not cause.
const enough = 10

func (s *schema) memberProblems(object map[string]any) []Problem {
	var problems []Problem
	if s.closed {
		var unknown []string
		for name := range object {
			if s.root.Properties[name] == nil {
				unknown = append(unknown, name)
			}
		}
		slices.Sort(unknown)
		for _, name := range unknown[:min(len(unknown), enough)] {
			problems = append(problems, unknownMember(name, s.members))
		}
	}
	for _, name := range s.root.Required {
		if _, given := object[name]; !given {
			problems = append(problems, Problem{Field: name, Message: "is missing"})
		}
	}
	for _, name := range s.members {
		if v, given := object[name]; given {
			if said := misfit(s.root.Properties[name], v); said != "" {
				problems = append(problems, Problem{Field: name, Message: said})
			}
		}
	}
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

// nothingFits reports whether s is the schema false.
func nothingFits(s *jsonschema.Schema) bool {
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
