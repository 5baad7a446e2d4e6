//go:build unix

package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// program builds fastmcp-auth once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fastmcp-auth")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() error { return os.RemoveAll(dir) })
	at := filepath.Join(dir, "fastmcp-auth")
	if out, err := exec.Command("go", "build", "-o", at, "../../cmd/fastmcp-auth").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return at, nil
})

// server is a running fastmcp-auth serve, as its ready line describes it.
type server struct {
	MCP              string `json:"mcp"`
	Issuer           string `json:"issuer"`
	ResourceMetadata string `json:"resource_metadata"`

	*process
	secrets func() []string // what its log must not show
}

// serve starts the program with Keycloak as its provider, and waits for its ready line.
func serve(ctx context.Context, scratch string, flags ...string) (*server, error) {
	at, err := program()
	if err != nil {
		return nil, err
	}
	stdout := newLines()
	p, err := spawn(scratch, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "TMPDIR=" + scratch}, stdout, at,
		append([]string{"serve", "--addr", "127.0.0.1:0", "--log-level", "debug", "--log-format", "json",
			"--reverse-duration", "0s", "--provider-kind", "keycloak"}, flags...)...)
	if err != nil {
		return nil, err
	}
	line, err := p.wait(ctx, stdout, regexp.MustCompile(`(?m)^\{.*\}$`))
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s := &server{process: p}
	return s, json.Unmarshal([]byte(line[0]), s)
}

// stop asks the program to end and holds it to a clean end, and to a log without secrets.
func (s *server) stop() error {
	if err := s.process.stop(); err != nil {
		return fmt.Errorf("the server ended with %w\n%s", err, tail(s.log.bytes()))
	}
	known := &secrets.Known{}
	if s.secrets != nil {
		for _, secret := range s.secrets() {
			known.Learn("secret", secret)
		}
	}
	if found := known.Find(s.log.bytes()); len(found) > 0 {
		return fmt.Errorf("the server's log shows %v", found)
	}
	return nil
}

// reply is what the server answers to a call of a tool.
type reply struct {
	status    int
	challenge oauth.Challenge // the zero Challenge where there is none
	request   string          // its id
	body      string
}

// call calls a tool as any client of the stateless revision does, with nothing between the test and the wire.
func (s *server) call(t *testing.T, token, tool string) reply {
	t.Helper()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + calls[tool].arguments +
		`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, s.MCP, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token,
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, request: res.Header.Get("X-Request-Id"), body: string(text)}
	challenges, err := oauth.ParseChallenges(res.Header.Values("WWW-Authenticate"))
	if err != nil || len(challenges) > 1 {
		t.Fatalf("the challenge is %q: %v", res.Header.Values("WWW-Authenticate"), err)
	}
	if len(challenges) == 1 {
		r.challenge = challenges[0]
	}
	return r
}

// calls are the tools with arguments that work, and what then stands in the answer.
var calls = map[string]struct{ arguments, result string }{
	"get_current_time": {`{"timezone":"UTC"}`, `"structuredContent"`},
	"convert_time":     {`{"time":"12:00","source_timezone":"UTC","target_timezone":"UTC"}`, `"structuredContent"`},
	"reverse_tool":     {`{"query":"abc"}`, `cba`},
}

// allows fails the test unless the token opens the tool.
func (s *server) allows(t *testing.T, token, tool string) {
	t.Helper()
	r := s.call(t, token, tool)
	if r.status != http.StatusOK || !strings.Contains(r.body, calls[tool].result) || strings.Contains(r.body, `"isError":true`) {
		t.Errorf("%s: got %d %s, want its result", tool, r.status, r.body)
	}
}

// refuses fails the test unless the token is refused with 401 invalid_token, for exactly this reason. The cause is what
// the log must say besides, and the answer must not.
func (s *server) refuses(t *testing.T, token string, reason bearer.Reason, cause string) {
	t.Helper()
	r := s.call(t, token, "get_current_time")
	if r.status != http.StatusUnauthorized || r.challenge.Error != "invalid_token" || r.challenge.ResourceMetadata != s.ResourceMetadata {
		t.Errorf("got %d with %v, want 401 invalid_token with %s", r.status, r.challenge, s.ResourceMetadata)
	}
	said := s.said(t, r)
	if said.Reason != string(reason) || !strings.Contains(said.Cause, cause) {
		t.Errorf("the log says %+v, want %s with %s", said, reason, cause)
	}
	if strings.Contains(r.body, cause) || strings.Contains(r.challenge.ErrorDescription, cause) {
		t.Errorf("a stranger is told the cause: %s %v", r.body, r.challenge)
	}
}

// needs fails the test unless the tool is refused with 403 and a challenge for exactly this scope.
func (s *server) needs(t *testing.T, token, tool, scope string) {
	t.Helper()
	r := s.call(t, token, tool)
	if r.status != http.StatusForbidden || r.challenge.Error != "insufficient_scope" || strings.Join(r.challenge.Scopes, " ") != scope {
		t.Errorf("%s: got %d with %v, want 403 insufficient_scope with %s", tool, r.status, r.challenge, scope)
	}
	if strings.Contains(r.body, calls[tool].result) {
		t.Errorf("%s was called all the same: %s", tool, r.body)
	}
}

// said is what the log says about a refused request.
func (s *server) said(t *testing.T, r reply) (said struct{ Reason, Cause string }) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^.*"msg":"request refused".*"` + regexp.QuoteMeta(r.request) + `".*$`)
	found, err := s.wait(within(t), s.log, line)
	if err != nil {
		t.Fatalf("no log line for request %s: %v", r.request, err)
	}
	if err := json.Unmarshal([]byte(found[0]), &said); err != nil {
		t.Fatal(err)
	}
	return said
}

// verifier is the server's guard by itself, for looking at the identity that a token gives.
func (w *world) verifier(t *testing.T, change func(*bearer.Config)) *bearer.Guard {
	t.Helper()
	config := bearer.Config{Resource: w.server.MCP, Providers: []idp.Provider{idp.Keycloak(w.URL, w.Name)}}
	if change != nil {
		change(&config)
	}
	guard, err := bearer.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

// identity is who a token says is calling.
func (w *world) identity(t *testing.T, token string) *identity.Identity {
	t.Helper()
	id, err := w.verifier(t, nil).Verify(within(t), token)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// causes returns the exact cause of a refusal by the guard.
func causes(err error) string {
	var refused *bearer.Error
	if errors.As(err, &refused) {
		return fmt.Sprint(refused.Cause)
	}
	return fmt.Sprint(err)
}
