package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func resourcesCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "resources [SERVER]",
		Short: "List what an MCP server lets you read",
		Long: "Lists the resources of a server, one a line: its URI, type, and what it is. URIs with {names} in them are templates:\n" +
			"fill them in to read them.",
		Example: "  fastmcp-auth resources\n  fastmcp-auth read time://current",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.during(cmd, firstOf(args), nil, func(ctx context.Context, session *client.Session) error {
			resources, err := c.list(ctx, "resources", func(ctx context.Context) error { return ignored(session.Resources(ctx)) })
			if err != nil {
				return err
			}
			templates, err := c.list(ctx, "resourceTemplates", func(ctx context.Context) error { return ignored(session.Templates(ctx)) })
			if unknownMethod(err) {
				err = nil
			}
			if err != nil {
				return err
			}
			return c.printResources(resources, templates)
		})
	}
	return cmd
}

// ignored drops a result that was heard verbatim.
func ignored[T any](_ T, err error) error { return err }

// unknownMethod reports whether the server does not know what it was asked.
func unknownMethod(err error) bool {
	var said *client.ServerError
	return errors.As(err, &said) && said.Code == -32601
}

// during opens a session with server, uses it, and closes it.
func (c *caller) during(cmd *cobra.Command, server string, change func(*client.Options), use func(context.Context, *client.Session) error) error {
	if err := c.load(cmd, server); err != nil {
		return err
	}
	session, err := c.open(cmd.Context(), change)
	if err != nil {
		return err
	}
	defer session.Close()
	return use(cmd.Context(), session)
}

func (c *caller) printResources(resources, templates []json.RawMessage) error {
	if c.asJSON {
		raw, err := json.Marshal(struct {
			Resources []json.RawMessage `json:"resources"`
			Templates []json.RawMessage `json:"resourceTemplates"`
		}{resources, append([]json.RawMessage{}, templates...)})
		if err != nil {
			return fmt.Errorf("print the list: %w", err)
		}
		return (&paper{out: c.out}).document(raw)
	}
	if len(resources)+len(templates) == 0 {
		return (&paper{err: c.err}).note("%s lists no resources for you", c.server)
	}
	for _, raw := range append(resources[:len(resources):len(resources)], templates...) {
		var r struct {
			URI         string `json:"uri"`
			Template    string `json:"uriTemplate"`
			Name        string `json:"name"`
			MIMEType    string `json:"mimeType"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("read the list of resources: %w", err)
		}
		about := r.Description
		if about == "" {
			about = r.Name
		}
		if err := c.printLine(r.URI+r.Template, r.MIMEType, about); err != nil {
			return err
		}
	}
	return nil
}

// printLine prints the parts of a list's item on one line, which a terminal does not break.
func (c *caller) printLine(parts ...string) error {
	var line []string
	for _, p := range parts {
		if p = tui.Clean(p); p != "" {
			line = append(line, p)
		}
	}
	text := strings.Join(line, "  ")
	if width := c.columns(); width > 0 {
		text = ansi.Truncate(text, width, "…")
	}
	_, err := fmt.Fprintln(c.out, text)
	return err
}

func readCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	var output string
	cmd := &cobra.Command{
		Use:   "read [SERVER] URI",
		Short: "Read a resource of an MCP server",
		Long: "Prints the contents of a resource. Text goes to stdout; what is no text is saved with --output. Of two arguments the\n" +
			"first is the server's URL.",
		Example: "  fastmcp-auth read time://current\n  fastmcp-auth read https://mcp.example.com/mcp time://timezones --json",
		Args:    usageArgs(cobra.RangeArgs(1, 2)),
	}
	c.flags(cmd)
	cmd.ValidArgsFunction = completing(offerURIs)
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write the contents to this `file`, byte for byte; a folder gets a file for each piece.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, uri := "", args[len(args)-1]
		if len(args) == 2 {
			server = args[0]
		}
		if output != "" && c.asJSON {
			return &usageError{errors.New("--output and --json exclude each other: --json prints all of the result"), cmd.CommandPath()}
		}
		ask := newAsker(c.streams, true, tui.Options{})
		return c.during(cmd, server, func(o *client.Options) {
			ask = newAsker(c.streams, c.settings.NoInput, c.look())
			o.Answer = ask.answer
		}, func(ctx context.Context, session *client.Session) error {
			raw, err := c.last(ctx, ask, func(ctx context.Context) error { return ignored(session.Read(ctx, uri)) })
			if refused := (*client.ServerError)(nil); errors.As(err, &refused) {
				return &hintError{code: exitFailed, err: err, hint: fmt.Sprintf("run %q for what there is", "fastmcp-auth resources "+c.server)}
			}
			if err != nil {
				return err
			}
			p := &paper{out: c.out, err: c.err, output: output}
			if c.asJSON {
				return p.document(raw)
			}
			var result struct {
				Contents []content `json:"contents"`
			}
			if err := json.Unmarshal(raw, &result); err != nil {
				return fmt.Errorf("read the result: %w", err)
			}
			for i := range result.Contents {
				if err := p.piece(&result.Contents[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

const readTime = 5 * time.Minute // for a resource or a prompt, the time of a person left out

// last asks for something and returns the result as the server sent it: the last one, where it asked back.
func (c *caller) last(ctx context.Context, who *asker, ask func(context.Context) error) (json.RawMessage, error) {
	ctx, l := limited(ctx, readTime, 0)
	defer l.end()
	c.hold = func(show func()) {
		defer l.pause()()
		show()
	}
	who.hold = c.hold
	rounds, err := client.Verbatim(ctx, ask)
	if late := (*timeoutError)(nil); err != nil && errors.As(context.Cause(ctx), &late) {
		return nil, c.explain(&hintError{code: exitUnreachable, err: fmt.Errorf("no answer within %s", readTime), hint: fmt.Sprintf("run %q", "fastmcp-auth doctor "+c.server)})
	}
	if err != nil {
		return nil, c.explain(err)
	}
	if len(rounds) == 0 {
		return nil, c.explain(errors.New("the server sent no result"))
	}
	return rounds[len(rounds)-1], nil
}
