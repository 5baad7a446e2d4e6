package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// signInAs signs somebody in through the device flow, as a person would, and opens a session that asks for no more than
// what was granted.
func (h *house) signInAs(t *testing.T, user, server, version string, scopes ...string) *client.Session {
	t.Helper()
	var prefixed []string
	for _, s := range scopes {
		prefixed = append(prefixed, h.at.ScopePrefix+s)
	}
	first, err := client.Connect(t.Context(), server, client.Options{ProtocolVersion: version, SignIn: &signin.Device{
		ClientID: h.at.ClientID,
		Scopes:   prefixed,
		Prompt: func(p signin.DevicePrompt) {
			if err := h.ApproveDevice(p.UserCode, user); err != nil {
				t.Error(err)
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	session, err := client.Connect(t.Context(), server, client.Options{ProtocolVersion: version, Token: first.TokenSource()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// TestASignedInCall walks from 401 to a result, with a real sign-in, for both characters of the provider, both eras of
// the protocol and both spellings of the endpoint.
func TestASignedInCall(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		h := open(t, Options{}, "FASTMCP_AUTH_IDP_CHARACTER="+character, "FASTMCP_AUTH_REVERSE_DURATION=50ms")
		for _, row := range []struct{ name, server, version string }{
			{"2026-07-28", h.at.MCP, "2026-07-28"},
			{"2025-11-25", h.at.MCP, "2025-11-25"},
			{"2025-06-18", h.at.MCP, "2025-06-18"},
			{"2025-03-26", h.at.MCP, "2025-03-26"},
			{"a slash at the end", h.at.MCP + "/", ""},
		} {
			t.Run(character+" "+row.name, func(t *testing.T) {
				session := h.signInAs(t, devidp.UserAdmin, row.server, row.version, "execute")
				var heard []float64
				result, err := session.Call(t.Context(), "reverse_tool", map[string]any{"query": "abcdef"}, func(p client.Progress) { heard = append(heard, p.Done/p.Total) })
				if err != nil {
					t.Fatal(err)
				}
				if text := client.Text(result); !strings.Contains(text, "fedcba") {
					t.Errorf("answered %s", text)
				}
				if len(heard) < 2 || heard[len(heard)-1] != 1 {
					t.Errorf("progress heard: %v", heard)
				}
			})
		}
	}
}

// TestRS14_ABroadScopeImpliesTheNarrow opens the whole house to execute and the clock to time:read.
func TestRS14_ABroadScopeImpliesTheNarrow(t *testing.T) {
	h := open(t, Options{})
	calls := map[string]string{
		"reverse_tool":       `{"query":"abc"}`,
		"random_number_tool": `{"min":1,"max":1}`,
		"get_current_time":   `{"timezone":"UTC"}`,
		"convert_time":       `{"source_timezone":"UTC","time":"12:00","target_timezone":"Asia/Tokyo"}`,
	}
	for _, row := range []struct {
		scope, user string
		opens       []string
	}{
		{"execute", devidp.UserUser, []string{"reverse_tool", "random_number_tool", "get_current_time", "convert_time"}},
		{"time:read", devidp.UserReader, []string{"get_current_time"}},
		{"time:convert", devidp.UserAdmin, []string{"convert_time"}},
	} {
		t.Run(row.scope+" opens what it implies and nothing else", func(t *testing.T) {
			session := h.signInAs(t, row.user, h.at.MCP, "", row.scope)
			tools, err := session.Tools(t.Context())
			if err != nil || len(tools) != len(calls) {
				t.Errorf("%d tools are listed, %v; one that only lacks a scope stays listed", len(tools), err)
			}
			// Our client would ask for what it lacks, so the calls are made without it.
			token := h.token(t, h.provider.Server, row.user, row.scope)
			for name, arguments := range calls {
				a, err := h.call(token, "tools/call", name, `"name":"`+name+`","arguments":`+arguments+`,`)
				if err != nil {
					t.Fatal(err)
				}
				opened := a.status == http.StatusOK && strings.Contains(a.body, "structuredContent")
				challenged := a.status == http.StatusForbidden && strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) &&
					strings.Contains(a.header.Get("WWW-Authenticate"), `, scope="`)
				if want := slices.Contains(row.opens, name); opened != want || challenged == want {
					t.Errorf("%s is answered %d %s %s", name, a.status, a.header.Get("WWW-Authenticate"), a.body)
				}
			}
		})
	}
}

// TestRS12_TooLittleScopeIs403WithAChallenge reads the refusal on the wire.
func TestRS12_TooLittleScopeIs403WithAChallenge(t *testing.T) {
	h := open(t, Options{})
	token := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	a, err := h.reverse(token, "abc")
	if err != nil {
		t.Fatal(err)
	}
	challenge := a.header.Get("WWW-Authenticate")
	if a.status != http.StatusForbidden {
		t.Errorf("answered %d", a.status)
	}
	for _, want := range []string{`error="insufficient_scope"`, `scope="execute"`, `resource_metadata="` + h.at.ResourceMetadata + `"`, `error_description="`} {
		if !strings.Contains(challenge, want) {
			t.Errorf("the challenge %s lacks %s", challenge, want)
		}
	}
}
