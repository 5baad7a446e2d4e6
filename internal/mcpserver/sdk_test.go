package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// TestAttack50WhatAToolMustNotSeeStaysOutside looks at the requests that are handed to the SDK, which shows their header
// to whatever it calls: no token, no cookie, and of the header that names a request nothing a client wrote.
func TestAttack50WhatAToolMustNotSeeStaysOutside(t *testing.T) {
	box, err := toolbox.New(toolbox.Options{Policy: policy.Open(), Tools: []toolbox.Tool{{
		Definition: &mcp.Tool{Name: "t", InputSchema: map[string]any{"type": "object"}},
		Call: func(context.Context, json.RawMessage, func(float64, float64, string)) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{Box: box, Name: "n", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(t.Context())
	var seen http.Header
	var body string
	spy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		seen, body = r.Header, string(raw)
		w.WriteHeader(http.StatusAccepted)
	})
	h.plain, h.stream, h.legacy = spy, spy, spy
	const meta = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`
	for _, row := range []struct {
		name, version, method, params string
	}{
		{"attack 50 a call with progress", firstModern, "tools/call", `{"name":"t","_meta":{"progressToken":"p",` + meta + `}}`},
		{"attack 50 a request that is answered by the SDK", firstModern, "server/discover", `{"_meta":{` + meta + `}}`},
		{"attack 50 a session that begins", "", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			sent := `{"jsonrpc":"2.0","id":1,"method":"` + row.method + `","params":` + row.params + `}`
			r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(sent))
			for name, value := range map[string]string{"Content-Type": "application/json", "Accept": usualAccept, versionHeader: row.version,
				"Authorization": "Bearer secret", "Cookie": "session=secret", requestHeader: "secret", "X-Mine": "kept"} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if row.version != "" {
				r.Header.Set(methodHeader, row.method)
				if row.method == "tools/call" {
					r.Header.Set(nameHeader, "t")
				}
			}
			seen, body = nil, ""
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if seen == nil || body != sent || seen.Get("X-Mine") != "kept" || len(seen[requestHeader]) != 1 {
				t.Fatalf("answered %d %s; the SDK saw %v %s", w.Code, w.Body, seen, body)
			}
			if strings.Contains(fmt.Sprint(seen), "secret") {
				t.Errorf("the SDK saw %v", seen)
			}
			if r.Header.Get("Cookie") == "" {
				t.Error("the request itself was changed")
			}
		})
	}
	t.Run("attack 50 a stream, which calls nothing", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/mcp", nil)
		for _, name := range []string{"Authorization", "Cookie", requestHeader} {
			r.Header.Set(name, "secret")
		}
		h.pass(h.newAnswer(httptest.NewRecorder(), r, "id"), r, spy, nil, nil)
		if strings.Contains(fmt.Sprint(seen), "secret") {
			t.Errorf("the SDK saw %v", seen)
		}
	})
}
