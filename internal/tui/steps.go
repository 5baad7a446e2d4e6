package tui

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"
)

// Steps writes a tour: headings, steps that went well or not, facts and code. It is not safe for concurrent use. What
// is passed may hold anything.
type Steps struct {
	out io.Writer
	o   Options
}

// NewSteps writes to out.
func NewSteps(out io.Writer, o Options) *Steps { return &Steps{out: out, o: o} }

// Fact is a name and what it is.
type Fact struct{ Name, Value string }

// Heading begins a section.
func (s *Steps) Heading(text string) {
	text = Clean(text)
	if s.o.Terminal {
		s.print("\n" + paint(title, wrap(text, s.width(), "")) + "\n")
		return
	}
	s.print("\n== " + text + "\n")
}

// Text writes a paragraph, or several, broken at the width.
func (s *Steps) Text(text string) { s.print(wrap(CleanLines(text), s.width(), "") + "\n") }

// OK says that a step went well. detail may be empty.
func (s *Steps) OK(step, detail string) { s.step(good.Render("✓"), "ok     ", step, detail) }

// Failed says that a step went wrong, and why.
func (s *Steps) Failed(step string, err error) {
	s.step(bad.Render("✗"), "FAILED ", step, err.Error())
}

// Refused says that a step was refused as it should be, and how. It is an outcome that was wanted.
func (s *Steps) Refused(step, detail string) { s.step(accent.Render("⊘"), "refused", step, detail) }

func (s *Steps) step(mark, word, step, detail string) {
	step, detail = Clean(step), Clean(detail)
	if !s.o.Terminal {
		line := word + " " + step
		if detail != "" {
			line += ": " + detail
		}
		s.print(line + "\n")
		return
	}
	line := mark + " " + paint(strong, wrap(step, s.width()-2, "  "))
	switch room := s.width() - uniseg.StringWidth(step) - 4; {
	case detail == "":
	case uniseg.StringWidth(detail) <= room:
		line += "  " + faint.Render(detail)
	default:
		line += "\n" + indent(paint(faint, wrap(detail, s.width()-2, "")), "  ")
	}
	s.print(line + "\n")
}

// Facts lists names and values, the values in one column. An address is a link where there is a terminal. A value that
// has no room stands below its name, whole, so that it can be copied.
func (s *Steps) Facts(facts ...Fact) {
	names := 0
	for _, f := range facts {
		names = max(names, uniseg.StringWidth(Clean(f.Name)))
	}
	for _, f := range facts {
		name, value := Clean(f.Name), Clean(f.Value)
		if !s.o.Terminal {
			s.print("  " + padded(name, names) + "  " + value + "\n")
			continue
		}
		between := strings.Repeat(" ", names-uniseg.StringWidth(name)+2)
		if uniseg.StringWidth(value) > s.width()-names-4 {
			between = "\n    "
		}
		s.print("  " + faint.Render(name) + between + link(value, value) + "\n")
	}
}

// Code writes lines to copy. They stand below an empty line, are indented and never broken.
func (s *Steps) Code(code string) {
	s.print("\n")
	for line := range strings.Lines(strings.TrimRight(CleanLines(code), "\n") + "\n") {
		line = strings.TrimSuffix(line, "\n")
		if s.o.Terminal && line != "" {
			line = accent.Render(line)
		}
		s.print(strings.TrimRight("    "+line, " ") + "\n")
	}
}

func (s *Steps) width() int { return s.o.width(s.out) }

func (s *Steps) print(text string) { fmt.Fprint(s.out, text) }
