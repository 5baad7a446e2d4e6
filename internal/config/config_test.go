package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// place is a working directory with files in it, an environment, and a command line.
type place struct {
	command string
	args    []string
	environ []string
	files   map[string]string
	tools   []string
}

func (p place) load(t *testing.T) (*Settings, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, p.files)
	return p.loadIn(t, dir)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (p place) loadIn(t *testing.T, dir string) (*Settings, error) {
	t.Helper()
	if p.command == "" {
		p.command = Serve
	}
	if p.environ == nil {
		p.environ = []string{}
	}
	fs := pflag.NewFlagSet(p.command, pflag.ContinueOnError)
	Flags(fs, p.command)
	if err := fs.Parse(p.args); err != nil {
		t.Fatalf("parse %q: %v", p.args, err)
	}
	return Load(Source{Command: p.command, Flags: fs, Dir: dir, Environ: p.environ, Tools: p.tools})
}

// row is what Explain says about key.
func row(t *testing.T, s *Settings, key string) Row {
	t.Helper()
	for _, r := range s.Explain() {
		if r.Key == key {
			return r
		}
	}
	t.Fatalf("no row for %s", key)
	return Row{}
}

func TestEachPlaceWinsOverThoseBelow(t *testing.T) {
	file := map[string]string{"fastmcp-auth.yaml": "# ours\nreverse:\n  duration: 1s\n"}
	both := map[string]string{"fastmcp-auth.yaml": file["fastmcp-auth.yaml"], ".env": "\nFASTMCP_AUTH_REVERSE_DURATION=2s\n"}
	environ := []string{"FASTMCP_AUTH_REVERSE_DURATION=3s"}
	for _, tt := range []struct {
		name string
		place
		value, origin string
	}{
		{"nobody says anything, so the default holds", place{}, "5s", "default"},
		{"the file wins over the default", place{files: file}, "1s", "fastmcp-auth.yaml:3"},
		{".env wins over the file", place{files: both}, "2s", ".env:2 FASTMCP_AUTH_REVERSE_DURATION"},
		{"the environment wins over .env", place{files: both, environ: environ}, "3s", "environment FASTMCP_AUTH_REVERSE_DURATION"},
		{"a flag wins over the environment", place{files: both, environ: environ, args: []string{"--reverse-duration=4s"}}, "4s", "flag --reverse-duration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := row(t, s, "reverse.duration"); got.Value != tt.value || got.Origin != tt.origin {
				t.Errorf("got %s from %s, want %s from %s", got.Value, got.Origin, tt.value, tt.origin)
			}
			if got := formatSpan(s.Reverse.Duration); got != tt.value {
				t.Errorf("the settings say %s, the row says %s", got, tt.value)
			}
		})
	}
}
