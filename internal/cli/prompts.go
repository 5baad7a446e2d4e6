package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func promptsCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:     "prompts [SERVER]",
		Short:   "List the prompts of an MCP server",
		Long:    "Lists the prompts that a server offers, one signature a line: arguments with a question mark may be left out.",
		Example: "  fastmcp-auth prompts\n  fastmcp-auth prompts https://mcp.example.com/mcp --json",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.during(cmd, firstOf(args), nil, func(ctx context.Context, session *client.Session) error {
			list, items, err := c.prompts(ctx, session)
			if err != nil {
				return err
			}
			if c.asJSON {
				return printList(c.out, "prompts", items)
			}
			if len(list) == 0 {
				return (&paper{err: c.err}).note("%s lists no prompts for you", c.server)
			}
			for _, p := range list {
				if err := c.printLine(arguments.Signature(p.Name, p.schema()), p.Description); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// prompt is what a server says of a prompt.
type prompt struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Arguments   []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Required    bool   `json:"required"`
	} `json:"arguments"`
}

// schema is what the prompt takes: texts.
func (p *prompt) schema() *arguments.Schema {
	s := &arguments.Schema{Types: []string{"object"}}
	for _, a := range p.Arguments {
		s.Properties = append(s.Properties, arguments.Property{
			Name: a.Name, Required: a.Required, Schema: &arguments.Schema{Types: []string{"string"}, Description: a.Description},
		})
	}
	return s
}

// prompts lists the prompts, read and as the server sent them.
func (c *caller) prompts(ctx context.Context, session *client.Session) ([]prompt, []json.RawMessage, error) {
	items, err := c.list(ctx, "prompts", func(ctx context.Context) error { return ignored(session.Prompts(ctx)) })
	if unknownMethod(err) {
		return nil, []json.RawMessage{}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	list := make([]prompt, len(items))
	for i, raw := range items {
		if err := json.Unmarshal(raw, &list[i]); err != nil {
			return nil, nil, fmt.Errorf("read the list of prompts: %w", err)
		}
	}
	return list, items, nil
}

func promptCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "prompt [SERVER] NAME [NAME=VALUE…]",
		Short: "Fill in a prompt of an MCP server",
		Long: "Prints the messages of a prompt, filled in with arguments: name=value, or name=@file for what stands in a file.\n" +
			"On a terminal, what is missing is asked for.",
		Example: "  fastmcp-auth prompt review language=go code=@main.go",
		Args:    usageArgs(cobra.MinimumNArgs(1)),
	}
	c.flags(cmd)
	cmd.ValidArgsFunction = completing(offerPrompts)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, args := serverFirst(args)
		if len(args) == 0 {
			return &usageError{fmt.Errorf("which prompt?"), cmd.CommandPath()}
		}
		var ask *asker
		return c.during(cmd, server, func(o *client.Options) {
			ask = newAsker(c.streams, c.settings.NoInput, c.look())
			o.Answer = ask.answer
		}, func(ctx context.Context, session *client.Session) error {
			texts, err := c.promptArguments(ctx, session, ask, args)
			if err != nil {
				return err
			}
			raw, err := c.last(ctx, ask, func(ctx context.Context) error { return ignored(session.Prompt(ctx, args[0], texts)) })
			if err != nil {
				return err
			}
			return c.printPrompt(raw)
		})
	}
	return cmd
}

// promptArguments reads the words after a prompt's name by what the prompt takes.
func (c *caller) promptArguments(ctx context.Context, session *client.Session, ask *asker, words []string) (map[string]string, error) {
	list, _, err := c.prompts(ctx, session)
	if err != nil {
		return nil, err
	}
	var names []string
	var chosen *prompt
	for i := range list {
		if names = append(names, list[i].Name); list[i].Name == words[0] {
			chosen = &list[i]
		}
	}
	if chosen == nil {
		return nil, c.none("prompt", words[0], names, "prompts")
	}
	t := &tool{Name: chosen.Name, Description: chosen.Description, schema: chosen.schema()}
	args, err := arguments.Parse(t.Name, t.schema, words[1:], arguments.Files{
		Stdin: c.in, Open: func(name string) (io.ReadCloser, error) { return os.Open(name) },
	})
	if faults, ok := err.(*arguments.Faults); ok && faults.OnlyMissing() && ask.in != nil {
		args, err = ask.arguments(ctx, t, faults.Given)
	} else if err != nil {
		err = &hintError{code: exitUsage, err: err, hint: tui.Clean(arguments.Signature(t.Name, t.schema))}
	}
	texts := map[string]string{}
	for name, v := range args {
		texts[name] = arguments.Text(v)
	}
	return texts, err
}

// printPrompt prints the messages of a prompt, each below who says it.
func (c *caller) printPrompt(raw json.RawMessage) error {
	p := &paper{out: c.out, err: c.err}
	if c.asJSON {
		return p.document(raw)
	}
	var result struct {
		Messages []struct {
			Role    string  `json:"role"`
			Content content `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	for i := range result.Messages {
		m := &result.Messages[i]
		if err := p.heading(strings.TrimSpace(m.Role)); err != nil {
			return err
		}
		if err := p.piece(&m.Content); err != nil {
			return err
		}
	}
	return nil
}
