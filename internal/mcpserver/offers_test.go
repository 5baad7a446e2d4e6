package mcpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// withOffers puts into the box what the built-in tools have no use for.
func withOffers(b *toolbox.Options, _ *mcpserver.Options) {
	schema := map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "integer"}, "b": map[string]any{"type": "integer"}}}
	converse := func(name string, f func(c *toolbox.Client) *mcp.CallToolResult) toolbox.Conversation {
		return toolbox.Conversation{
			Definition: &mcp.Tool{Name: name, InputSchema: schema},
			Call: func(_ context.Context, _ json.RawMessage, _ func(done, total float64, message string), c *toolbox.Client) (*mcp.CallToolResult, error) {
				return f(c), nil
			},
		}
	}
	b.Conversations = []toolbox.Conversation{
		converse("greet", greet), converse("greet_too", greet),
		converse("always_asks", func(*toolbox.Client) *mcp.CallToolResult { return asking("name") }),
		converse("log", func(c *toolbox.Client) *mcp.CallToolResult {
			c.Log("debug", "a detail")
			c.Log("warning", "a warning")
			return texts("logged")
		}),
	}
	b.Prompts = []toolbox.Prompt{{
		Definition: &mcp.Prompt{Name: "praise", Arguments: []*mcp.PromptArgument{{Name: "who", Required: true}}},
		Get: func(_ context.Context, arguments map[string]string, _ *toolbox.Client) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "Praise " + arguments["who"]}}}}, nil
		},
		Complete: func(_ context.Context, argument, value string, known map[string]string) ([]string, error) {
			return []string{argument + "/" + value + "/" + known["tone"]}, nil
		},
	}}
	b.Templates = []toolbox.Template{{
		Definition: &mcp.ResourceTemplate{Name: "note", URITemplate: "note://{id}/text"},
		Read: func(_ context.Context, uri string, variables map[string]string) ([]*mcp.ResourceContents, error) {
			return []*mcp.ResourceContents{{URI: uri, Text: "note " + variables["id"]}}, nil
		},
	}}
	b.Changing = []string{"time://current"}
}

// greet asks for a first and for a last name, one after the other.
func greet(c *toolbox.Client) *mcp.CallToolResult {
	answer, _ := c.Answers["name"].(*mcp.ElicitResult)
	switch {
	case answer == nil:
		result := asking("name")
		result.RequestState = "nothing yet"
		return result
	case answer.Action != "accept":
		return texts("you said " + answer.Action)
	case c.State == "nothing yet":
		result := asking("name")
		result.RequestState = fmt.Sprint("first:", answer.Content["name"])
		return result
	}
	return texts(fmt.Sprintf("%s last:%v", c.State, answer.Content["name"]))
}

func asking(key string) *mcp.CallToolResult {
	form := map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{key: &mcp.ElicitParams{Mode: "form", Message: "Your name?", RequestedSchema: form}}}
}

func texts(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

// TestToolsAskTheClient asks a client of the official SDK, which sees one call whatever happens in between.
func TestToolsAskTheClient(t *testing.T) {
	for _, era := range eras {
		t.Run("in "+era, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				names := []string{"Ada", "Lovelace"}
				session := f.connect(t, "ada", era, &mcp.ClientOptions{
					ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						name := names[0]
						names = names[1:]
						return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": name}}, nil
					},
				})
				defer session.Close()
				result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet"})
				if err != nil || result.Content[0].(*mcp.TextContent).Text != "first:Ada last:Lovelace" {
					t.Errorf("%+v, %v", result, err)
				}
			}, withOffers)
		})
	}
	for _, era := range []string{"2025-11-25", "2025-06-18"} {
		t.Run("a client that cannot answer hears that it did not, in "+era, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				session := f.connect(t, "ada", era, &mcp.ClientOptions{
					ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						return nil, context.DeadlineExceeded
					},
				})
				defer session.Close()
				if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet"}); err == nil || !strings.Contains(err.Error(), "the client did not answer what it was asked") {
					t.Error(err)
				}
			}, withOffers)
		})
		t.Run("a tool that never stops asking is stopped, in "+era, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				asked := 0
				session := f.connect(t, "ada", era, &mcp.ClientOptions{
					ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						asked++
						return &mcp.ElicitResult{Action: "decline"}, nil
					},
				})
				defer session.Close()
				if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "always_asks"}); err == nil || asked != 10 {
					t.Errorf("asked %d times, %v", asked, err)
				}
			}, withOffers)
		})
	}
}

