package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/mcptools"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// turning is what is going on on the screen: one thing at a time.
type turning struct {
	mu      sync.Mutex
	cancel  context.CancelFunc // nil where nothing is
	running sync.WaitGroup
}

// newChat prepares the screen, and has everything that is said to a person said there.
func (c *conversation) newChat() {
	c.chat = tui.NewChat(c.in, c.err, c.look(), tui.ChatActions{Say: c.say, Cancel: c.cancelOne})
	c.ask.chat = c.chat
	for _, one := range c.asking() {
		one.err = notes{c.chat}
		one.stage.out, one.stage.chat = one.err, c.chat
	}
	c.servers.Down = func(s mcptools.Server, err error) { c.chat.Note(c.down(s, err)) }
}

// notes are lines that are said on the screen.
type notes struct{ chat *tui.Chat }

func (n notes) Write(p []byte) (int, error) {
	n.chat.Note(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// screen talks with a person until they leave.
func (c *conversation) screen(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.ctx = ctx
	c.status()
	c.replay()
	if where := c.where(); where != "" {
		c.chat.Note(where)
	}
	c.begin(func(ctx context.Context) error { return c.connect(ctx) })
	err := c.chat.Run(ctx)
	stop()
	if broke := (*tui.BrokenError)(nil); errors.As(err, &broke) {
		fmt.Fprintf(c.err, "%s\n", broke.Stack)
	}
	c.turning.running.Wait() // so that the transcript is whole
	if id := c.id(); id != "" && len(c.agent.Messages()) > 0 {
		(&paper{err: c.err}).note("go on with: fastmcp-auth agent --resume %s", id)
	}
	return err
}

// connect opens the servers, and says what there is.
func (c *conversation) connect(ctx context.Context) error {
	tools, err := c.servers.List(ctx)
	if err != nil {
		return err
	}
	up, states := 0, c.servers.States()
	for _, s := range states {
		if s.Err == nil {
			up++
		}
	}
	c.chat.Note(fmt.Sprintf("%s of %s. Ask for something, or type /help.", some(len(tools), "tool"), some(up, "server")))
	c.status()
	return nil
}

// begin runs do, which Esc ends, unless something else is going on.
func (c *conversation) begin(do func(ctx context.Context) error) {
	t := &c.turning
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		c.chat.Note("Wait until it is done, or press Esc to stop it.")
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	t.cancel = cancel
	c.chat.Busy(true)
	t.running.Go(func() {
		defer c.chat.Rescue()
		err := do(ctx)
		c.fault(err)
		t.mu.Lock()
		t.cancel = nil
		c.chat.Busy(false)
		t.mu.Unlock()
		cancel()
	})
}

func (c *conversation) fault(err error) {
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		c.chat.Note("Cancelled.")
	default:
		c.chat.Fault(strings.Join(append([]string{plain(err)}, hintsOf(err)...), "\n"))
	}
}

// say takes what the person typed.
func (c *conversation) say(text string) {
	if strings.HasPrefix(text, "/") {
		c.command(text)
		return
	}
	c.begin(func(ctx context.Context) error {
		c.chat.Person(text)
		_, err := c.agent.Turn(ctx, text)
		c.chat.Spoken()
		c.status()
		return c.explainAgent(err)
	})
}

func (c *conversation) cancelOne(call string) {
	if call != "" && c.agent.Cancel(call) {
		return
	}
	c.turning.mu.Lock()
	defer c.turning.mu.Unlock()
	if c.turning.cancel != nil {
		c.turning.cancel()
	}
}

// hear shows what happens.
func (c *conversation) hear(e agent.Event) {
	switch e.Kind {
	case agent.EventText:
		c.chat.Speak(e.Text)
	case agent.EventRetry:
		c.chat.Unsay()
		c.chat.Note(e.Error + "; " + e.Text)
	case agent.EventMessage:
		c.chat.Spoken()
	case agent.EventUsage:
		c.status()
	case agent.EventCall:
		c.chat.Call(tui.ChatCall{ID: e.Call, Tool: e.Tool, Server: e.Server, Arguments: string(e.Arguments)})
	case agent.EventStart:
		c.chat.Started(e.Call)
	case agent.EventProgress:
		c.chat.Progress(e.Call, e.Progress.Done, e.Progress.Total, e.Progress.Message)
	case agent.EventResult:
		var err error
		switch {
		case e.Outcome == "cancelled":
			err = context.Canceled
		case e.Error != "":
			err = errors.New(e.Error)
		}
		c.chat.Done(e.Call, e.Text, err)
	case agent.EventNote:
		c.chat.Note(e.Text)
	case agent.EventCompacted:
		c.chat.Note("What was said before was summed up, to make room.")
	}
}

// approve asks the person.
func (c *conversation) approve(ctx context.Context, call agent.Call) (agent.Answer, error) {
	server := call.Tool.Server
	if call.Tool.ServerTool != call.Tool.Name {
		server += ", which calls it " + call.Tool.ServerTool
	}
	consent, reason, err := c.chat.Approve(ctx, tui.Approval{Tool: call.Tool.Name, Server: server, Arguments: tui.Shown(string(call.Arguments)), Note: call.Note})
	if err != nil {
		return agent.Answer{}, err
	}
	return agent.Answer{Allow: consent != tui.Refuse, Reason: reason, Keep: map[tui.Consent]agent.Keep{
		tui.AllowOnce: agent.Once, tui.AllowSession: agent.Session, tui.AllowSame: agent.AlwaysSame, tui.AllowWhatever: agent.AlwaysWhatever,
	}[consent]}, nil
}

// status writes the last line.
func (c *conversation) status() {
	up, states := 0, c.servers.States()
	for _, s := range states {
		if s.Tried && s.Err == nil {
			up++
		}
	}
	c.chat.Status(tui.ChatStatus{Model: c.modelName, Servers: fmt.Sprintf("%d/%d servers", up, len(states)), Tokens: c.tokens(), Cost: c.cost()})
}

func (c *conversation) tokens() string {
	t := c.agent.Totals()
	if t.In+t.Out == 0 {
		return ""
	}
	return fmt.Sprintf("%d tokens", t.In+t.Out)
}

// cost is what the conversation has cost, or n/a where that is not known.
func (c *conversation) cost() string {
	if spent, known := c.agent.Cost(); known {
		return fmt.Sprintf("cost %.4f", spent)
	}
	return "cost n/a"
}

// replay shows what was said before.
func (c *conversation) replay() {
	for _, m := range c.agent.Messages() {
		switch {
		case m.Role == agent.RoleUser:
			c.chat.Person(m.Text)
		case m.Role == agent.RoleAssistant && m.Text != "":
			c.chat.Model(m.Text)
		}
		for _, call := range m.Calls {
			c.chat.Note("called " + call.Tool + " " + call.Arguments)
		}
	}
}

// some is so many things in words.
func some(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
