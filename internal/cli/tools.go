package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func toolsCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "tools [SERVER] [TOOL]",
		Short: "List the tools of an MCP server, or show one",
		Long: "Lists what you may call, one signature a line: arguments with a question mark may be left out. With the name of a tool\n" +
			"it shows all that the server says of it. A server is a URL or a configured name, here or with --server.",
		Example: "  fastmcp-auth tools\n  fastmcp-auth tools https://mcp.example.com/mcp\n  fastmcp-auth tools reverse_tool",
		Args:    usageArgs(cobra.MaximumNArgs(2)),
	}
	c.flags(cmd)
	cmd.ValidArgsFunction = completing(func(ctx context.Context, c *caller, session *client.Session, words []string, typed string) []string {
		if len(words) > 0 {
			return nil
		}
		return offerTools(ctx, c, session, nil, typed)
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, args := serverFirst(args)
		if len(args) > 1 {
			return &usageError{fmt.Errorf("%q is no URL; the first of two arguments is the server's", args[0]), cmd.CommandPath()}
		}
		if err := c.load(cmd, server); err != nil {
			return err
		}
		session, err := c.open(cmd.Context(), nil)
		if err != nil {
			return err
		}
		defer session.Close()
		list, err := c.tools(cmd.Context(), session)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return c.printTools(list)
		}
		t := find(list, args[0])
		if t == nil {
			return c.noTool(args[0], list)
		}
		return c.printTool(t)
	}
	return cmd
}

// serverFirst takes the server from the front of args, where a URL stands there, with its scheme or without.
func serverFirst(args []string) (server string, rest []string) {
	if len(args) > 0 && (strings.Contains(args[0], "://") || schemeless.MatchString(args[0])) {
		return args[0], args[1:]
	}
	return "", args
}

// schemeless is a host with a port, or with the usual path.
var schemeless = regexp.MustCompile(`^[\w.-]+(:\d+(/.*)?|/mcp/?)$`)

