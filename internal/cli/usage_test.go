package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// TestHelpFits asks every command for its help. A terminal of 80 columns shows all of it without breaking a line.
func TestHelpFits(t *testing.T) {
	dir := t.TempDir()
	ask := func(args ...string) string {
		var out, errOut bytes.Buffer
		if code := Main(context.Background(), args, strings.NewReader(""), &out, &errOut); code != 0 {
			t.Errorf("%v: exit code %d, %s", args, code, errOut.String())
		}
		return out.String()
	}
	ask("man", "--dir", dir)
	pages, err := os.ReadDir(dir)
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d manual pages, %v", len(pages), err)
	}
	for _, page := range pages {
		name, _ := strings.CutPrefix(strings.TrimSuffix(page.Name(), ".1"), "fastmcp-auth")
		args := append(strings.FieldsFunc(name, func(r rune) bool { return r == '-' }), "--help")
		text := ask(args...)
		if !strings.Contains(text, "Usage:\n  fastmcp-auth") {
			t.Errorf("%v does not say how it is called: %s", args, text)
		}
		if args[0] == "completion" {
			continue // cobra's own words
		}
		for line := range strings.Lines(text) {
			if columns := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); columns > helpWidth {
				t.Errorf("%v has a line of %d columns: %s", args, columns, line)
			}
		}
	}
}

// hungUp is a pipe whose reader is gone.
type hungUp struct{}

func (hungUp) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

// TestAReaderThatLeftIsNoServer has a result go where nobody reads: that is a failure, and says nothing of servers.
func TestAReaderThatLeftIsNoServer(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"man"}, {"config"}} {
		var errOut bytes.Buffer
		if code := Main(context.Background(), args, strings.NewReader(""), hungUp{}, &errOut); code != exitFailed {
			t.Errorf("%v: exit code %d, want %d", args, code, exitFailed)
		}
		if want := "fastmcp-auth: error: write /dev/stdout: broken pipe\n"; errOut.String() != want {
			t.Errorf("%v: said %q, want %q", args, errOut.String(), want)
		}
	}
}
