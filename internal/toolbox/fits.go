package toolbox

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// fits reports whether value surely fits a plain schema. It makes nothing of the value, and is not sure of anything but
// flat objects of plain texts, whole numbers and truths, which most calls bring: the rest is for problems to read.
func (s *schema) fits(value []byte) bool {
	f := &flat{b: value}
	if len(s.members) > 64 || !f.take('{') {
		return false
	}
	var seen uint64 // the members, by their place among the names
	for first := true; !f.take('}'); first = false {
		if !first && !f.take(',') {
			return false
		}
		name, ok := f.text()
		if !ok || !f.take(':') {
			return false
		}
		at, known := slices.BinarySearchFunc(s.members, name, func(member string, name []byte) int { return compare(member, name) })
		if !known || seen&(1<<at) != 0 || !f.member(s.root.Properties[s.members[at]]) {
			return false
		}
		seen |= 1 << at
	}
	for _, name := range s.root.Required {
		at, known := slices.BinarySearch(s.members, name)
		if !known || seen&(1<<at) == 0 {
			return false
		}
	}
	f.space()
	return f.i == len(f.b)
}

func compare(member string, name []byte) int {
	switch { // the compiler compares these without a copy
	case member == string(name):
		return 0
	case member < string(name):
		return -1
	}
	return 1
}

// flat reads the JSON of a flat object, as far as it is plain.
type flat struct {
	b []byte
	i int
}

// space skips white space and returns the byte that follows, or 0 at the end.
func (f *flat) space() byte {
	for ; f.i < len(f.b); f.i++ {
		if c := f.b[f.i]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

func (f *flat) take(c byte) bool {
	if f.space() != c {
		return false
	}
	f.i++
	return true
}

// text reads a string without escapes.
func (f *flat) text() ([]byte, bool) {
	if !f.take('"') {
		return nil, false
	}
	n := bytes.IndexByte(f.b[f.i:], '"')
	if n < 0 {
		return nil, false
	}
	text := f.b[f.i : f.i+n]
	f.i += n + 1
	return text, utf8.Valid(text) && !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c == '\\' })
}

// member reads a value and reports whether it surely fits.
func (f *flat) member(s *jsonschema.Schema) bool {
	switch c := f.space(); {
	case c == '"':
		text, ok := f.text()
		if !ok || !allows(s, "string") {
			return false
		}
		n := utf8.RuneCount(text)
		return (s.MaxLength == nil || n <= *s.MaxLength) && (s.MinLength == nil || n >= *s.MinLength)
	case c == 't':
		return f.word("true") && allows(s, "boolean")
	case c == 'f':
		return f.word("false") && allows(s, "boolean")
	}
	n, ok := f.whole()
	return ok && (allows(s, "integer") || allows(s, "number")) && (s.Minimum == nil || n >= *s.Minimum) && (s.Maximum == nil || n <= *s.Maximum)
}

func (f *flat) word(word string) bool {
	if !bytes.HasPrefix(f.b[f.i:], []byte(word)) {
		return false
	}
	f.i += len(word)
	return true
}

// whole reads a whole number that a float64 holds exactly.
func (f *flat) whole() (float64, bool) {
	start := f.i
	if f.i < len(f.b) && f.b[f.i] == '-' {
		f.i++
	}
	digits := f.i
	for f.i < len(f.b) && f.b[f.i] >= '0' && f.b[f.i] <= '9' {
		f.i++
	}
	const exact = 15
	if n := f.i - digits; n == 0 || n > exact || n > 1 && f.b[digits] == '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(f.b[start:f.i]), 10, 64)
	return float64(n), err == nil
}

// allows reports whether s lets a value be of this type.
func allows(s *jsonschema.Schema, kind string) bool {
	if s.Type != "" {
		return s.Type == kind
	}
	return len(s.Types) == 0 || slices.Contains(s.Types, kind)
}
