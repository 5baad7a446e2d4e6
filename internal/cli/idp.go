package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

func idpCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "idp",
		Short: "Run the development identity provider alone",
		Long: "Runs an OpenID provider for development: no passwords, well-known users and secrets, everything forgotten at the end.\n" +
			"It listens on loopback only unless told otherwise. When ready it prints one JSON line with its addresses on stdout.",
		Example: "  fastmcp-auth idp\n  fastmcp-auth idp --idp-character entra",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.IDP)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(config.Source{Command: config.IDP, Flags: cmd.Flags()})
		if err != nil {
			return err
		}
		character, err := devidp.ParseCharacter(settings.IDP.Character)
		if err != nil {
			return err
		}
		provider, err := devidp.Start(cmd.Context(), settings.IDP.Addr, devidp.Options{
			Issuer:      settings.IDP.Issuer,
			Character:   character,
			AllowRemote: settings.IDP.Expose,
			Logger:      logger(settings, s.err),
		})
		if err != nil {
			return mendable(fmt.Errorf("start the development provider: %w", err))
		}
		ready := map[string]any{
			"issuer":    provider.Issuer(),
			"discovery": provider.Issuer() + "/.well-known/openid-configuration",
			"client_id": devidp.ClientCLI,
			"users":     devidp.Users(),
			"warning":   "development only",
		}
		if character == devidp.Entra {
			ready["audience"] = devidp.EntraAPI
		}
		if err := announce(s.out, ready); err != nil {
			return err
		}
		return provider.Wait()
	}
	return cmd
}
