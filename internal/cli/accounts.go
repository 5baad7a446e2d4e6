package cli

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// accountView is an account as --json shows it.
type accountView struct {
	Issuer  string `json:"issuer"`
	Tenant  string `json:"tenant,omitempty"`
	Subject string `json:"subject,omitempty"`
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
}

func viewOf(a signin.Account) *accountView {
	return &accountView{Issuer: a.Issuer, Tenant: a.Tenant, Subject: a.Subject, Name: a.Name, Email: a.Email}
}

// clean makes a provider's words harmless on a terminal.
func clean(s string) string { return tui.Clean(s) }

func accountsCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accounts",
		Short: "List who has signed in, and choose who calls",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(accountsListCommand(s), accountsUseCommand(s))
	return cmd
}

func accountsListCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the kept sign-ins",
		Long:    "Lists the sign-ins that are kept on this machine, by server. The one that a server is called with has a star.",
		Example: "  fastmcp-auth accounts list\n  fastmcp-auth accounts list --json",
		Args:    usageArgs(cobra.NoArgs),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.load(cmd, ""); err != nil {
			return err
		}
		all, err := c.signIns()
		if err != nil {
			return err
		}
		return c.listAccounts(all)
	}
	return cmd
}

// signIns are the kept sign-ins: those at the server and of the account that were named, else all.
func (c *caller) signIns() ([]tokencache.Kept, error) {
	cache, err := c.cache()
	if err != nil {
		return nil, err
	}
	all, err := cache.SignIns()
	if err != nil {
		return nil, err
	}
	var some []tokencache.Kept
	for _, k := range all {
		if c.wants(k) {
			some = append(some, k)
		}
	}
	return some, nil
}

func (c *caller) wants(k tokencache.Kept) bool {
	return (c.settings.IsDefault("server") || k.State.Server == c.server) && (c.account == "" || k.Is(c.account))
}

// keptView is a kept sign-in as --json shows it.
type keptView struct {
	Server  string       `json:"server"`
	Account *accountView `json:"account"`
	Client  string       `json:"client_id"`
	Scopes  []string     `json:"scopes"`
	Expires time.Time    `json:"expires,omitzero"` // of the access token
	Renews  bool         `json:"renews"`           // by itself, with a refresh token
	Chosen  bool         `json:"chosen"`
}

func viewOfKept(k tokencache.Kept) keptView {
	s := k.State
	return keptView{
		Server: s.Server, Account: viewOf(s.Account), Client: s.ClientID, Scopes: append([]string{}, s.Granted...),
		Expires: s.Expiry, Renews: s.Refresh != "", Chosen: k.Chosen,
	}
}

func (c *caller) listAccounts(all []tokencache.Kept) error {
	if c.asJSON {
		views := []keptView{}
		for _, k := range all {
			views = append(views, viewOfKept(k))
		}
		return printJSON(c.out, views)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(c.err, "Nobody has signed in.")
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, k := range all {
		star := " "
		if k.Chosen {
			star = "*"
		}
		s := k.State
		fmt.Fprintf(table, "%s %s\t%s\t%s\t%s\n", star, clean(s.Server), clean(s.Account.String()), clean(s.Issuer), lasts(s))
	}
	return table.Flush()
}

// lasts says how long a sign-in is good.
func lasts(s signin.State) string {
	switch left := time.Until(s.Expiry); {
	case s.Refresh != "":
		return "renews itself"
	case s.Expiry.IsZero():
		return "until it is refused"
	case left <= 0:
		return "ended"
	default:
		return "for " + roughly(left)
	}
}

// roughly is a duration in its two largest units.
func roughly(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

func accountsUseCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "use ACCOUNT",
		Short: "Choose who calls from now on",
		Long: "Chooses the account that servers are called with, by e-mail address, name or subject: at each server where it has signed in,\n" +
			"or with --server at that one alone.",
		Example: "  fastmcp-auth accounts use ada@example.com\n  fastmcp-auth accounts use ada@example.com --server https://mcp.example.com/mcp",
		Args:    usageArgs(cobra.ExactArgs(1)),
	}
	c.flags(cmd)
	cmd.ValidArgsFunction = offerAccounts
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, ""); err != nil {
			return err
		}
		c.account = args[0]
		return c.useAccount()
	}
	return cmd
}

func (c *caller) useAccount() error {
	some, err := c.signIns()
	if err != nil {
		return err
	}
	if err := c.oneEach(some); err != nil {
		return err
	}
	for i := range some {
		if err := c.kept.Choose(some[i]); err != nil {
			return err
		}
		some[i].Chosen = true
	}
	return c.listAccounts(some)
}

// oneEach refuses a name that fits nobody, or several at one server.
func (c *caller) oneEach(some []tokencache.Kept) error {
	if len(some) == 0 {
		none := &hintError{code: exitSignIn, err: fmt.Errorf("nobody called %q has signed in", c.account), hint: `run "fastmcp-auth accounts list" to see who has`}
		if all, err := c.kept.SignIns(); err == nil && len(all) == 0 {
			none.hint = cmp.Or(c.unasked(), fmt.Sprintf("run %q: nobody has signed in yet", "fastmcp-auth login "+c.server))
		}
		return none
	}
	seen := map[string]string{}
	for _, k := range some {
		other, twice := seen[k.State.Server]
		if twice {
			names := strings.Join([]string{other, whoExactly(k)}, " and ")
			return &hintError{code: exitUsage, err: fmt.Errorf("%q may be %s at %s", c.account, names, k.State.Server), hint: "name the subject, and the client with --client-id"}
		}
		seen[k.State.Server] = whoExactly(k)
	}
	return nil
}

func whoExactly(k tokencache.Kept) string {
	return fmt.Sprintf("%s of %s", clean(k.State.Account.Subject), clean(k.State.Issuer))
}
