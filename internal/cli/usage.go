package cli

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const helpWidth = 80 // columns

// help writes what cmd does and how it is called.
func help(cmd *cobra.Command, _ []string) {
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n%s", filled(about), cmd.UsageString())
}

// helpCommand is help as a command. Cobra's own takes a name that there is not for the program's.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command does and how it is called",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, err := named(cmd.Root(), args)
			if err != nil {
				return err
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
		ValidArgsFunction: offerCommands,
	}
}

// filled breaks the lines of text anew, so that each fits; indented lines stay as they are.
func filled(text string) string {
	var lines []string
	paragraph := ""
	end := func() {
		if paragraph != "" {
			lines = append(lines, ansi.Wordwrap(paragraph, helpWidth, ""))
			paragraph = ""
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, " ") {
			end()
			lines = append(lines, line)
			continue
		}
		paragraph = strings.TrimSpace(paragraph + " " + line)
	}
	end()
	return strings.Join(lines, "\n")
}

// usage writes how cmd is called, as cobra does, but for the flags. It is no template: where one can run, the linker
// keeps every exported method of the whole program, a third of its size, because a template finds them by name.
func usage(cmd *cobra.Command) error {
	local, inherited := cmd.LocalFlags(), cmd.InheritedFlags() // first: this completes cmd's flags
	var b strings.Builder
	b.WriteString("Usage:")
	if cmd.Runnable() {
		b.WriteString("\n  " + cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n  " + cmd.CommandPath() + " [command]")
	}
	if cmd.HasExample() {
		b.WriteString("\n\nExamples:\n" + cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		for _, group := range cmd.Groups() {
			b.WriteString(commands(cmd, group.ID, group.Title))
		}
		rest := "Commands"
		if len(cmd.Groups()) > 0 {
			rest = "Also"
		}
		b.WriteString(commands(cmd, "", rest))
	}
	if local.HasAvailableFlags() {
		b.WriteString("\n\nFlags:\n" + described(local))
	}
	if inherited.HasAvailableFlags() {
		b.WriteString("\n\nGlobal Flags:\n" + described(inherited))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\nUse %q for more about a command.", cmd.CommandPath()+" [command] --help")
	}
	_, err := fmt.Fprintln(cmd.OutOrStderr(), b.String())
	return err
}

// commands lists those of cmd that are in the group.
func commands(cmd *cobra.Command, group, title string) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.GroupID == group && (sub.IsAvailableCommand() || sub.Name() == "help") {
			fmt.Fprintf(&b, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n\n" + title + ":" + b.String()
}

// described lists flags, each with its sentence below it: there is a flag for each setting, and some names are long.
func described(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, sentence := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			sentence += " (default " + f.DefValue + ")"
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		first := "  " + strings.TrimSpace(name+" "+kind)
		if len(first) > helpWidth {
			first = "  " + name + " word" // its sentence lists them
		}
		text := ansi.Wordwrap(sentence, helpWidth-8, "")
		fmt.Fprintf(&b, "%s\n        %s\n", first, strings.ReplaceAll(text, "\n", "\n        "))
	})
	return strings.TrimRight(b.String(), " \n")
}
