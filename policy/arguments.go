package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseArguments reads the arguments of a call strictly: one JSON object, no key twice, nothing after it. What two
// readers could take for different things is refused, because a rule must decide about what the tool will see: keys that
// differ only by case are one key to some readers.
func parseArguments(raw json.RawMessage) (map[string]any, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || bytes.Equal(raw, []byte("null")):
		return map[string]any{}, nil
	case raw[0] != '{' || !utf8.Valid(raw) || !json.Valid(raw):
		return nil, errors.New("not one JSON object")
	}
	object, err := (&reader{b: raw}).value(0)
	if err != nil {
		return nil, err
	}
	return object.(map[string]any), nil
}

// reader walks bytes that are known to be valid JSON.
type reader struct {
	b []byte
	i int
}

func (r *reader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("too deep")
	}
	switch r.next() {
	case '{':
		return r.object(depth)
	case '[':
		return r.list(depth)
	case '"':
		return r.text()
	case 't':
		r.i += len("true")
		return true, nil
	case 'f':
		r.i += len("false")
		return false, nil
	case 'n':
		r.i += len("null")
		return nil, nil
	}
	return r.number()
}

// next skips white space, and returns the byte that follows without taking it.
func (r *reader) next() byte {
	for strings.IndexByte(" \t\r\n", r.b[r.i]) >= 0 {
		r.i++
	}
	return r.b[r.i]
}

// more takes what stands before a member, or takes the end and says that there is none.
func (r *reader) more(end byte) bool {
	switch r.next() {
	case end:
		r.i++
		return false
	case ',':
		r.i++
	}
	return true
}

func (r *reader) object(depth int) (any, error) {
	r.i++
	object := map[string]any{}
	var folded map[string]bool
	for r.more('}') {
		r.next()
		key, err := r.text()
		if err != nil {
			return nil, err
		}
		if len(object) > 0 {
			if folded == nil {
				folded = map[string]bool{}
				for first := range object {
					folded[fold(first)] = true
				}
			}
			if folded[fold(key)] {
				return nil, errors.New("a key stands twice")
			}
			folded[fold(key)] = true
		}
		r.next()
		r.i++ // the colon
		if object[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// fold maps keys that differ only by case to one text.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }

func (r *reader) list(depth int) (any, error) {
	r.i++
	list := []any{}
	for r.more(']') {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
}

func (r *reader) text() (string, error) {
	begin, escaped := r.i, false
	for r.i++; r.b[r.i] != '"'; r.i++ {
		if r.b[r.i] == '\\' {
			escaped = true
			r.i++
		}
	}
	r.i++
	quoted := r.b[begin:r.i]
	if !escaped {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err
}

// number keeps whole numbers exact. One beyond 64 bits is refused rather than rounded.
func (r *reader) number() (any, error) {
	begin := r.i
	for r.i < len(r.b) && strings.IndexByte("+-.0123456789eE", r.b[r.i]) >= 0 {
		r.i++
	}
	text := string(r.b[begin:r.i])
	if strings.ContainsAny(text, ".eE") {
		return strconv.ParseFloat(text, 64)
	}
	return strconv.ParseInt(text, 10, 64)
}
