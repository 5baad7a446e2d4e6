package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const twoServers = `
client: {id: mine, scopes: [execute], resource: send}
servers:
  tools:
    url: https://mcp.example.com/mcp
    client: {id: theirs, issuer: "https://sso.example.com"}
  local:
    url: http://127.0.0.1:8000/mcp
`

var named = []string{"--config=" + defaultFile}

// call loads p for a calling command and names a server.
func call(t *testing.T, p place, typed string) (*Called, error) {
	t.Helper()
	p.command = Call
	s, err := p.load(t)
	if err != nil {
		t.Fatal(err)
	}
	return s.Call(typed)
}

func TestAServerIsCalledByNameURLOrHost(t *testing.T) {
	for _, row := range []struct{ typed, name, url string }{
		{"tools", "tools", "https://mcp.example.com/mcp"},
		{"https://mcp.example.com/mcp", "tools", "https://mcp.example.com/mcp"},
		{"mcp.example.com/mcp", "tools", "https://mcp.example.com/mcp"},
		{"127.0.0.1:8000/mcp", "local", "http://127.0.0.1:8000/mcp"},
		{"localhost", "", "http://localhost"},
		{"[::1]:8000/mcp", "", "http://[::1]:8000/mcp"},
		{"other.example.com", "", "https://other.example.com"},
		{"http://other.example.com/mcp", "", "http://other.example.com/mcp"},
	} {
		c, err := call(t, place{files: yamlFile(twoServers), args: named}, row.typed)
		if err != nil || c.Name != row.name || c.URL != row.url {
			t.Errorf("%s: %+v, %v", row.typed, c, err)
		}
	}
	for typed, want := range map[string]string{
		"toolz": `did you mean tools?`, "unknown": "is no server", "ftp://mcp.example.com": "not an http or https URL",
		"https://me@mcp.example.com": "without user", "https://mcp.example.com/#a": "without user and fragment",
	} {
		_, err := call(t, place{files: yamlFile(twoServers), args: named}, typed)
		if faults := (*Faults)(nil); !errors.As(err, &faults) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", typed, err)
		}
	}
}

