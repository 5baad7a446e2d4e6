package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand(s streams) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Print the manual page of a command",
		Long: "Prints a manual page as roff, for man to show; with --dir it writes the pages of all commands into a folder, such as\n" +
			"one of man's own.",
		Example:           "  fastmcp-auth man call | man -l -\n  fastmcp-auth man --dir ~/.local/share/man/man1",
		ValidArgsFunction: offerCommands,
	}
	cmd.Flags().StringVar(&dir, "dir", "", "Write the pages of all commands into this `folder`.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		if dir != "" {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("--dir writes the pages of all commands, not that of %s", args[0]), cmd.CommandPath()}
			}
			return writePages(root, dir)
		}
		about, err := named(root, args)
		if err != nil {
			return err
		}
		_, err = io.WriteString(s.out, page(about))
		return err
	}
	return cmd
}

// writePages writes the page of cmd and of each command below it.
func writePages(cmd *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, pageName(cmd)+".1")
	if err := os.WriteFile(name, []byte(page(cmd)), 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page is the manual page of a command, as roff.
func page(cmd *cobra.Command) string {
	var b strings.Builder
	name := pageName(cmd)
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s\n", roff(strings.ToUpper(name)), roff("fastmcp-auth "+cmd.Root().Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(about))
	if flags := cmd.Flags(); flags.HasAvailableFlags() {
		b.WriteString(".SH OPTIONS\n")
		flags.VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			kind, sentence := pflag.UnquoteUsage(f)
			term := `\-\-` + roff(f.Name)
			if f.Shorthand != "" {
				term = `\-` + f.Shorthand + ", " + term
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", strings.TrimSpace(term+" "+roff(kind)), roff(sentence))
		})
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + literal(cmd.Example) + ".fi\n")
	}
	var others []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			others = append(others, fmt.Sprintf(".BR %s (1)", roff(pageName(sub))))
		}
	}
	if parent := cmd.Parent(); parent != nil {
		others = append(others, fmt.Sprintf(".BR %s (1)", roff(pageName(parent))))
	}
	b.WriteString(".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 cancelled, 4 sign\\-in needed or refused, 5 the tool reported an error, 6 unreachable or timed out, 7 the agent reached a limit.\n")
	if len(others) > 0 {
		b.WriteString(".SH SEE ALSO\n" + strings.Join(others, ",\n") + "\n")
	}
	return b.String()
}

// paragraphs writes text, with indented lines as they stand.
func paragraphs(text string) string {
	var b strings.Builder
	block := false
	for line := range strings.SplitSeq(text, "\n") {
		switch indented := strings.HasPrefix(line, "  "); {
		case indented && !block:
			b.WriteString(".nf\n")
			block = true
		case !indented && block:
			b.WriteString(".fi\n")
			block = false
		}
		if line == "" {
			b.WriteString(".PP\n")
			continue
		}
		b.WriteString(roff(line) + "\n")
	}
	if block {
		b.WriteString(".fi\n")
	}
	return b.String()
}

func literal(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(roff(line) + "\n")
	}
	return b.String()
}

// roff escapes what roff would read as its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
