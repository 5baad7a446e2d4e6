package app

import (
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// TestEveryStreamEndsWithItsResult makes many calls with progress at once: whatever the order in which progress and
// result are written, the result is there.
func TestEveryStreamEndsWithItsResult(t *testing.T) {
	h := open(t, Options{})
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"abcdef"},` +
		`"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"` + modern + `","io.modelcontextprotocol/clientCapabilities":{}}}}`
	header := map[string]string{"MCP-Protocol-Version": modern, "Mcp-Method": "tools/call", "Mcp-Name": "reverse_tool"}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				a, err := h.post(token, body, header)
				if err != nil || a.status != 200 || !strings.Contains(a.body, `"reversed_query":"fedcba"`) {
					t.Errorf("answered %+v, %v", a, err)
					return
				}
			}
		})
	}
	group.Wait()
}
