package arguments

import (
	"slices"
	"strings"
)

// Signature writes a tool on one line, such as "convert_time(time: string, zone?: string = UTC)".
func Signature(name string, s *Schema) string {
	var parts []string
	for _, p := range s.Properties {
		part := p.Name
		if !p.Required {
			part += "?"
		}
		part += ": " + p.Schema.Kind()
		if p.Schema.HasDefault && p.Schema.Default != nil {
			part += " = " + oneLine(textOf(p.Schema.Default))
		}
		parts = append(parts, part)
	}
	if s.Open && len(s.Properties) > 0 {
		parts = append(parts, "…")
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}

const maxShown = 40

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return text
}

const fewChoices = 6

// Kind names what a value may be, in a word or few: "string", "integer[]", "a|b|c", "string|null".
func (s *Schema) Kind() string {
	if len(s.Enum) > 0 {
		var names []string
		for _, v := range s.Enum[:min(len(s.Enum), fewChoices)] {
			names = append(names, oneLine(textOf(v)))
		}
		if len(s.Enum) > fewChoices {
			names = append(names, "…")
		}
		return strings.Join(names, "|")
	}
	var words []string
	add := func(word string) {
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	for _, a := range s.AnyOf {
		add(a.Kind())
	}
	if len(s.AnyOf) == 0 {
		for _, k := range s.Types {
			if k == "array" && s.Items != nil {
				inner := s.Items.Kind()
				if strings.Contains(inner, "|") {
					inner = "(" + inner + ")"
				}
				k = inner + "[]"
			}
			add(k)
		}
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, "|")
}

// wanted is Kind as it stands in a sentence.
func (s *Schema) wanted() string {
	words := map[string]string{
		"integer": "a whole number", "number": "a number", "boolean": "true or false", "object": "a JSON object",
		"null": "null", "string": "a text", "array": "an array",
	}
	var all []string
	for _, l := range s.leaves() {
		for _, k := range l.Types {
			if w := words[k]; w != "" && !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
	}
	if len(all) == 0 {
		return s.Kind()
	}
	return strings.Join(all, " or ")
}

// Label is what people call a value of the list, where the schema says; else the value.
func (s *Schema) Label(v any) string {
	if label := s.labels[textOf(v)]; label != "" {
		return label
	}
	return textOf(v)
}

// Text is how a value is typed: a string as it is, anything else as JSON.
func Text(v any) string { return textOf(v) }
