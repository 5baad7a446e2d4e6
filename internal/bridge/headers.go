package bridge

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
)

const (
	headerVersion = "MCP-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-"
)

// mirrored is an argument that a tool wants repeated in a header.
type mirrored struct {
	path   []string
	header string
}

// repeat puts into h what the newer era repeats of m in headers.
func (b *Bridge) repeat(h http.Header, m *message) {
	h.Set(headerVersion, m.version())
	h.Set(headerMethod, m.Method)
	var p struct {
		Name      string                     `json:"name"`
		URI       string                     `json:"uri"`
		Arguments map[string]json.RawMessage `json:"arguments"`
	}
	if json.Unmarshal(m.Params, &p) != nil {
		return
	}
	switch m.Method {
	case "tools/call":
		h.Set(headerName, encoded(p.Name))
		b.mu.Lock()
		mirror := b.headers[p.Name]
		b.mu.Unlock()
		for _, w := range mirror {
			if value, ok := headerValue(argument(p.Arguments, w.path)); ok {
				h.Set(headerParam+w.header, encoded(value))
			}
		}
	case "prompts/get":
		h.Set(headerName, encoded(p.Name))
	case "resources/read":
		h.Set(headerName, encoded(p.URI))
	}
}

// learn remembers which arguments tools want repeated, from a list of tools that passes by.
func (b *Bridge) learn(result json.RawMessage) {
	if !strings.Contains(string(result), "x-mcp-header") {
		return
	}
	var list struct {
		Tools []struct {
			Name  string   `json:"name"`
			Input property `json:"inputSchema"`
		} `json:"tools"`
	}
	if json.Unmarshal(result, &list) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range list.Tools {
		if len(b.headers) < 10_000 {
			b.headers[t.Name] = t.Input.mirrored(nil, nil)
		}
	}
}

// property is the part of a JSON Schema that says what is repeated.
type property struct {
	Header     string              `json:"x-mcp-header"`
	Properties map[string]property `json:"properties"`
}

func (p property) mirrored(path []string, all []mirrored) []mirrored {
	if len(path) > 16 {
		return all
	}
	for name, inner := range p.Properties {
		at := append(path[:len(path):len(path)], name)
		if inner.Header != "" && isToken(inner.Header) {
			all = append(all, mirrored{at, inner.Header})
		}
		all = inner.mirrored(at, all)
	}
	return all
}

func isToken(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c) {
			return false
		}
	}
	return s != ""
}

func argument(args map[string]json.RawMessage, path []string) json.RawMessage {
	v := args[path[0]]
	for _, name := range path[1:] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(v, &inner) != nil {
			return nil
		}
		v = inner[name]
	}
	return v
}

// headerValue is a text, whole number or truth value as a header says it.
func headerValue(raw json.RawMessage) (string, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
	}
	return "", false
}

// encoded writes what a header cannot hold as base64 between marks.
func encoded(value string) string {
	plain := value == strings.TrimSpace(value) && !strings.HasPrefix(value, "=?base64?")
	for _, c := range []byte(value) {
		plain = plain && c >= 0x20 && c < 0x7f
	}
	if plain {
		return value
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(value)) + "?="
}
