// Package program runs the real program for tests that want processes: built once, on ports of the kernel's choice, ended
// with the test. What it has logged by then, at the level debug, holds no secret.
package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// Ready is what a started server says of itself on its first line.
type Ready struct {
	MCP, Addr, Issuer string
}

// Base is the server's address as clients see it, without a slash at the end.
func (r Ready) Base() string { return strings.TrimSuffix(r.MCP, "/mcp") }

// Process is a server that runs.
type Process struct {
	Ready Ready
	// Secrets are what its log must not show: those among its settings. A test sets another that knows more, such as one
	// that watches the provider.
	Secrets *secrets.Known

	t     *testing.T
	cmd   *exec.Cmd
	said  said
	ended bool
}

// said is a stderr that may be read while it is written.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// Build builds the program into dir and returns its path.
func Build(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "fastmcp-auth")
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", path, "./cmd/fastmcp-auth")
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// Serve starts the program at path as a server with these settings, each NAME=value of the environment, in a home of its
// own below dir. It ends with the test, with exit code 0 unless it was killed.
func Serve(t *testing.T, path, dir string, settings ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(path, "serve"), Secrets: &secrets.Known{}}
	for _, s := range settings {
		if name, value, _ := strings.Cut(s, "="); strings.HasSuffix(name, "_SECRET") {
			p.Secrets.Learn(name, value)
		}
	}
	p.cmd.Dir = dir
	mine := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "FASTMCP_AUTH_") || strings.HasPrefix(s, "XDG_") })
	p.cmd.Env = append(append(mine, "HOME="+dir, "FASTMCP_AUTH_LOG_LEVEL=debug"), settings...)
	p.cmd.Stderr = &p.said
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	reader := bufio.NewReader(out)
	line, err := reader.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.Ready)
	}
	if err != nil {
		t.Fatalf("no ready line: %v\n%s", err, p.said.String())
	}
	go io.Copy(io.Discard, reader)
	return p
}

// Said is all that the process has written to stderr.
func (p *Process) Said() string { return p.said.String() }

// Stop ends the process as an operator does, and holds it to exit code 0.
func (p *Process) Stop() {
	if p.ended {
		return
	}
	p.ended = true
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("serve ended with %v\n%s", err, p.said.String())
	}
	p.search()
}

// search holds the log to showing no secret (RS-19).
func (p *Process) search() {
	for _, f := range p.Secrets.Find([]byte(p.said.String())) {
		p.t.Errorf("the server's log shows %s", f)
	}
}

// Kill ends the process at once, as kill -9 does.
func (p *Process) Kill() {
	p.ended = true
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.search()
}
