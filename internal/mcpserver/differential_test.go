package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// odd are tools whose results use all that a result can say.
func odd(b *toolbox.Options, _ *mcpserver.Options) {
	add := func(name string, result *mcp.CallToolResult, err error) {
		b.Tools = append(b.Tools, toolbox.Tool{
			Definition: &mcp.Tool{Name: name, InputSchema: map[string]any{"type": "object"}, Meta: mcp.Meta{"k": "<v>"}},
			Call: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
				return result, err
			},
		})
	}
	add("nothing", &mcp.CallToolResult{}, nil)
	add("contents", &mcp.CallToolResult{
		Meta: mcp.Meta{"k": []any{1, "<&>"}},
		Content: []mcp.Content{
			&mcp.TextContent{Text: "a \"quoted\" text\n\u2028 <&> \U0001f600"},
			&mcp.TextContent{Text: "", Meta: mcp.Meta{"m": true}, Annotations: &mcp.Annotations{Priority: 1}},
			&mcp.ImageContent{MIMEType: "image/png", Data: []byte{1, 2, 3}},
			&mcp.ResourceLink{URI: "a://b", Name: "b"},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "a://b", Text: "t"}},
		},
		StructuredContent: map[string]any{"n": 1, "s": "<&>", "deep": []any{map[string]any{"x": nil}}},
	}, nil)
	add("fails", nil, fmt.Errorf("a secret of the tool"))
	add("errs", &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "no"}}, Meta: mcp.Meta{"why": "x"}}, nil)
	add("names the server itself", &mcp.CallToolResult{Meta: mcp.Meta{mcp.MetaKeyServerInfo: map[string]any{"name": "another", "version": "9"}}}, nil)
}

