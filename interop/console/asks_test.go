package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/interop/console"

	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	session "github.com/fastmcp-auth/fastmcp-auth/internal/console"
	"github.com/fastmcp-auth/fastmcp-auth/internal/rest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/web"
)

// The tools of the program ask nothing, so the console is put together here as the program does it, over two that do.
func TestAToolThatAsksInTheMiddle(t *testing.T) {
	console.Need(t)
	box, err := toolbox.New(toolbox.Options{Policy: policy.Open(), Conversations: []toolbox.Conversation{
		{Definition: asking("book_table", "Book a table"), Call: bookTable},
		{Definition: asking("pay", "Pay"), Call: pay},
	}})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := calls.New(calls.Options{Box: box, Store: store.Memory(store.MemoryOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	api, err := rest.New(rest.Options{Box: box, Calls: runner})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux)
	pages.Register(mux)
	mux.HandleFunc("GET /{$}", pages.Page)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /console/session", session.Open(server.URL+"/mcp"))
	go runner.Run(t.Context())
	console.Walk{Script: "asks.mjs", Console: server.URL}.Run(t)
}

func asking(name, title string) *mcp.Tool {
	return &mcp.Tool{Name: name, Title: title, InputSchema: json.RawMessage(`{"type":"object","properties":{"day":{"type":"string"}},"required":["day"]}`)}
}

const guests = `{"type":"object","required":["name","guests"],"properties":{
	"name":{"type":"string","title":"Your name","minLength":2},
	"guests":{"type":"integer","title":"How many guests","minimum":1,"maximum":8},
	"where":{"type":"string","title":"Where","enum":["inside","outside"]},
	"dog":{"type":"boolean","title":"With a dog"}}}`

// bookTable asks twice, and remembers the first answer in the second round.
func bookTable(_ context.Context, arguments json.RawMessage, _ func(float64, float64, string), c *toolbox.Client) (*mcp.CallToolResult, error) {
	var given struct{ Day string }
	if err := json.Unmarshal(arguments, &given); err != nil {
		return nil, err
	}
	if c.State == "" {
		if c.Answers["who"] == nil {
			return ask("who", &mcp.ElicitParams{Message: "Who comes on " + given.Day + "?", RequestedSchema: json.RawMessage(guests)}, ""), nil
		}
		who, is := c.Answers["who"].(*mcp.ElicitResult)
		if !is || who.Action != "accept" {
			return says("nothing was booked: %s", who.Action), nil
		}
		state, err := json.Marshal(who.Content)
		if err != nil {
			return nil, err
		}
		return ask("sure", &mcp.ElicitParams{Message: "Shall it be booked?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{}}`)}, string(state)), nil
	}
	if sure, is := c.Answers["sure"].(*mcp.ElicitResult); !is || sure.Action != "accept" {
		return says("nothing was booked after all"), nil
	}
	return says("booked for %s: %s", given.Day, c.State), nil
}

// pay asks to visit a page, and one that no browser should be led to.
func pay(_ context.Context, _ json.RawMessage, _ func(float64, float64, string), c *toolbox.Client) (*mcp.CallToolResult, error) {
	if len(c.Answers) < 2 {
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{
			"here":  &mcp.ElicitParams{Mode: "url", Message: "Pay at the bank.", URL: "https://bank.example/pay?order=1", ElicitationID: "1"},
			"there": &mcp.ElicitParams{Mode: "url", Message: "Or here.", URL: "javascript:alert(document.domain)", ElicitationID: "2"},
		}}, nil
	}
	return says("paid"), nil
}

func ask(key string, request *mcp.ElicitParams, state string) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{key: request}, RequestState: state}
}

func says(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}
}
