package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func loginCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:     "login [SERVER]",
		Short:   "Sign in to an MCP server",
		Long:    "Signs in to an MCP server, so that later commands can call it.",
		Example: "  fastmcp-auth login https://mcp.example.com/mcp",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, firstOf(args)); err != nil {
			return err
		}
		session, err := c.open(cmd.Context(), nil)
		if err != nil {
			return err
		}
		defer session.Close()
		_, err = fmt.Fprintf(c.err, "Signed in to %s\n", c.server)
		return err
	}
	return cmd
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
