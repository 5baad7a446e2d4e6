package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

// scene is several calls at one moment, drawn without a terminal.
func scene(width int) string {
	c := newClock()
	b := &Bars{o: Options{Terminal: true, Now: c.now, Width: width}}
	start := func(name string) *Bar {
		bar := &Bar{bars: b, name: Clean(name), began: c.now(), said: -1}
		b.bars = append(b.bars, bar)
		b.running.Add(1)
		return bar
	}
	reverse, convert, random := start("reverse_tool"), start("convert_time"), start("a_tool_with_a_very_long_name_indeed")
	short, gone := start("get"), start("nobody_waits")
	c.after(1500 * time.Millisecond)
	convert.Done(errors.New("unknown zone Europe/Atlantis: did you mean Europe/Athens?\x1b[2J"))
	gone.Done(fmt.Errorf("call: %w", context.Canceled))
	c.after(500 * time.Millisecond)
	reverse.Update(2, 5, "reversing \x1b[31m日本\u202e")
	random.Update(7, 0, "thinking about a number that nobody has thought of before")
	short.Done(nil)
	return b.view(width, 24)
}

func TestBarsAreDrawn(t *testing.T) {
	for _, width := range []int{120, 80, 40, 20, 5} {
		drawn := scene(width)
		fits(t, drawn, width)
		if width >= 40 && width <= 80 {
			golden(t, fmt.Sprintf("bars-%d", width), drawn)
		}
	}
}

func TestBarsThatAreOverGiveWayOnASmallTerminal(t *testing.T) {
	b := &Bars{o: Options{Terminal: true, Now: newClock().now}}
	for i := range 9 {
		bar := &Bar{bars: b, name: fmt.Sprint("tool", i), began: b.o.now()}
		b.bars = append(b.bars, bar)
		b.running.Add(1)
		if i%2 == 0 {
			bar.Done(nil)
		}
	}
	drawn := b.view(80, 6)
	if n := strings.Count(drawn, "\n"); n != 5 {
		t.Errorf("%d lines, want 5", n)
	}
	for _, running := range []string{"tool1", "tool3", "tool5", "tool7"} {
		if !strings.Contains(drawn, running) {
			t.Errorf("%s is missing", running)
		}
	}
}

func TestPlainLinesSayWhatChanged(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	b := NewBars(&out, Options{Now: c.now})
	bar := b.Start("reverse_tool")
	for i := range 101 {
		bar.Update(float64(i), 100, "")
		c.after(50 * time.Millisecond)
	}
	bar.Update(100, 100, "almost there")
	bar.Done(nil)
	bar.Update(1, 2, "too late")
	bar.Done(errors.New("too late"))

	quiet := b.Start("get\x1b[2J")
	quiet.Update(1, 0, "step one")
	quiet.Update(2, 0, "step one")
	c.after(time.Second)
	quiet.Update(3, 0, "step\ntwo\x1b]0;x\x07")
	quiet.Update(4, 0, "three at once says nothing")
	quiet.Done(errors.New("no\x1b[31m luck"))
	gone := b.Start("gone")
	c.after(62 * time.Second)
	gone.Done(context.Canceled)
	b.Wait()
	want := `reverse_tool started
reverse_tool 0 %
reverse_tool 10 %
reverse_tool 20 %
reverse_tool 30 %
reverse_tool 40 %
reverse_tool 50 %
reverse_tool 60 %
reverse_tool 70 %
reverse_tool 80 %
reverse_tool 90 %
reverse_tool 100 %
reverse_tool done in 5.0 s
get started
get step one
get step two
get failed after 1.0 s: no luck
gone started
gone cancelled after 1 min 02 s
`
	if got := out.String(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func TestPlainLinesSayPercentAndMessage(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	bar := NewBars(&out, Options{Now: c.now}).Start("reverse_tool")
	bar.Update(2, 5, "reversing…")
	c.after(time.Second)
	bar.Update(2.2, 5, "reversing…")
	bar.Update(2.4, 5, "still reversing…")
	if got := out.String(); got != "reverse_tool started\nreverse_tool 40 % reversing…\nreverse_tool 48 % still reversing…\n" {
		t.Errorf("said %q", got)
	}
}

func TestOddNumbersDrawNoOddBars(t *testing.T) {
	for _, row := range []struct {
		name        string
		done, total float64
		want        int
		known       bool
	}{
		{"half", 1, 2, 50, true},
		{"nearly all is not all", 999, 1000, 99, true},
		{"more than all", 3, 2, 100, true},
		{"less than nothing", -3, 2, 0, true},
		{"no total", 3, 0, 0, false},
		{"a negative total", 3, -1, 0, false},
		{"not a number", math.NaN(), 2, 0, false},
		{"a total that is not a number", 1, math.NaN(), 0, false},
		{"endless", 1, math.Inf(1), 0, false},
		{"endlessly done", math.Inf(1), 5, 100, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &Bar{done: row.done, total: row.total}
			if got, known := b.percent(); got != row.want || known != row.known {
				t.Errorf("%d %v, want %d %v", got, known, row.want, row.known)
			}
		})
	}
}

func TestTimesReadAsPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0 s", 420 * time.Millisecond: "0.4 s", 9940 * time.Millisecond: "9.9 s", 9960 * time.Millisecond: "10 s",
		59400 * time.Millisecond: "59 s", 59600 * time.Millisecond: "1 min 00 s", 185 * time.Second: "3 min 05 s", 130 * time.Minute: "2 h 10 min",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v reads %q, want %q", d, got, want)
		}
	}
}

func TestLiveBarsEndCleanly(t *testing.T) {
	var out bytes.Buffer
	b := NewBars(&out, Options{Terminal: true, Width: 80})
	var calls sync.WaitGroup
	for i := range 4 {
		calls.Go(func() {
			bar := b.Start(fmt.Sprintf("tool_%d", i))
			for n := range 50 {
				bar.Update(float64(n), 50, nasty)
			}
			bar.Done(nil)
		})
	}
	calls.Wait()
	b.Println("a line above")
	b.Wait()
	b.Close() // again: nothing happens
	drawn := out.String()
	for i := range 4 {
		if !strings.Contains(drawn, fmt.Sprintf("tool_%d", i)) {
			t.Errorf("tool_%d is missing", i)
		}
	}
	if !strings.Contains(drawn, "✓") || !strings.Contains(drawn, "a line above") {
		t.Errorf("drawn %q", drawn)
	}
	if strings.LastIndex(drawn, "\x1b[?25h") < strings.LastIndex(drawn, "\x1b[?25l") {
		t.Error("the cursor stays hidden")
	}
	for _, forbidden := range []string{"$p", "\x1b]11;?", "\x1b]0;", "\x1b[2J", "http://evil", "\u202e", "\x00"} {
		if strings.Contains(drawn, forbidden) {
			t.Errorf("%q reaches the terminal", forbidden)
		}
	}
	again := b.Start("once_more")
	again.Done(nil)
	b.Wait()
	if !strings.Contains(out.String(), "once_more") {
		t.Error("bars that were closed do not start again")
	}
}