// tool is what a server says of a tool, and what that means for its arguments.
type tool struct {
	Name        string          `json:"name"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Input       json.RawMessage `json:"inputSchema"`
	Output      json.RawMessage `json:"outputSchema"`
	Annotations struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
		Idempotent  *bool `json:"idempotentHint"`
		OpenWorld   *bool `json:"openWorldHint"`
	} `json:"annotations"`

	raw    json.RawMessage
	schema *arguments.Schema
}

// brief is the first sentence of the description, or else the title.
func (t *tool) brief() string {
	text := tui.Clean(t.Description)
	if text == "" {
		text = tui.Clean(t.Title)
	}
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}

// tools lists what the caller may call, as the server sent it.
func (c *caller) tools(ctx context.Context, session *client.Session) ([]tool, error) {
	items, err := c.list(ctx, "tools", func(ctx context.Context) error {
		_, err := session.Tools(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]tool, len(items))
	for i, raw := range items {
		t := &list[i]
		if err := json.Unmarshal(raw, t); err != nil {
			return nil, fmt.Errorf("read the list of tools: %w", err)
		}
		if t.schema, err = arguments.ParseSchema(t.Input); err != nil {
			return nil, fmt.Errorf("read the arguments of %s: %w", tui.Clean(t.Name), err)
		}
		t.raw = raw
	}
	return list, nil
}

// list asks for a list and returns its items of all pages, as the server sent them.
func (c *caller) list(ctx context.Context, name string, ask func(context.Context) error) ([]json.RawMessage, error) {
	pages, err := client.Verbatim(ctx, ask)
	if err != nil {
		return nil, c.explain(err)
	}
	items := []json.RawMessage{}
	for _, page := range pages {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(page, &all); err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", name, err)
		}
		var some []json.RawMessage
		if raw := all[name]; raw != nil {
			if err := json.Unmarshal(raw, &some); err != nil {
				return nil, fmt.Errorf("read the list of %s: %w", name, err)
			}
		}
		items = append(items, some...)
	}
	return items, nil
}

func find(list []tool, name string) *tool {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// noTool says that there is no tool of this name, and which was meant.
func (c *caller) noTool(name string, list []tool) error {
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	return c.none("tool", name, names, "tools")
}

// none says that the server has nothing of this name. command lists what there is.
func (c *caller) none(what, name string, names []string, command string) error {
	text := fmt.Sprintf("%s has no %s %q", c.server, what, name)
	if near := nearest.Name(name, names); near != "" {
		text += fmt.Sprintf("; did you mean %s?", tui.Clean(near))
	}
	return &hintError{code: exitUsage, err: errors.New(text), hint: fmt.Sprintf("run %q", "fastmcp-auth "+command+" "+c.server)}
}

// printTools prints a signature a line, with its brief where there is room, or where no terminal limits it.
func (c *caller) printTools(list []tool) error {
	if c.asJSON {
		return printList(c.out, "tools", rawOf(list))
	}
	if len(list) == 0 {
		return (&paper{err: c.err}).note("%s lists no tools for you", c.server)
	}
	width := c.columns()
	for i := range list {
		t := &list[i]
		line := tui.Clean(arguments.Signature(t.Name, t.schema))
		if brief := t.brief(); brief != "" {
			line += "  " + brief
		}
		if width > 0 {
			line = ansi.Truncate(line, width, "…")
		}
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	return nil
}

func rawOf(list []tool) []json.RawMessage {
	items := []json.RawMessage{}
	for _, t := range list {
		items = append(items, t.raw)
	}
	return items
}

// printList prints the items of all pages as one document, each item as the server sent it.
func printList(w io.Writer, name string, items []json.RawMessage) error {
	raw, err := json.Marshal(map[string][]json.RawMessage{name: items})
	if err != nil {
		return fmt.Errorf("print the list: %w", err)
	}
	return (&paper{out: w}).document(raw)
}

// columns is how wide stdout is where it is a terminal, else 0.
func (c *caller) columns() int {
	if !isTerminal(c.out) {
		return 0
	}
	return tui.Columns(c.out.(*watched).w)
}

// printTool prints all that the server says of a tool.
func (c *caller) printTool(t *tool) error {
	p := &paper{out: c.out, err: c.err}
	if c.asJSON {
		return p.document(t.raw)
	}
	var b strings.Builder
	fmt.Fprintln(&b, arguments.Signature(t.Name, t.schema))
	if t.Title != "" && t.Title != t.Name {
		fmt.Fprintf(&b, "%s\n", t.Title)
	}
	if t.Description != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Description)
	}
	if hints := t.hints(); hints != "" {
		fmt.Fprintf(&b, "\nThe server says that it %s.\n", hints)
	}
	if len(t.schema.Properties) > 0 {
		b.WriteString("\nArguments:\n")
	}
	for _, a := range t.schema.Properties {
		need := ""
		if a.Required {
			need = ", needed"
		}
		fmt.Fprintf(&b, "  %s  %s%s\n", a.Name, a.Schema.Kind(), need)
		if a.Schema.Description != "" {
			fmt.Fprintf(&b, "      %s\n", a.Schema.Description)
		}
	}
	for _, s := range []struct {
		name string
		raw  json.RawMessage
	}{{"Input", t.Input}, {"Output", t.Output}} {
		if len(s.raw) > 0 && string(s.raw) != "null" {
			fmt.Fprintf(&b, "\n%s schema:\n%s\n", s.name, indented(s.raw))
		}
	}
	return p.text(b.String())
}

// hints are the annotations in words. They are a stranger's claim.
func (t *tool) hints() string {
	var all []string
	for _, h := range []struct {
		claim    *bool
		yes, not string
	}{
		{t.Annotations.ReadOnly, "changes nothing", "may change something"},
		{t.Annotations.Destructive, "may destroy something", "destroys nothing"},
		{t.Annotations.Idempotent, "does no more when called again", ""},
		{t.Annotations.OpenWorld, "reaches outside", ""},
	} {
		switch {
		case h.claim == nil:
		case *h.claim:
			all = append(all, h.yes)
		case h.not != "":
			all = append(all, h.not)
		}
	}
	return strings.Join(all, ", ")
}
