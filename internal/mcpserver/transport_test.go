package mcpserver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// with returns a with further headers, which replace those of the same name; one without a value is dropped.
func (a ask) with(headers ...string) ask {
	a.headers = append(a.headers[:len(a.headers):len(a.headers)], headers...)
	return a
}

// TestModernRefusals holds the refusals of 2026-07-28 against its letter.
func TestModernRefusals(t *testing.T) {
	list := modern("tools/list", "", "")
	for _, row := range []struct {
		name         string
		ask          ask
		status, code int
		said         string
	}{
		{"T-10 a header that differs from _meta", list.with("MCP-Protocol-Version: 2025-11-25"), 400, -32020, `the header MCP-Protocol-Version says "2025-11-25", and _meta says "2026-07-28"`},
		{"T-10 a missing header", list.with("MCP-Protocol-Version: "), 400, -32020, "the header MCP-Protocol-Version is missing"},
		{"T-11 an unknown version", ask{headers: []string{"MCP-Protocol-Version: 2030-01-01", "Mcp-Method: tools/list"}, body: strings.ReplaceAll(list.body, "2026-07-28", "2030-01-01")}, 400, -32022, `the protocol version "2030-01-01" is not spoken here`},
		{"T-11 an unknown version in the header alone", ask{headers: []string{"MCP-Protocol-Version: banana"}, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}, 400, -32022, `"banana"`},
		{"T-11 an unknown older version", ask{headers: []string{"MCP-Protocol-Version: 1999-01-01"}, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}, 400, -32022, `"1999-01-01"`},
		{"T-11 an older version in _meta, which it does not have", ask{headers: []string{"MCP-Protocol-Version: 2025-11-25", "Mcp-Method: tools/list"}, body: strings.ReplaceAll(list.body, "2026-07-28", "2025-11-25")}, 400, -32022, "2025-11-25"},
		{"T-12 an unknown method", modern("tools/destroy", "", ""), 404, -32601, `the method "tools/destroy" is not known here`},
		{"T-12 a method of older versions", modern("ping", "", ""), 404, -32601, `"ping"`},
		{"T-12 initialize, which this version does not have", modern("initialize", "", `"protocolVersion":"2026-07-28"`), 404, -32601, `"initialize"`},
		{"T-12 a method of what is not offered", modern("prompts/list", "", ""), 404, -32601, `"prompts/list"`},
		{"T-14 a missing Mcp-Method", list.with("Mcp-Method: "), 400, -32020, "the header Mcp-Method is missing"},
		{"attack 42 an Mcp-Method that differs from the body", list.with("Mcp-Method: tools/call"), 400, -32020, `the header Mcp-Method says "tools/call", and the body says "tools/list"`},
		{"T-14 a missing Mcp-Name", call("wait", "{}", "").with("Mcp-Name: "), 400, -32020, "the header Mcp-Name is missing"},
		{"attack 42 an Mcp-Name that differs from the body", modern("tools/call", "get_current_time", `"name":"reverse_tool"`), 400, -32020, `the header Mcp-Name says "get_current_time", and the body says "reverse_tool"`},
		{"attack 42 an Mcp-Name that differs by case", modern("tools/call", "Wait", `"name":"wait"`), 400, -32020, `"Wait"`},
		{"attack 42 two Mcp-Names", call("wait", "{}", "").with("Mcp-Name: other"), 400, -32020, "Mcp-Name stands there more than once"},
		{"T-14 an Mcp-Name of another URI", modern("resources/read", "time://timezones", `"uri":"time://current"`), 400, -32020, "Mcp-Name"},
		{"T-14 base64 without padding", modern("tools/call", "=?base64?d2FpdA?=", `"name":"wait"`), 400, -32020, "the header Mcp-Name is not valid base64"},
		{"T-14 base64 with bits left over", modern("tools/call", "=?base64?d2FpdB==?=", `"name":"wait"`), 400, -32020, "the header Mcp-Name is not valid base64"},
		{"T-14 base64 of another alphabet", modern("tools/call", "=?base64?_-8=?=", `"name":"wait"`), 400, -32020, "the header Mcp-Name is not valid base64"},
		{"T-14 base64 of what is no text", modern("tools/call", "=?base64?/w==?=", `"name":"wait"`), 400, -32020, "the header Mcp-Name is not valid base64"},
		{"T-14 an Mcp-Param that is not valid base64", call("wait", "{}", "").with("Mcp-Param-Region: =?base64?*?="), 400, -32020, "the header Mcp-Param-Region is not valid base64"},
		{"T-16 no _meta", ask{headers: list.headers, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`}, 400, -32602, `tools/list needs "io.modelcontextprotocol/protocolVersion" in its _meta`},
		{"T-16 no params", ask{headers: list.headers, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}, 400, -32602, "protocolVersion"},
		{"T-16 no capabilities", ask{headers: list.headers, body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`}, 400, -32602, "clientCapabilities"},
		{"T-22 GET", ask{method: http.MethodGet, headers: []string{"MCP-Protocol-Version: 2026-07-28"}}, 405, -32600, "GET is not served in version 2026-07-28"},
		{"T-22 DELETE", ask{method: http.MethodDelete, headers: []string{"MCP-Protocol-Version: 2026-07-28", "Mcp-Session-Id: x"}}, 405, -32600, "DELETE is not served in version 2026-07-28"},
		{"T-22 GET without a session", ask{method: http.MethodGet}, 405, -32600, "GET needs the header Mcp-Session-Id"},
		{"another method of HTTP", ask{method: http.MethodPut, body: list.body}, 405, -32600, "the method PUT is not served here"},
		{"an answer, as nothing was asked", ask{headers: list.headers, body: `{"jsonrpc":"2.0","id":1,"result":{}}`}.with("MCP-Protocol-Version: 2026-07-28"), 400, -32600, "nothing to answer"},
		{"an unknown tool", call("revers_tool", "{}", ""), 400, -32602, `unknown tool "revers_tool"; did you mean "reverse_tool"?`},
		{"an unknown resource", modern("resources/read", "time://now", `"uri":"time://now"`), 400, -32602, `unknown resource "time://now"`},
		{"a broken cursor", modern("tools/list", "", `"cursor":"%%%"`), 400, -32602, "invalid params"},
		{"client info of another shape", ask{headers: list.headers, body: strings.Replace(list.body, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/clientInfo":{"name":7},`, 1)}, 400, -32602, "clientInfo"},
		{"attack 43 a batch", ask{headers: list.headers, body: "[" + list.body + "]"}, 400, -32600, "batches are not supported"},
		{"attack 49 a body of text/plain", list.with("Content-Type: text/plain"), 415, -32600, "the Content-Type must be application/json"},
		{"attack 49 a body of a form", list.with("Content-Type: application/x-www-form-urlencoded"), 415, -32600, "application/json"},
		{"a body without a type", list.with("Content-Type: "), 415, -32600, "application/json"},
		{"another charset", list.with("Content-Type: application/json; charset=latin1"), 415, -32600, "utf-8"},
		{"an encoded body", list.with("Content-Encoding: gzip"), 415, -32600, "Content-Encoding"},
		{"an Accept without event streams", list.with("Accept: application/json"), 406, -32600, "the Accept header must allow application/json and text/event-stream"},
		{"a body over the limit", ask{headers: list.headers, body: strings.Repeat(" ", 1<<20) + list.body}, 413, -32600, "the body is larger than 1048576 bytes"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				r := f.send(t, row.ask)
				r.refused(t, row.status, row.code, row.said)
				if row.code == -32022 {
					supported, _ := json.Marshal(r.rpc(t).Error.Data["supported"])
					if !strings.Contains(string(supported), `"2026-07-28","2025-11-25"`) {
						t.Errorf("supported is %s", supported)
					}
				}
				if row.status == 405 && r.header.Get("Allow") == "" {
					t.Error("Allow is missing")
				}
			})
		})
	}
}

