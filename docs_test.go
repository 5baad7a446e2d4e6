package fastmcpauth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGoSnippetsCompile holds every Go snippet of the README and of docs against the tests and examples: it must stand
// there line for line, where the compiler reads it.
func TestGoSnippetsCompile(t *testing.T) {
	compiled := squash(contents(t, "_test.go") + contents(t, ".go"))
	fence := regexp.MustCompile("(?s)```go\n(.*?)```")
	snippets := fence.FindAllStringSubmatch(contents(t, ".md"), -1)
	if len(snippets) == 0 {
		t.Fatal("no page shows a Go snippet: is this test reading the right files?")
	}
	for _, s := range snippets {
		if !strings.Contains(compiled, squash(s[1])) {
			t.Errorf("no test or example contains this snippet:\n%s", s[1])
		}
	}
}

// TestLinksLead follows every relative link of the README and of docs: the file must be there, and the heading too
// where the link names one.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	seen := 0
	walk(t, ".md", func(name string, text string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue
			}
			seen++
			page := name
			if target != "" {
				page = filepath.Join(filepath.Dir(name), target)
			}
			body, err := os.ReadFile(page)
			if info, statErr := os.Stat(page); statErr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
				continue
			}
			if anchor != "" && !headings(string(body))[anchor] {
				t.Errorf("%s links to %s, but %s has no such heading", name, m[1], page)
			}
		}
	})
	if seen == 0 {
		t.Fatal("no page links to another: is this test reading the right files?")
	}
}

// headings names the anchors of a page as the usual renderers spell them.
func headings(page string) map[string]bool {
	anchors := map[string]bool{}
	for _, h := range regexp.MustCompile(`(?m)^#+ +(.+)$`).FindAllStringSubmatch(page, -1) {
		anchor := strings.ToLower(strings.TrimSpace(h[1]))
		anchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(anchor, "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return anchors
}

// squash drops indentation and blank lines.
func squash(s string) string {
	return regexp.MustCompile(`(?m)^\s+|\s+$`).ReplaceAllString(s, "")
}

func contents(t *testing.T, suffix string) string {
	var all strings.Builder
	walk(t, suffix, func(_, text string) { all.WriteString(text) })
	return all.String()
}

// walk calls f with each file of the house whose name ends with suffix.
func walk(t *testing.T, suffix string, f func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, suffix):
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f(name, string(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// skipped reports whether a folder is not part of the house: dependencies, fixtures, hidden folders.
func skipped(folder string) bool {
	return folder == "node_modules" || folder == "testdata" || len(folder) > 1 && folder[0] == '.'
}
