package tui

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// press feeds keys to a model: names such as "enter", or text.
func press(m tea.Model, keys ...string) {
	named := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"backspace": tea.KeyBackspace, "tab": tea.KeyTab,
	}
	for _, k := range keys {
		if code, ok := named[k]; ok {
			m.Update(tea.KeyPressMsg{Code: code})
			continue
		}
		for _, r := range k {
			m.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

func booking(width int) *formModel {
	f := Form{Title: "book", Text: "Books a room.", Fields: []Field{
		{Name: "name", Kind: "string", Help: "Who \x1b[31mcomes.", Required: true},
		{Name: "nights", Kind: "integer", Required: true, Check: func(text string) error {
			if strings.Trim(text, "0123456789") != "" {
				return errors.New("is not a whole number")
			}
			return nil
		}},
		{Name: "room", Kind: "single|double", Choices: []string{"single", "double"}},
		{Name: "password", Kind: "string", Secret: true},
	}, Actions: []string{"Accept", "Decline"}}
	f.clean()
	m := &formModel{form: f, width: width}
	for _, field := range f.Fields {
		m.inputs = append(m.inputs, newInput(field))
	}
	return m
}

func TestFormView(t *testing.T) {
	m := booking(80)
	press(m, "Adq", "backspace", "a", "enter", "x", "enter")
	want := `book
Books a room.
  name*     Ada
▸ nights*   x
    integer, needed
    nights is not a whole number
  room      –
  password
   Accept   Decline
Enter goes on, ↑ ↓ move, Esc leaves
`
	if got := shown(m); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	press(m, "backspace", "3", "enter", "right", "right", "enter", "sesame")
	want = `book
Books a room.
  name*     Ada
  nights*   3
  room      double
▸ password  ••••••
    string
   Accept   Decline
Enter goes on, ↑ ↓ move, Esc leaves
`
	if got := shown(m); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	press(m, "enter", "enter")
	if got := strings.Join(m.values(), "|"); !m.over || m.left || m.action != 0 || got != "Ada|3|double|sesame" {
		t.Errorf("the form gives %q, action %d, over %v", got, m.action, m.over)
	}
	if strings.Contains(m.summary(), "sesame") {
		t.Error("the secret stays on the screen")
	}
}

// TestFormIsHeldToItsFields: it is not sent without what is needed, but may be declined or left.
func TestFormIsHeldToItsFields(t *testing.T) {
	m := booking(40)
	press(m, "down", "down", "down", "down", "enter")
	if m.over || m.at != 0 || m.fault != "is needed" {
		t.Errorf("an empty form: over %v, at %d, %q", m.over, m.at, m.fault)
	}
	press(m, "down", "down", "down", "down", "right", "enter")
	if !m.over || m.action != 1 {
		t.Errorf("declined: over %v, action %d", m.over, m.action)
	}
	m = booking(40)
	press(m, "esc")
	if !m.left {
		t.Error("Esc does not leave")
	}
}

// TestFormFits its terminal: no line is longer, and of many fields those around the keyboard are drawn.
func TestFormFits(t *testing.T) {
	for _, width := range []int{40, 80} {
		m := booking(width)
		for range 30 {
			f := Field{Name: "a_name_that_is_quite_long_for_a_name", Kind: "string", Help: strings.Repeat("long words ", 20), Value: strings.Repeat("wert", 40)}
			m.form.Fields = append(m.form.Fields, f)
			m.inputs = append(m.inputs, newInput(f))
		}
		m.height = 24
		for range 20 {
			press(m, "down")
			text := shown(m)
			if n := strings.Count(text, "\n"); n > m.height {
				t.Errorf("%d lines at %d columns, the terminal has %d", n, width, m.height)
			}
			for line := range strings.SplitSeq(text, "\n") {
				if n := ansi.StringWidth(line); n > width {
					t.Errorf("%d columns at %d: %q", n, width, line)
				}
			}
			if !strings.Contains(text, "▸") && m.at < len(m.inputs) {
				t.Error("the field with the keyboard is not drawn")
			}
		}
	}
}

func TestChoose(t *testing.T) {
	m := &chooseModel{heading: "Which?", choices: []Choice{{"reverse_tool", "Turns round."}, {"convert_time", "Between zones."}, {"zone", "Lists."}}, width: 40, chosen: -1}
	m.narrow()
	press(m, "zone")
	want := `Which?
> zone
▸ zone          Lists.
  convert_time  Between zones.
type to narrow, ↑ ↓ move, Enter chooses,
Esc leaves
`
	if got := trimmed(ansi.Strip(m.view())); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	press(m, "down", "enter")
	if m.chosen != 1 {
		t.Errorf("chosen %d", m.chosen)
	}
}

// TestFormInLines asks line after line where nothing is drawn.
func TestFormInLines(t *testing.T) {
	in, keyboard, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	keyboard.WriteString("\nAda\nmany\n3\nDOUBLE\n\n2\n")
	keyboard.Close()
	var out strings.Builder
	values, action, err := booking(80).form.Ask(t.Context(), in, &out, Options{})
	if got := strings.Join(values, "|"); err != nil || got != "Ada|3|double|" || action != 1 {
		t.Errorf("%q, action %d, %v", got, action, err)
	}
	want := "book\nBooks a room.\n  Who comes.\nname (string):   name is needed\nname (string): nights (integer):   nights is not a whole number\n" +
		"nights (integer): room (single|double, may be empty): password (string, may be empty):   1 Accept\n  2 Decline\nnumber or name: "
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if _, _, err := booking(80).form.Ask(t.Context(), in, &out, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a keyboard that is gone: %v", err)
	}
}

func shown(m *formModel) string { return trimmed(ansi.Strip(m.view())) }

func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// TestBarsAreHeld off the terminal while something else has it, and come back.
func TestBarsAreHeld(t *testing.T) {
	var out bytes.Buffer
	b := NewBars(&out, Options{Terminal: true, Width: 80})
	bar := b.Start("reverse_tool")
	b.Hold(func() {
		if b.program != nil {
			t.Error("the bars are drawn while they are held")
		}
		b.Start("second").Done(nil)
	})
	if b.program == nil {
		t.Error("the bars do not come back")
	}
	bar.Done(nil)
	b.Wait()
	if got := out.String(); !strings.Contains(got, "second") {
		t.Errorf("a bar that began meanwhile is not drawn: %q", got)
	}
}