func TestLegacyRefusals(t *testing.T) {
	for _, row := range []struct {
		name         string
		ask          func(id string) ask
		status, code int
		said         string
	}{
		{"a call without a session", func(string) ask { return ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`} }, 400, -32600, "the header Mcp-Session-Id is missing; begin a session with initialize"},
		{"a notification without a session", func(string) ask { return ask{body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`} }, 400, -32600, "Mcp-Session-Id is missing"},
		{"initialize with the header of 2026-07-28", func(string) ask {
			return ask{headers: []string{"MCP-Protocol-Version: 2026-07-28"}, body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`}
		}, 400, -32022, "initialize belongs to versions before 2026-07-28"},
		{"initialize twice", func(id string) ask {
			return older(id, "ada", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}`)
		}, 400, -32600, "the session has begun"},
		{"an id that is in use", func(id string) ask { return older(id, "ada", "tools/call", `{"name":"wait"}`) }, 400, -32600, "duplicate in-flight request ID"},
		{"an unknown method, which must not look like a lost session", func(id string) ask { return older(id, "ada", "tools/destroy", "") }, 200, -32601, `the method "tools/destroy" is not known here`},
		{"a method of a newer version", func(id string) ask { return older(id, "ada", "server/discover", "{}") }, 200, -32601, "server/discover"},
		{"a request without an id", func(id string) ask {
			return ask{headers: within(id), body: `{"jsonrpc":"2.0","method":"tools/list"}`}
		}, 400, -32600, "tools/list needs an id"},
		{"an unknown tool", func(id string) ask { return older(id, "ada", "tools/call", `{"name":"revers_tool"}`) }, 200, -32602, `did you mean "reverse_tool"?`},
		{"attack 56 a call without params", func(id string) ask { return older(id, "ada", "tools/call", "") }, 400, -32602, `tools/call needs "name"`},
		{"a broken cursor", func(id string) ask { return older(id, "ada", "tools/list", `{"cursor":"%%%"}`) }, 200, -32602, "invalid params"},
		{"attack 43 a batch, which 2025-03-26 had", func(id string) ask {
			return ask{headers: []string{"Mcp-Session-Id: " + id, "MCP-Protocol-Version: 2025-03-26"}, body: `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`}
		}, 400, -32600, "batches are not supported"},
		{"a tool that panics", func(id string) ask { return older(id, "ada", "tools/call", `{"name":"panic"}`) }, 200, -32603, "panic failed inside the server"},
		{"a resume of no stream", func(id string) ask {
			return ask{method: http.MethodGet, headers: append(within(id), "Last-Event-Id: nothing_7")}
		}, 400, -32600, "failed to replay"},
		{"a stream for a client that takes none", func(id string) ask {
			return ask{method: http.MethodGet, headers: append(within(id), "Accept: application/json")}
		}, 406, -32600, "text/event-stream"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				id := f.begin(t, "ada")
				if strings.HasPrefix(row.name, "an id that is in use") {
					f.open(t, row.ask(id))
					<-f.began
				}
				f.send(t, row.ask(id)).refused(t, row.status, row.code, row.said)
			})
		})
	}
}

