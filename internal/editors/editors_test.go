package editors_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/editors"
)

func TestServers(t *testing.T) {
	home := t.TempDir()
	work := filepath.Join(home, "src", "project", "sub")
	config := filepath.Join(home, ".config")
	write(t, filepath.Join(home, "src", "project", ".vscode", "mcp.json"), `{
		// the team's servers
		"inputs": [{"id": "token"}], /* and // more */
		"servers": {
			"team": {"type": "http", "url": "https://team.example.com/mcp", "headers": {"Authorization": "Bearer sesame"}},
			"local": {"command": "npx", "args": ["//not a comment"]},
			"filled": {"type": "http", "url": "https://${input:host}/mcp"},
		},
	}`)
	write(t, filepath.Join(home, ".cursor", "mcp.json"), `{"mcpServers": {"cursor": {"url": "https://cursor.example.com/mcp"}, "team": {"url": "https://other.example.com/mcp"}}}`)
	write(t, filepath.Join(work, ".mcp.json"), `{"mcpServers": {"here": {"type": "http", "url": "http://localhost:8000/mcp"}, "bad": 7}}`)
	write(t, filepath.Join(home, ".claude.json"), `{"mcpServers": {"all": {"type": "sse", "url": "https://all.example.com/sse"}}, "projects": {"`+filepath.ToSlash(work)+`": {"mcpServers": {"mine": {"url": "https://mine.example.com/mcp"}}}, "/elsewhere": {"mcpServers": {"theirs": {"url": "https://theirs.example.com/mcp"}}}}}`)
	write(t, filepath.Join(config, "Claude", "claude_desktop_config.json"), `{"mcpServers": {"here": {"url": "http://localhost:8000/mcp"}}}`)
	write(t, filepath.Join(config, "Code", "User", "mcp.json"), `not JSON`)
	write(t, filepath.Join(home, ".codeium", "windsurf", "mcp_config.json"), `{"mcpServers": {"wind": {"serverUrl": "https://wind.example.com/mcp"}}}`)
	write(t, filepath.Join(home, ".gemini", "settings.json"), `{"mcpServers": {"gem": {"httpUrl": "https://gem.example.com/mcp"}}}`)
	all := editors.Servers(editors.Folders{Work: work, Home: home, Config: config})

	for _, test := range []struct{ name, want string }{
		{"here", "http://localhost:8000/mcp"}, // twice, and the same
		{"cursor", "https://cursor.example.com/mcp"},
		{"all", "https://all.example.com/sse"},
		{"mine", "https://mine.example.com/mcp"},
		{"wind", "https://wind.example.com/mcp"},
		{"gem", "https://gem.example.com/mcp"},
	} {
		s, err := editors.Find(all, test.name)
		if err != nil || s.URL != test.want {
			t.Errorf("%s: %+v, %v; want %s", test.name, s, err, test.want)
		}
	}
	for name, found := range map[string]bool{"here": false, "mine": false, "gem": false} {
		if s, err := editors.Find(all, name); err != nil || s.Found != found {
			t.Errorf("attack 59: %s is found: %v, %v", name, s.Found, err)
		}
	}
	for _, s := range all {
		if near := strings.HasPrefix(s.File, filepath.Join(home, "src")); s.Found != near {
			t.Errorf("attack 59: %s in %s is found: %v", s.Name, s.File, s.Found)
		}
	}
	for _, test := range []struct{ name, want string }{
		{"team", `"team" means several servers: https://team.example.com/mcp in `},
		{"local", `"local" is a program that an editor starts`},
		{"theirs", editors.ErrUnknown.Error()},
		{"filled", editors.ErrUnknown.Error()},
		{"bad", editors.ErrUnknown.Error()},
	} {
		if _, err := editors.Find(all, test.name); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if slices.ContainsFunc(all, func(s editors.Server) bool { return strings.Contains(s.URL+s.Name+s.File, "sesame") }) {
		t.Error("a header was taken along")
	}
	if _, err := editors.Find(nil, "x"); !errors.Is(err, editors.ErrUnknown) {
		t.Errorf("no files: %v", err)
	}
	if got := editors.Servers(editors.Folders{}); len(got) != 0 {
		t.Errorf("no folders: %v", got)
	}
}

// FuzzServers reads files of any kind.
func FuzzServers(f *testing.F) {
	f.Add([]byte(`{"mcpServers": {"a": {"url": "https://a.example"}, /* */ }} // x`))
	f.Add([]byte(`{"a": "\`))
	f.Add([]byte(`/*`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".mcp.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, s := range editors.Servers(editors.Folders{Work: dir, Home: dir}) {
			if s.URL != "" && !strings.HasPrefix(strings.ToLower(s.URL), "http") {
				t.Errorf("%q is no URL", s.URL)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAttack59_APipeInTheFolderHoldsNobody: a folder may be a stranger's.
func TestAttack59_APipeInTheFolderHoldsNobody(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	work := t.TempDir()
	if err := exec.Command("mkfifo", filepath.Join(work, ".mcp.json")).Run(); err != nil {
		t.Fatal(err)
	}
	if all := editors.Servers(editors.Folders{Work: work}); len(all) != 0 {
		t.Errorf("found %v", all)
	}
}
