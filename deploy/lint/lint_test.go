// Package lint holds what an operator installs against the tools that will read it: the Dockerfile against BuildKit's
// own checks, the chart against Helm's linter and engine, what it renders against the types of Kubernetes and the
// restricted profile of its pod security standards, and the settings it renders against the program itself.
//
// It is a module of its own, so that these tools are no dependency of the program.
//
//	Dockerfile, .dockerignore   docker_test.go
//	the chart                   helm_test.go
//	settings and probes in it   serve_test.go
package lint

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const root = "../.."

// program is the program as it is now.
var program string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "lint")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "fastmcp-auth")
	build := exec.Command("go", "build", "-o", program, "./cmd/fastmcp-auth")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return m.Run(), nil
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
