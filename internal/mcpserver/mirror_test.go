package mcpserver_test

import (
	"net/http"
	"strings"
	"testing"
)

// lies are headers that mirror a body which says something else.
var lies = []string{"Mcp-Method: resources/read", "Mcp-Name: get_current_time", "Mcp-Param-Region: =?base64?*?="}

// TestTI3_TI5_MirrorsDecideNothing: where the version does not require that the headers mirror the body, they are
// whatever somebody wrote, and only the body counts.
func TestTI3_TI5_MirrorsDecideNothing(t *testing.T) {
	for _, row := range []struct{ name, params string }{
		{"a plain call", `{"name":"reverse_tool","arguments":{"query":"abc"}}`},
		{"a call with progress", `{"name":"reverse_tool","arguments":{"query":"abc"},"_meta":{"progressToken":"p"}}`},
	} {
		for _, version := range []string{"2025-11-25", "2025-06-18", "2025-03-26"} {
			t.Run("TI-3 TI-5 "+row.name+" of "+version+" is the one in the body", func(t *testing.T) {
				bubble(t, func(t *testing.T, f *fixture) {
					asked := func(caller string) ask {
						a := older(f.begin(t, caller), caller, "tools/call", row.params)
						a.headers = append(a.headers, "MCP-Protocol-Version: "+version)
						return a.with(lies...)
					}
					if r := f.send(t, asked("ada")); r.status != http.StatusOK || !strings.Contains(r.body, "cba") {
						t.Errorf("who may is answered %d %s", r.status, r.body)
					}
					// The reader may call the tool of the header, not that of the body.
					if r := f.send(t, asked("reader")); r.status != http.StatusForbidden || strings.Contains(r.body, "cba") {
						t.Errorf("who may not is answered %d %s", r.status, r.body)
					}
				})
			})
		}
	}
	t.Run("TI-3 TI-5 where the version requires them, a lie is refused before anything else", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			for _, lie := range lies {
				f.send(t, call("wait", `{}`, "").with(lie)).refused(t, 400, -32020, "")
			}
			if len(f.began) > 0 {
				t.Error("the tool was called")
			}
		})
	})
}
