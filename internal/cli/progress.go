package cli

import (
	"encoding/json"
	"io"
	"sync"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// The forms of progress.
const (
	progressAuto  = "auto"
	progressPlain = "plain"
	progressJSON  = "json"
	progressOff   = "off"
)

// watch shows how far calls are, in the form that was asked for.
type watch struct {
	out  io.Writer
	bars *tui.Bars // nil where nothing is drawn

	mu   sync.Mutex
	json bool
}

// newWatch shows progress on out. By itself it draws on a terminal, and writes lines elsewhere; a program that asked for
// JSON hears nothing but what it asked for.
func newWatch(form string, asJSON bool, out io.Writer, look tui.Options) *watch {
	w := &watch{out: out}
	switch {
	case form == progressOff, form == progressAuto && asJSON && !look.Terminal:
	case form == progressJSON:
		w.json = true
	case form == progressPlain:
		w.bars = tui.NewBars(out, tui.Options{Width: look.Width})
	default:
		w.bars = tui.NewBars(out, look)
	}
	return w
}

// shown is one call under watch. One without a number is not shown.
type shown struct {
	w    *watch
	bar  *tui.Bar // nil where nothing is drawn
	call int
	tool string
}

// start begins to show a call; number counts the calls from 1.
func (w *watch) start(number int, tool string) *shown {
	s := &shown{w: w, call: number, tool: tool}
	if w.bars != nil {
		s.bar = w.bars.Start(tool)
	}
	return s
}

// update shows a report of the server.
func (s *shown) update(p client.Progress) {
	if s.bar != nil {
		s.bar.Update(p.Done, p.Total, p.Message)
	}
	if s.w.json && s.call > 0 {
		s.line(map[string]any{"event": "progress", "progress": p.Done, "total": orNull(p.Total), "message": p.Message})
	}
}

// done ends it.
func (s *shown) done(err error) {
	if s.bar != nil {
		s.bar.Done(err)
	}
	if s.w.json && s.call > 0 {
		s.line(map[string]any{"event": "done", "ok": err == nil})
	}
}

func orNull(total float64) any {
	if total == 0 {
		return nil
	}
	return total
}

// line writes one JSON object a line.
func (s *shown) line(m map[string]any) {
	m["call"], m["tool"] = s.call, s.tool
	raw, err := json.Marshal(m)
	if err != nil {
		return
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.out.Write(append(steerless(raw), '\n'))
}

// hold gives the terminal to show, and takes it back.
func (w *watch) hold(show func()) {
	if w.bars == nil {
		show()
		return
	}
	w.bars.Hold(show)
}

// close gives the terminal back.
func (w *watch) close() {
	if w.bars != nil {
		w.bars.Close()
	}
}
