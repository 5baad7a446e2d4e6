package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// house is a running server with its provider, as a test sees it.
type house struct {
	*Server
	at   Addresses
	stop func() error // ends the server and returns what Run returned
}

// open runs a server with these settings, each NAME=value of the environment. It ends with the test.
func open(t testing.TB, o Options, settings ...string) *house {
	t.Helper()
	env := append([]string{"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_REVERSE_DURATION=0s"}, settings...)
	s, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(), Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	if _, measured := t.(*testing.B); !measured {
		o = overheard(o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server, err := Listen(ctx, s, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	if o.around != nil {
		server.http.Handler = suite.Overhear(server.http.Handler)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	h := &house{Server: server, at: server.Addresses()}
	var result error
	var done bool
	h.stop = func() error {
		if !done {
			cancel()
			result, done = <-ended, true
		}
		return result
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil && !errors.As(err, new(*CutOffError)) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return h
}

// provider runs a development provider that is not the server's own, so that it can fail apart from it.
func provider(t *testing.T, o devidp.Options) *devidp.Running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o.Around = suite.Watch
	p, err := devidp.Start(ctx, "127.0.0.1:0", o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); p.Wait() })
	return p
}

// trusting are the settings of a server that accepts the tokens of p.
func trusting(p *devidp.Running) []string {
	return []string{"FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + p.Issuer()}
}

// token is one of p for user at this server.
func (h *house) token(t *testing.T, p *devidp.Server, user string, scopes ...string) string {
	t.Helper()
	token, err := p.MintToken(devidp.TokenRequest{User: user, Audience: []string{h.at.MCP}, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	suite.Learn("access_token", token)
	return token
}

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

const modern = "2026-07-28"

// call posts one JSON-RPC request of the modern era. params are the members of params besides _meta, with a comma.
func (h *house) call(token, method, name, params string) (*answer, error) {
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modern + `","io.modelcontextprotocol/clientCapabilities":{}}}}`
	header := map[string]string{"MCP-Protocol-Version": modern, "Mcp-Method": method}
	if name != "" {
		header["Mcp-Name"] = name
	}
	return h.post(token, body, header)
}

func (h *house) post(token, body string, header map[string]string) (*answer, error) {
	req, err := http.NewRequest("POST", h.at.MCP, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	return do(req)
}

func (h *house) get(t *testing.T, path string) *answer {
	t.Helper()
	req, err := http.NewRequest("GET", strings.TrimSuffix(h.at.MCP, mcpPath)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func do(req *http.Request) (*answer, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &answer{res.StatusCode, res.Header, string(body)}, nil
}

// reverse calls reverse_tool.
func (h *house) reverse(token, text string) (*answer, error) {
	return h.call(token, "tools/call", "reverse_tool", `"name":"reverse_tool","arguments":{"query":"`+text+`"},`)
}
