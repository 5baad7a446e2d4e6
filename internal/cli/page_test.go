package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPageRuns runs each example of docs/call.md in a shell, beside a server, and compares what it prints.
func TestPageRuns(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "call.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "fastmcp-auth")); err != nil {
		t.Fatal(err)
	}
	url := serveOpen(t)
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for example := range strings.SplitSeq("\n"+strings.TrimSuffix(block[1], "\n"), "\n$ ") {
			command, want, _ := strings.Cut(strings.TrimPrefix(example, "\n"), "\n")
			if command == "" {
				continue
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(ofHome(dir), "FASTMCP_AUTH_SERVER="+url, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, _ := cmd.Output() // an example may show a failure
			if got := strings.TrimSuffix(string(out), "\n"); got != want {
				t.Errorf("$ %s\n%s\n\nthe page says\n%s", command, got, want)
			}
		}
	}
	if ran < 10 {
		t.Errorf("the page has %d examples: is this test reading it?", ran)
	}
}