func TestT5NotificationsAreAccepted(t *testing.T) {
	for _, method := range []string{"notifications/initialized", "notifications/cancelled", "notifications/unheard_of"} {
		t.Run("T-5 "+method, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				body := `{"jsonrpc":"2.0","method":"` + method + `","params":{"requestId":7}}`
				for _, a := range []ask{
					{headers: []string{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: " + method}, body: body},
					{headers: within(f.begin(t, "ada")), body: body},
				} {
					if r := f.send(t, a); r.status != http.StatusAccepted || r.body != "" {
						t.Errorf("status %d, %q", r.status, r.body)
					}
				}
			})
		})
	}
}

func TestModernAnswers(t *testing.T) {
	for _, row := range []struct {
		name string
		ask  ask
		want []string
	}{
		{"T-18 server/discover tells versions and capabilities", modern("server/discover", "", ""),
			[]string{`"supportedVersions":["2026-07-28","2025-11-25"`, `"tools":{"listChanged":true}`, `"resources":{"listChanged":true}`, `"cacheScope":"private"`}},
		{"RS-21 a list is for its caller alone", modern("tools/list", "", ""), []string{`"cacheScope":"private"`, `"ttlMs":60000`, `"name":"convert_time"`}},
		{"RS-21 a resource is for its caller alone, and stale at once", modern("resources/read", "time://current", `"uri":"time://current"`), []string{`"cacheScope":"private"`, `"ttlMs":0`, `\"timezone\":\"UTC\"`}},
		{"a call is answered with structure and text", call("get_current_time", `{"timezone":"UTC"}`, ""), []string{`"structuredContent":{"timezone":"UTC"`, `"type":"text"`, `"resultType":"complete"`}},
		{"T-14 a name in base64 is the name", modern("tools/call", "=?base64?Z2V0X2N1cnJlbnRfdGltZQ==?=", `"name":"get_current_time","arguments":{"timezone":"UTC"}`), []string{`"structuredContent":{"timezone":"UTC"`}},
		{"an unknown Mcp-Param is nobody's affair", modern("tools/list", "", "").with("Mcp-Param-Region: eu"), []string{`"tools":[`}},
		{"a session id means nothing", modern("tools/list", "", "").with("Mcp-Session-Id: nonsense"), []string{`"tools":[`}},
		{"a subscription to what never changes ends at once", modern("subscriptions/listen", "", `"notifications":{"promptsListChanged":true}`), []string{`notifications/subscriptions/acknowledged`, `"result":`}},
		{"wildcards in Accept will do", modern("tools/list", "", "").with("Accept: */*"), []string{`"tools":[`}},
		{"a charset of UTF-8 will do", modern("tools/list", "", "").with("Content-Type: application/json; charset=UTF-8"), []string{`"tools":[`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				r := f.send(t, row.ask)
				if r.status != http.StatusOK || r.header.Get("X-Request-Id") == "" || r.header.Get("Mcp-Session-Id") != "" {
					t.Fatalf("status %d, %v: %s", r.status, r.header, r.body)
				}
				for _, want := range row.want {
					if !strings.Contains(r.body, want) {
						t.Errorf("%q is not in %s", want, r.body)
					}
				}
			})
		})
	}
}

