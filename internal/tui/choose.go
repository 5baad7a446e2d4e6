package tui

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

// Choice is one of several things. Its words may hold anything.
type Choice struct{ Name, Help string }

// Choose lets a person choose among choices and returns which: drawn on a terminal, where typing narrows them down, and
// by number or name where nothing is drawn. The error is ErrLeft, that of ctx, or of the terminal.
func Choose(ctx context.Context, in *os.File, out io.Writer, heading string, choices []Choice, o Options) (int, error) {
	names := make([]string, len(choices))
	clean := make([]Choice, len(choices))
	for i, c := range choices {
		clean[i] = Choice{Clean(c.Name), Clean(c.Help)}
		names[i] = clean[i].Name
	}
	if !o.Terminal {
		fmt.Fprintln(out, Clean(heading))
		return (&asking{in: in, out: out}).among(ctx, names)
	}
	m := &chooseModel{heading: Clean(heading), choices: clean, width: o.width(out), chosen: -1}
	m.narrow()
	if err := interact(ctx, m, in, out, o); err != nil {
		return 0, err
	}
	if m.chosen < 0 {
		return 0, ErrLeft
	}
	return m.chosen, nil
}

type chooseModel struct {
	heading string
	choices []Choice
	typed   input
	matches []int // of choices
	at      int   // of matches
	chosen  int   // of choices; -1 is none
	over    bool
	width   int
	height  int
}

func (m *chooseModel) Init() tea.Cmd { return nil }

func (m *chooseModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "ctrl+c", "esc":
			m.over = true
			return m, tea.Quit
		case "enter":
			if len(m.matches) == 0 {
				return m, nil
			}
			m.chosen, m.over = m.matches[m.at], true
			return m, tea.Quit
		case "up", "shift+tab", "ctrl+p":
			m.at = max(m.at-1, 0)
		case "down", "tab", "ctrl+n":
			m.at = min(m.at+1, max(len(m.matches)-1, 0))
		default:
			m.typed.key(msg)
			m.narrow()
		}
	}
	return m, nil
}

// narrow keeps the choices that hold what was typed, in their name or else in their help.
func (m *chooseModel) narrow() {
	m.matches, m.at = nil, 0
	typed := strings.ToLower(strings.TrimSpace(m.typed.text()))
	for _, inName := range []bool{true, false} {
		for i, c := range m.choices {
			named := strings.Contains(strings.ToLower(c.Name), typed)
			if named == inName && (named || strings.Contains(strings.ToLower(c.Help), typed)) {
				m.matches = append(m.matches, i)
			}
		}
	}
}

func (m *chooseModel) View() tea.View {
	if m.over {
		return tea.NewView("") // whoever asked shows what follows
	}
	return tea.NewView(m.view())
}

func (m *chooseModel) view() string {
	names := 0
	for _, c := range m.choices {
		names = max(names, min(uniseg.StringWidth(c.Name), maxName))
	}
	var lines []string
	for i, match := range m.matches {
		c := m.choices[match]
		name, mark := padded(short(c.Name, max(names, m.width/2)), names), "  "
		if i == m.at {
			name, mark = strong.Render(name), accent.Render("▸")+" "
		}
		line := mark + name
		if room := m.width - lipgloss.Width(line) - 2; room > 10 && c.Help != "" {
			line += "  " + faint.Render(short(c.Help, room))
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = []string{"  " + faint.Render("none of "+fmt.Sprint(len(m.choices)))}
	}
	head := paint(title, wrap(m.heading, m.width, "")) + "\n" + accent.Render("> ") + m.typed.view(max(1, m.width-3), true) + "\n"
	foot := paint(faint, wrap("type to narrow, ↑ ↓ move, Enter chooses, Esc leaves", m.width, "")) + "\n"
	room := 12
	if m.height > 0 {
		room = max(1, min(room, m.height-strings.Count(head+foot, "\n")-1))
	}
	if len(lines) > room {
		lines = window(lines, m.at, m.at+1, room)
	}
	return head + strings.Join(lines, "\n") + "\n" + foot
}