func TestT17UndeclaredCapability(t *testing.T) {
	for _, row := range []struct {
		name   string
		ask    func(id string) ask
		status int
	}{
		{"T-17 in 2026-07-28", func(string) ask { return call("greet", `{}`, "") }, 400},
		{"T-17 in 2026-07-28, on a stream", func(string) ask { return call("greet", `{}`, "p") }, 400},
		{"T-17 in a session", func(id string) ask { return older(id, "", "tools/call", `{"name":"greet"}`) }, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				r := f.send(t, row.ask(f.begin(t, "ada")))
				r.refused(t, row.status, mcp.CodeMissingRequiredClientCapabilities, "has not declared what this needs: elicitation")
				if got := fmt.Sprint(r.rpc(t).Error.Data["requiredCapabilities"]); got != "map[elicitation:map[]]" {
					t.Errorf("required are %s", got)
				}
			}, withOffers)
		})
	}
}

// able makes a request of 2026-07-28 one of a client that can ask a person.
func able(a ask) ask {
	a.body = strings.Replace(a.body, `clientCapabilities":{}`, `clientCapabilities":{"elicitation":{}}`, 1)
	return a
}

// again is the call that brings an answer and a state.
func again(tool, arguments, state string) ask {
	return able(modern("tools/call", tool, fmt.Sprintf(
		`"name":%q,"arguments":%s,"requestState":%q,"inputResponses":{"name":{"action":"accept","content":{"name":"Ada"}}}`, tool, arguments, state)))
}

func TestRS22RequestState(t *testing.T) {
	first := func(t *testing.T, f *fixture) string {
		t.Helper()
		var asked struct{ ResultType, RequestState string }
		r := f.send(t, able(call("greet", `{"a":1,"b":2}`, "")))
		if err := json.Unmarshal(r.rpc(t).Result, &asked); err != nil || asked.ResultType != "input_required" || asked.RequestState == "" {
			t.Fatalf("status %d: %s", r.status, r.body)
		}
		if strings.Contains(asked.RequestState, "nothing") {
			t.Errorf("the state is bare: %s", asked.RequestState)
		}
		return asked.RequestState
	}
	for _, row := range []struct {
		name string
		with func(state string) ask
	}{
		{"RS-22 what comes back goes on", func(s string) ask { return again("greet", `{"a":1,"b":2}`, s) }},
		{"RS-22 the order of arguments means nothing", func(s string) ask { return again("greet", `{"b":2, "a":1}`, s) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				if r := f.send(t, row.with(first(t, f))); r.status != 200 || !strings.Contains(r.body, `"resultType":"input_required"`) {
					t.Errorf("status %d: %s", r.status, r.body)
				}
			}, withOffers)
		})
	}
	for _, row := range []struct {
		name string
		with func(state string) ask
	}{
		{"RS-22 a changed state is refused", func(s string) ask { return again("greet", `{"a":1,"b":2}`, s[:len(s)-2]+"zz") }},
		{"RS-22 a longer state is refused", func(s string) ask { return again("greet", `{"a":1,"b":2}`, s+"-TAMPERED") }},
		{"RS-22 a made up state is refused", func(string) ask { return again("greet", `{"a":1,"b":2}`, "bm90aGluZyB5ZXQ") }},
		{"RS-22 a state of other arguments is refused", func(s string) ask { return again("greet", `{"a":1,"b":3}`, s) }},
		{"RS-22 a state of another tool is refused", func(s string) ask { return again("greet_too", `{"a":1,"b":2}`, s) }},
		{"attack 45 another user's state is refused", func(s string) ask {
			a := again("greet", `{"a":1,"b":2}`, s)
			a.caller = "eve"
			return a
		}},
		{"RS-22 an old state is refused", func(s string) ask {
			time.Sleep(15 * time.Minute)
			return again("greet", `{"a":1,"b":2}`, s)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.send(t, row.with(first(t, f))).refused(t, 400, -32602, "the requestState is not one that was given for this call")
			}, withOffers)
		})
	}
	secret, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	keyed := func(key []byte) change { return func(_ *toolbox.Options, o *mcpserver.Options) { o.StateKey = key } }
	for _, row := range []struct {
		name          string
		first, second []byte
		goesOn        bool
	}{
		{"RS-22 a server with the same key goes on with another's call", secret, bytes.Clone(secret), true},
		{"RS-22 a server with another key refuses it", secret, other, false},
		{"RS-22 a server without a key refuses it", secret, nil, false},
		{"RS-22 servers without a key have each their own", nil, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				r := serve(t, withOffers, keyed(row.second)).send(t, again("greet", `{"a":1,"b":2}`, first(t, f)))
				if row.goesOn && (r.status != 200 || !strings.Contains(r.body, `"resultType":"input_required"`)) {
					t.Errorf("status %d: %s", r.status, r.body)
				} else if !row.goesOn {
					r.refused(t, 400, -32602, "the requestState is not one that was given for this call")
				}
			}, withOffers, keyed(row.first))
		})
	}
	t.Run("RS-22 a key of another size is refused at once", func(t *testing.T) {
		box, err := toolbox.New(toolbox.Options{Policy: policy.Open()})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 16, 31, 33} {
			if _, err := mcpserver.New(mcpserver.Options{Box: box, Name: "n", Version: "1", StateKey: make([]byte, size)}); err == nil || !strings.Contains(err.Error(), "StateKey") {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	})
	t.Run("RS-22 a session has no use for states", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.send(t, older(f.begin(t, "ada"), "", "tools/call", `{"name":"greet","requestState":"x"}`)).refused(t, 200, -32602, "requestState belongs to version")
		}, withOffers)
	})
}

