// Package interop_test lets the clients other people use, unmodified, at the real program: MCP Inspector and both lines of
// the official TypeScript client. They list and call tools, see progress, sign in by themselves, and are turned away in a
// way they can show to a person.
//
// The official conformance suite judges internal/mcpserver with the suite's fixtures, which conformance/server serves, and
// package client, which conformance/client lets it drive.
//
// It builds the program once and starts it on ports of the kernel's choice with its development provider. The switch is
// FASTMCP_AUTH_INTEGRATION=1; npm brings the clients when they are missing.
//
//	the program, the switch, the clients' packages   interop_test.go
//	tokens, and a person with a browser              person_test.go
//	MCP Inspector                                    inspector_test.go
//	the TypeScript client: lists, calls, progress    typescript_test.go
//	what it makes of a refusal                       refusal_test.go
//	how it signs in by itself                        signin_test.go
//	a language model that is not ours, for the agent  agent_test.go
//	the official conformance suite                   conformance_test.go, conformance_client_test.go
package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// patience bounds whatever talks to another process. Reaching it is a failure, never a measurement.
const patience = 90 * time.Second

// scratch holds what the tests share: the program, and a home without a person's settings.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// party makes sure the clients are there, and says what is left out when they are not asked for or cannot be had.
func party(t *testing.T) {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run it, as make test does")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		leaveOut(t, "install Node.js with npm to run it")
	}
	if err := packages(); err != nil {
		t.Fatal(err)
	}
	if err := node(); err != nil {
		leaveOut(t, err.Error())
	}
}

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: MCP Inspector, the TypeScript client and the conformance suite against the real server; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// packages installs exactly what package-lock.json names, unless that is what node_modules holds.
var packages = sync.OnceValue(func() error {
	lock, err := os.Stat("package-lock.json")
	if err != nil {
		return err
	}
	installed, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")) // npm writes it last
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Cancel = func() error { return npm.Process.Signal(syscall.SIGTERM) }
	npm.WaitDelay = 10 * time.Second
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// TestPackagesArePinned holds package.json to exact versions, and package-lock.json to naming no registry: npm ci
// then takes the same packages from whichever registry a machine uses.
func TestPackagesArePinned(t *testing.T) {
	var manifest struct{ Dependencies, OptionalDependencies map[string]string }
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	for name, into := range map[string]any{"package.json": &manifest, "package-lock.json": &lock} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(manifest.Dependencies, manifest.OptionalDependencies)
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
}

// nodePath is the Node.js that npm brought for this machine.
var nodePath, _ = filepath.Abs(filepath.Join("node_modules", ".bin", "node"))

// node makes sure of a Node.js that is new enough for the Inspector: npm's, or the machine's own where npm has none.
var node = sync.OnceValue(func() error {
	if _, err := os.Stat(nodePath); err == nil {
		return nil
	}
	path, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("install Node.js 22.19 or newer to run it: npm has none for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return err
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "v%d.%d", &major, &minor); err != nil || major < 22 || major == 22 && minor < 19 {
		return fmt.Errorf("install Node.js 22.19 or newer to run it: this machine has %s", bytes.TrimSpace(out))
	}
	nodePath = path
	return nil
})

// program builds fastmcp-auth once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "fastmcp-auth")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/fastmcp-auth").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// server is a running fastmcp-auth serve, as its ready line describes it.
type server struct {
	MCP    string `json:"mcp"`
	Issuer string `json:"issuer"`

	secrets []string // what its log must not show
}

// serve starts the program with its development provider and waits for its ready line. It ends, and must end well,
// with the test.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	party(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"serve", "--addr", "127.0.0.1:0", "--idp-addr", "127.0.0.1:0", "--log-level", "debug"}, flags...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = environment(t)
	var log syncBuffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{secrets: []string{"dev-service-secret"}}
	t.Cleanup(func() { s.stop(t, cmd, &log) })

	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	if err := json.NewDecoder(stdout).Decode(s); err != nil {
		t.Fatalf("the ready line: %v\n%s", err, &log)
	}
	if s.MCP == "" || s.Issuer == "" {
		t.Fatalf("the ready line names no mcp or no issuer: %+v", s)
	}
	go io.Copy(io.Discard, stdout)
	return s
}

// stop asks the program to end and holds it to a clean end, and to a log without secrets.
func (s *server) stop(t *testing.T, cmd *exec.Cmd, log *syncBuffer) {
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	known := &secrets.Known{}
	for _, secret := range s.secrets {
		known.Learn("secret", secret)
	}
	for _, f := range known.Find([]byte(log.String())) {
		t.Errorf("the server's log shows %s", f)
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", log)
	}
}

// environment is what every child gets: a way to find programs and an empty home, nothing of the person who runs the
// tests. BROWSER keeps a client that wants to open one from doing so.
func environment(t *testing.T, extra ...string) []string {
	home := t.TempDir()
	return append([]string{
		"PATH=" + closedDoor(t) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home, "TMPDIR=" + os.TempDir(), "BROWSER=true", "NO_COLOR=1",
	}, extra...)
}

// closedDoor is a folder with openers that open nothing: the test is the person, and has the browser.
func closedDoor(t *testing.T) string {
	dir := t.TempDir()
	for _, opener := range []string{"open", "xdg-open"} {
		if err := os.WriteFile(filepath.Join(dir, opener), []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// outcome is what a finished child left behind.
type outcome struct {
	stdout, stderr string
	code           int
}

// run waits for a child and takes its exit code as an outcome, not as an error.
func run(t *testing.T, ctx context.Context, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v\n%s%s", filepath.Base(cmd.Path), patience, &stdout, &stderr)
	}
	return outcome{strings.TrimSpace(stdout.String()), strings.TrimSpace(stderr.String()), cmd.ProcessState.ExitCode()}
}

// syncBuffer is a log one process writes while a test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
