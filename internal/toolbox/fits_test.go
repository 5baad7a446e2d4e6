package toolbox

import (
	"encoding/json"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

func flatSchema(t testing.TB) *schema {
	s, err := compile(&jsonschema.Schema{
		Type: "object",
		Properties: map[string]*jsonschema.Schema{
			"query": {Type: "string", MinLength: jsonschema.Ptr(1), MaxLength: jsonschema.Ptr(5)},
			"min":   {Type: "integer", Minimum: jsonschema.Ptr(-10.0), Maximum: jsonschema.Ptr(10.0)},
			"half":  {Types: []string{"number", "null"}},
			"loud":  {Type: "boolean"},
			"any":   {},
		},
		Required:             []string{"query"},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	})
	if err != nil || !s.plain {
		t.Fatal(err, "the schema must be plain")
	}
	return s
}

var flatRows = []struct {
	name, value string
	fits        bool
}{
	{"what is required is enough", `{"query":"abc"}`, true},
	{"every kind of member", ` { "query" : "abc" , "min" : -7 , "half":0,"loud":true,"any":false } `, true},
	{"letters are counted, not bytes", `{"query":"äöüßé"}`, true},
	{"a number on the edge", `{"query":"a","min":10}`, true},
	{"a missing member is not sure", `{"min":1}`, false},
	{"a member too many is not sure", `{"query":"a","more":1}`, false},
	{"a member that stands there twice is not sure", `{"query":"a","query":"b"}`, false},
	{"a text too long is not sure", `{"query":"abcdef"}`, false},
	{"a text too short is not sure", `{"query":""}`, false},
	{"a number too large is not sure", `{"query":"a","min":11}`, false},
	{"another type is not sure", `{"query":7}`, false},
	{"an escape is not sure", `{"query":"\u0061"}`, false},
	{"a fraction is not sure", `{"query":"a","half":1.5}`, false},
	{"a leading zero is not sure", `{"query":"a","half":01}`, false},
	{"null is not sure", `{"query":"a","half":null}`, false},
	{"an array is not sure", `{"query":"a","any":[]}`, false},
	{"a comma too many is not sure", `{"query":"a",}`, false},
	{"something behind it is not sure", `{"query":"a"}x`, false},
	{"a NUL behind it is not sure", "{\"query\":\"a\"}\x00", false},
	{"an end too early is not sure", `{"query":"a"`, false},
	{"nothing is not sure", ``, false},
	{"a control character is not sure", "{\"query\":\"a\tb\"}", false},
	{"half a character is not sure", "{\"query\":\"\xc3\"}", false},
}

func TestFitsWithoutReading(t *testing.T) {
	s := flatSchema(t)
	for _, row := range flatRows {
		t.Run(row.name, func(t *testing.T) {
			if got := s.fits(json.RawMessage(row.value)); got != row.fits {
				t.Errorf("fits(%s) = %v", row.value, got)
			}
		})
	}
}

// FuzzFits holds the quick look against the whole reading: what it is sure of must have no problems.
func FuzzFits(f *testing.F) {
	for _, row := range flatRows {
		f.Add([]byte(row.value))
	}
	s := flatSchema(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		if !s.fits(value) {
			return
		}
		whole := *s
		whole.plain = false // asks the schema library too
		if problems := whole.problems(value); len(problems) > 0 {
			t.Errorf("%q was sure to fit: %v", value, problems)
		}
	})
}
