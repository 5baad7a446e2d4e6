package mcpserver

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

// scanner reads JSON more strictly than encoding/json: no key twice in an object, no half surrogates, no NUL in a key,
// bounded depth. RFC 8259, with the advice of RFC 7493 taken as rule.
type scanner struct {
	b     []byte
	i     int
	depth int
}

// syntaxError says what is wrong with the text, and where.
type syntaxError struct {
	what string
	at   int
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s, at byte %d", e.what, e.at) }

func (s *scanner) fail(format string, args ...any) error {
	return &syntaxError{what: fmt.Sprintf(format, args...), at: s.i}
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r') {
		s.i++
	}
}

// peek returns the next byte that is not space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// end refuses anything after the value.
func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return s.fail("something follows the message")
	}
	return nil
}

// value reads one value of any kind.
func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(string, []byte) error { return nil })
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
		return s.fail("the text ends too early")
	}
	return s.fail("there is no value")
}

func (s *scanner) deeper() error {
	if s.depth++; s.depth > maxDepth {
		return s.fail("it nests deeper than %d levels", maxDepth)
	}
	return nil
}

// object reads an object and calls member for each of its members, with the bytes of the value.
func (s *scanner) object(member func(key string, value []byte) error) error {
	if err := s.deeper(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.i++ // {
	var seen keys
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("there is no key")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if strings.IndexByte(key, 0) >= 0 {
			return s.fail("a key contains NUL")
		}
		if !seen.add(key) {
			return s.fail("the key %q stands there twice", clip(key))
		}
		if s.peek() != ':' {
			return s.fail("a colon is missing")
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
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.fail("an object does not end")
		}
	}
}

// keys are those of one object. Few are looked through, many are looked up, so that a stranger's long object costs no
// more than its length.
type keys struct {
	few  [8]string
	n    int
	many map[string]bool
}

// add reports whether the key was not there.
func (k *keys) add(key string) bool {
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

func (s *scanner) array() error {
	if err := s.deeper(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.i++ // [
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		if err := s.value(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.fail("an array does not end")
		}
	}
}

// skipText reads a string whose meaning is nobody's affair here.
func (s *scanner) skipText() error {
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
func (s *scanner) text() (string, error) {
	s.i++ // "
	start := s.i
	for s.i < len(s.b) && s.b[s.i] != '"' && s.b[s.i] != '\\' && s.b[s.i] >= 0x20 {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '"' {
		s.i++
		text := s.b[start : s.i-1]
		if key, is := spelled[string(text)]; is {
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
			return "", s.fail("a string contains a control character")
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
	return "", s.fail("a string does not end")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads a backslash and what belongs to it.
func (s *scanner) escape() (rune, error) {
	s.i++ // \
	if s.i == len(s.b) {
		return 0, s.fail("a string does not end")
	}
	c := s.b[s.i]
	s.i++
	if c != 'u' {
		r, ok := escapes[c]
		if !ok {
			return 0, s.fail("a string contains an unknown escape")
		}
		return r, nil
	}
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !bytes.HasPrefix(s.b[s.i:], []byte(`\u`)) {
		return 0, s.fail("a string contains half a character")
	}
	s.i += 2
	second, err := s.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
		return 0, s.fail("a string contains half a character")
	}
	return r, nil
}

func (s *scanner) hex() (rune, error) {
	if len(s.b)-s.i < 4 {
		return 0, s.fail("a string does not end")
	}
	for _, c := range s.b[s.i : s.i+4] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return 0, s.fail("a string contains an unknown escape")
		}
	}
	n, err := strconv.ParseUint(string(s.b[s.i:s.i+4]), 16, 16)
	if err != nil {
		return 0, s.fail("a string contains an unknown escape")
	}
	s.i += 4
	return rune(n), nil
}

// number reads a number. RFC 8259, section 6.
func (s *scanner) number() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return s.fail("a number has no digits")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.fail("a number has no digits after its point")
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.fail("a number has no digits in its exponent")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
