package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/openai"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

const agentHelp = `/tools            what may be called
/servers          which servers there are, and how they are
/login [SERVER]   try servers that are down again, and sign in
/model [NAME]     which model answers, or have another answer
/compact          sum up what was said, to make room
/cost             tokens and cost so far
/export [FILE]    write the conversation as Markdown
/resume [ID]      list conversations, or go on with one
/clear            begin another conversation
/quit             leave; so does Ctrl-C twice

Tab chooses a running call, Esc cancels it, or everything that is going on. PgUp and PgDn scroll, ↑ and ↓ bring back what you said.`

// command does what begins with a slash.
func (c *conversation) command(text string) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case "/help":
		c.chat.Note(agentHelp)
	case "/tools":
		c.begin(c.listTools)
	case "/servers":
		c.chat.Note(c.serverList())
	case "/login":
		c.servers.Again(rest)
		c.begin(c.connect)
	case "/model":
		c.begin(func(ctx context.Context) error { return c.changeModel(ctx, rest) })
	case "/compact":
		c.begin(c.agent.Compact)
	case "/cost":
		t := c.agent.Totals()
		text := fmt.Sprintf("%d tokens read, %d written, %s", t.In, t.Out, c.cost())
		if t.Unknown > 0 {
			text += fmt.Sprintf("; of %d answers the model did not say how many", t.Unknown)
		}
		c.chat.Note(text)
	case "/export":
		c.fault(c.export(rest))
	case "/clear":
		c.begin(c.clear)
	case "/resume":
		c.begin(func(context.Context) error { return c.goOn(rest) })
	case "/quit", "/exit":
		c.chat.Leave()
	default:
		c.chat.Note(fmt.Sprintf("There is no %s. Type /help for what there is.", tui.Clean(name)))
	}
}

func (c *conversation) listTools(ctx context.Context) error {
	tools, err := c.servers.List(ctx)
	if err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("%d tools", len(tools))}
	for _, t := range tools {
		line := t.Name
		if t.ReadOnly {
			line += " (changes nothing, says its server)"
		}
		brief, _, _ := strings.Cut(t.Description, "\n")
		lines = append(lines, line+"  "+tui.Clean(brief))
	}
	c.chat.Note(strings.Join(lines, "\n"))
	return nil
}

func (c *conversation) serverList() string {
	var lines []string
	for _, s := range c.servers.States() {
		how := fmt.Sprintf("%d tools", s.Tools)
		switch {
		case s.Err != nil:
			how = "down: " + tui.Clean(s.Err.Error())
		case !s.Tried:
			how = "not tried yet"
		}
		lines = append(lines, fmt.Sprintf("%s  %s  %s", s.Name, s.URL, how))
	}
	return strings.Join(lines, "\n")
}

// changeModel has another model of the same maker answer.
func (c *conversation) changeModel(ctx context.Context, name string) error {
	if name == "" {
		c.chat.Note(fmt.Sprintf("%s answers. /model NAME has another of the same maker answer.", c.modelName))
		return nil
	}
	o := c.endpoint
	o.Model = name
	model, err := openai.New(o)
	if err != nil {
		return err
	}
	c.agent.SetModel(model)
	c.options.Model, c.modelName = model, name
	c.status()
	c.chat.Note(name + " answers from now on.")
	return nil
}

// export writes the conversation into a file that was not there.
func (c *conversation) export(path string) error {
	if path == "" {
		path = "conversation.md"
		if id := c.id(); id != "" {
			path = id + ".md"
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	err = agent.Export(f, c.agent.Messages())
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		c.chat.Note("The conversation stands in " + path + ".")
	}
	return err
}

// clear begins another conversation; the one before stays in its file.
func (c *conversation) clear(context.Context) error {
	if c.transcript == nil {
		c.agent.Clear(nil)
	} else {
		next, err := agent.NewTranscript(c.talks())
		if err != nil {
			return err
		}
		c.agent.Clear(next)
		c.transcript.Close()
		c.transcript = next
	}
	c.chat.Clear()
	c.status()
	return nil
}

// goOn lists the conversations, or goes on with one.
func (c *conversation) goOn(id string) error {
	if c.dir == "" {
		return errors.New("there is no folder for conversations: name one with --dir")
	}
	if id == "" {
		all, err := agent.Transcripts(c.talks())
		if err != nil {
			return err
		}
		lines := []string{"/resume ID goes on with one of"}
		for _, s := range all[max(0, len(all)-20):] {
			if s.First != "" {
				lines = append(lines, s.ID+"  "+tui.Clean(s.First))
			}
		}
		c.chat.Note(strings.Join(lines, "\n"))
		return nil
	}
	if id == c.id() {
		return errors.New("that is the conversation you are in")
	}
	t, err := agent.OpenTranscript(c.talks(), id)
	if errors.Is(err, agent.ErrTranscriptInUse) {
		return openElsewhere(id, err)
	}
	if err != nil {
		return err
	}
	o := c.options
	o.Transcript = t
	next, err := agent.New(o)
	if err != nil {
		t.Close()
		return err
	}
	c.transcript.Close()
	c.transcript, c.agent = t, next
	c.chat.Clear()
	c.replay()
	c.status()
	return nil
}
