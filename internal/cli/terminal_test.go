//lint:file-ignore SA1019 Servers in the field go on using sampling.

package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// TestTerminal runs the real main on a terminal, as testdata/terminal/*.txtar say, beside a server at $asking that asks
// the person who calls: ttyin is what the person types, ttyout what the terminal shows. NO_COLOR is set, so that what is
// shown are whole lines. world and the other commands of scripts about signing in are there, too. seen, after each command,
// keeps what the terminal shows for the search for secrets.
func TestTerminal(t *testing.T) {
	everyScreenIsSeen(t)
	cmds := worldCommands()
	cmds["exits"] = exits
	cmds["seen"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Check(suite.Keep("terminal", ts.ReadFile("ttyout")))
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "terminal"),
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return asking() }, &mcp.StreamableHTTPOptions{Stateless: true}))
			env.Defer(server.Close)
			env.Values[worlds] = map[string]*worldOf{}
			env.Values[vouched] = map[string]*vouching{}
			for name, value := range map[string]string{
				"HOME": env.WorkDir, secrets.Folder: os.Getenv(secrets.Folder), "GORACE": raceOptions, "asking": server.URL, "FASTMCP_AUTH_SERVER": server.URL, "CI": "", "NO_COLOR": "1", "TERM": "xterm",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: cmds,
	})
}

// everyScreenIsSeen holds the scripts to saying seen after each command.
func everyScreenIsSeen(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "terminal", "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range names {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^(?:! )?exec .*fastmcp-auth .*\n(.*)$`).FindAllSubmatch(script, -1) {
			if string(line[1]) != "seen" {
				t.Errorf("%s: %q follows a command, not seen", name, line[1])
			}
		}
	}
}

// asking is a server whose tools ask: for a form, for a visit, for what a language model would say.
func asking() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "asking", Version: "1"}, nil)
	tool := func(name, schema string, question mcp.InputRequest) {
		s.AddTool(&mcp.Tool{Name: name, Description: "Asks back.", InputSchema: json.RawMessage(schema)},
			func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				given, answered := r.Params.InputResponses["it"]
				if question != nil && !answered {
					return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"it": question}}, nil
				}
				text := fmt.Sprintf("arguments %s", r.Params.Arguments)
				if answered {
					raw, err := json.Marshal(given)
					if err != nil {
						return nil, err
					}
					text = "answer " + string(raw)
				}
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
			})
	}
	const nothing = `{"type":"object"}`
	tool("plain", `{"type":"object","properties":{"name":{"type":"string","description":"Whom to greet."},"times":{"type":"integer"},"loud":{"type":"boolean"}},"required":["name","times"]}`, nil)
	tool("form", nothing, &mcp.ElicitParams{Mode: "form", Message: "Which room?\x1b[2J",
		RequestedSchema: json.RawMessage(`{"type":"object","properties":{"room":{"type":"string","enum":["single","double"]}},"required":["room"]}`)})
	tool("visit", nothing, &mcp.ElicitParams{Mode: "url", Message: "Confirm there.", URL: "https://bank.example/confirm?id=1", ElicitationID: "1"})
	tool("trick", nothing, &mcp.ElicitParams{Mode: "url", Message: "Look.", URL: "file:///etc/passwd", ElicitationID: "2"})
	tool("model", nothing, &mcp.CreateMessageParams{MaxTokens: 9, SystemPrompt: "Be brief.", Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Rhyme on token."}}}})
	return s
}
