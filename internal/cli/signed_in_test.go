package cli_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// guarded is a server with its development provider, and somebody who approves every code.
type guarded struct {
	t    *testing.T
	url  string
	home string
	user string // who approves
}

func guard(t *testing.T, character string) *guarded {
	t.Helper()
	c, err := devidp.ParseCharacter(character)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(t.Context(), c, "", suite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return &guarded{t: t, url: w.mcp, home: t.TempDir(), user: devidp.UserAdmin}
}

// run runs a command and approves each code that it shows. It returns the exit code and how many codes there were.
func (p *guarded) run(args ...string) (stdout, stderr string, code, codes int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	cmd.Args[0] = "fastmcp-auth" // TestMain goes by the name
	cmd.Env = append(ofHome(p.home), "CI=", "XDG_CONFIG_HOME="+p.home, "DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=",
		"FASTMCP_AUTH_SERVER="+p.url, "FASTMCP_AUTH_CLIENT_FLOW=device", "FASTMCP_AUTH_CLIENT_ID="+devidp.ClientCLI)
	var out bytes.Buffer
	cmd.Stdout = &out
	screen, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var said strings.Builder
	page := ""
	for lines := bufio.NewScanner(screen); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if at, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "open "); ok {
			page = strings.TrimSpace(at)
		}
		if userCode, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "enter "); ok {
			codes++
			if err := new(devidp.Visitor).ApproveDevice(p.t.Context(), page, userCode, p.user); err != nil {
				p.t.Error(err)
			}
		}
	}
	cmd.Wait()
	return out.String(), said.String(), cmd.ProcessState.ExitCode(), codes
}

// want runs a command and wants this exit code, this many codes shown, and these words on stdout and stderr.
func (p *guarded) want(code, codes int, stdout, stderr string, args ...string) {
	p.t.Helper()
	out, said, gotCode, gotCodes := p.run(args...)
	if gotCode != code || gotCodes != codes || !strings.Contains(out, stdout) || !strings.Contains(said, stderr) {
		p.t.Errorf("%s: exit code %d with %d codes, want %d with %d\nstdout %s\nstderr %s", strings.Join(args, " "), gotCode, gotCodes, code, codes, out, said)
	}
}

// TestCallSignsIn once: the first command asks, those after it are silent, several calls and processes too.
func TestCallSignsIn(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		t.Run(character, func(t *testing.T) {
			t.Parallel()
			callSignsIn(guard(t, character))
		})
	}
}

func callSignsIn(p *guarded) {
	p.want(4, 0, "", `error: `+p.url+` asks to sign in`, "call", "reverse_tool", "query=abc", "--no-input")
	p.want(0, 1, `"reversed_query": "cba"`, "Signed in.", "call", "reverse_tool", "query=abc")
	p.want(0, 0, `"reversed_query":"cba"`, "", "call", "reverse_tool", "query=abc", "--json", "--no-input")
	p.want(0, 0, "== random_number_tool", "", "call", "reverse_tool", "query=abc", "--", "random_number_tool", "min=1", "max=2", "--no-input")
	p.want(0, 0, "reverse_tool(query: string)", "", "tools", "--no-input")
	p.want(0, 0, "reverse_tool\t", "", "__complete", "call", "rev")
	p.want(4, 0, "", "asks to sign in", "call", "reverse_tool", "query=abc", "--no-auth")
}

// TestCallAsksForMoreScope when a tool needs it (C-20): once, with what was granted before kept.
func TestCallAsksForMoreScope(t *testing.T) {
	t.Parallel()
	p := guard(t, "standard")
	p.want(0, 1, "", "Signed in", "login", "--client-scopes", "time:read")
	p.want(0, 0, "Asia/Tokyo", "", "call", "get_current_time", "timezone=Asia/Tokyo", "--no-input")
	p.want(4, 0, "", "execute", "call", "reverse_tool", "query=abc", "--no-input")
	p.want(0, 1, "cba", "Signed in.", "call", "reverse_tool", "query=abc")
	p.want(0, 0, "cba", "", "call", "reverse_tool", "query=abc", "--no-input")
	p.want(0, 0, "Asia/Tokyo", "", "call", "get_current_time", "timezone=Asia/Tokyo", "--no-input")
}

// TestCallIsNotForEverybody ends with 4 where the person may not have the scope that the tool needs.
func TestCallIsNotForEverybody(t *testing.T) {
	t.Parallel()
	p := guard(t, "standard")
	p.user = devidp.UserReader
	p.want(0, 1, "", "Signed in", "login", "--client-scopes", "time:read")
	out, said, code, _ := p.run("call", "reverse_tool", "query=abc", "--json")
	if code != 4 || out != "" || !strings.Contains(said, `"kind":"sign_in"`) {
		t.Errorf("exit code %d\nstdout %s\nstderr %s", code, out, said)
	}
}
