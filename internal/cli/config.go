package cli

import (
	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

func configCommand(s streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Show each setting and where it came from",
		Long:    "Shows the value of each setting and its origin: a flag, the environment, .env, the file or the default. Secrets are not shown.",
		Example: "  fastmcp-auth config\n  fastmcp-auth config --json",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Show)
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print one JSON document.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(config.Source{Command: config.Show, Flags: cmd.Flags(), Tools: app.ToolNames()})
		if err != nil {
			return err
		}
		return settings.Print(s.out, asJSON)
	}
	return cmd
}
