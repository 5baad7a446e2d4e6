package cli

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// completionPatience is how long a person waits for a Tab.
const completionPatience = 2 * time.Second

// strictCompletion has cobra's completion command refuse a shell that it does not know; by itself it prints its help.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = usageArgs(cobra.NoArgs)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// offerWords offers the words of every flag that takes one of a few, such as the kinds of providers.
func offerWords(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if kind, _ := pflag.UnquoteUsage(f); strings.Contains(kind, "|") {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(strings.Split(kind, "|"), cobra.ShellCompDirectiveNoFileComp)) // errs for a flag that is not there
		}
	})
	for _, sub := range cmd.Commands() {
		offerWords(sub)
	}
}

// offerCommands offers the commands below those that are typed already.
func offerCommands(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	above, err := named(cmd.Root(), args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, sub := range above.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, candidate(sub.Name(), sub.Short))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// offerAccounts offers who has signed in.
func offerAccounts(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c := &caller{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}}
	if len(args) > 0 || c.load(cmd, "") != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kept, err := c.signIns()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, k := range kept {
		if who := cmp.Or(k.State.Account.Email, k.State.Account.Subject); who != "" {
			names = append(names, candidate(who, k.State.Server))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completing offers the names that a server knows to a shell: quickly, silently, and without asking anybody to sign in.
func completing(offer func(context.Context, *caller, *client.Session, []string, string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		c := &caller{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}}
		c.noAuth, _ = cmd.Flags().GetBool("no-auth")
		if dash := cmd.ArgsLenAtDash(); dash >= 0 && dash < len(args) { // cobra puts one at the end
			args = slices.Insert(slices.Clone(args), dash, "--") // which the flags have taken
		}
		server, rest := serverFirst(args)
		if c.load(cmd, server) != nil {
			return nil, nothing
		}
		c.settings.NoInput = true
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		session, err := c.open(ctx, nil)
		if err != nil {
			return nil, nothing
		}
		defer session.Close()
		var fitting []string
		open := false
		for _, word := range offer(ctx, c, session, rest, typed) {
			if strings.HasPrefix(word, typed) {
				fitting = append(fitting, word)
				open = open || strings.HasSuffix(strings.SplitN(word, "\t", 2)[0], "=")
			}
		}
		if open {
			return fitting, nothing | cobra.ShellCompDirectiveNoSpace
		}
		return fitting, nothing
	}
}

// offerTools offers the tools, and after one its arguments, and after an argument's name its values.
func offerTools(ctx context.Context, c *caller, session *client.Session, words []string, typed string) []string {
	list, err := c.tools(ctx, session)
	if err != nil {
		return nil
	}
	if len(words) == 0 || words[len(words)-1] == "--" {
		var names []string
		for i := range list {
			names = append(names, candidate(list[i].Name, list[i].brief()))
		}
		return names
	}
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] == "--" {
			words = words[i+1:]
			break
		}
	}
	t := find(list, words[0])
	if t == nil {
		return nil
	}
	return offerArguments(t.schema, words[1:], typed)
}

// offerArguments offers names with an equals sign, and values where the schema lists them.
func offerArguments(s *arguments.Schema, words []string, typed string) []string {
	given := map[string]bool{}
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		given[strings.TrimSuffix(name, ":")] = true
	}
	if name, _, valued := strings.Cut(typed, "="); valued {
		p := s.Property(name)
		if p == nil {
			return nil
		}
		var values []string
		for _, v := range p.Schema.Enum {
			values = append(values, candidate(name+"="+arguments.Text(v), ""))
		}
		if p.Schema.Takes("boolean") {
			values = append(values, name+"=true", name+"=false")
		}
		return values
	}
	var names []string
	for _, p := range s.Properties {
		if !given[p.Name] || p.Schema.Takes("array") {
			names = append(names, candidate(p.Name+"=", p.Schema.Description))
		}
	}
	return names
}

// offerURIs offers what may be read.
func offerURIs(ctx context.Context, _ *caller, session *client.Session, words []string, _ string) []string {
	if len(words) > 0 {
		return nil
	}
	list, err := session.Resources(ctx)
	if err != nil {
		return nil
	}
	var uris []string
	for _, r := range list {
		uris = append(uris, candidate(r.URI, r.Description))
	}
	return uris
}

// offerPrompts offers the prompts, and after one its arguments.
func offerPrompts(ctx context.Context, c *caller, session *client.Session, words []string, typed string) []string {
	list, _, err := c.prompts(ctx, session)
	if err != nil {
		return nil
	}
	var names []string
	for i := range list {
		if len(words) > 0 && list[i].Name == words[0] {
			return offerArguments(list[i].schema(), words[1:], typed)
		}
		names = append(names, candidate(list[i].Name, list[i].Description))
	}
	if len(words) > 0 {
		return nil
	}
	return names
}

// candidate is a word and what it is, as cobra's scripts want it: a stranger's words must not end the line.
func candidate(word, about string) string {
	word, about = tui.Clean(word), tui.Clean(about)
	if about == "" {
		return word
	}
	return word + "\t" + about
}