// TestRS12TooLittleScope asks in both eras for what the token does not carry.
func TestRS12TooLittleScope(t *testing.T) {
	for _, row := range []struct {
		name   string
		ask    func(id string) ask
		scopes string
	}{
		{"RS-12 a tool, in 2026-07-28", func(string) ask { return call("reverse_tool", `{"query":"x"}`, "") }, "execute"},
		{"RS-12 a tool, in a session", func(id string) ask {
			return older(id, "", "tools/call", `{"name":"reverse_tool","arguments":{"query":"x"}}`)
		}, "execute"},
		{"RS-13 all scopes at once, in 2026-07-28", func(string) ask { return call("wait", `{}`, "") }, "time:read wait:now"},
		{"RS-13 all scopes at once, in a session", func(id string) ask { return older(id, "", "tools/call", `{"name":"wait"}`) }, "time:read wait:now"},
		{"RS-12 a narrow tool", func(string) ask { return call("convert_time", `{}`, "") }, "time:convert"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				a := row.ask(f.begin(t, "reader"))
				a.caller = "reader"
				r := f.send(t, a)
				if r.status != http.StatusForbidden || r.header.Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="`+row.scopes+`"` {
					t.Errorf("status %d, %q: %s", r.status, r.header.Get("WWW-Authenticate"), r.body)
				}
				if len(f.began) != 0 || len(f.box.Running()) != 0 {
					t.Error("the tool was called")
				}
			}, func(b *toolbox.Options, _ *mcpserver.Options) {
				rules := policy.DefaultRules()
				rules.Scopes["wait"] = []string{"time:read", "wait:now"}
				p, err := policy.New(rules)
				if err != nil {
					t.Fatal(err)
				}
				b.Policy = p
			})
		})
	}
	t.Run("RS-12 a resource, in 2026-07-28 and in a session", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			asks := []ask{
				modern("resources/read", "time://current", `"uri":"time://current"`),
				older(f.begin(t, "converter"), "", "resources/read", `{"uri":"time://current"}`),
			}
			for _, a := range asks {
				a.caller = "converter"
				r := f.send(t, a)
				if r.status != http.StatusForbidden || r.header.Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="time:read"` {
					t.Errorf("status %d, %q: %s", r.status, r.header.Get("WWW-Authenticate"), r.body)
				}
			}
			a := asks[0]
			a.caller = "reader"
			if r := f.send(t, a); r.status != http.StatusOK {
				t.Errorf("with the scope: status %d: %s", r.status, r.body)
			}
		})
	})
	t.Run("without a guard the refusal names the scopes too", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			a := call("reverse_tool", `{"query":"x"}`, "")
			a.caller = "reader"
			r := f.send(t, a)
			r.refused(t, 403, -32600, "reverse_tool needs the scope execute")
		}, func(_ *toolbox.Options, o *mcpserver.Options) { o.Guard = nil })
	})
}

