package tui

import (
	"fmt"
	"strings"
	"testing"
)

const sample = "# The answer\n\nIt is **seven**, says *one* `tool`; see [the page](https://h.example/a) and <https://h.example/b>.\nThe next line.\n\n" +
	"- one\n- two, which is long enough that it does not fit into forty columns\n  1. deep\n  2. deeper\n\n> a word of\n> somebody\n\n" +
	"```go\nfunc main() {\n\tprintln(\"x\")\n}\n```\n\n| name | value |\n|---|---|\n| one | 1 |\n| twenty-one | 21 |\n\n---\n\n~~gone~~ <b>html</b>\n"

func TestMarkdownIsDrawn(t *testing.T) {
	for _, width := range []int{80, 40} {
		drawn := Markdown(sample, width)
		fits(t, drawn, width)
		golden(t, fmt.Sprintf("markdown-%d", width), drawn)
	}
	for _, width := range []int{20, 5, 1} { // nothing breaks
		Markdown(sample, width)
	}
}

func TestMarkdownOfAStrangerIsHarmless(t *testing.T) {
	for _, said := range []string{nasty, "[`" + nasty + "`](javascript:alert(1))", "[good.example](https://evil.example)", "```\n" + nasty + "\n```", "&#27;[2J &#155;2J", "[x](https://h.example/&#27;]0;x)"} {
		drawn := Markdown(said, 80)
		for _, forbidden := range []string{"\x1b[2J", "\x1b]0;", "\u009b", "\u202e", "\x00", "]8;;javascript"} {
			if strings.Contains(drawn, forbidden) {
				t.Errorf("%q draws %q", said, drawn)
			}
		}
	}
	if drawn := Markdown("[good.example](https://evil.example)", 80); !strings.Contains(drawn, "https://evil.example\x1b[24m") {
		t.Errorf("where a link leads is hidden: %q", drawn)
	}
}

func TestMarkdownThatIsNotWholeYetIsDrawn(t *testing.T) {
	for i := range len(sample) {
		Markdown(sample[:i], 40)
	}
	if drawn := Markdown("```go\nx := 1", 40); !strings.Contains(drawn, "x := 1") || strings.Contains(drawn, "```") {
		t.Errorf("an open block is drawn as %q", drawn)
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add(sample, 40)
	f.Add(nasty, 1)
	f.Fuzz(func(t *testing.T, said string, width int) {
		drawn := Markdown(said, width%200)
		if strings.ContainsAny(drawn, "\x00\x07\u009b") && !strings.Contains(drawn, "\x1b]8;;") {
			t.Errorf("%q draws %q", said, drawn)
		}
	})
}