func TestOffers(t *testing.T) {
	rows := []struct{ name, method, header, params, want string }{
		{"prompts are listed", "prompts/list", "", ``, `"name":"praise"`},
		{"a prompt has messages", "prompts/get", "praise", `"name":"praise","arguments":{"who":"Ada"}`, `"text":"Praise Ada"`},
		{"templates are listed", "resources/templates/list", "", ``, `"uriTemplate":"note://{id}/text"`},
		{"a template makes resources", "resources/read", "note://7/text", `"uri":"note://7/text"`, `"text":"note 7"`},
		{"an argument of a prompt is completed", "completion/complete", "", `"ref":{"type":"ref/prompt","name":"praise"},"argument":{"name":"who","value":"A"},"context":{"arguments":{"tone":"warm"}}`, `"values":["who/A/warm"]`},
		{"a template without suggestions has none", "completion/complete", "", `"ref":{"type":"ref/resource","uri":"note://{id}/text"},"argument":{"name":"id","value":""}`, `"values":[]`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				for _, a := range []ask{modern(row.method, row.header, row.params), older(f.begin(t, "ada"), "", row.method, "{"+row.params+"}")} {
					if r := f.send(t, a); r.status != 200 || !strings.Contains(r.body, row.want) {
						t.Errorf("status %d: %s", r.status, r.body)
					}
				}
			}, withOffers)
		})
	}
	t.Run("a server without them does not know them", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			for _, row := range rows {
				if row.method == "resources/templates/list" || row.method == "resources/read" {
					continue
				}
				f.send(t, modern(row.method, row.header, row.params)).refused(t, 404, -32601, "is not known here")
				f.send(t, older(id, "", row.method, "{"+row.params+"}")).refused(t, 200, -32601, "is not known here")
			}
			for _, method := range []string{"logging/setLevel", "resources/subscribe"} {
				f.send(t, older(id, "", method, `{"level":"info","uri":"time://current"}`)).refused(t, 200, -32601, "is not known here")
			}
		})
	})
}

