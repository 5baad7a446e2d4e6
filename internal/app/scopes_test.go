package app

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// TestRS24_WhatAClientSaysOfItselfDecidesNothing has a program call itself by the name of another that a rule lets in,
// and the other by any name: the client id of the token decides, and stands in the record.
func TestRS24_WhatAClientSaysOfItselfDecidesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	h := open(t, Options{}, "FASTMCP_AUTH_AUDIT_FILE_PATH="+path, "FASTMCP_AUTH_POLICY_FILE="+written(t, `rules:
  - name: one program
    tools: [reverse_tool]
    clients: [`+devidp.ClientWeb+`]
`))
	token := func(client string) string {
		token, err := h.provider.MintToken(devidp.TokenRequest{User: devidp.UserUser, Client: client, Audience: []string{h.at.MCP}, Scopes: []string{"execute"}})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	// call says in every place there is which program it is, and calls with the token of another.
	call := map[string]func(t *testing.T, token, name string) *answer{
		"2026-07-28": func(t *testing.T, token, name string) *answer {
			body := strings.Replace(reversing, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"`+name+`","version":"1"},`, 1)
			return h.raw(t, h.wire(body, "Authorization: Bearer "+token, "User-Agent: "+name, "X-Client-Id: "+name))
		},
		"2025-11-25": func(t *testing.T, token, name string) *answer {
			a, err := h.post(token, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"`+name+`","version":"1"}}}`, map[string]string{"User-Agent": name})
			if err != nil || a.status != http.StatusOK {
				t.Fatalf("answered %+v, %v", a, err)
			}
			a, err = h.post(token, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"abc"}}}`,
				map[string]string{"Mcp-Session-Id": a.header.Get("Mcp-Session-Id"), "MCP-Protocol-Version": "2025-11-25", "User-Agent": name})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
	}
	for version, call := range call {
		for _, row := range []struct {
			name, client, says string
			opens              bool
		}{
			{"the program that the rule names is let in by whatever name", devidp.ClientWeb, "something else", true},
			{"another program is not let in by its name", devidp.ClientCLI, devidp.ClientWeb, false},
		} {
			t.Run("RS-24 "+row.name+", in "+version, func(t *testing.T) {
				a := call(t, token(row.client), row.says)
				if opened := strings.Contains(a.body, "reversed_query"); opened != row.opens {
					t.Errorf("answered %d %s", a.status, a.body)
				}
				all := of(events(t, path), a)
				if len(all) == 0 || all[0].Client != row.client {
					t.Errorf("recorded %+v", all)
				}
			})
		}
	}
}

// TestRS25_ScopesAreLeastAndNotAll: what clients are told to ask for is what basic use needs, a challenge asks for what its
// call needs and no more, and a token with every scope opens nothing that a rule keeps to others.
func TestRS25_ScopesAreLeastAndNotAll(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_POLICY_FILE="+written(t, ruled))
	t.Run("RS-25 the first challenge and the metadata name the same least scopes", func(t *testing.T) {
		a := h.raw(t, h.wire(reversing))
		metadata := h.get(t, "/.well-known/oauth-protected-resource/mcp")
		if a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="execute"`) || !strings.Contains(metadata.body, `"scopes_supported":["execute"]`) {
			t.Errorf("asked for %s, told of %s", a.header.Get("WWW-Authenticate"), metadata.body)
		}
	})
	nothing := h.token(t, h.provider.Server, devidp.UserUser)
	for tool, row := range map[string]struct{ arguments, scope string }{
		"get_current_time": {`{"timezone":"UTC"}`, "time:read"},
		"reverse_tool":     {`{"query":"abc"}`, "execute"},
	} {
		t.Run("RS-25 a challenge asks for what "+tool+" needs and no more", func(t *testing.T) {
			a, err := h.call(nothing, "tools/call", tool, `"name":"`+tool+`","arguments":`+row.arguments+`,`)
			if err != nil || a.status != http.StatusForbidden || !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="`+row.scope+`"`) {
				t.Errorf("answered %+v, %v", a, err)
			}
		})
	}
	t.Run("RS-25 every scope there is does not stand for a role", func(t *testing.T) {
		all := h.token(t, h.provider.Server, devidp.UserUser, "execute", "time:read", "time:convert", "Tools.Admin", "*", "admin")
		a, err := h.call(all, "tools/call", "random_number_tool", `"name":"random_number_tool","arguments":{"min":1,"max":1},`)
		if err != nil || a.status != http.StatusBadRequest || strings.Contains(a.body, "random_number\"") {
			t.Errorf("answered %+v, %v", a, err)
		}
	})
}
