package mcpserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// withWhoami adds the tool whoami and the resource me://name, which answer with their caller.
func withWhoami(b *toolbox.Options, _ *mcpserver.Options) {
	who := func(ctx context.Context) string { return "you are " + identity.FromContext(ctx).Subject }
	b.Tools = append(b.Tools, toolbox.Tool{
		Definition: &mcp.Tool{Name: "whoami", InputSchema: map[string]any{"type": "object"}},
		Call: func(ctx context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			progress(1, 2, "progress: "+who(ctx))
			return texts(who(ctx)), nil
		},
	})
	b.Resources = append(b.Resources, toolbox.Resource{
		Definition: &mcp.Resource{Name: "me", URI: "me://name"},
		Read: func(ctx context.Context) ([]*mcp.ResourceContents, error) {
			return []*mcp.ResourceContents{{URI: "me://name", Text: who(ctx)}}, nil
		},
	})
}

var peers = map[string]string{"ada": "bob", "bob": "ada"}

// TestAttack46IDsOfTwoCallersNeverMeet has two callers use one JSON-RPC id and one progress token at the same time, in one
// era and in both. An id means something only to the request, or to the session, that it came with. There is no upstream
// whose connection two callers share; a gateway has to show this anew for its own.
func TestAttack46IDsOfTwoCallersNeverMeet(t *testing.T) {
	waiting := map[string]func(id string) ask{
		"2026-07-28":            func(string) ask { return call("wait", `{}`, "") },
		"2026-07-28, on stream": func(string) ask { return call("wait", `{}`, "same") },
		"a session":             func(id string) ask { return older(id, "", "tools/call", `{"name":"wait"}`) },
		"a session, on stream": func(id string) ask {
			return older(id, "", "tools/call", `{"name":"wait","_meta":{"progressToken":"same"}}`)
		},
	}
	for adas, ofAda := range waiting {
		for bobs, ofBob := range waiting {
			t.Run("attack 46 ada in "+adas+" and bob in "+bobs, func(t *testing.T) {
				bubble(t, func(t *testing.T, f *fixture) {
					sessions := map[string]string{"ada": f.begin(t, "ada"), "bob": f.begin(t, "bob")}
					answers := map[string]chan *reply{}
					running := map[string]*ending{}
					for caller, make := range map[string]func(string) ask{"ada": ofAda, "bob": ofBob} {
						a, answered := make(sessions[caller]), newReplies()
						a.caller = caller
						answers[caller] = answered
						go func() { answered <- f.send(t, a) }()
						running[caller] = <-f.began
					}
					synctest.Wait()
					// Bob cancels what has this id: in his session, in none, and in ada's.
					for _, a := range []ask{
						{caller: "bob", headers: within(sessions["ada"]), body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`},
						{caller: "bob", headers: []string{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: notifications/cancelled"}, body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`},
						{caller: "bob", headers: within(sessions["bob"]), body: `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"forged"}]}}`},
					} {
						f.send(t, a)
					}
					synctest.Wait()
					for _, caller := range []string{"bob", "ada"} {
						select {
						case err := <-running[caller].ended:
							t.Fatalf("%s's call was cancelled: %v", caller, err)
						case r := <-answers[caller]:
							t.Fatalf("%s's call was answered: %s", caller, r.body)
						default:
						}
						close(running[caller].release)
						if r := <-answers[caller]; !strings.Contains(r.body, "released") || strings.Contains(r.body, "forged") {
							t.Errorf("%s is answered %d %s", caller, r.status, r.body)
						}
					}
				})
			})
		}
	}
	t.Run("attack 46 a call is cancelled in one's own session alone", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			sessions := map[string]string{}
			running := map[string]*ending{}
			for _, caller := range []string{"ada", "bob"} {
				sessions[caller] = f.begin(t, caller)
				f.open(t, older(sessions[caller], caller, "tools/call", `{"name":"wait"}`))
				running[caller] = <-f.began
			}
			f.send(t, ask{caller: "bob", headers: within(sessions["bob"]), body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`})
			<-running["bob"].ended
			synctest.Wait()
			select {
			case err := <-running["ada"].ended:
				t.Errorf("ada's call ended with bob's: %v", err)
			default:
			}
			close(running["ada"].release)
		})
	})
}

func newReplies() chan *reply { return make(chan *reply, 1) }

// TestAttack47NothingIsKeptForAllCallers asks the same in the same words as two callers over one connection, twice: nothing
// that one was answered is remembered for the other. There is no upstream, so no client of one is kept; a gateway has to
// show this anew for its own.
func TestAttack47NothingIsKeptForAllCallers(t *testing.T) {
	progress := call("whoami", `{}`, "p")
	for _, row := range []struct {
		name string
		ask  func(id string) ask
	}{
		{"a call, in 2026-07-28", func(string) ask { return call("whoami", `{}`, "") }},
		{"a call with progress, in 2026-07-28", func(string) ask { return progress }},
		{"a read, in 2026-07-28", func(string) ask { return modern("resources/read", "me://name", `"uri":"me://name"`) }},
		{"a call, in a session", func(id string) ask { return older(id, "", "tools/call", `{"name":"whoami"}`) }},
		{"a call with progress, in a session", func(id string) ask {
			return older(id, "", "tools/call", `{"name":"whoami","_meta":{"progressToken":"p"}}`)
		}},
		{"a read, in a session", func(id string) ask { return older(id, "", "resources/read", `{"uri":"me://name"}`) }},
	} {
		t.Run("attack 47 "+row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				sessions := map[string]string{"ada": f.begin(t, "ada"), "bob": f.begin(t, "bob")}
				for range 2 {
					for caller, peer := range peers {
						a := row.ask(sessions[caller])
						a.caller = caller
						r := f.send(t, a)
						if r.status != http.StatusOK || !strings.Contains(r.body, "you are "+caller) || strings.Contains(r.body, "you are "+peer) {
							t.Errorf("%s is answered %d %s", caller, r.status, r.body)
						}
						if kept := r.header.Get("Cache-Control"); !strings.Contains(kept, "no-") {
							t.Errorf("a cache may keep it: Cache-Control is %q", kept)
						}
					}
				}
			}, withWhoami)
		})
	}
	t.Run("attack 47 RS-20 a list follows the caller, not the connection", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			for range 2 {
				for caller, hidden := range map[string]bool{"ada": false, "nobody": true} {
					a := modern("tools/list", "", "")
					a.caller = caller
					if hidden {
						a.headers = append(a.headers, "Authorization: ")
					}
					if r := f.send(t, a); r.status != http.StatusOK || strings.Contains(r.body, "reverse_tool") == hidden {
						t.Errorf("%s is answered %d %s", caller, r.status, r.body)
					}
				}
			}
		})
	})
}
