// Package console_test walks through the web console as people do: a real Chromium, driven by Playwright, at the real
// program, on ports of the kernel's choice. Whatever the browser complains of, and every request that leaves the
// console's origin, is a failure of each walk.
//
// The switch is FASTMCP_AUTH_INTEGRATION=1. The console must have been built: make test does that first.
//
//	the program, the browser, the walks   console_test.go
//	watching a person's browser           browser.mjs
//	a way to the server that is cut       cut.mjs
//	where nobody signs in                 open.mjs
//	without a mouse                       keyboard.mjs
//	what axe finds, and on a phone        look.mjs
//	the page of the REST API              docs.mjs authorize.mjs
//	signed in, at the development provider  signed_in.mjs
//	what a script in the page can reach   reach.mjs
package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// patience bounds one walk. Reaching it is a failure, never a measurement.
const patience = 4 * time.Minute

var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "console")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestTheConsoleWhereNobodySignsIn(t *testing.T) {
	s := serve(t, "--no-auth", "--reverse-duration", "8s")
	s.walk(t, "open.mjs")
}

func TestTheConsoleWithoutAMouse(t *testing.T) {
	s := serve(t, "--no-auth", "--reverse-duration", "6s")
	s.walk(t, "keyboard.mjs")
}

func TestTheConsoleHasNoViolation(t *testing.T) {
	s := serve(t, "--reverse-duration", "4s")
	s.walk(t, "look.mjs")
}

func TestTheDocumentationOfTheAPI(t *testing.T) {
	s := serve(t, "--no-auth")
	s.walk(t, "docs.mjs")
}

// The page's own sign-in, by code and PKCE: the token is the page's for as long as it is open, and is kept nowhere.
func TestAuthorizeInTheDocumentationOfTheAPI(t *testing.T) {
	s := serve(t)
	s.walk(t, "authorize.mjs")
}

// clock keeps the time's tools from those who have not asked for them, so that there is something to step up to.
const clock = `
rules:
  - name: texts and numbers
    tools: [reverse_tool, random_number_tool]
    scopes: [execute]
  - name: clock
    tools: [get_current_time, convert_time]
    resources: ["time://*"]
    scopes: [time:read]
`

func TestTheConsoleSignedIn(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		t.Run(character, func(t *testing.T) {
			s := serve(t, "--reverse-duration", "6s", "--idp-character", character, "--policy-file", file(t, "policy.yaml", clock))
			s.walk(t, "signed_in.mjs")
		})
	}
}

// Nothing that a script in the page can reach, and nothing that was ever sent to the browser, holds a token.
func TestNoTokenInTheBrowser(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		t.Run(character, func(t *testing.T) {
			s := serve(t, "--reverse-duration", "1s", "--idp-character", character)
			s.walk(t, "reach.mjs")
		})
	}
}

// npm takes the packages of the console from whichever registry a machine uses, checks them, and runs nothing of theirs.
func TestPackagesArePinned(t *testing.T) {
	var manifest struct{ Dependencies, DevDependencies map[string]string }
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	for name, into := range map[string]any{"package.json": &manifest, "package-lock.json": &lock} {
		text, err := os.ReadFile("../../web/" + name)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(manifest.Dependencies, manifest.DevDependencies)
	for name, version := range manifest.Dependencies {
		if got := lock.Packages["node_modules/"+name].Version; got != version {
			t.Errorf("package.json asks for %s %s, package-lock.json has %q", name, version, got)
		}
	}
	for name, entry := range lock.Packages {
		if name != "" && (entry.Resolved != "" || entry.Integrity == "") {
			t.Errorf("%s is bound to %q with integrity %q, want an integrity alone", name, entry.Resolved, entry.Integrity)
		}
	}
	if npmrc, err := os.ReadFile("../../web/.npmrc"); err != nil || !strings.Contains(string(npmrc), "ignore-scripts=true") {
		t.Errorf("packages may run scripts when they are installed: %v", err)
	}
}

// party finds what a walk needs, and says what is left out where it is not asked for or not there.
func party(t *testing.T) (node, chromium string) {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run it, as make test does")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		leaveOut(t, "install Node.js with npm to run it")
	}
	if chromium, err = exec.LookPath("chromium"); err != nil {
		leaveOut(t, "install Chromium (the command chromium) to run it")
	}
	for _, built := range []string{"../../web/dist/index.html", "../../web/node_modules/playwright-core"} {
		if _, err := os.Stat(built); err != nil {
			leaveOut(t, "run make web before it")
		}
	}
	return node, chromium
}

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: the web console in a real browser; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// program builds fastmcp-auth once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "fastmcp-auth")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/fastmcp-auth").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// server is a running fastmcp-auth serve, as its ready line describes it.
type server struct {
	MCP    string `json:"mcp"`
	Issuer string `json:"issuer"`
}

// serve starts the program, by default with its development provider. It ends, and must end well, with the test.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	party(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"serve", "--addr", "127.0.0.1:0", "--store-kind", "memory", "--log-level", "debug"}
	if !strings.Contains(strings.Join(flags, " "), "--no-auth") {
		args = append(args, "--idp-addr", "127.0.0.1:0")
	}
	cmd := exec.Command(path, append(args, flags...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = environment(t.TempDir())
	var log bytes.Buffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		overdue := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer overdue.Stop()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", &log)
		}
	})
	s := &server{}
	overdue := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	if err := json.NewDecoder(stdout).Decode(s); err != nil {
		t.Fatalf("the ready line: %v\n%s", err, &log)
	}
	go io.Copy(io.Discard, stdout)
	return s
}

// walk runs one of the walks to its end.
func (s *server) walk(t *testing.T, script string) {
	t.Helper()
	node, chromium := party(t)
	for _, name := range []string{script, "browser.mjs", "cut.mjs"} { // read here, so that go test knows what it depends on
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	at, err := url.Parse(s.MCP)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, script)
	cmd.Env = append(environment(t.TempDir()), "CONSOLE="+at.Scheme+"://"+at.Host, "PROVIDER="+strings.TrimSuffix(origin(s.Issuer), "/"),
		"CHROMIUM="+chromium, "PICTURES="+os.Getenv("FASTMCP_AUTH_PICTURES"))
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	t.Logf("%s", out)
}

func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// environment is what every child gets: a way to find programs, and an empty home.
func environment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8", "NO_COLOR=1"}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