func TestWhatServersSaysCountsMoreThanTheFileAndLessThanTheRest(t *testing.T) {
	for _, row := range []struct {
		name   string
		p      place
		typed  string
		id     string
		scopes []string
	}{
		{"the server's own", place{}, "tools", "theirs", []string{"execute"}},
		{"nothing of its own", place{}, "local", "mine", []string{"execute"}},
		{"no server of servers", place{}, "other.example.com", "mine", []string{"execute"}},
		{"a flag", place{args: []string{"--client-id=flag", "--client-scopes=a,b"}}, "tools", "flag", []string{"a", "b"}},
		{"the environment", place{environ: []string{"FASTMCP_AUTH_CLIENT_ID=env"}}, "tools", "env", []string{"execute"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.p.files, row.p.args = yamlFile(twoServers), append(row.p.args, named...)
			c, err := call(t, row.p, row.typed)
			if err != nil || c.Client.ID != row.id || !slices.Equal(c.Client.Scopes, row.scopes) || c.Client.Resource != "send" || c.Client.Flow != "auto" {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

func TestServersAreReadStrictly(t *testing.T) {
	for text, want := range map[string]string{
		"servers: {tools: {url: https://a.example/mcp, scopes: [a]}}":                  "servers.tools.scopes: is no setting of a server",
		"servers: {tools: {ur: https://a.example/mcp}}":                                `did you mean servers.tools.url?`,
		"servers: {tools: {client: {id: a}}}":                                          "servers.tools: has no url",
		"servers: {tools: {url: http://a.example/mcp}}":                                "servers.tools.url: \"http://a.example/mcp\" is http beyond this machine",
		"servers: {tools: {url: https://a.example/mcp, client: {idd: a}}}":             `servers.tools.client.idd: is no setting; did you mean client.id?`,
		"servers: {tools: {url: https://a.example/mcp, client: {resource: some}}}":     "servers.tools.client.resource: ",
		"servers: {tools: {url: https://a.example/mcp, client: {enterprise: {a: b}}}}": "servers.tools.client.enterprise.a: is no setting",
		"servers: {a/b: {url: https://a.example/mcp}}":                                 "is no name for a server",
		"servers: [a]": "servers: is a list",
		"server: https://a.example/mcp\nservers: {a: {url: https://a.example/mcp}, a: {url: https://b.example/mcp}}": "stands twice",
		"serverz: {}": `did you mean servers?`,
	} {
		_, err := place{command: Call, files: yamlFile(text)}.load(t)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAClientsProofIsWholeOrRefused(t *testing.T) {
	whole := []string{"--client-id=a", "--client-issuer=https://a.example"}
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"a proof without an issuer", []string{"--client-id=a", "--client-secret-file=secret"}, "client.issuer: a proof goes to its own authorization server only"},
		{"a proof without an id", []string{"--client-issuer=https://a.example", "--client-platform=github"}, "client.id: a client with a proof has an id"},
		{"two proofs", append([]string{"--client-secret-file=secret", "--client-platform=github"}, whole...), "is a second proof"},
		{"no secret in the file", append([]string{"--client-secret-file=nowhere"}, whole...), "nowhere is not there"},
		{"no key in the file", append([]string{"--client-key-file=nowhere"}, whole...), "is not there"},
		{"credentials without a proof", append([]string{"--client-flow=credentials"}, whole...), "the client has no proof"},
		{"a workload without an issuer", []string{"--client-flow=workload", "--client-token-file=t"}, "client.issuer: the platform's token goes to one authorization server only"},
		{"an exchange without an issuer", []string{"--client-flow=exchange", "--client-token-file=t"}, "client.issuer: the token to exchange goes to one authorization server only"},
		{"workload without a token", []string{"--client-flow=workload"}, "there is no token of the platform"},
		{"exchange without a token", []string{"--client-flow=exchange"}, "there is no token to exchange"},
		{"enterprise without its provider", []string{"--client-flow=enterprise", "--client-token-file=t"}, "client.enterprise.issuer: client.flow is enterprise"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := call(t, place{args: row.args, files: map[string]string{"secret": "hush\n"}}, "a.example")
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v", err)
			}
		})
	}
	c, err := call(t, place{args: append([]string{"--client-secret-file=secret"}, whole...), files: map[string]string{"secret": "hush\n"}}, "a.example")
	if err != nil || string(c.Client.Secret) != "hush" || !c.Client.HasProof() {
		t.Errorf("%v", err)
	}
}

func TestFilesOfAServerStartFromTheWorkingDirectory(t *testing.T) {
	c, err := call(t, place{args: named, files: map[string]string{
		defaultFile: "servers: {a: {url: https://a.example/mcp, client: {token_file: t}}}\n",
	}}, "a")
	if err != nil || !filepath.IsAbs(c.Client.TokenFile) || filepath.Base(c.Client.TokenFile) != "t" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = call(t, place{args: named, files: map[string]string{
		defaultFile: "servers: {a: {url: https://a.example/mcp, ca_file: ca.pem}}\n", "ca.pem": "none",
	}}, "a")
	if err == nil || !strings.Contains(err.Error(), "holds no certificate as PEM") {
		t.Error(err)
	}
}

func TestCIAsksNobody(t *testing.T) {
	for ci, want := range map[string]bool{"": false, "false": false, "0": false, "true": true, "1": true, "woodpecker": true} {
		s, err := place{command: Call, environ: []string{"CI=" + ci}}.load(t)
		if err != nil || s.NoInput != want {
			t.Errorf("CI=%s: %v, %v", ci, s.NoInput, err)
		}
		if s.InCI() != want {
			t.Errorf("CI=%s: no_input is from %s", ci, s.OriginOf("no_input"))
		}
	}
	s, err := place{command: Call, args: []string{"--no-input"}, environ: []string{"CI=true"}}.load(t)
	if err != nil || s.InCI() {
		t.Errorf("whoever says --no-input said it, in CI too: %v, %v", s.OriginOf("no_input"), err)
	}
}

// serve and the commands that call it meet without a word being said: a token is for one name of this machine, not for all.
func TestTheServerThatIsCalledIsTheOneThatServes(t *testing.T) {
	serves, err := place{command: Serve}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := place{command: Call}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := "http://" + serves.Addr + "/mcp"; calls.Server != want {
		t.Errorf("%s is called, and %s serves", calls.Server, want)
	}
}
