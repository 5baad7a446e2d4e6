package cli

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

// usageError is an error in what the person typed.
type usageError struct {
	err     error
	command string // whose help says more; empty means the program's
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usageArgs marks the refusals of check as wrong usage, and says what would be right.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) == nil {
			return nil
		}
		return &usageError{misplaced(cmd, args), cmd.CommandPath()}
	}
}

// misplaced says what is wrong with the words after cmd.
func misplaced(cmd *cobra.Command, args []string) error {
	if cmd.HasAvailableSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	form := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	needed := 0
	for _, word := range strings.Fields(cmd.Use) {
		if unicode.IsUpper(rune(word[0])) {
			needed++
		}
	}
	if len(args) < needed {
		return fmt.Errorf("an argument is missing: %s", form)
	}
	return fmt.Errorf("too many arguments: %s", form)
}

func unknownCommand(above *cobra.Command, asked string) error {
	var names []string
	for _, sub := range above.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q%s", asked, meant("", nearest.Name(asked, names)))
}

// misread is what was wrong with a flag of cmd.
func misread(cmd *cobra.Command, err error) error {
	if unknown := (*pflag.NotExistError)(nil); errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		err = fmt.Errorf("%w%s", err, meant("--", nearest.Name(unknown.GetSpecifiedName(), names)))
	}
	return &usageError{err, cmd.CommandPath()}
}

// meant asks about a name that is near to what was typed; empty if none is.
func meant(before, name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + before + name + "?"
}

// named finds the command that words name.
func named(root *cobra.Command, words []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(words)
	if err != nil || len(rest) > 0 {
		if len(rest) == 0 {
			rest = words
		}
		return nil, &usageError{unknownCommand(cmd, rest[0]), cmd.CommandPath()}
	}
	return cmd, nil
}
