package arguments

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

// Value reads text as the schema wants it. Of alternatives the narrowest that fits is taken: null, a value of a list, a
// whole number, a number, true or false, an array or object, and only then a text.
func (s *Schema) Value(text string) (any, error) {
	leaves := s.leaves()
	if len(s.Enum) > 0 {
		return s.choice(text)
	}
	for _, try := range []func(*Schema, string) (any, bool){asNull, asChoice, asInteger, asNumber, asBoolean, asJSON, asItems, asText, asAnything} {
		for _, l := range leaves {
			if v, ok := try(l, text); ok {
				return v, nil
			}
		}
	}
	if len(leaves) == 1 && len(leaves[0].Enum) > 0 {
		return leaves[0].choice(text)
	}
	return nil, s.mismatch(text)
}

func (s *Schema) mismatch(text string) error {
	for _, l := range s.leaves() {
		if slices.Contains(l.Types, "array") && l.Items != nil && len(s.leaves()) == 1 && !strings.HasPrefix(strings.TrimSpace(text), "[") {
			_, err := l.Items.Value(text)
			return err
		}
	}
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
		if _, err := decode([]byte(t)); err != nil {
			return fmt.Errorf("%s is no JSON: %v", quoted(text), err)
		}
	}
	return fmt.Errorf("%s is not %s", quoted(text), s.wanted())
}

// choice finds the value of the list that text means.
func (s *Schema) choice(text string) (any, error) {
	if v, ok := asChoice(s, text); ok {
		return v, nil
	}
	var names []string
	for _, v := range s.Enum {
		names = append(names, textOf(v))
	}
	if near := nearest.Name(text, names); near != "" {
		return nil, fmt.Errorf("%s is not one of %s; did you mean %s?", quoted(text), someOf(names), near)
	}
	return nil, fmt.Errorf("%s is not one of %s", quoted(text), someOf(names))
}

const manyChoices = 12

func someOf(names []string) string {
	if len(names) > manyChoices {
		return strings.Join(names[:manyChoices], ", ") + fmt.Sprintf(" and %d more", len(names)-manyChoices)
	}
	return strings.Join(names, ", ")
}

func asNull(s *Schema, text string) (any, bool) {
	return nil, slices.Contains(s.Types, "null") && (text == "null" || text == "" && !slices.Contains(s.Types, "string"))
}

// asChoice prefers the exact value, then what people call it, then the same regardless of case.
func asChoice(s *Schema, text string) (any, bool) {
	for _, same := range []func(v any) bool{
		func(v any) bool { return textOf(v) == text },
		func(v any) bool { return s.labels[textOf(v)] != "" && s.labels[textOf(v)] == text },
		func(v any) bool { return strings.EqualFold(textOf(v), text) },
	} {
		if i := slices.IndexFunc(s.Enum, same); i >= 0 {
			return s.Enum[i], true
		}
	}
	return nil, false
}

func asInteger(s *Schema, text string) (any, bool) {
	if len(s.Enum) > 0 || !slices.Contains(s.Types, "integer") {
		return nil, false
	}
	n, ok := number(text)
	if !ok {
		return nil, false
	}
	r, ok := rational(n)
	return n, ok && r.IsInt()
}

func asNumber(s *Schema, text string) (any, bool) {
	if len(s.Enum) > 0 || !slices.Contains(s.Types, "number") {
		return nil, false
	}
	return number(text)
}

// number reads text by the grammar of JSON, so that 007 stays a text. A leading plus is forgiven.
func number(text string) (any, bool) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "+")
	v, err := decode([]byte(text))
	n, ok := v.(json.Number)
	return n, ok && err == nil
}

// rational is the number exactly; one with an exponent that would fill the memory is none.
func rational(v any) (*big.Rat, bool) {
	text := string(v.(json.Number))
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 5 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func asBoolean(s *Schema, text string) (any, bool) {
	if len(s.Enum) > 0 || !slices.Contains(s.Types, "boolean") {
		return nil, false
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return nil, false
}

// asJSON reads arrays and objects.
func asJSON(s *Schema, text string) (any, bool) {
	v, err := decode([]byte(text))
	if err != nil {
		return nil, false
	}
	switch v.(type) {
	case *object:
		return plain(v), slices.Contains(s.Types, "object")
	case []any:
		return plain(v), slices.Contains(s.Types, "array")
	}
	return nil, false
}

// asItems reads one item of an array; where no item holds a comma, several between commas.
func asItems(s *Schema, text string) (any, bool) {
	if !slices.Contains(s.Types, "array") || strings.HasPrefix(strings.TrimSpace(text), "[") {
		return nil, false
	}
	parts := []string{text}
	items := s.Items
	if items == nil {
		items = &Schema{}
	} else if items.splits() {
		parts = strings.Split(text, ",")
	}
	list := []any{}
	for _, part := range parts {
		if len(parts) > 1 {
			part = strings.TrimSpace(part)
		}
		v, err := items.Value(part)
		if err != nil {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

// splits reports whether commas stand between items, since no item holds one.
func (s *Schema) splits() bool {
	for _, l := range s.leaves() {
		switch {
		case len(l.Enum) > 0:
			if slices.ContainsFunc(l.Enum, func(v any) bool { return strings.Contains(textOf(v), ",") }) {
				return false
			}
		case len(l.Types) == 0:
			return false
		case slices.ContainsFunc(l.Types, func(k string) bool { return k == "string" || k == "array" || k == "object" }):
			return false
		}
	}
	return true
}

func asText(s *Schema, text string) (any, bool) {
	return text, len(s.Enum) == 0 && slices.Contains(s.Types, "string")
}

// asAnything reads JSON where it is some, and text otherwise.
func asAnything(s *Schema, text string) (any, bool) {
	if len(s.Types) > 0 || len(s.Enum) > 0 {
		return nil, false
	}
	if v, err := decode([]byte(text)); err == nil {
		return plain(v), true
	}
	return text, true
}

// errNotUTF8 is why a file cannot be a text.
var errNotUTF8 = errors.New("the file is not UTF-8 text, and the schema does not ask for base64")

const maxQuoted = 60

// quoted shows a bounded piece of what was typed.
func quoted(text string) string {
	if r := []rune(text); len(r) > maxQuoted {
		text = string(r[:maxQuoted]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
