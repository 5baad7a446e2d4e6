package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"charm.land/bubbletea/v2"
)

// Bars shows the progress of calls that run at the same time: live bars on a terminal, plain lines elsewhere. It is
// safe for concurrent use.
type Bars struct {
	out io.Writer
	o   Options

	mu      sync.Mutex
	bars    []*Bar
	program *tea.Program  // nil while nothing is drawn
	ended   chan struct{} // closed when program has ended
	held    bool          // something else has the terminal
	running sync.WaitGroup
}

// Bar is one call.
type Bar struct {
	bars  *Bars
	name  string
	began time.Time

	// Under the lock of bars.
	done, total float64
	message     string
	over        bool
	took        time.Duration
	err         error

	// What plain lines last said.
	said        int // percent; -1 means none
	saidMessage string
	saidAt      time.Time
}

// NewBars prepares to draw on out. Nothing is drawn before the first Start.
func NewBars(out io.Writer, o Options) *Bars { return &Bars{out: out, o: o} }

// Start begins a bar for the call of the tool name. The caller owes it a Done.
func (b *Bars) Start(name string) *Bar {
	b.mu.Lock()
	defer b.mu.Unlock()
	bar := &Bar{bars: b, name: orDash(Clean(name)), began: b.o.now(), said: -1}
	b.bars = append(b.bars, bar)
	b.running.Add(1)
	switch {
	case !b.o.Terminal:
		fmt.Fprintf(b.out, "%s started\n", bar.name)
	case b.program == nil && !b.held:
		b.draw()
	}
	return bar
}

// draw begins to draw. The lock is held.
func (b *Bars) draw() {
	p, ended := newProgram(&barsModel{bars: b}, b.out, nil, b.o), make(chan struct{})
	b.program, b.ended = p, ended
	go func() {
		defer close(ended)
		p.Run()
	}()
}

// Update says how far the call is. total 0 means that nobody knows. message may be empty and may hold anything.
func (b *Bar) Update(done, total float64, message string) {
	b.bars.mu.Lock()
	defer b.bars.mu.Unlock()
	if b.over {
		return
	}
	b.done, b.total, b.message = done, total, Clean(message)
	if !b.bars.o.Terminal {
		b.say()
	}
}

// Done ends the bar: err nil means that the call went well. Only the first Done counts.
func (b *Bar) Done(err error) {
	b.bars.mu.Lock()
	defer b.bars.mu.Unlock()
	if b.over {
		return
	}
	b.over, b.err, b.took = true, err, b.bars.o.now().Sub(b.began)
	if !b.bars.o.Terminal {
		fmt.Fprintln(b.bars.out, b.ending())
	}
	b.bars.running.Done()
}

// Println writes a line above the bars. Anything else that writes to the same terminal meanwhile disturbs them.
func (b *Bars) Println(line string) {
	b.mu.Lock()
	p := b.program
	b.mu.Unlock()
	if p == nil {
		fmt.Fprintln(b.out, line)
		return
	}
	p.Println(line)
}

// Hold takes the bars off the terminal while show has it, and draws them again afterwards. It is for one caller at a time.
func (b *Bars) Hold(show func()) {
	b.mu.Lock()
	p, ended := b.program, b.ended
	b.program, b.held = nil, true
	b.mu.Unlock()
	if p != nil {
		p.Quit()
		<-ended
	}
	show()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = false
	if b.o.Terminal && len(b.bars) > 0 {
		b.draw()
	}
}

// Wait waits until each bar is done, and then closes.
func (b *Bars) Wait() {
	b.running.Wait()
	b.Close()
}

// Close stops drawing and gives the terminal back; what was drawn last stays. A later Start begins below it.
func (b *Bars) Close() {
	b.mu.Lock()
	p, ended := b.program, b.ended
	b.program = nil
	b.mu.Unlock()
	if p != nil {
		p.Quit()
		<-ended
	}
	b.mu.Lock()
	b.bars = nil
	b.mu.Unlock()
}

// fraction is how far the call is, from 0 to 1; ok is false when nobody knows.
func (b *Bar) fraction() (f float64, ok bool) {
	f = b.done / b.total
	if !(b.total > 0) || math.IsNaN(f) || math.IsInf(b.total, 0) {
		return 0, false
	}
	return min(max(f, 0), 1), true
}

// percent rounds down, so that 100 means done.
func (b *Bar) percent() (int, bool) {
	f, ok := b.fraction()
	return int(f*100 + 1e-9), ok
}

// left estimates the time that remains from the pace so far. It says nothing in the first second.
func (b *Bar) left(now time.Time) (time.Duration, bool) {
	f, ok := b.fraction()
	elapsed := now.Sub(b.began)
	if !ok || f <= 0 || elapsed < time.Second {
		return 0, false
	}
	left := float64(elapsed) * (1 - f) / f
	if left > float64(100*time.Hour) {
		return 0, false
	}
	return time.Duration(left), true
}

const (
	percentStep = 10                     // a plain line each so many percent
	messageRest = 200 * time.Millisecond // between plain lines that only the message makes
)

// say writes a plain line when there is something to say. The lock is held.
func (b *Bar) say() {
	percent, known := b.percent()
	now := b.bars.o.now()
	stepped := known && (b.said < 0 || percent-b.said >= percentStep || percent < b.said || percent == 100 && b.said != 100)
	spoke := b.message != b.saidMessage && b.message != "" && (b.saidAt.IsZero() || now.Sub(b.saidAt) >= messageRest)
	if !stepped && !spoke {
		return
	}
	line := b.name
	if known {
		line += fmt.Sprintf(" %d %%", percent)
		b.said = percent
	}
	if b.message != "" {
		line += " " + b.message
	}
	b.saidMessage, b.saidAt = b.message, now
	fmt.Fprintln(b.bars.out, line)
}

// ending is the last line of a bar.
func (b *Bar) ending() string {
	switch {
	case b.err == nil:
		return fmt.Sprintf("%s done in %s", b.name, duration(b.took))
	case errors.Is(b.err, context.Canceled):
		return fmt.Sprintf("%s cancelled after %s", b.name, duration(b.took))
	}
	return fmt.Sprintf("%s failed after %s: %s", b.name, duration(b.took), Clean(b.err.Error()))
}

// duration writes a time as people say it: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min".
func duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute-500*time.Millisecond:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
