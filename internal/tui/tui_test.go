package tui

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares what is drawn, escape sequences and all, with testdata/name.golden.
func golden(t *testing.T, name, drawn string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	drawn = strings.ReplaceAll(drawn, "\x1b", "␛")
	if *update {
		if err := os.WriteFile(path, []byte(drawn), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if drawn != string(want) {
		t.Errorf("%s: drawn\n%s\nwant\n%s", name, drawn, want)
	}
}

// fits fails when a line is wider than the terminal.
func fits(t *testing.T, drawn string, width int) {
	t.Helper()
	for line := range strings.Lines(drawn) {
		if w := lipgloss.Width(strings.TrimRight(line, "\n")); w > width {
			t.Errorf("%d columns in %d: %q", w, width, line)
		}
	}
}

// clock is a time that tests move.
type clock struct{ t time.Time }

func newClock() *clock                 { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }
func (c *clock) now() time.Time        { return c.t }
func (c *clock) after(d time.Duration) { c.t = c.t.Add(d) }

// nasty is what a hostile server would say.
const nasty = "a\x1b[2Jb\x1b]0;title\x07c\x1b]8;;http://evil\x1b\\d\u009b31me\x00\u202ef\r\ng\ttab \x1bP q\x1b\\h"

func TestWhatAServerSaysIsClean(t *testing.T) {
	for _, row := range []struct{ name, said, want string }{
		{"plain words stay", "reversing 3 of 9", "reversing 3 of 9"},
		{"letters of the world stay, joined ones too", "żółw 日本 👩‍👩‍👧", "żółw 日本 👩‍👩‍👧"},
		{"all at once", nasty, "abcdef g tab h"},
		{"a colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"a sequence without end", "x\x1b[31", "x"},
		{"a title without end", "x\x1b]0;title", "x"},
		{"a lonely escape", "x\x1b", "x"},
		{"an escape before a letter that is not ASCII", "x\x1bé", "xé"},
		{"a character set", "x\x1b(By", "xy"},
		{"a carriage return that hides", "safe\revil", "safeevil"},
		{"backspaces that hide", "safe\b\b\b\bevil", "safeevil"},
		{"bytes that are not UTF-8", "a\xffb", "a\uFFFDb"},
		{"an eight bit escape as a raw byte", "a\x9b2Jb", "a\uFFFD2Jb"},
		{"line separators", "a\u2028b\u2029c", "abc"},
		{"nothing", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Clean(row.said); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
	long := Clean(strings.Repeat("é", 1<<20))
	if len(long) > maxLine+3 || !strings.HasSuffix(long, "é…") {
		t.Errorf("%d bytes, ends %q", len(long), long[len(long)-6:])
	}
	if got := CleanLines("a\n\tb\x1b[2J\r\nc"); got != "a\n\tb\nc" {
		t.Errorf("lines: %q", got)
	}
}

func TestALinkIsAnAddressAndNothingElse(t *testing.T) {
	for address, want := range map[string]bool{
		"https://h.example/a?b=c": true, "http://127.0.0.1:8000/mcp": true,
		"javascript:alert(1)": false, "file:///etc/passwd": false, "https://h.example/\x1b\\": false, "https://h.example/é": false, "": false,
	} {
		if got := isLink(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
		if strings.Contains(link(address, address), "\x1b]8;") != want {
			t.Errorf("%q is drawn as %q", address, link(address, address))
		}
	}
}

func TestWordsAreCutToColumns(t *testing.T) {
	for _, row := range []struct {
		s    string
		n    int
		want string
	}{{"hello", 5, "hello"}, {"hello", 4, "hel…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"hello", 1, "…"}, {"hello", 0, ""}, {"hello", -3, ""}} {
		if got := short(row.s, row.n); got != row.want {
			t.Errorf("short(%q, %d) = %q, want %q", row.s, row.n, got, row.want)
		}
	}
}

func TestWhereItIsDrawn(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, row := range []struct {
		name string
		f    *os.File
		env  map[string]string
		want bool
	}{
		{"on a terminal", terminal, nil, true},
		{"not in a file", file, nil, false},
		{"not with NO_COLOR", terminal, map[string]string{"NO_COLOR": "1"}, false},
		{"not in CI", terminal, map[string]string{"CI": "true"}, false},
		{"with CI=false", terminal, map[string]string{"CI": "false"}, true},
		{"not on a dumb terminal", terminal, map[string]string{"TERM": "dumb"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := OptionsFor(row.f, func(k string) string { return row.env[k] }).Terminal; got != row.want {
				t.Errorf("drawn: %v", got)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	tour := func(o Options) string {
		var out bytes.Buffer
		s := NewSteps(&out, o)
		s.Heading("1 Start the provider and the server")
		s.OK("Provider listens", "http://127.0.0.1:41234")
		s.OK("Server listens", "")
		s.Refused("Call without a token", `401 Bearer resource_metadata="http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"`)
		s.Failed("Call \x1b[2Jconvert_time", errors.New("unknown zone\nEurope/Atlantis"))
		s.Text("All keeps running, on this machine only, until you press Ctrl-C.")
		s.Facts(Fact{"MCP", "http://127.0.0.1:8000/mcp"}, Fact{"Metadata", "http://127.0.0.1:8000/.well-known/oauth-protected-resource"}, Fact{"User", nasty})
		s.Code("curl -s http://127.0.0.1:8000/mcp \\\n  -H \"Authorization: Bearer $TOKEN\"\n\nmore\n")
		return out.String()
	}
	golden(t, "steps-80", tour(Options{Terminal: true, Width: 80}))
	golden(t, "steps-40", tour(Options{Terminal: true, Width: 40}))
	plain := tour(Options{Width: 80})
	golden(t, "steps-plain", plain)
	if strings.ContainsAny(plain, "\x1b\x00\x07") {
		t.Errorf("plain lines hold escapes: %q", plain)
	}
}
