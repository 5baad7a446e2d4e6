// Package strictjson reads JSON that every reader reads alike.
//
// What one reader takes for one thing and the next for another is a way around whoever looked first: a key that stands
// there twice, half a character, text after the end. All of that is refused here, and depth is bounded. It builds no
// values; who needs those decodes the bytes it has passed.
package strictjson

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest.
const maxDepth = 64

// Scanner reads one text, value by value: no key twice in an object, no half surrogates, no NUL in a key, bounded depth.
// RFC 8259, with the advice of RFC 7493 taken as rule.
type Scanner struct {
	b     []byte
	i     int
	depth int
	names map[string]string
}

// On returns a scanner of b, which must be valid UTF-8. names are keys that are often read, each under itself, so that
// reading them makes no copies; nil means none.
func On(b []byte, names map[string]string) Scanner { return Scanner{b: b, names: names} }

// Check reads b as one object and nothing else.
func Check(b []byte) error {
	s := On(b, nil)
	switch {
	case !utf8.Valid(b):
		return s.Fail("it is not valid UTF-8")
	case s.Peek() != '{':
		return s.Fail("it is not an object")
	}
	if err := s.value(); err != nil {
		return err
	}
	return s.End()
}

// SyntaxError says what is wrong with the text, in words that strangers may read, and where.
type SyntaxError struct {
	What string
	At   int // bytes from the beginning
}

// Error says both.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s, at byte %d", e.What, e.At) }

// Fail returns a [*SyntaxError] at the place that was reached.
func (s *Scanner) Fail(format string, args ...any) error {
	return &SyntaxError{What: fmt.Sprintf(format, args...), At: s.i}
}

// Clip shortens a stranger's text for an error.
func Clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

func (s *Scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// Peek returns the next byte that is not space, or 0 at the end.
func (s *Scanner) Peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// End refuses anything after the value.
func (s *Scanner) End() error {
	if s.space(); s.i < len(s.b) {
		return s.Fail("something follows the message")
	}
	return nil
}

// value reads one value of any kind.
func (s *Scanner) value() error {
	switch c := s.Peek(); {
	case c == '{':
		return s.Object(func(string, []byte) error { return nil })
	case c == '[':
		return s.array()
	case c == '"':
		return s.skipText()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
			s.i += len(word)
			return nil
		}
	}
	if s.i == len(s.b) {
		return s.Fail("the text ends too early")
	}
	return s.Fail("there is no value")
}

// Empty reports that nothing was there to read.
func (s *Scanner) Empty() bool { return s.Peek() == 0 && s.i == len(s.b) }

func (s *Scanner) deeper() error {
	if s.depth++; s.depth > maxDepth {
		return s.Fail("it nests deeper than %d levels", maxDepth)
	}
	return nil
}

// Object reads an object, which must be next, and calls member for each of its members, with the bytes of the value.
func (s *Scanner) Object(member func(key string, value []byte) error) error {
	if err := s.deeper(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.i++ // {
	var seen Keys
	if s.Peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.Peek() != '"' {
			return s.Fail("there is no key")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if strings.IndexByte(key, 0) >= 0 {
			return s.Fail("a key contains NUL")
		}
		if !seen.Add(key) {
			return s.Fail("the key %q stands there twice", Clip(key))
		}
		if s.Peek() != ':' {
			return s.Fail("a colon is missing")
		}
		s.i++
		s.space()
		start := s.i
		if err := s.value(); err != nil {
			return err
		}
		if err := member(key, s.b[start:s.i]); err != nil {
			return err
		}
		switch s.Peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.Fail("an object does not end")
		}
	}
}

// Keys are those of one object, zero for none. Few are looked through, many are looked up, so that a stranger's long object costs no
// more than its length.
type Keys struct {
	few  [8]string
	n    int
	many map[string]bool
}

// Add reports whether the key was not there.
func (k *Keys) Add(key string) bool {
	if k.many != nil {
		seen := k.many[key]
		k.many[key] = true
		return !seen
	}
	if slices.Contains(k.few[:k.n], key) {
		return false
	}
	if k.n < len(k.few) {
		k.few[k.n] = key
		k.n++
		return true
	}
	k.many = make(map[string]bool, 4*len(k.few))
	for _, key := range k.few {
		k.many[key] = true
	}
	k.many[key] = true
	return true
}

func (s *Scanner) array() error {
	if err := s.deeper(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.i++ // [
	if s.Peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		switch s.Peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.Fail("an array does not end")
		}
	}
}

// skipText reads a string whose meaning is nobody's affair here.
func (s *Scanner) skipText() error {
	for i := s.i + 1; i < len(s.b) && s.b[i] != '\\' && s.b[i] >= 0x20; i++ {
		if s.b[i] == '"' {
			s.i = i + 1
			return nil
		}
	}
	_, err := s.text()
	return err
}

// text reads a string and returns what it stands for.
func (s *Scanner) text() (string, error) {
	s.i++ // "
	start := s.i
	for s.i < len(s.b) && s.b[s.i] != '"' && s.b[s.i] != '\\' && s.b[s.i] >= 0x20 {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '"' {
		s.i++
		text := s.b[start : s.i-1]
		if key, is := s.names[string(text)]; is {
			return key, nil
		}
		return string(text), nil
	}
	out := append([]byte(nil), s.b[start:s.i]...)
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return string(out), nil
		case c < 0x20:
			return "", s.Fail("a string contains a control character")
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
			s.i++
		}
	}
	return "", s.Fail("a string does not end")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads a backslash and what belongs to it.
func (s *Scanner) escape() (rune, error) {
	s.i++ // \
	if s.i == len(s.b) {
		return 0, s.Fail("a string does not end")
	}
	c := s.b[s.i]
	s.i++
	if c != 'u' {
		r, ok := escapes[c]
		if !ok {
			return 0, s.Fail("a string contains an unknown escape")
		}
		return r, nil
	}
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !bytes.HasPrefix(s.b[s.i:], []byte(`\u`)) {
		return 0, s.Fail("a string contains half a character")
	}
	s.i += 2
	second, err := s.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
		return 0, s.Fail("a string contains half a character")
	}
	return r, nil
}

func (s *Scanner) hex() (rune, error) {
	if len(s.b)-s.i < 4 {
		return 0, s.Fail("a string does not end")
	}
	for _, c := range s.b[s.i : s.i+4] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return 0, s.Fail("a string contains an unknown escape")
		}
	}
	n, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 16)
	if err != nil {
		return 0, s.Fail("a string contains an unknown escape")
	}
	s.i += 4
	return rune(n), nil
}

// number reads a number. RFC 8259, section 6.
func (s *Scanner) number() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return s.Fail("a number has no digits")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.Fail("a number has no digits after its point")
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.Fail("a number has no digits in its exponent")
		}
	}
	return nil
}

func (s *Scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
