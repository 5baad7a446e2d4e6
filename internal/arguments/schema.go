package arguments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	maxSchema = 1 << 20 // bytes of a schema
	maxNodes  = 4_000   // schemas within it, each reference counted anew
	maxDepth  = 24
)

// Schema is what a value may be. The zero value takes anything.
type Schema struct {
	Types       []string   // of JSON Schema; none means any
	Properties  []Property // of an object, in the order of the document
	Open        bool       // an object takes names besides Properties
	Items       *Schema    // of an array; nil means anything
	AnyOf       []*Schema  // alternatives; none means that the rest says all
	Enum        []any      // the values there are; none means any
	Default     any        // what is taken where nothing is said
	HasDefault  bool
	Title       string
	Description string
	Format      string
	Encoding    string // contentEncoding
	WriteOnly   bool   // a secret, such as a password

	labels map[string]string // of the values of Enum, by value
}

// Property is a named part of an object.
type Property struct {
	Name     string
	Required bool
	Schema   *Schema
}

// ParseSchema reads a JSON Schema. An empty one takes anything.
func ParseSchema(raw []byte) (*Schema, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return &Schema{Open: true}, nil
	}
	if len(raw) > maxSchema {
		return nil, fmt.Errorf("the schema is larger than %d bytes", maxSchema)
	}
	p := &parser{left: maxNodes}
	root, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %v", err)
	}
	p.root = root
	return p.schema(root, 0), nil
}

