package tui

import (
	"fmt"
	"html"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const maxMarkdown = 256 << 10 // bytes of a text that are drawn

// Markdown draws a text that may be Markdown in width columns, each line ended. It may hold anything, and may stop
// anywhere: what is not closed yet is drawn as if it were.
func Markdown(source string, width int) string {
	source = CleanText(cut(source, maxMarkdown))
	m := &markdown{source: []byte(source)}
	doc := markdownParser().Parse(text.NewReader(m.source))
	return strings.Trim(m.blocks(doc, max(width, 1)), "\n") + "\n"
}

func markdownParser() parser.Parser {
	return goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()
}

// markdown draws the tree of one text.
type markdown struct{ source []byte }

var (
	emphasized = lipgloss.NewStyle().Italic(true)
	code       = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

// blocks draws the blocks below n, with an empty line between two of them.
func (m *markdown) blocks(n ast.Node, width int) string {
	var all []string
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if drawn := m.block(c, width); drawn != "" {
			all = append(all, drawn)
		}
	}
	return strings.Join(all, "\n\n")
}

func (m *markdown) block(n ast.Node, width int) string {
	switch n := n.(type) {
	case *ast.Heading:
		return paint(title, wrap(m.words(n, lipgloss.NewStyle()), width, ""))
	case *ast.ThematicBreak:
		return faint.Render(strings.Repeat("─", min(width, 40)))
	case *ast.FencedCodeBlock:
		return m.code(n.Lines(), width)
	case *ast.CodeBlock:
		return m.code(n.Lines(), width)
	case *ast.HTMLBlock:
		return m.code(n.Lines(), width)
	case *ast.Blockquote:
		return beside(m.blocks(n, max(1, width-2)), faint.Render("│")+" ", faint.Render("│")+" ")
	case *ast.List:
		return m.list(n, width)
	case *east.Table:
		return m.table(n, width)
	}
	return wrap(m.words(n, lipgloss.NewStyle()), width, "")
}

func (m *markdown) code(lines *text.Segments, width int) string {
	var all []string
	for i := range lines.Len() {
		at := lines.At(i)
		line := strings.ReplaceAll(strings.TrimRight(string(at.Value(m.source)), "\n"), "\t", "    ")
		for _, piece := range strings.Split(lipgloss.Wrap(line, max(1, width-2), ""), "\n") {
			all = append(all, "  "+code.Render(piece))
		}
	}
	return strings.Join(all, "\n")
}

func (m *markdown) list(n *ast.List, width int) string {
	var all []string
	number := n.Start
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		mark := "• "
		if n.IsOrdered() {
			mark = fmt.Sprintf("%d. ", number)
			number++
		}
		var parts []string
		for b := c.FirstChild(); b != nil; b = b.NextSibling() {
			parts = append(parts, m.block(b, max(1, width-len([]rune(mark)))))
		}
		all = append(all, beside(strings.Join(parts, "\n"), faint.Render(mark), strings.Repeat(" ", len([]rune(mark)))))
	}
	return strings.Join(all, "\n")
}

// table draws columns where they have room, and else each row as lines of name and value.
func (m *markdown) table(n *east.Table, width int) string {
	var rows [][]string
	for r := n.FirstChild(); r != nil; r = r.NextSibling() {
		var cells []string
		for c := r.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, m.words(c, lipgloss.NewStyle()))
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 || len(rows[0]) == 0 {
		return ""
	}
	columns, total := make([]int, len(rows[0])), 0
	for _, row := range rows {
		for i := range min(len(row), len(columns)) {
			columns[i] = max(columns[i], lipgloss.Width(row[i]))
		}
	}
	for _, c := range columns {
		total += c + 2
	}
	var all []string
	for i, row := range rows {
		var line strings.Builder
		for j := range min(len(row), len(columns)) {
			if total-2 > width {
				if i > 0 {
					all = append(all, wrap(faint.Render(rows[0][j])+" "+row[j], width, "  "))
				}
				continue
			}
			cell := row[j] + strings.Repeat(" ", max(0, columns[j]-lipgloss.Width(row[j])))
			if i == 0 {
				cell = strong.Render(cell)
			}
			line.WriteString(cell + "  ")
		}
		if line.Len() > 0 {
			all = append(all, strings.TrimRight(line.String(), " "))
		}
	}
	return strings.Join(all, "\n")
}

// words draws what stands within a block.
func (m *markdown) words(n ast.Node, style lipgloss.Style) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			words := c.Segment.Value(m.source)
			if n.Kind() != ast.KindCodeSpan {
				words = []byte(CleanText(html.UnescapeString(string(util.UnescapePunctuations(words)))))
			}
			b.WriteString(styled(style, string(words)))
			switch {
			case c.HardLineBreak():
				b.WriteString("\n")
			case c.SoftLineBreak():
				b.WriteString(" ")
			}
		case *ast.String:
			b.WriteString(styled(style, string(c.Value)))
		case *ast.CodeSpan:
			b.WriteString(m.words(c, code))
		case *ast.Emphasis:
			inner := emphasized
			if c.Level > 1 {
				inner = strong
			}
			b.WriteString(m.words(c, inner.Inherit(style)))
		case *east.Strikethrough:
			b.WriteString(m.words(c, faint.Inherit(style)))
		case *ast.AutoLink:
			b.WriteString(address(string(c.URL(m.source)), string(c.Label(m.source))))
		case *ast.Link:
			b.WriteString(m.reference(c, string(c.Destination), style))
		case *ast.Image:
			b.WriteString(m.reference(c, string(c.Destination), style))
		case *ast.RawHTML:
			for i := range c.Segments.Len() {
				at := c.Segments.At(i)
				b.WriteString(styled(style, string(at.Value(m.source))))
			}
		default:
			b.WriteString(m.words(c, style))
		}
	}
	return b.String()
}

// reference draws a link with the address it leads to: words alone could claim any other.
func (m *markdown) reference(n ast.Node, to string, style lipgloss.Style) string {
	words := m.words(n, style)
	if words == "" || words == to {
		return address(to, to)
	}
	return words + " (" + address(to, to) + ")"
}

// address is a link whose words are its address.
func address(to, words string) string {
	if to != words {
		return Clean(words)
	}
	return link(to, to)
}

func styled(style lipgloss.Style, s string) string {
	s = strings.ReplaceAll(s, "\t", " ")
	if s == "" {
		return ""
	}
	return style.Render(s)
}

// beside puts first before the first line, and rest before the others.
func beside(block, first, rest string) string {
	lines := strings.Split(block, "\n")
	for i, line := range lines {
		before := rest
		if i == 0 {
			before = first
		}
		lines[i] = before + line
	}
	return strings.Join(lines, "\n")
}
