package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
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
