package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"charm.land/bubbles/v2/progress"
	"charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

const (
	wide     = 60  // columns from which a bar and its message share a line
	roomy    = 100 // columns from which the track is long
	maxName  = 24
	minTrack = 6
	full     = '━'
	empty    = '─'
)

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// barsModel draws Bars; the calls tell Bars, and the beat draws what they told.
type barsModel struct {
	bars   *Bars
	width  int
	height int
}

func (m *barsModel) Init() tea.Cmd { return nextBeat() }

func (m *barsModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case beatMsg:
		return m, nextBeat()
	}
	return m, nil
}

func (m *barsModel) View() tea.View {
	m.bars.mu.Lock()
	defer m.bars.mu.Unlock()
	if m.bars.held {
		return tea.NewView("")
	}
	width := m.width
	if width == 0 {
		width = m.bars.o.width(m.bars.out)
	}
	return tea.NewView(m.bars.view(width, m.height))
}

// view draws all bars, at most height lines: those that are over give way first. The lock is held.
func (b *Bars) view(width, height int) string {
	now, names := b.o.now(), 0
	for _, bar := range b.bars {
		names = max(names, min(uniseg.StringWidth(bar.name), maxName))
	}
	drawn := make([]string, len(b.bars))
	lines := 0
	for i, bar := range b.bars {
		drawn[i] = bar.view(now, width, names)
		lines += strings.Count(drawn[i], "\n")
	}
	for _, over := range []bool{true, false} {
		for i, bar := range b.bars {
			if height > 1 && lines > height-1 && bar.over == over && drawn[i] != "" {
				lines -= strings.Count(drawn[i], "\n")
				drawn[i] = ""
			}
		}
	}
	return strings.Join(drawn, "")
}

// view draws one bar, each line ended.
func (b *Bar) view(now time.Time, width, names int) string {
	names = min(names, max(12, width/3), max(1, width-2))
	name := padded(short(b.name, names), names)
	if b.over {
		return b.overView(name, width)
	}
	mark := accent.Render(string(spinner[int(now.Sub(b.began)/beat)%len(spinner)]))
	times := b.times(now)
	percent, known := b.percent()
	number := "     "
	if known {
		number = fmt.Sprintf("%3d %%", percent)
	}
	longest := 14
	if width >= roomy {
		longest = 24
	}
	used := 2 + names + 1 + 2 + uniseg.StringWidth(number) + 2 + uniseg.StringWidth(times)
	track := min(max(width-used, 0), longest)
	if track < minTrack { // too narrow for all: the times give way
		times, track = "", min(max(width-used+uniseg.StringWidth(times)+2, 0), longest)
	}
	line := mark + " " + strong.Render(name)
	if track > 0 {
		line += " " + b.track(now, track)
		if known || times != "" {
			line += "  " + number
		}
	}
	if times != "" {
		line += "  " + faint.Render(times)
	}
	room := width - lipgloss.Width(line) - 2
	switch {
	case b.message == "":
	case width >= wide && room >= 8:
		line += "  " + short(b.message, room)
	default:
		line += "\n  " + short(b.message, width-2)
	}
	return line + "\n"
}

// overView draws a bar that is over.
func (b *Bar) overView(name string, width int) string {
	took, mark := duration(b.took), good.Render("✓")
	if errors.Is(b.err, context.Canceled) {
		took, mark = "cancelled after "+took, faint.Render("–")
	}
	failed := b.err != nil && !errors.Is(b.err, context.Canceled)
	if failed {
		mark = bad.Render("✗")
	}
	line := mark + " " + strong.Render(name)
	if room := width - lipgloss.Width(line) - 1; room > 0 {
		line += " " + faint.Render(short(took, room))
	}
	if !failed {
		return line + "\n"
	}
	reason := Clean(b.err.Error())
	if room := width - lipgloss.Width(line) - 2; width >= wide && room >= 20 {
		return line + "  " + bad.Render(short(reason, room)) + "\n"
	}
	return line + "\n  " + bad.Render(short(reason, width-2)) + "\n"
}

// times says how long the call takes: so far, and from now on where that can be told.
func (b *Bar) times(now time.Time) string {
	elapsed := now.Sub(b.began).Truncate(time.Second)
	if left, ok := b.left(now); ok {
		return seconds(elapsed) + ", " + seconds(left.Round(time.Second)) + " left"
	}
	return seconds(elapsed)
}

// seconds is duration without tenths, for times that tick.
func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return duration(d)
}

// track draws the bar itself: filled as far as the call is, or with a piece that wanders where nobody knows.
func (b *Bar) track(now time.Time, width int) string {
	if f, ok := b.fraction(); ok {
		p := progress.New(progress.WithWidth(width), progress.WithoutPercentage(),
			progress.WithFillCharacters(full, empty), progress.WithColors(lipgloss.Magenta))
		p.EmptyColor = lipgloss.BrightBlack
		return p.ViewAs(f)
	}
	piece := max(1, width/4)
	ways := max(1, width-piece)
	at := int(now.Sub(b.began)/beat) % (2 * ways)
	if at > ways {
		at = 2*ways - at
	}
	rest := lipgloss.NewStyle().Foreground(lipgloss.BrightBlack)
	return rest.Render(strings.Repeat(string(empty), at)) + accent.Render(strings.Repeat(string(full), piece)) +
		rest.Render(strings.Repeat(string(empty), width-piece-at))
}
