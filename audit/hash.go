package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"sync"
	"unicode/utf8"
)

// hashPrefix says how a fingerprint was made, so that another way can be told from it.
const hashPrefix = "hmac-sha256:"

// hasher makes fingerprints under one key. It may be used from many goroutines.
type hasher struct{ macs sync.Pool }

func newHasher(key []byte) *hasher {
	key = bytes.Clone(key)
	return &hasher{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// fingerprint is the HMAC-SHA-256 of the arguments in their canonical form, or "" for what is no JSON. A plain hash would
// not do: who reads the record could find a short argument, such as a name or an account number, by trying them all.
func (h *hasher) fingerprint(arguments []byte) string {
	if !json.Valid(arguments) {
		return ""
	}
	c := &canonical{rest: arguments, out: make([]byte, 0, len(arguments)+64)}
	c.value()
	mac := h.macs.Get().(hash.Hash)
	defer h.macs.Put(mac)
	mac.Reset()
	mac.Write(c.out)
	text := append(make([]byte, 0, len(hashPrefix)+2*sha256.Size), hashPrefix...)
	return string(hex.AppendEncode(text, mac.Sum(c.out[:0])))
}

// canonical writes JSON that is known to be valid without needless spaces, with the members of each object sorted by
// name and each string in one spelling. Numbers stay as they were written: 1 and 1.0 are two arguments.
type canonical struct {
	rest []byte
	out  []byte
}

// peek skips spaces and returns what stands there.
func (c *canonical) peek() byte {
	c.rest = bytes.TrimLeft(c.rest, " \t\r\n")
	return c.rest[0]
}

func (c *canonical) skip() { c.rest = c.rest[1:] }

func (c *canonical) value() {
	switch c.peek() {
	case '{':
		c.object()
	case '[':
		c.list()
	case '"':
		c.out = append(c.out, c.text()...)
	default: // a number, true, false or null
		n := bytes.IndexAny(c.rest, ",]} \t\r\n")
		if n < 0 {
			n = len(c.rest)
		}
		c.out = append(c.out, c.rest[:n]...)
		c.rest = c.rest[n:]
	}
}

// text returns the string that stands there, in the one spelling.
func (c *canonical) text() []byte {
	n, plain := 1, true
	for ; c.rest[n] != '"'; n++ {
		switch b := c.rest[n]; {
		case b == '\\':
			plain = false
			n++
		case b >= utf8.RuneSelf || b == '<' || b == '>' || b == '&':
			plain = false
		}
	}
	raw := c.rest[:n+1]
	c.rest = c.rest[n+1:]
	if plain {
		return raw
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return raw // it is valid, so this is not reached
	}
	return quote(nil, s)
}

func (c *canonical) list() {
	c.skip()
	c.out = append(c.out, '[')
	for first := true; c.peek() != ']'; first = false {
		if !first {
			c.skip() // the comma
			c.out = append(c.out, ',')
		}
		c.value()
	}
	c.skip()
	c.out = append(c.out, ']')
}

func (c *canonical) object() {
	c.skip()
	type member struct{ name, value []byte }
	var members []member
	start := len(c.out)
	for first := true; c.peek() != '}'; first = false {
		if !first {
			c.skip() // the comma
			c.peek()
		}
		name := c.text()
		c.peek()
		c.skip() // the colon
		from := len(c.out)
		c.value()
		members = append(members, member{name, c.out[from:len(c.out):len(c.out)]})
	}
	c.skip()
	slices.SortStableFunc(members, func(x, y member) int { return bytes.Compare(x.name, y.name) })
	var whole []byte
	for i, m := range members {
		if i > 0 {
			whole = append(whole, ',')
		}
		whole = append(append(append(whole, m.name...), ':'), m.value...)
	}
	c.out = append(append(append(c.out[:start], '{'), whole...), '}')
}