// plainAsks are requests that the fast path takes, and some that it leaves to the SDK, for a server in a session or not.
func plainAsks(make func(method, name, params string) ask) map[string]ask {
	call := func(tool, arguments string) ask {
		return make("tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":%s`, tool, arguments))
	}
	asks := map[string]ask{
		"a list of tools":                              make("tools/list", "", ""),
		"a list of resources":                          make("resources/list", "", ""),
		"a list with a cursor that is empty":           make("tools/list", "", `"cursor":""`),
		"a list with a cursor that is none":            make("tools/list", "", `"cursor":"%%%"`),
		"a list of templates":                          make("resources/templates/list", "", ""),
		"a call without arguments":                     make("tools/call", "nothing", `"name":"nothing"`),
		"a call with arguments null":                   call("nothing", "null"),
		"a result that is empty":                       call("nothing", "{}"),
		"a result with all kinds of content":           call("contents", "{}"),
		"a result that is an error":                    call("errs", "{}"),
		"a result that names the server itself":        call("names the server itself", "{}"),
		"a tool that fails":                            call("fails", "{}"),
		"a tool that panics":                           call("panic", "{}"),
		"a tool with structure":                        call("convert_time", `{"source_timezone":"UTC","time":"12:00","target_timezone":"Asia/Tokyo"}`),
		"a tool that takes a while":                    call("reverse_tool", `{"query":"abc"}`),
		"arguments of another type":                    call("reverse_tool", `{"query":7}`),
		"arguments too many":                           call("reverse_tool", `{"query":"a","quarry":"b"}`),
		"arguments that are no object":                 call("reverse_tool", `[1]`),
		"arguments that refuse":                        call("convert_time", `{"source_timezone":"UTC","time":"25:00","target_timezone":"Asia/Tokyo"}`),
		"a tool that is unknown":                       call("revers_tool", `{}`),
		"a name with a quote":                          call(`a"b`, `{}`),
		"a resource":                                   make("resources/read", "time://timezones", `"uri":"time://timezones"`),
		"a resource that is unknown":                   make("resources/read", "time://now", `"uri":"time://now"`),
		"a method that is unknown":                     make("tools/destroy", "", ""),
		"attack 41 a key twice":                        make("tools/call", "nothing", `"name":"nothing","name":"wait"`),
		"attack 41 a key that differs by case":         make("tools/call", "nothing", `"name":"nothing","Name":"wait"`),
		"attack 41 a key twice in the arguments":       call("reverse_tool", `{"query":"a","query":"b"}`),
		"params that belong to an input round":         make("tools/call", "nothing", `"name":"nothing","requestState":"x"`),
		"params of a wrong type for an input round":    make("tools/call", "nothing", `"name":"nothing","inputResponses":7`),
		"a member of the params that nobody knows":     make("tools/call", "nothing", `"name":"nothing","other":1`),
		"a Last-Event-ID":                              make("tools/list", "", "").with("Last-Event-Id: x_1"),
		"an id that is a string":                       make("tools/list", "", ""),
		"too little scope":                             {caller: "reader"},
		"a list for somebody with little scope":        {caller: "reader"},
		"a list of resources for somebody with little": {caller: "converter"},
	}
	replace := func(name string, from ask, with func(*ask)) {
		a := asks[name]
		from.caller = a.caller
		with(&from)
		asks[name] = from
	}
	keep := func(*ask) {}
	replace("an id that is a string", asks["a list of tools"], func(a *ask) { a.body = strings.Replace(a.body, `"id":1`, `"id":"\u0061\"b"`, 1) })
	replace("too little scope", call("reverse_tool", `{"query":"x"}`), keep)
	replace("a list for somebody with little scope", make("tools/list", "", ""), keep)
	replace("a list of resources for somebody with little", make("resources/list", "", ""), keep)
	return asks
}

// said is what an answer says, apart from how it is written.
type said struct {
	status  int
	id      any
	result  any
	error   any
	headers http.Header
}

// saying reads an answer. Request ids differ from request to request, so they are only held against their header.
func saying(t *testing.T, r *reply) said {
	t.Helper()
	s := said{status: r.status, headers: maps.Clone(r.header)}
	id := r.header.Get("X-Request-Id")
	if id == "" {
		t.Error("there is no request id")
	}
	if r.body != "" && r.header.Get("Www-Authenticate") == "" {
		text := r.body
		if strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
			_, text, _ = strings.Cut(text[max(0, strings.LastIndex(text, "data: ")):], "data: ")
		}
		var m struct {
			JSONRPC           string
			ID, Result, Error any
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, id, "<request id>")), &m); err != nil {
			t.Fatalf("%q: %v", r.body, err)
		}
		if m.JSONRPC != "2.0" {
			t.Errorf("jsonrpc is %q", m.JSONRPC)
		}
		s.id, s.result, s.error = m.ID, m.Result, m.Error
	}
	for _, differs := range []string{"Date", "X-Request-Id", "Content-Length"} {
		s.headers.Del(differs)
	}
	return s
}

