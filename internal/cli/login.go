package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
)

// login is one run of login.
type login struct {
	caller
	browser, device, paste bool
	scopes                 []string
}

func loginCommand(s streams) *cobra.Command {
	l := &login{caller: caller{streams: s, anew: true}}
	cmd := &cobra.Command{
		Use:   "login [SERVER]",
		Short: "Sign in to an MCP server",
		Long: "Signs in to an MCP server, and keeps what comes for later commands. The browser of this machine is used where there is one;\n" +
			"over SSH, in WSL without an opener and without a display it is a code for another device. Whoever signs in is called as from\n" +
			"now on; earlier sign-ins of other accounts stay, see accounts. A client with a proof of its own signs in without a person,\n" +
			"and nothing is kept.",
		Example: "  fastmcp-auth login https://mcp.example.com/mcp\n  fastmcp-auth login --device\n  fastmcp-auth login --scope time:read --scope time:convert",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	l.flags(cmd)
	cmd.Flags().BoolVar(&l.browser, "browser", false, "Sign in with the browser of this machine.")
	cmd.Flags().BoolVar(&l.device, "device", false, "Show a code to enter on another device.")
	cmd.Flags().BoolVar(&l.paste, "paste", false, "Sign in with a browser elsewhere, and paste the address at which it ends.")
	cmd.Flags().BoolVar(&l.again, "register-again", false, "Register this program at the provider anew, where it registers itself.")
	cmd.Flags().StringArrayVar(&l.scopes, "scope", nil, "Ask for this scope; may be repeated. Not said, it is what the server asks for.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if l.browser && l.device || l.browser && l.paste || l.device && l.paste {
			return &usageError{errors.New("one way to sign in at a time: choose one of --browser, --device and --paste"), cmd.CommandPath()}
		}
		if err := l.load(cmd, firstOf(args)); err != nil {
			return err
		}
		return l.run(cmd.Context())
	}
	return cmd
}

func (l *login) run(ctx context.Context) error {
	for flow, wanted := range map[string]bool{flowBrowser: l.browser, flowDevice: l.device, flowPaste: l.paste} {
		if wanted {
			l.settings.Client.Flow = flow
		}
	}
	if len(l.scopes) > 0 {
		l.settings.Client.Scopes = l.scopes
	}
	session, err := l.open(ctx, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	return l.tell(session)
}

// signedIn is what login prints with --json.
type signedIn struct {
	Server  string       `json:"server"`
	Account *accountView `json:"account,omitempty"` // who signed in; absent where the server asks nobody to
	Scopes  []string     `json:"scopes,omitempty"`
	Expires time.Time    `json:"expires,omitzero"`
	Kept    string       `json:"kept,omitempty"` // where: keyring, file, plain or memory
}

// tell says who signed in, and whether it is kept.
func (l *login) tell(session *client.Session) error {
	out := signedIn{Server: l.server}
	tokens, ours := session.TokenSource().(*signin.Tokens)
	if !ours {
		if l.asJSON {
			return printJSON(l.out, out)
		}
		_, err := fmt.Fprintf(l.out, "%s asks nobody to sign in.\n", l.server)
		return err
	}
	s := tokens.State()
	out.Account, out.Scopes, out.Expires = viewOf(s.Account), s.Granted, s.Expiry
	if l.isUnattended() {
		out.Kept = string(tokencache.InMemory)
	} else {
		out.Kept = string(l.kept.Where())
	}
	if l.asJSON {
		return printJSON(l.out, out)
	}
	_, err := fmt.Fprintf(l.out, "Signed in to %s as %s%s.\n", l.server, clean(s.Account.String()), withScopes(s.Granted))
	return err
}

func withScopes(scopes []string) string {
	if len(scopes) == 0 {
		return ""
	}
	return ", for " + clean(strings.Join(scopes, " "))
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
