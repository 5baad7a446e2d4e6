package tui

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

// view draws the screen: the conversation, a question, the line to type in, and the status.
func (c *Chat) view(width, height int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	width, height = max(width, 10), max(height, 6)
	foot := []string{c.prompt(width), c.statusLine(width)}
	if len(c.dialogs) > 0 {
		most := max(height*2/3, height-6)
		lines := strings.Split(strings.TrimRight(c.dialogs[0].view(width-2, most-1), "\n"), "\n")
		lines = lines[:min(len(lines), most-1)]
		foot = append([]string{accent.Render(strings.Repeat("━", width))}, lines...)
		foot = append(foot, c.statusLine(width))
	} else {
		foot = append([]string{faint.Render(strings.Repeat("─", width))}, foot...)
	}
	room := max(height-len(foot), 1)
	lines := c.lines(width)
	c.scroll = min(c.scroll, max(0, len(lines)-room))
	end := len(lines) - c.scroll
	shown := lines[max(0, end-room):end]
	for len(shown) < room {
		shown = append(shown, "")
	}
	return strings.Join(append(append([]string(nil), shown...), foot...), "\n")
}

// lines are all lines of the conversation.
func (c *Chat) lines(width int) []string {
	var all []string
	names := 0
	for _, e := range c.entries {
		if e.kind == called {
			names = max(names, min(uniseg.StringWidth(e.bar.name), maxName))
		}
	}
	for i, e := range c.entries {
		drawn := c.draw(e, width, names)
		if i > 0 && (e.kind != called || c.entries[i-1].kind != called) {
			all = append(all, "")
		}
		all = append(all, strings.Split(strings.TrimRight(drawn, "\n"), "\n")...)
	}
	if text := c.spoken.String(); strings.TrimSpace(text) != "" {
		if len(all) > 0 {
			all = append(all, "")
		}
		all = append(all, strings.Split(strings.TrimRight(Markdown(text, width), "\n"), "\n")...)
	}
	return all
}

func (c *Chat) draw(e *entry, width, names int) string {
	if e.over && e.drawn != "" && e.width == width {
		return e.drawn
	}
	drawn := ""
	switch e.kind {
	case saidByPerson:
		drawn = accent.Render("▌") + " " + strings.ReplaceAll(paint(strong, wrap(e.text, width-2, "")), "\n", "\n"+accent.Render("▌")+" ")
	case saidByModel:
		drawn = Markdown(e.text, width)
	case noted:
		drawn = paint(faint, wrap(e.text, width, ""))
	case wentWrong:
		drawn = bad.Render("✗") + " " + wrap(e.text, width-2, "  ")
	case called:
		drawn = c.drawCard(e, width, names)
	}
	if e.over {
		e.drawn, e.width = drawn, width
	}
	return drawn
}

// drawCard draws the bar of a call, and below it what it is about.
func (c *Chat) drawCard(e *entry, width, names int) string {
	c.bars.mu.Lock()
	defer c.bars.mu.Unlock()
	mark, room := "  ", max(width-4, 1)
	if e.call == c.focus && c.focus != "" {
		mark = accent.Render("▸") + " "
	}
	head := ""
	if e.bar.began.IsZero() {
		head = faint.Render("…") + " " + strong.Render(short(e.bar.name, max(1, width-12))) + faint.Render("  waits") + "\n"
	} else {
		head = e.bar.view(c.now(), max(width-2, 8), names)
	}
	lines := []string{e.text}
	if both := e.text + " → " + e.answer; e.answer != "" && uniseg.StringWidth(both) <= room {
		lines[0] = both
	} else if e.answer != "" {
		lines = append(lines, "→ "+e.answer)
	}
	for _, line := range lines {
		if line = short(line, room); line != "" {
			head += "  " + faint.Render(line) + "\n"
		}
	}
	return beside(strings.TrimRight(head, "\n"), mark, "  ")
}

func (c *Chat) prompt(width int) string {
	mark := accent.Render("›")
	if c.busy {
		mark = accent.Render(string(spinner[int(c.now().UnixNano()/int64(beat))%len(spinner)]))
	}
	return mark + " " + c.line.view(max(1, width-3), true)
}

