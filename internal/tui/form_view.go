package tui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

// formModel draws a form: the field that has the keyboard with its help, the others on a line each.
type formModel struct {
	form   Form
	inputs []*input
	at     int // the field that has the keyboard; len(inputs) is the line of actions
	action int
	fault  string // of the field at
	left   bool
	over   bool
	width  int
	height int
}

func (m *formModel) Init() tea.Cmd { return nil }

func (m *formModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.PasteMsg:
		if m.at < len(m.inputs) {
			m.inputs[m.at].insert(msg.Content)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

func (m *formModel) key(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "ctrl+c", "esc":
		m.left, m.over = true, true
		return tea.Quit
	case "up", "shift+tab":
		m.at, m.fault = max(m.at-1, 0), ""
		return nil
	case "down", "tab":
		if m.accepted() {
			m.at = min(m.at+1, len(m.inputs))
		}
		return nil
	case "enter":
		if m.at < len(m.inputs) {
			if m.accepted() {
				m.at++
			}
			if m.at < len(m.inputs) || len(m.form.Actions) > 1 {
				return nil
			}
		}
		return m.send()
	}
	if m.at < len(m.inputs) {
		m.inputs[m.at].key(k)
		m.fault = ""
		return nil
	}
	switch k.String() {
	case "left":
		m.action = max(m.action-1, 0)
	case "right":
		m.action = min(m.action+1, len(m.form.Actions)-1)
	}
	return nil
}

// accepted checks the field that has the keyboard. One that is not yet filled may be left for later.
func (m *formModel) accepted() bool {
	m.fault = ""
	if m.at >= len(m.inputs) {
		return true
	}
	if text := m.inputs[m.at].text(); text != "" {
		m.fault = m.form.Fields[m.at].faultOf(text)
	}
	return m.fault == ""
}

// send ends the form, or goes to the first field that cannot be taken. Only the first action needs the fields.
func (m *formModel) send() tea.Cmd {
	for i := range m.inputs {
		if fault := m.form.Fields[i].faultOf(m.inputs[i].text()); fault != "" && m.action == 0 {
			m.at, m.fault = i, fault
			return nil
		}
	}
	m.over = true
	return tea.Quit
}

func (m *formModel) values() []string {
	var all []string
	for _, in := range m.inputs {
		all = append(all, in.text())
	}
	return all
}

func (m *formModel) View() tea.View {
	if m.over {
		return tea.NewView(m.summary())
	}
	return tea.NewView(m.view())
}

// summary is what stays on the screen.
func (m *formModel) summary() string {
	var b strings.Builder
	if m.form.Title != "" {
		b.WriteString(paint(title, wrap(m.form.Title, m.width, "")) + "\n")
	}
	for i, in := range m.inputs {
		if text := in.shown(); text != "" && !m.left {
			b.WriteString("  " + faint.Render(m.form.Fields[i].Name) + " " + short(Clean(text), max(1, m.width-uniseg.StringWidth(m.form.Fields[i].Name)-3)) + "\n")
		}
	}
	return b.String()
}

func (m *formModel) view() string {
	var head, foot strings.Builder
	if m.form.Title != "" {
		head.WriteString(paint(title, wrap(m.form.Title, m.width, "")) + "\n")
	}
	if m.form.Text != "" {
		head.WriteString(wrap(m.form.Text, m.width, "") + "\n")
	}
	names := 0
	for _, f := range m.form.Fields {
		names = max(names, min(uniseg.StringWidth(f.Name), maxName))
	}
	names = min(names, max(8, m.width/3))
	var lines []string
	from, to := 0, 0
	for i := range m.inputs {
		if i == m.at {
			from = len(lines)
		}
		lines = append(lines, m.field(i, names)...)
		if i == m.at {
			to = len(lines)
		}
	}
	if len(m.form.Actions) > 1 || m.at == len(m.inputs) {
		if m.at == len(m.inputs) {
			from = len(lines)
		}
		lines = append(lines, m.actions())
		if m.at == len(m.inputs) {
			to = len(lines)
		}
	}
	help := "Enter goes on, ↑ ↓ move, Esc leaves"
	if m.at < len(m.inputs) && len(m.form.Fields[m.at].Choices) > 0 || m.at == len(m.inputs) && len(m.form.Actions) > 1 {
		help = "← → choose, Enter goes on, Esc leaves"
	}
	foot.WriteString(paint(faint, wrap(help, m.width, "")) + "\n")
	room := m.height - strings.Count(head.String(), "\n") - strings.Count(foot.String(), "\n") - 1
	if m.height > 0 && len(lines) > room {
		lines = window(lines, from, to, max(room, 1))
	}
	return head.String() + strings.Join(lines, "\n") + "\n" + foot.String()
}

// window keeps room lines, those from…to among them.
func window(lines []string, from, to, room int) []string {
	start := max(0, min(from-(room-(to-from))/2, len(lines)-room))
	return lines[start:min(start+room, len(lines))]
}

// field draws one field.
func (m *formModel) field(i, names int) []string {
	f, in, here := m.form.Fields[i], m.inputs[i], i == m.at
	name := short(f.Name, names)
	mark, after := "  ", strings.Repeat(" ", max(0, names-uniseg.StringWidth(name))+2)
	if f.Required {
		after = accent.Render("*") + after[1:]
	}
	if here {
		mark, name = accent.Render("▸")+" ", strong.Render(name)
	}
	line := mark + name + after
	room := max(1, m.width-lipgloss.Width(line)-1)
	line += in.view(room, here)
	lines := []string{line}
	if !here {
		return lines
	}
	about := f.Kind
	if f.Required {
		about += ", needed"
	}
	if uniseg.StringWidth(f.Name) > names {
		about = f.Name + ", " + about
	}
	if f.Help != "" {
		about += ": " + f.Help
	}
	for l := range strings.SplitSeq(wrap(about, max(1, m.width-4), ""), "\n") {
		lines = append(lines, "    "+faint.Render(l))
	}
	if m.fault != "" {
		for l := range strings.SplitSeq(wrap(f.Name+" "+m.fault, max(1, m.width-4), ""), "\n") {
			lines = append(lines, "    "+bad.Render(l))
		}
	}
	return lines
}

func (m *formModel) actions() string {
	var all []string
	for i, a := range m.form.Actions {
		if m.at == len(m.inputs) && i == m.action {
			all = append(all, strong.Reverse(true).Render(" "+a+" "))
		} else {
			all = append(all, faint.Render(" "+a+" "))
		}
	}
	return "  " + strings.Join(all, " ")
}

// input is what stands in one field.
type input struct {
	choices []string
	chosen  int // of choices; -1 is none
	optional,
	secret bool

	runes  []rune
	cursor int
}

func newInput(f Field) *input {
	in := &input{choices: f.Choices, chosen: -1, optional: !f.Required, secret: f.Secret, runes: []rune(f.Value)}
	in.cursor = len(in.runes)
	if len(f.Choices) > 0 {
		in.chosen = choiceOf(f.Choices, f.Value)
		if in.chosen < 0 && f.Required {
			in.chosen = 0
		}
	}
	return in
}

func (in *input) text() string {
	if len(in.choices) == 0 {
		return string(in.runes)
	}
	if in.chosen < 0 {
		return ""
	}
	return in.choices[in.chosen]
}

func (in *input) shown() string {
	if in.secret {
		return strings.Repeat("•", len(in.runes))
	}
	return in.text()
}

func (in *input) key(k tea.KeyPressMsg) {
	if len(in.choices) > 0 {
		in.choose(k)
		return
	}
	switch k.String() {
	case "left":
		in.cursor = max(in.cursor-1, 0)
	case "right":
		in.cursor = min(in.cursor+1, len(in.runes))
	case "home", "ctrl+a":
		in.cursor = 0
	case "end", "ctrl+e":
		in.cursor = len(in.runes)
	case "backspace", "ctrl+h":
		if in.cursor > 0 {
			in.runes = slices.Delete(in.runes, in.cursor-1, in.cursor)
			in.cursor--
		}
	case "delete", "ctrl+d":
		if in.cursor < len(in.runes) {
			in.runes = slices.Delete(in.runes, in.cursor, in.cursor+1)
		}
	case "ctrl+u":
		in.runes, in.cursor = slices.Delete(in.runes, 0, in.cursor), 0
	case "ctrl+w":
		from := in.cursor
		for from > 0 && in.runes[from-1] == ' ' {
			from--
		}
		for from > 0 && in.runes[from-1] != ' ' {
			from--
		}
		in.runes, in.cursor = slices.Delete(in.runes, from, in.cursor), from
	default:
		in.insert(k.Text)
	}
}

// choose moves among the choices: with the arrows, or to the next that begins with a letter.
func (in *input) choose(k tea.KeyPressMsg) {
	lowest := 0
	if in.optional {
		lowest = -1
	}
	switch k.String() {
	case "left":
		in.chosen = max(in.chosen-1, lowest)
	case "right", "space":
		in.chosen = min(in.chosen+1, len(in.choices)-1)
	case "backspace", "delete":
		in.chosen = lowest
	default:
		for i := range in.choices {
			next := (in.chosen + 1 + i) % len(in.choices)
			if k.Text != "" && strings.HasPrefix(strings.ToLower(in.choices[next]), strings.ToLower(k.Text)) {
				in.chosen = next
				return
			}
		}
	}
}

// insert puts text in at the cursor; what no line can hold is left out.
func (in *input) insert(text string) {
	if len(in.choices) > 0 {
		return
	}
	var runes []rune
	for _, r := range text {
		if r == '\n' || r == '\t' {
			r = ' '
		}
		if !unicode.IsControl(r) && len(in.runes)+len(runes) < maxTyped {
			runes = append(runes, r)
		}
	}
	in.runes = slices.Insert(in.runes, in.cursor, runes...)
	in.cursor += len(runes)
}

// view draws what stands there, at most room columns: of a long text the piece around the cursor.
func (in *input) view(room int, here bool) string {
	if len(in.choices) > 0 {
		text := in.text()
		if text == "" {
			text = "–"
		}
		if here {
			return accent.Render("‹ ") + short(text, max(1, room-10)) + accent.Render(" ›") + faint.Render(fmt.Sprintf(" %d/%d", in.chosen+1, len(in.choices)))
		}
		return short(text, room)
	}
	runes := in.runes
	if in.secret {
		runes = []rune(strings.Repeat("•", len(runes)))
	}
	if !here {
		return short(Clean(string(runes)), room)
	}
	before, after := runes[:in.cursor], runes[in.cursor:]
	for len(before) > 0 && uniseg.StringWidth(string(before)) > room-1 {
		before = before[1:]
	}
	under, rest := " ", ""
	if len(after) > 0 {
		under, rest = string(after[0]), string(after[1:])
	}
	left := max(0, room-uniseg.StringWidth(string(before))-uniseg.StringWidth(under))
	if uniseg.StringWidth(rest) > left {
		rest = short(rest, left)
	}
	return string(before) + lipgloss.NewStyle().Reverse(true).Render(under) + rest
}