func TestT8Streams(t *testing.T) {
	t.Run("T-8 a stream is not to be buffered, and is kept alive while it is silent", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			asks := []ask{
				call("wait", `{}`, "p"),
				older(f.begin(t, "ada"), "ada", "tools/call", `{"name":"wait"}`),
				{method: http.MethodGet, headers: within(f.begin(t, "ada"))},
			}
			for _, a := range asks {
				begin := time.Now()
				s := f.open(t, a)
				if s.Header.Get("X-Accel-Buffering") != "no" || s.Header.Get("Content-Type") != "text/event-stream" || s.StatusCode != 200 {
					t.Errorf("status %d, %v", s.StatusCode, s.Header)
				}
				for range 3 {
					s.until(t, ": keep-alive")
				}
				if waited := time.Since(begin); waited < 45*time.Second || waited > 61*time.Second {
					t.Errorf("three comments took %v", waited)
				}
				s.close()
			}
		})
	})
	t.Run("T-8 a refusal after a keep-alive is an event", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			s := f.open(t, call("wait", `{}`, "p"))
			s.until(t, ": keep-alive")
			running := <-f.began
			close(running.release)
			s.until(t, `"notifications/progress"`)
			if line := s.until(t, "data: "); !strings.Contains(line, `"released"`) {
				t.Errorf("got %s", line)
			}
		})
	})
	t.Run("a client that reads nothing does not hold the server for ever", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			// The pipe has no buffer: what is not read is not written.
			s := f.open(t, call("reverse_tool", `{"query":"`+strings.Repeat("x", 60_000)+`"}`, "p"))
			synctest.Wait()
			time.Sleep(2 * time.Minute)
			if n := len(f.box.Running()); n != 0 {
				t.Errorf("%d calls still run", n)
			}
			s.close()
		})
	})
}