// TestTheFastPathSaysWhatTheSDKSays sends the same requests to a server that answers plain ones itself, and to one that
// leaves all to the SDK.
func TestTheFastPathSaysWhatTheSDKSays(t *testing.T) {
	t.Run("2026-07-28", func(t *testing.T) {
		for name, a := range plainAsks(modern) {
			t.Run(name, func(t *testing.T) {
				compare(t, func(*testing.T, *fixture) ask { return a }, nil)
			})
		}
		for name, meta := range map[string]string{
			"client info":                        `"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1","title":"C"}`,
			"client info of another shape":       `"io.modelcontextprotocol/clientInfo":{"name":7}`,
			"capabilities of another shape":      `"io.modelcontextprotocol/clientCapabilities":{"elicitation":7}`,
			"a level for logs":                   `"io.modelcontextprotocol/logLevel":"debug"`,
			"a member of the protocol's to come": `"io.modelcontextprotocol/other":{"a":1}`,
			"somebody else's member":             `"example.com/trace":{"a":[1]},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`,
		} {
			t.Run(name+" in _meta", func(t *testing.T) {
				a := call("nothing", "{}", "")
				if strings.Contains(meta, "clientCapabilities") {
					a.body = strings.Replace(a.body, `"io.modelcontextprotocol/clientCapabilities":{}`, meta, 1)
				} else {
					a.body = strings.Replace(a.body, `"_meta":{`, `"_meta":{`+meta+`,`, 1)
				}
				compare(t, func(*testing.T, *fixture) ask { return a }, nil)
			})
		}
	})
	t.Run("2025-11-25", func(t *testing.T) {
		asks := plainAsks(func(method, _, params string) ask {
			return ask{body: fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`, method, params)}
		})
		asks["ping"] = ask{body: `{"jsonrpc":"2.0","id":1,"method":"ping"}`}
		asks["a list without params"] = ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}
		asks["params null"] = ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`}
		for name, a := range asks {
			t.Run(name, func(t *testing.T) {
				compare(t, func(t *testing.T, f *fixture) ask {
					caller := a.caller
					if caller == "" {
						caller = "ada"
					}
					return a.with(within(f.begin(t, caller))...)
				}, func(s *said) {
					// A document says in a session what a stream of one event says.
					if s.headers.Get("Content-Type") == "text/event-stream" {
						s.headers.Set("Content-Type", "application/json")
						s.headers.Del("X-Accel-Buffering")
					}
				})
			})
		}
	})
}

// compare holds what both ways say against each other.
func compare(t *testing.T, of func(*testing.T, *fixture) ask, level func(*said)) {
	t.Helper()
	var answers [2]said
	for i := range answers {
		bubble(t, func(t *testing.T, f *fixture) {
			if i == 1 {
				f.handler.SDKOnly()
			}
			answers[i] = saying(t, f.send(t, of(t, f)))
			if level != nil {
				level(&answers[i])
			}
		}, odd)
	}
	if !reflect.DeepEqual(answers[0], answers[1]) {
		t.Errorf("the fast path says\n%+v\nand the SDK\n%+v", answers[0], answers[1])
	}
}

// TestACallInASessionGoesOnAsAStream starts as a document and, when the tool takes its time, becomes a stream.
func TestACallInASessionGoesOnAsAStream(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		id := f.begin(t, "ada")
		if r := f.send(t, older(id, "ada", "tools/list", "")); r.header.Get("Content-Type") != "application/json" {
			t.Errorf("a list is %q", r.header.Get("Content-Type"))
		}
		s := f.open(t, older(id, "ada", "tools/call", `{"name":"wait"}`))
		if kind := s.Header.Get("Content-Type"); kind != "text/event-stream" {
			t.Errorf("a long call is %q", kind)
		}
		s.until(t, "id: ")
		s.close() // the connection breaks; the call goes on
		synctest.Wait()
		e := <-f.began
		if len(f.box.Running()) != 1 {
			t.Fatal("the call ended with its connection")
		}
		close(e.release)
		synctest.Wait()
		if len(f.box.Running()) != 0 {
			t.Error("the call did not end")
		}
		// Its id is free again.
		again := f.open(t, older(id, "ada", "tools/call", `{"name":"wait"}`))
		close((<-f.began).release)
		again.until(t, "released")
	})
}

// TestACallThatBeganEarlyCanBeStopped sends notifications/cancelled before the SDK has heard of the call.
func TestACallThatBeganEarlyCanBeStopped(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		id := f.begin(t, "ada")
		answered := make(chan *reply, 1)
		go func() { answered <- f.send(t, older(id, "ada", "tools/call", `{"name":"wait"}`)) }()
		e := <-f.began
		stop := ask{headers: within(id), body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`}
		if r := f.send(t, stop); r.status != http.StatusAccepted {
			t.Errorf("status %d", r.status)
		}
		<-e.ended
		(<-answered).refused(t, http.StatusOK, -32000, "the call was cancelled")
	})
}

// TestTheFastPathStopsWithItsClient closes the connection of a plain call of 2026-07-28.
func TestT9_TheFastPathStopsWithItsClient(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		ctx, leave := context.WithCancel(t.Context())
		go f.client.Do(f.request(t, ctx, call("wait", "{}", "")))
		e := <-f.began
		leave()
		<-e.ended
	})
}
