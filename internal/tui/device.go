package tui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/rivo/uniseg"
)

// Device is what a person needs to sign in on another device, or in any browser. Its strings may hold anything.
type Device struct {
	UserCode                string
	VerificationURI         string
	VerificationURIComplete string    // the same with the code inside; may be empty
	Expires                 time.Time // when the code ends; zero shows no countdown
	Server                  string    // what one signs in to; may be empty

	// Keys is read for key presses while the screen is live; nil leaves the keyboard alone. Reading keys means that
	// Ctrl-C arrives as a key, "ctrl+c", and not as a signal.
	Keys io.Reader
	// OnKey hears each key by its name, such as "enter", "a" or "ctrl+c"; nil means nobody does.
	OnKey func(key string)
	// Hint says what the keys do, such as "press Enter to approve"; it is shown only where keys are read.
	Hint string
}

// Screen is a device screen that is shown.
type Screen struct {
	out    io.Writer
	o      Options
	device Device

	mu      sync.Mutex
	over    bool
	err     error
	program *tea.Program
	ended   chan struct{}
}

// DeviceScreen shows the code, the address and, on a terminal, a countdown, until Close. Elsewhere it writes plain
// lines at once.
func DeviceScreen(out io.Writer, d Device, o Options) *Screen {
	d.UserCode, d.VerificationURI = Clean(d.UserCode), Clean(d.VerificationURI)
	d.VerificationURIComplete, d.Server, d.Hint = Clean(d.VerificationURIComplete), Clean(d.Server), Clean(d.Hint)
	s := &Screen{out: out, o: o, device: d}
	if !o.Terminal {
		io.WriteString(out, s.plain())
		return s
	}
	s.ended = make(chan struct{})
	s.program = newProgram(&deviceModel{screen: s}, out, d.Keys, o)
	go func() {
		defer close(s.ended)
		s.program.Run()
	}()
	return s
}

// Close ends the screen and says how it went: err nil means signed in. Only the first Close counts.
func (s *Screen) Close(err error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	s.over, s.err = true, err
	s.mu.Unlock()
	if s.program == nil {
		fmt.Fprintln(s.out, s.outcome())
		return
	}
	s.program.Quit()
	<-s.ended
}

func (s *Screen) outcome() string {
	if s.err == nil {
		return "Signed in."
	}
	return "Not signed in: " + Clean(s.err.Error())
}

// plain is the screen where nothing is drawn.
func (s *Screen) plain() string {
	d := s.device
	var b strings.Builder
	b.WriteString(s.lead() + "\n")
	fmt.Fprintf(&b, "  open  %s\n", d.VerificationURI)
	fmt.Fprintf(&b, "  enter %s\n", d.UserCode)
	if d.VerificationURIComplete != "" {
		fmt.Fprintf(&b, "  or open %s\n", d.VerificationURIComplete)
	}
	if !d.Expires.IsZero() {
		fmt.Fprintf(&b, "The code is good for %s.\n", duration(d.Expires.Sub(s.o.now()).Round(time.Second)))
	}
	return b.String()
}

func (s *Screen) lead() string {
	if s.device.Server == "" {
		return "Sign in:"
	}
	return "Sign in to " + s.device.Server
}

// view is the live screen.
func (s *Screen) view(width int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.device
	if s.over {
		mark := good.Render("✓")
		if s.err != nil {
			mark = bad.Render("✗")
		}
		return mark + " " + wrap(s.outcome(), width-2, "  ") + "\n"
	}
	var b strings.Builder
	b.WriteString(paint(title, wrap(s.lead(), width, "")) + "\n\n")
	b.WriteString("  " + faint.Render("1 open") + "  " + s.address(d.VerificationURI, width, 10) + "\n")
	b.WriteString("  " + faint.Render("2 enter") + "\n\n")
	b.WriteString(indent(bigCode(d.UserCode, width-4), "  ") + "\n\n")
	if d.VerificationURIComplete != "" {
		b.WriteString("  " + faint.Render("or both at once:") + "\n  " + s.address(d.VerificationURIComplete, width, 2) + "\n\n")
	}
	if d.Keys != nil && d.Hint != "" {
		b.WriteString("  " + paint(strong, wrap(d.Hint, width-2, "  ")) + "\n")
	}
	b.WriteString("  " + paint(faint, wrap(s.waiting(), width-2, "  ")) + "\n")
	return b.String()
}