// Property returns the part called name, or nil.
func (s *Schema) Property(name string) *Property {
	i := slices.IndexFunc(s.Properties, func(p Property) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Properties[i]
}

// Takes reports whether a value of the JSON type kind is allowed, as far as types go.
func (s *Schema) Takes(kind string) bool {
	return slices.ContainsFunc(s.leaves(), func(l *Schema) bool { return slices.Contains(l.Types, kind) })
}

// leaves are the alternatives that a value may match, and s itself where it has none.
func (s *Schema) leaves() []*Schema {
	if len(s.AnyOf) == 0 {
		return []*Schema{s}
	}
	var all []*Schema
	for _, a := range s.AnyOf {
		all = append(all, a.leaves()...)
	}
	return all
}

// object is a JSON object whose names stand in the order of the document.
type object struct {
	names  []string
	values map[string]any // object, []any, string, json.Number, bool or nil
}

func (o *object) text(name string) string {
	s, _ := o.values[name].(string)
	return s
}

// decode reads JSON with the order of names and the digits of numbers kept.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("more follows the value")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > 200 {
		return nil, fmt.Errorf("it is nested too deeply")
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			key := name.(string)
			if _, twice := o.values[key]; !twice {
				o.names = append(o.names, key)
			}
			o.values[key] = v
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

// plain turns objects into maps, for values that are sent or printed.
func plain(v any) any {
	switch v := v.(type) {
	case *object:
		m := make(map[string]any, len(v.values))
		for name, inner := range v.values {
			m[name] = plain(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	}
	return v
}

type parser struct {
	root any
	left int // schemas that may still be read
}

// schema reads v. What is too deep, too much or no schema takes anything.
func (p *parser) schema(v any, depth int) *Schema {
	o, ok := v.(*object)
	if p.left--; !ok || depth > maxDepth || p.left < 0 {
		return &Schema{Open: true}
	}
	if ref := o.text("$ref"); ref != "" {
		s := p.schema(p.resolve(ref), depth+1)
		if d := o.text("description"); d != "" {
			s.Description = d
		}
		return s
	}
	s := &Schema{
		Title: o.text("title"), Description: o.text("description"), Format: o.text("format"), Encoding: o.text("contentEncoding"),
	}
	s.WriteOnly, _ = o.values["writeOnly"].(bool)
	s.Types = kinds(o.values["type"])
	if d, said := o.values["default"]; said {
		s.Default, s.HasDefault = plain(d), true
	}
	if list, ok := o.values["enum"].([]any); ok {
		for _, v := range list {
			s.Enum = append(s.Enum, plain(v))
		}
		s.name(o.values["enumNames"])
	}
	if c, said := o.values["const"]; said {
		s.Enum = []any{plain(c)}
		s.labels = map[string]string{textOf(s.Enum[0]): s.Title}
	}
	if items, said := o.values["items"]; said {
		s.Items = p.schema(items, depth+1)
	}
	p.properties(s, o, depth)
	for _, inner := range listOf(o.values["allOf"]) {
		s.join(p.schema(inner, depth+1))
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		for _, inner := range listOf(o.values[word]) {
			s.AnyOf = append(s.AnyOf, p.schema(inner, depth+1))
		}
	}
	s.settle()
	return s
}

// name keeps what people call the values of an enum (enumNames of MCP's elicitation).
func (s *Schema) name(names any) {
	list := listOf(names)
	if len(list) != len(s.Enum) || len(list) == 0 {
		return
	}
	s.labels = map[string]string{}
	for i, n := range list {
		s.labels[textOf(s.Enum[i])], _ = n.(string)
	}
}

func (p *parser) properties(s *Schema, o *object, depth int) {
	required := map[string]bool{}
	for _, name := range listOf(o.values["required"]) {
		if name, ok := name.(string); ok {
			required[name] = true
		}
	}
	listed, _ := o.values["properties"].(*object)
	if listed != nil {
		for _, name := range listed.names {
			s.Properties = append(s.Properties, Property{Name: name, Required: required[name], Schema: p.schema(listed.values[name], depth+1)})
			delete(required, name)
		}
	}
	for _, name := range listOf(o.values["required"]) { // required, and described nowhere
		if name, ok := name.(string); ok && required[name] {
			s.Properties = append(s.Properties, Property{Name: name, Required: true, Schema: &Schema{Open: true}})
			delete(required, name)
		}
	}
	switch more := o.values["additionalProperties"].(type) {
	case bool:
		s.Open = more
	case *object:
		s.Open = true
	default:
		s.Open = listed == nil && len(s.Properties) == 0 || o.values["patternProperties"] != nil
	}
}

// join takes in what an allOf adds.
func (s *Schema) join(other *Schema) {
	if len(s.Types) == 0 {
		s.Types = other.Types
	}
	if len(s.Enum) == 0 {
		s.Enum, s.labels = other.Enum, other.labels
	}
	if s.Items == nil {
		s.Items = other.Items
	}
	if s.Description == "" {
		s.Description = other.Description
	}
	if len(s.AnyOf) == 0 {
		s.AnyOf = other.AnyOf
	}
	for _, p := range other.Properties {
		if have := s.Property(p.Name); have != nil {
			have.Required = have.Required || p.Required
			continue
		}
		s.Properties = append(s.Properties, p)
	}
	if len(other.Properties) > 0 {
		s.Open = false
	}
}

// settle brings alternatives into one shape: several constants are an enum, and alternatives of an object that each add
// properties are one object that has them all, of which those are required that each alternative requires.
func (s *Schema) settle() {
	if len(s.AnyOf) == 0 {
		return
	}
	constants, objects := true, len(s.AnyOf) > 0
	for _, a := range s.AnyOf {
		constants = constants && len(a.Enum) > 0 && len(a.AnyOf) == 0
		objects = objects && len(a.AnyOf) == 0 && (len(a.Properties) > 0 || slices.Equal(a.Types, []string{"object"}))
	}
	switch {
	case constants:
		s.labels = map[string]string{}
		for _, a := range s.AnyOf {
			s.Enum = append(s.Enum, a.Enum...)
			for value, label := range a.labels {
				s.labels[value] = label
			}
		}
		s.AnyOf = nil
	case objects && (len(s.Types) == 0 || slices.Contains(s.Types, "object")):
		s.unite()
	case len(s.Types) > 0:
		for _, a := range s.AnyOf {
			if len(a.Types) == 0 {
				a.Types = s.Types
			}
		}
	}
}

func (s *Schema) unite() {
	needed := map[string]int{}
	for _, a := range s.AnyOf {
		for _, p := range a.Properties {
			if p.Required {
				needed[p.Name]++
			}
		}
	}
	all := len(s.AnyOf)
	for _, a := range s.AnyOf {
		for _, p := range a.Properties {
			required := needed[p.Name] == all
			if have := s.Property(p.Name); have != nil {
				have.Required = have.Required || required
				if len(have.Schema.Types) == 0 && len(have.Schema.Enum) == 0 && len(have.Schema.AnyOf) == 0 {
					have.Schema = p.Schema
				} else if have.Schema != p.Schema {
					have.Schema = &Schema{Description: have.Schema.Description, AnyOf: []*Schema{have.Schema, p.Schema}}
					have.Schema.settle()
				}
				continue
			}
			s.Properties = append(s.Properties, Property{Name: p.Name, Required: required, Schema: p.Schema})
		}
	}
	s.Types, s.AnyOf, s.Open = []string{"object"}, nil, false
}

// resolve follows a reference within the document; one that leads elsewhere takes anything.
func (p *parser) resolve(ref string) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := p.root
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "" {
			continue
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		o, ok := at.(*object)
		if !ok {
			return nil
		}
		at = o.values[part]
	}
	return at
}

func kinds(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, k := range v {
			if k, ok := k.(string); ok {
				all = append(all, k)
			}
		}
		return all
	}
	return nil
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

// textOf is how a value is typed and shown: a string as it is, anything else as JSON.
func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}