func TestOffersAreGuarded(t *testing.T) {
	needs := []struct{ name, method, header, params, scope string }{
		{"RS-12 a prompt", "prompts/get", "praise", `"name":"praise","arguments":{"who":"Ada"}`, "execute"},
		{"RS-12 a resource of a template", "resources/read", "note://7/text", `"uri":"note://7/text"`, "execute"},
		{"RS-12 a completion for a prompt", "completion/complete", "", `"ref":{"type":"ref/prompt","name":"praise"},"argument":{"name":"who","value":""}`, "execute"},
		{"RS-12 a completion for a template", "completion/complete", "", `"ref":{"type":"ref/resource","uri":"note://{id}/text"},"argument":{"name":"id","value":""}`, "execute"},
		{"RS-12 a tool that asks", "tools/call", "greet", `"name":"greet"`, "execute"},
	}
	for _, row := range needs {
		t.Run(row.name+" needs its scope", func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				for _, a := range []ask{modern(row.method, row.header, row.params), older(f.begin(t, "reader"), "", row.method, "{"+row.params+"}")} {
					a.caller = "reader"
					r := f.send(t, a)
					if r.status != http.StatusForbidden || r.header.Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="`+row.scope+`"` {
						t.Errorf("status %d, %v: %s", r.status, r.header, r.body)
					}
				}
			}, withOffers)
		})
	}
	t.Run("RS-12 a subscription needs the scope of its resource", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			r := f.send(t, older(f.begin(t, "converter"), "converter", "resources/subscribe", `{"uri":"time://current"}`))
			if r.status != http.StatusForbidden || !strings.Contains(r.header.Get("WWW-Authenticate"), "time:read") {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		}, withOffers)
	})
	for _, row := range []struct{ name, method, denied, unknown, at string }{
		{"attack 44 a denied prompt is unknown", "prompts/get", "praise", "unheard_of", "name"},
		{"attack 44 a denied resource of a template is unknown", "resources/read", "note://7/text", "nota://7/text", "uri"},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				said := map[string]string{}
				for _, name := range []string{row.denied, row.unknown} {
					a := modern(row.method, name, fmt.Sprintf(`%q:%q`, row.at, name))
					r := f.send(t, a.with("Authorization: "))
					r.refused(t, 400, -32602, "unknown")
					said[name] = strings.ReplaceAll(strings.ReplaceAll(r.body, name, "NAME"), r.header.Get("X-Request-Id"), "ID")
				}
				if said[row.denied] != said[row.unknown] {
					t.Errorf("they differ:\n%s\n%s", said[row.denied], said[row.unknown])
				}
				for _, method := range []string{"prompts/list", "resources/templates/list"} {
					if r := f.send(t, modern(method, "", "").with("Authorization: ")); r.status != 200 || strings.Contains(r.body, "praise") || strings.Contains(r.body, "note:") {
						t.Errorf("status %d: %s", r.status, r.body)
					}
				}
			}, withOffers)
		})
	}
	t.Run("a prompt without what it requires is refused", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.send(t, modern("prompts/get", "praise", `"name":"praise"`)).refused(t, 400, -32602, `"who" is missing`)
		}, withOffers)
	})
}

func TestLogsReachWhoWantsThem(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		id := f.begin(t, "ada")
		quiet := older(id, "", "tools/call", `{"name":"log"}`)
		if r := f.send(t, quiet); r.status != 200 || strings.Contains(r.body, "a warning") || !strings.Contains(r.body, "logged") {
			t.Errorf("unasked: %s", r.body)
		}
		if r := f.send(t, older(id, "", "logging/setLevel", `{"level":"warning"}`)); r.status != 200 || !strings.Contains(r.body, `"result":{}`) {
			t.Fatalf("status %d: %s", r.status, r.body)
		}
		if r := f.send(t, quiet); !strings.Contains(r.body, "a warning") || strings.Contains(r.body, "a detail") {
			t.Errorf("in a session: %s", r.body)
		}
		if r := f.send(t, call("log", `{}`, "")); strings.Contains(r.body, "a warning") || !strings.Contains(r.body, "logged") {
			t.Errorf("unasked, in 2026-07-28: %s", r.body)
		}
		loud := call("log", `{}`, "")
		loud.body = strings.Replace(loud.body, `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"warning",`, 1)
		if r := f.send(t, loud); !strings.Contains(r.body, "a warning") || strings.Contains(r.body, "a detail") {
			t.Errorf("in 2026-07-28: %s", r.body)
		}
	}, withOffers)
}

// overheard is a stream that somebody reads all the time, as clients do.
type overheard struct {
	*stream
	said chan string
}

func (f *fixture) overhear(t *testing.T, a ask) *overheard {
	t.Helper()
	o := &overheard{f.open(t, a), make(chan string, 1000)}
	go func() {
		defer close(o.said)
		for {
			line, err := o.next()
			if err != nil {
				return
			}
			o.said <- line
		}
	}()
	return o
}

// until waits for a line that contains word.
func (o *overheard) until(t *testing.T, word string) string {
	t.Helper()
	for line := range o.said {
		if strings.Contains(line, word) {
			return line
		}
	}
	t.Fatalf("before %q the stream ended", word)
	return ""
}

func TestSubscriptions(t *testing.T) {
	listen := func(notifications string) ask {
		return modern("subscriptions/listen", "", `"notifications":`+notifications)
	}
	t.Run("who subscribed hears of a change, in both eras", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			session := f.overhear(t, ask{method: http.MethodGet, headers: within(id)})
			if r := f.send(t, older(id, "", "resources/subscribe", `{"uri":"time://current"}`)); r.status != 200 || r.rpc(t).Error != nil {
				t.Fatalf("status %d: %s", r.status, r.body)
			}
			stream := f.overhear(t, listen(`{"resourceSubscriptions":["time://current"]}`))
			stream.until(t, "notifications/subscriptions/acknowledged")
			f.handler.ResourceUpdated(t.Context(), "time://current")
			session.until(t, `"notifications/resources/updated"`)
			stream.until(t, `"notifications/resources/updated"`)
		}, withOffers)
	})
	t.Run("what its caller may not read or what never changes is left out of a subscription", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			a := listen(`{"resourceSubscriptions":["time://current","time://timezones","time://unheard-of"]}`)
			a.caller = "converter"
			if r := f.send(t, a); r.status != 200 || strings.Contains(r.body, "time://") {
				t.Errorf("status %d: %s", r.status, r.body)
			}
			stream := f.overhear(t, listen(`{"resourceSubscriptions":["time://timezones","time://current"]}`))
			if ack := stream.until(t, "acknowledged"); !strings.Contains(ack, `["time://current"]`) {
				t.Errorf("acknowledged is %s", ack)
			}
		}, withOffers)
	})
	t.Run("who wants to know hears that lists have changed, in both eras", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			session := f.overhear(t, ask{method: http.MethodGet, headers: within(f.begin(t, "ada"))})
			tools := f.overhear(t, listen(`{"toolsListChanged":true}`))
			tools.until(t, "acknowledged")
			prompts := f.overhear(t, listen(`{"promptsListChanged":true}`))
			prompts.until(t, "acknowledged")
			f.box.SetPolicy(policy.Open())
			session.until(t, `"notifications/tools/list_changed"`)
			tools.until(t, `"notifications/tools/list_changed"`)
			if line := prompts.until(t, "notifications/"); !strings.Contains(line, `"notifications/prompts/list_changed"`) {
				t.Errorf("who asked for prompts hears %s", line)
			}
		}, withOffers)
	})
	t.Run("attack 60 nobody has more subscriptions than a user may", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			first := f.overhear(t, listen(`{"toolsListChanged":true}`))
			first.until(t, "acknowledged")
			second := f.overhear(t, listen(`{"toolsListChanged":true}`))
			second.until(t, "acknowledged")
			r := f.send(t, listen(`{"toolsListChanged":true}`))
			r.refused(t, 503, -32000, "too many subscriptions")
			if r.header.Get("Retry-After") != "60" {
				t.Errorf("the header is %v", r.header)
			}
			other := listen(`{"toolsListChanged":true}`)
			other.caller = "eve"
			f.overhear(t, other).until(t, "acknowledged")
			first.close()
			time.Sleep(time.Second) // until the server has noticed
			f.overhear(t, listen(`{"toolsListChanged":true}`)).until(t, "acknowledged")
		}, func(_ *toolbox.Options, o *mcpserver.Options) { o.MaxSessionsPerUser = 2 })
	})
	t.Run("a subscription ends when the server goes down", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			stream := f.overhear(t, listen(`{"toolsListChanged":true}`))
			stream.until(t, "acknowledged")
			begin := time.Now()
			f.handler.Close(t.Context())
			if took := time.Since(begin); took > time.Second {
				t.Errorf("it took %v", took)
			}
			for range stream.said {
			}
		})
	})
}