// address draws a link. One that is too long for the line stands on lines of its own, whole: each line opens all of it.
func (s *Screen) address(address string, width, used int) string {
	if uniseg.StringWidth(address) <= width-used {
		return link(address, address)
	}
	lines := strings.Split(ansi.Hardwrap(address, max(1, width-2), true), "\n")
	for i, line := range lines {
		lines[i] = link(address, line)
	}
	if used > 2 {
		lines[0] = "\n  " + lines[0]
	}
	return strings.Join(lines, "\n  ")
}

func (s *Screen) waiting() string {
	now := s.o.now()
	mark := string(spinner[int(now.UnixMilli()/beat.Milliseconds())%len(spinner)])
	if s.device.Expires.IsZero() {
		return mark + " waiting"
	}
	left := s.device.Expires.Sub(now)
	if left <= 0 {
		return mark + " the code has ended"
	}
	whole := left.Truncate(time.Second)
	return fmt.Sprintf("%s waiting, the code is good for %d:%02d", mark, whole/time.Minute, whole%time.Minute/time.Second)
}

// bigCode draws a code in letters of three lines; where they have no room, or the code has letters without a picture,
// in a box.
func bigCode(code string, width int) string {
	if lines, ok := letters(code); ok && uniseg.StringWidth(lines[0]) <= width {
		for i := range lines {
			lines[i] = accent.Render(lines[i])
		}
		return strings.Join(lines[:], "\n") + "\n\n" + strong.Render(code)
	}
	return lipgloss.NewStyle().Border(lipgloss.RoundedBorder()).BorderForeground(lipgloss.Magenta).Bold(true).
		Padding(0, 2).Render(short(code, max(1, width-6)))
}

// wrap breaks s into lines of width columns; those after the first are indented.
func wrap(s string, width int, by string) string {
	return strings.ReplaceAll(lipgloss.Wrap(s, max(1, width), ""), "\n", "\n"+by)
}

type deviceModel struct {
	screen *Screen
	width  int
	height int
}

// Init puts the code on the clipboard of the terminal (OSC 52), which may be that of another machine: a code, and nothing
// that would do something where it is pasted by mistake.
func (m *deviceModel) Init() tea.Cmd {
	if !isCode(m.screen.device.UserCode) {
		return nextBeat()
	}
	return tea.Batch(nextBeat(), tea.SetClipboard(m.screen.device.UserCode))
}

// isCode reports whether s is one word of letters, digits and hyphens, and no option.
func isCode(s string) bool {
	return s != "" && s[0] != '-' && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == "" && len(s) <= 32
}

func (m *deviceModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if hear := m.screen.device.OnKey; hear != nil {
			go hear(msg.String()) // it may close the screen
		}
	case beatMsg:
		return m, nextBeat()
	}
	return m, nil
}

func (m *deviceModel) View() tea.View {
	width := m.width
	if width == 0 {
		width = m.screen.o.width(m.screen.out)
	}
	text := m.screen.view(width)
	return tea.NewView(text + m.screen.picture(width, m.height-strings.Count(text, "\n")-1))
}

// picture is the address as a QR code, for the camera of a phone, where it has room below the rest.
func (s *Screen) picture(width, height int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return ""
	}
	address := s.device.VerificationURIComplete
	if address == "" {
		address = s.device.VerificationURI
	}
	code := qrCode(address, width-2, height-1)
	if code == "" {
		return ""
	}
	return "\n" + indent(code, "  ") + "\n"
}
