package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/mcptools"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// shot asks once, and prints the answer in the form that was asked for.
type shot struct {
	c   *conversation
	out io.Writer

	mu    sync.Mutex
	watch *watch
	bars  map[string]*shown
	calls []*calledOnce // of the document
	wrong error         // the first event that could not be written
}

// calledOnce is a call as the document shows it.
type calledOnce struct {
	ID        string          `json:"id"`
	Server    string          `json:"server,omitempty"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Outcome   string          `json:"outcome"`
	Text      string          `json:"text,omitempty"`
	Error     string          `json:"error,omitempty"`
	Began     *time.Time      `json:"began,omitempty"` // nil where it did not run
	Ended     time.Time       `json:"ended"`
}

// start makes the agent. On the screen a person decides; elsewhere nobody does.
func (c *conversation) start(o agent.Options, once bool) (err error) {
	var one *shot
	if once {
		form := progressAuto
		if c.output != outputText {
			form = progressOff
		}
		one = &shot{c: c, out: c.out, watch: newWatch(form, c.asJSON, c.err, c.look()), bars: map[string]*shown{}}
		o.Hear = one.hear
		c.servers.Down = one.down
	} else {
		o.Hear, o.Approve = c.hear, c.approve
		c.newChat()
	}
	c.options = o
	if c.agent, err = agent.New(o); err != nil {
		return err
	}
	c.one = one
	var holding sync.Mutex // one sign-in at a time, whatever the server
	hold := func(show func()) {
		holding.Lock()
		defer holding.Unlock()
		defer c.agent.Pause()()
		if one != nil {
			one.watch.hold(show)
		} else {
			show()
		}
	}
	c.ask.hold = hold
	for _, each := range c.asking() {
		each.hold = hold
	}
	return nil
}

// shot asks once.
func (c *conversation) shot(ctx context.Context, question string) error {
	s := c.one
	if c.output == outputJSONL {
		s.line(map[string]any{"event": "begin", "conversation": c.id(), "model": c.modelName})
	}
	if where := c.where(); where != "" {
		(&paper{err: c.err}).note("%s", where)
	}
	out, err := c.agent.Turn(ctx, question)
	s.watch.close()
	err = c.explainAgent(err)
	switch c.output {
	case outputText:
		if err == nil {
			_, err = fmt.Fprintln(c.out, strings.TrimRight(tui.CleanText(out.Text), "\n"))
		}
	case outputJSON:
		if failed := s.document(out, err); failed != nil {
			return failed
		}
	}
	return errors.Join(err, s.wrong)
}

// document prints the one document.
func (s *shot) document(out agent.Outcome, err error) error {
	doc := map[string]any{"text": out.Text, "model": s.c.modelName, "steps": out.Steps, "calls": s.calls, "tokens": out.Totals, "cost": nil, "conversation": s.c.id(), "error": nil}
	if s.calls == nil {
		doc["calls"] = []string{}
	}
	if spent, known := s.c.agent.Cost(); known {
		doc["cost"] = spent
	}
	if err != nil {
		doc["error"] = errorLineOf(err)
	}
	raw, failed := json.Marshal(doc)
	if failed != nil {
		return fmt.Errorf("print the answer: %w", failed)
	}
	return (&paper{out: s.out}).document(raw)
}

func (s *shot) hear(e agent.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(e)
	if s.c.output == outputJSONL {
		s.event(e)
		return
	}
	if s.c.output != outputText {
		return
	}
	switch e.Kind {
	case agent.EventStart:
		s.bars[e.Call] = s.watch.start(len(s.bars)+1, s.toolOf(e.Call))
	case agent.EventProgress:
		if bar := s.bars[e.Call]; bar != nil {
			bar.update(client.Progress{Done: e.Progress.Done, Total: e.Progress.Total, Message: e.Progress.Message})
		}
	case agent.EventResult:
		var failed error
		if e.Error != "" {
			failed = errors.New(e.Error)
		}
		if bar := s.bars[e.Call]; bar != nil {
			bar.done(failed)
		} else if failed != nil {
			s.say("%s was not called: %s", s.toolOf(e.Call), e.Error)
		}
	case agent.EventRetry:
		s.say("%s; %s", e.Error, e.Text)
	case agent.EventNote:
		s.say("%s", e.Text)
	case agent.EventCompacted:
		s.say("the conversation was summed up to make room")
	}
}

func (s *shot) say(format string, args ...any) {
	line := "fastmcp-auth: " + tui.Clean(fmt.Sprintf(format, args...))
	if s.watch.bars != nil {
		s.watch.bars.Println(line)
		return
	}
	fmt.Fprintln(s.c.err, line)
}

func (s *shot) down(server mcptools.Server, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c.output == outputJSONL {
		s.line(map[string]any{"event": "server", "server": server.Name, "error": errorLineOf(err)})
		return
	}
	fmt.Fprintln(s.c.err, "fastmcp-auth: "+s.c.down(server, err))
}

func (s *shot) toolOf(id string) string {
	for _, c := range s.calls {
		if c.ID == id {
			return tui.Clean(c.Tool)
		}
	}
	return id
}

// remember keeps what the document shows of calls.
func (s *shot) remember(e agent.Event) {
	if e.Kind == agent.EventCall {
		s.calls = append(s.calls, &calledOnce{ID: e.Call, Server: e.Server, Tool: e.Tool, Arguments: e.Arguments})
		return
	}
	for _, c := range s.calls {
		if c.ID != e.Call {
			continue
		}
		now := time.Now().UTC()
		switch e.Kind {
		case agent.EventStart:
			c.Began = &now
		case agent.EventResult:
			c.Outcome, c.Text, c.Error, c.Ended = e.Outcome, e.Text, e.Error, now
		}
	}
}

// event writes an event with its time.
func (s *shot) event(e agent.Event) {
	s.write(struct {
		At time.Time `json:"at"`
		agent.Event
	}{time.Now().UTC(), e})
}

func (s *shot) line(m map[string]any) {
	m["at"] = time.Now().UTC()
	s.write(m)
}

func (s *shot) write(v any) {
	raw, err := json.Marshal(v)
	if err == nil {
		_, err = s.out.Write(append(steerless(raw), '\n'))
	}
	if err != nil && s.wrong == nil {
		s.wrong = fmt.Errorf("print an event: %w", err)
	}
}
