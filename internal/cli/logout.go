package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
)

// logout is one run of logout.
type logout struct {
	caller
	all bool
}

func logoutCommand(s streams) *cobra.Command {
	l := &logout{caller: caller{streams: s}}
	cmd := &cobra.Command{
		Use:   "logout [SERVER]",
		Short: "End a sign-in",
		Long: "Revokes the tokens at the authorization server, and then forgets them on this machine, whatever the server answered. Without\n" +
			"--account it is the sign-in that the server is called with.",
		Example: "  fastmcp-auth logout\n  fastmcp-auth logout https://mcp.example.com/mcp --account ada@example.com\n  fastmcp-auth logout --all",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	l.flags(cmd)
	cmd.Flags().BoolVar(&l.all, "all", false, "End every sign-in that is kept on this machine, and forget where this program has registered itself.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if l.all && len(args) > 0 {
			return &usageError{errors.New("--all ends every sign-in; leave the server out"), cmd.CommandPath()}
		}
		if err := l.load(cmd, firstOf(args)); err != nil {
			return err
		}
		return l.run(cmd.Context())
	}
	return cmd
}

// ended is a sign-in that was ended, as --json shows it.
type ended struct {
	Server  string       `json:"server"`
	Account *accountView `json:"account"`
	Revoked bool         `json:"revoked"`          // at the authorization server, too
	Reason  string       `json:"reason,omitempty"` // why it was not
}

func (l *logout) run(ctx context.Context) error {
	some, err := l.chosen()
	if err != nil {
		return err
	}
	hc, err := l.httpClient()
	if err != nil {
		return err
	}
	results := []ended{}
	for _, k := range some {
		err := l.kept.Forget(ctx, k, func(ctx context.Context, s signin.State) error { return signin.Revoke(ctx, s, hc) })
		if failed := (*tokencache.KeepError)(nil); errors.As(err, &failed) {
			return err
		}
		r := ended{Server: k.State.Server, Account: viewOf(k.State.Account), Revoked: err == nil}
		if err != nil {
			r.Reason = clean(plain(err))
		}
		results = append(results, r)
		if !l.asJSON {
			l.tell(r)
		}
	}
	if l.all {
		if err := l.kept.Clients().ForgetAll(); err != nil {
			return err
		}
	}
	if l.asJSON {
		return printJSON(l.out, results)
	}
	return nil
}

// chosen are the sign-ins to end.
func (l *logout) chosen() ([]tokencache.Kept, error) {
	cache, err := l.cache()
	if err != nil {
		return nil, err
	}
	all, err := cache.SignIns()
	if err != nil || l.all {
		return all, err
	}
	var some []tokencache.Kept
	for _, k := range all {
		if k.State.Server == l.server && (k.Is(l.account) || l.account == "" && k.Chosen) {
			some = append(some, k)
		}
	}
	if len(some) == 0 && !l.asJSON {
		fmt.Fprintf(l.err, "Nobody is signed in to %s.\n", l.server)
	}
	return some, nil
}

func (l *logout) tell(r ended) {
	who := signin.Account{Subject: r.Account.Subject, Name: r.Account.Name, Email: r.Account.Email}
	fmt.Fprintf(l.out, "Signed %s out of %s.\n", clean(who.String()), clean(r.Server))
	if !r.Revoked {
		fmt.Fprintf(l.err, "fastmcp-auth: warning: the tokens were not revoked and end by themselves: %s\n", r.Reason)
	}
}