func TestT9ClosedStreams(t *testing.T) {
	for _, token := range []string{"", "p"} {
		t.Run("T-9 a closed stream cancels the call in 2026-07-28, progress token "+token, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				failed := make(chan error, 1)
				r := f.request(t, t.Context(), call("wait", `{}`, token))
				ctx, cancel := contextWithCancel(r)
				go func() {
					res, err := f.client.Do(r.WithContext(ctx))
					if err == nil {
						_, err = res.Body.Read(make([]byte, 1))
						res.Body.Close()
					}
					failed <- err
				}()
				running := <-f.began
				begin := time.Now()
				cancel()
				<-running.ended
				if time.Since(begin) != 0 {
					t.Errorf("the tool ended after %v", time.Since(begin))
				}
				if err := <-failed; err == nil {
					t.Error("the call was answered")
				}
				synctest.Wait()
				if n := len(f.box.Running()); n != 0 {
					t.Errorf("%d calls still run", n)
				}
			})
		})
	}
	t.Run("in a session a closed stream cancels nothing, and Last-Event-ID takes it up again", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			s := f.open(t, older(id, "ada", "tools/call", `{"name":"wait","_meta":{"progressToken":"p"}}`))
			event := strings.TrimPrefix(s.until(t, "id: "), "id: ")
			running := <-f.began
			s.close()
			synctest.Wait()
			select {
			case err := <-running.ended:
				t.Fatalf("the call ended: %v", err)
			default:
			}
			resume := ask{method: http.MethodGet, headers: append(within(id), "Last-Event-Id: "+event)}
			other := resume
			other.caller = "bob"
			f.send(t, other).refused(t, 404, -32600, "there is no such session")

			close(running.release)
			synctest.Wait() // the answer is kept
			r := f.send(t, resume)
			if !strings.Contains(r.body, "notifications/progress") || !strings.Contains(r.body, `"released"`) {
				t.Errorf("got %s", r.body)
			}
		})
	})
	t.Run("notifications/cancelled ends a call of a session at once", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			s := f.open(t, older(id, "ada", "tools/call", `{"name":"wait"}`))
			running := <-f.began
			begin := time.Now()
			if r := f.send(t, ask{headers: within(id), body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}`}); r.status != 202 {
				t.Errorf("status %d", r.status)
			}
			<-running.ended
			if time.Since(begin) != 0 {
				t.Errorf("the tool ended after %v", time.Since(begin))
			}
			if line := s.until(t, "data: {"); !strings.Contains(line, "the call was cancelled") {
				t.Errorf("got %s", line)
			}
		})
	})
}

// TestDrainAnswersWhatRuns stops a server as a signal does: calls that end in time are answered, the others are told.
func TestDrainAnswersWhatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		id := f.begin(t, "ada")
		standing := f.open(t, ask{method: http.MethodGet, headers: within(id)})
		type outcome struct {
			what string
			r    *reply
		}
		answered := make(chan outcome, 10)
		start := func(what string, a ask) *ending {
			go func() { answered <- outcome{what, f.send(t, a)} }()
			if strings.HasPrefix(what, "reverse") {
				synctest.Wait()
				return nil
			}
			return <-f.began
		}
		start("reverse modern", call("reverse_tool", `{"query":"abc"}`, "p"))
		start("reverse modern plain", call("reverse_tool", `{"query":"abc"}`, ""))
		start("reverse legacy", older(id, "ada", "tools/call", `{"name":"reverse_tool","arguments":{"query":"abc"}}`))
		cut := []*ending{
			start("wait modern", call("wait", `{}`, "p")),
			start("wait modern plain", call("wait", `{}`, "")),
			start("wait legacy", ask{headers: within(id), body: `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"wait"}}`}),
		}
		ctx, cancel := contextWithTimeout(t, 10*time.Second)
		defer cancel()
		finished, cancelled := f.box.Drain(ctx)
		if len(finished) != 3 || len(cancelled) != 3 || finished[0].Tool != "reverse_tool" || cancelled[0].Tool != "wait" || cancelled[0].Who != "ada" {
			t.Errorf("finished %v, cancelled %v", finished, cancelled)
		}
		late := f.send(t, call("reverse_tool", `{"query":"abc"}`, ""))
		late.refused(t, 200, -32000, "the server is shutting down")
		f.handler.Close(t.Context())
		for _, e := range cut {
			if err := <-e.ended; !errors.Is(err, toolbox.ErrDraining) {
				t.Errorf("a call was cancelled for %v", err)
			}
		}
		for range 6 {
			o := <-answered
			if strings.HasPrefix(o.what, "reverse") {
				if !strings.Contains(o.r.body, `"reversed_query":"cba"`) {
					t.Errorf("%s: %s", o.what, o.r.body)
				}
				continue
			}
			o.r.refused(t, 200, -32000, "wait was cancelled: the server is shutting down")
		}
		if line, err := standing.next(); err == nil && strings.Contains(line, "data:") {
			t.Errorf("the standing stream said %s", line)
		}
		f.send(t, call("wait", `{}`, "")).refused(t, 503, -32000, "the server is shutting down")
	})
}

func TestTheRequestIdOfAnOuterRoomIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		r := f.send(t, modern("nothing", "", "").with("X-Request-Id: chosen-by-a-stranger", "X-Mcpserver-Request: guess"))
		r.refused(t, 404, -32601, "nothing")
		if r.header.Get("X-Request-Id") == "chosen-by-a-stranger" {
			t.Error("a stranger chose the request id")
		}
	})
	h, err := mcpserver.New(mcpserver.Options{Name: "n", Version: "1", Box: emptyBox(t)})
	if err != nil {
		t.Fatal(err)
	}
	w := newRecorder("X-Request-Id", "ours")
	h.ServeHTTP(w, newRequest(http.MethodPost, "{"))
	if got := w.Header().Values("X-Request-Id"); len(got) != 1 || got[0] != "ours" || !strings.Contains(w.Body.String(), `"request_id":"ours"`) {
		t.Errorf("got %v, %s", got, w.Body)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := mcpserver.New(mcpserver.Options{MaxBody: -1}); err == nil || strings.Count(err.Error(), "mcpserver: ") != 4 {
		t.Errorf("got %v", err)
	}
}
