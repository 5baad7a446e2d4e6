package tui

import (
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

// Outcome is how a check ended.
type Outcome int

const (
	Passed  Outcome = iota
	Noted           // it passed, and there is something to know
	Failed          // it did not pass
	Skipped         // it was not needed, or could not be tried
)

// Check is one line of a list: what was looked at, and what was seen. Its texts may hold anything.
type Check struct {
	Outcome Outcome
	Word    string // the outcome where nothing is drawn, such as "not tried"
	Name    string
	Saw     string
	Facts   []Fact // below it: names, and what they are
}

// Checks writes a list of checks, one after the other. It is not safe for concurrent use.
type Checks struct {
	out   io.Writer
	o     Options
	words int // columns of the widest word
	names int // columns of the widest name
}

// NewChecks writes to out. words and names are all that will be listed, so that the columns are known.
func NewChecks(out io.Writer, o Options, words, names []string) *Checks {
	c := &Checks{out: out, o: o}
	for _, w := range words {
		c.words = max(c.words, uniseg.StringWidth(Clean(w)))
	}
	for _, n := range names {
		c.names = max(c.names, uniseg.StringWidth(Clean(n)))
	}
	return c
}

// narrow is where name and sentence no longer stand side by side.
const narrow = 60

// Show writes one check. On a terminal lines are broken at its width; elsewhere each stays whole, for grep.
func (c *Checks) Show(check Check) {
	name, saw := Clean(check.Name), Clean(check.Saw)
	mark, style := c.mark(check)
	width := c.width()
	lead := mark + " " + c.paint(strong, padded(name, c.names))
	used := uniseg.StringWidth(c.bare(check)) + 1 + c.names
	switch slim := uniseg.StringWidth(c.bare(check)+" "+name+"  "+saw) <= width; {
	case width > 0 && width < narrow && slim:
		c.print(strings.TrimRight(mark+" "+c.paint(strong, name)+"  "+c.paint(style, saw), " ") + "\n")
	case width > 0 && width < narrow:
		c.print(mark + " " + c.paint(strong, name) + "\n" + c.block(saw, 2, style))
	default:
		c.print(strings.TrimRight(lead+"  "+c.hang(saw, used+2, style), " ") + "\n")
	}
	c.Facts(check.Facts)
}

// Facts writes names and what they are, as they stand below a check: easy to read and to copy.
func (c *Checks) Facts(facts []Fact) {
	names := 0
	for _, f := range facts {
		names = max(names, uniseg.StringWidth(Clean(f.Name)))
	}
	for _, f := range facts {
		name, value := Clean(f.Name), Clean(f.Value)
		label := "    " + c.paint(faint, padded(name, names)) + "  "
		at := 4 + names + 2
		switch width := c.width(); {
		case isLink(value) && width > 0 && uniseg.StringWidth(value) > width-at:
			if c.o.Terminal {
				value = link(value, value)
			}
			c.print("    " + c.paint(faint, name) + "\n" + value + "\n") // whole, so that it can be copied
		case isLink(value) && c.o.Terminal:
			c.print(label + link(value, value) + "\n")
		case width > 0 && width < narrow:
			c.print("    " + c.paint(faint, name) + "\n" + c.block(value, 4, lipgloss.NewStyle()))
		default:
			c.print(label + c.hang(value, at, lipgloss.NewStyle()) + "\n")
		}
	}
}

// hang breaks text so that it stands in a column that begins at.
func (c *Checks) hang(text string, at int, style lipgloss.Style) string {
	width := c.width()
	if width == 0 {
		return c.paint(style, text)
	}
	return c.paint(style, wrap(text, width-at, strings.Repeat(" ", at)))
}

// block breaks text into lines of their own.
func (c *Checks) block(text string, at int, style lipgloss.Style) string {
	if text == "" {
		return ""
	}
	by := strings.Repeat(" ", at)
	return c.paint(style, by+wrap(text, c.width()-at, by)) + "\n"
}

func (c *Checks) mark(check Check) (string, lipgloss.Style) {
	if !c.o.Terminal {
		return padded(Clean(check.Word), c.words), lipgloss.NewStyle()
	}
	switch check.Outcome {
	case Passed:
		return good.Render("✓"), lipgloss.NewStyle()
	case Noted:
		return accent.Render("!"), lipgloss.NewStyle()
	case Failed:
		return bad.Render("✗"), bad
	}
	return faint.Render("–"), faint
}

// bare is the mark without its colour.
func (c *Checks) bare(check Check) string {
	if c.o.Terminal {
		return "x"
	}
	return padded(Clean(check.Word), c.words)
}

func (c *Checks) paint(style lipgloss.Style, text string) string {
	if !c.o.Terminal {
		return text
	}
	return paint(style, text)
}

// width is the terminal's, or 0 where lines stay whole.
func (c *Checks) width() int {
	if c.o.Terminal || c.o.Width > 0 {
		return c.o.width(c.out)
	}
	if f, ok := c.out.(*os.File); ok {
		return WidthOf(f)
	}
	return 0
}

func (c *Checks) print(text string) { fmt.Fprint(c.out, text) }