func (c *Chat) statusLine(width int) string {
	switch {
	case c.leaving:
		return strong.Render(short("Press Ctrl-C again to leave", width))
	case c.hint != "":
		return strong.Render(short(c.hint, width))
	}
	left := c.status.Model
	if c.status.Servers != "" {
		left += " · " + c.status.Servers
	}
	right := strings.Trim(c.status.Tokens+" · "+c.status.Cost, " ·")
	help := "/help"
	switch {
	case len(c.dialogs) > 0: // which says by itself what its keys are
		help = ""
	case c.focus != "":
		help = "Esc cancels this call"
	case c.busy && c.nextRunning() != "":
		help = "Tab chooses a call, Esc stops"
	case c.busy:
		help = "Esc stops"
	}
	if right = strings.Trim(right+" · "+help, " ·"); uniseg.StringWidth(right) > width {
		right = help
	}
	gap := width - uniseg.StringWidth(left) - uniseg.StringWidth(right)
	if gap < 2 {
		left = short(left, max(0, width-uniseg.StringWidth(right)-2))
		gap = max(1, width-uniseg.StringWidth(left)-uniseg.StringWidth(right))
	}
	return faint.Render(short(left+strings.Repeat(" ", gap)+right, width))
}

// Approval is a call that a person decides about.
type Approval struct {
	Tool, Server, Arguments string
	Note                    string // why it is asked; may be empty
}

// Consent is for how long a call is allowed.
type Consent int

const (
	Refuse         Consent = iota
	AllowOnce              // this call
	AllowSession           // this tool, for this session
	AllowSame              // this tool with these arguments, from now on
	AllowWhatever          // this tool with any arguments, from now on
	refuseWithWord         // the reason is being typed
)

// consents are the keys of the question, in the order in which they are shown.
var consents = []struct {
	key, words string
	consent    Consent
}{
	{"y", "once", AllowOnce},
	{"s", "for this session", AllowSession},
	{"a", "always with these arguments", AllowSame},
	{"w", "always, whatever the arguments", AllowWhatever},
	{"n", "no (Esc)", Refuse},
	{"r", "no, and say why", refuseWithWord},
}

// approving asks whether a call may run.
type approving struct {
	Approval
	asked    time.Time
	from     int // the first line of the arguments that is shown, and how many are
	page     int
	reason   *input // nil until a reason is typed
	consent  Consent
	answered chan struct{}
}

func (a *approving) view(width, height int) string {
	var b strings.Builder
	b.WriteString(paint(title, wrap("May "+a.Tool+" be called?", width, "")) + "\n")
	if a.Server != "" {
		b.WriteString(wrap("at "+a.Server, width, "") + "\n")
	}
	if a.Note != "" {
		b.WriteString(paint(faint, wrap(a.Note, width, "")) + "\n")
	}
	arguments := strings.Split(wrap(a.Arguments, width-2, ""), "\n")
	most := max(height-9, 1) // so that the keys have room
	if all := len(arguments); all > most {
		a.page = most
		a.from = min(max(a.from, 0), all-most)
		arguments = append(arguments[a.from:a.from+most:a.from+most], short(fmt.Sprintf("%d–%d of %d lines, ↑ ↓", a.from+1, a.from+most, all), width-2))
	}
	b.WriteString("\n" + indent(strings.Join(arguments, "\n"), "  ") + "\n\n")
	if a.reason != nil {
		b.WriteString("Why not? " + a.reason.view(max(1, width-10), true) + "\n" + faint.Render(wrap("Enter says so to the model, Esc says no without a reason", width, "")))
		return b.String()
	}
	line := ""
	for _, c := range consents {
		choice := accent.Render(c.key) + " " + c.words
		if line != "" && lipgloss.Width(line)+lipgloss.Width(choice)+3 > width {
			b.WriteString(line + "\n")
			line = ""
		}
		if line != "" {
			line += "   "
		}
		line += choice
	}
	b.WriteString(line)
	return b.String()
}

// sure is how long a question stands before a key answers it, so that nobody answers it by what they were typing.
const sure = 300 * time.Millisecond

func (d *chatApproval) key(k keyPress) bool {
	a := d.approving
	if a.reason != nil {
		switch k.String() {
		case "enter":
			return d.answer(Refuse)
		case "esc":
			a.reason = nil
			return d.answer(Refuse)
		}
		a.reason.key(k)
		return false
	}
	switch k.String() {
	case "esc":
		return d.answer(Refuse)
	case "up":
		a.from--
	case "down":
		a.from++
	case "pgup":
		a.from -= a.page
	case "pgdown":
		a.from += a.page
	}
	for _, c := range consents {
		if k.String() != c.key {
			continue
		}
		switch {
		case c.consent == refuseWithWord:
			a.reason = &input{optional: true}
			return false
		case c.consent != Refuse && d.chat.now().Sub(a.asked) < sure:
			return false
		}
		return d.answer(c.consent)
	}
	return false
}
