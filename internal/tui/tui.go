// Package tui draws on the terminal what a person waits for and reads.
//
// It is told what to show and asks nobody: no network, no settings. Whatever a server said is cleaned before it is
// drawn, so that no stranger moves the cursor. Where there is no terminal, or no colour is wanted, everything has a
// plain form of whole lines.
//
//	bars      progress of running calls, several at once    bars.go, bars_view.go
//	device    code and link of a sign-in elsewhere          device.go, letters.go, qr.go
//	form      asks a person for several things              form.go, form_view.go
//	choose    asks a person for one of many                 choose.go
//	steps     headings, steps, facts and code of a tour     steps.go
//	checks    what was looked at, and what mends it        checks.go
//	markdown  what a language model writes                  markdown.go
//	chat      a conversation on a full screen               chat.go, chat_view.go, chat_dialog.go
//	clean     strangers' words, harmless and short          clean.go
package tui

import (
	"io"
	"os"
	"time"

	"charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// Options says what the output can do. The zero value writes plain lines of 80 columns.
type Options struct {
	Terminal bool             // true draws, with colour and in place; false writes plain lines
	Width    int              // columns; 0 means what the terminal says, else 80
	Now      func() time.Time // nil means time.Now
}

const defaultWidth = 80

// OptionsFor looks at an output. It is drawn upon when f is a terminal that is not dumb and neither NO_COLOR nor CI is
// set; lookup finds environment variables, as os.Getenv does.
func OptionsFor(f *os.File, lookup func(string) string) Options {
	plain := lookup("NO_COLOR") != "" || lookup("TERM") == "dumb"
	if ci := lookup("CI"); ci != "" && ci != "false" && ci != "0" {
		plain = true
	}
	return Options{Terminal: !plain && term.IsTerminal(int(f.Fd()))}
}

// WidthOf is how many columns the terminal f has now, or 0 for what is no terminal.
func WidthOf(f *os.File) int {
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(w, 0)
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// width asks the terminal each time, since people change it.
func (o Options) width(out io.Writer) int {
	if o.Width > 0 {
		return o.Width
	}
	if f, ok := out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return defaultWidth
}

// Columns is how wide the terminal is that out writes to, and 80 where it is none.
func Columns(out io.Writer) int { return Options{}.width(out) }

// The colours are the sixteen of the terminal's own theme, so they suit dark and light alike.
var (
	accent = lipgloss.NewStyle().Foreground(lipgloss.Magenta)
	strong = lipgloss.NewStyle().Bold(true)
	title  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Magenta)
	good   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	bad    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	faint  = lipgloss.NewStyle().Faint(true)
	paper  = lipgloss.NewStyle().Foreground(lipgloss.BrightWhite).Background(lipgloss.Black) // light on dark, under any theme
)

// newProgram draws model below what is on the screen. Without input it asks the terminal nothing and leaves the keyboard
// and signals to the program around it.
func newProgram(model tea.Model, out io.Writer, in io.Reader, o Options) *tea.Program {
	options := []tea.ProgramOption{tea.WithOutput(out), tea.WithInput(in), tea.WithoutSignalHandler(), tea.WithFPS(30)}
	if _, ok := out.(*os.File); !ok {
		options = append(options, tea.WithColorProfile(colorprofile.ANSI), tea.WithWindowSize(o.width(out), 24))
	}
	return tea.NewProgram(model, options...)
}

// beat is how often a picture that lives is drawn again.
const beat = 100 * time.Millisecond

type beatMsg struct{}

func nextBeat() tea.Cmd { return tea.Tick(beat, func(time.Time) tea.Msg { return beatMsg{} }) }
