package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
)

func whoamiCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "whoami [SERVER]",
		Short: "Say who is signed in, for what and how long",
		Long: "Says who a server is called as: account, issuer, scopes, how long that lasts and where it is kept; and which scopes the\n" +
			"server names that were not granted, with the command that gets them. It prints no token.",
		Example: "  fastmcp-auth whoami\n  fastmcp-auth whoami https://mcp.example.com/mcp --json",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, firstOf(args)); err != nil {
			return err
		}
		return c.whoami(cmd.Context())
	}
	return cmd
}

// identityView is what whoami prints with --json.
type identityView struct {
	Server  string       `json:"server"`
	Account *accountView `json:"account"`
	Client  string       `json:"client_id"`
	Scopes  []string     `json:"scopes"`
	Missing []string     `json:"missing_scopes"` // that the server names, or that were asked for
	Expires time.Time    `json:"expires,omitzero"`
	Renews  bool         `json:"renews"`
	Kept    string       `json:"kept"` // where: keyring, file, plain or memory
	Folder  string       `json:"folder,omitempty"`
	Next    string       `json:"next,omitempty"` // the command that gets the missing scopes
}

func (c *caller) whoami(ctx context.Context) error {
	s, where, err := c.who(ctx)
	if err != nil {
		return c.explain(err)
	}
	v := identityView{
		Server: c.server, Account: viewOf(s.Account), Client: s.ClientID, Scopes: append([]string{}, s.Granted...),
		Missing: c.missing(ctx, s), Expires: s.Expiry, Renews: s.Refresh != "", Kept: string(where),
	}
	if where != tokencache.InMemory {
		v.Folder = c.kept.Dir()
	}
	if len(v.Missing) > 0 {
		v.Next = "fastmcp-auth login " + c.server + scopeFlags(union(c.asked(s), v.Missing))
	}
	if c.asJSON {
		return printJSON(c.out, v)
	}
	return c.printIdentity(v, s)
}

// who is the sign-in that the server is called with, without asking anybody.
func (c *caller) who(ctx context.Context) (signin.State, tokencache.Where, error) {
	c.settings.NoInput = true
	if c.isUnattended() {
		tokens, err := c.tokens(ctx)
		if err != nil {
			return signin.State{}, "", err
		}
		return tokens.State(), tokencache.InMemory, nil
	}
	cache, err := c.cache()
	if err != nil {
		return signin.State{}, "", err
	}
	s, found, err := cache.Find(c.server, c.use(nil))
	switch {
	case err != nil:
		return s, "", err
	case found:
		return s, cache.Where(), nil
	}
	return s, "", c.nobody()
}

// nobody says that nobody is signed in, and who could be chosen.
func (c *caller) nobody() error {
	err := &hintError{
		code: exitSignIn, err: fmt.Errorf("nobody is signed in to %s", c.server),
		hint: cmp.Or(c.unasked(), fmt.Sprintf("run %q", "fastmcp-auth login "+c.server)),
	}
	if c.account != "" {
		err.err = &absentError{c.account, c.server}
		return err
	}
	all, _ := c.kept.SignIns()
	for _, k := range all {
		if who := typed(k.State.Account.String()); who != "" && k.State.Server == c.server {
			err.hint = fmt.Sprintf("run %q to go on as an earlier account", "fastmcp-auth accounts use "+who)
		}
	}
	return err
}

const askServerLimit = 5 * time.Second // whoami is answered from this machine; the server is asked by the way

// missing are the scopes that the server names or that were asked for, and that were not granted.
func (c *caller) missing(ctx context.Context, s signin.State) []string {
	wanted := c.asked(s)
	if hc, err := c.httpClient(); err == nil {
		wanted = union(wanted, c.named(ctx, hc))
	}
	missing := []string{}
	if s.Granted == nil {
		return missing
	}
	for _, scope := range wanted {
		if !slices.ContainsFunc(s.Granted, func(g string) bool { return sameScope(g, scope) }) && !hidden(scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// asked are the scopes that are to be asked for: those that are set, else those of the sign-in.
func (c *caller) asked(s signin.State) []string {
	if len(c.settings.Client.Scopes) > 0 {
		return c.settings.Client.Scopes
	}
	return s.Scopes
}

// named are the scopes that the server says it supports; a server that does not answer in time names none.
func (c *caller) named(ctx context.Context, hc *http.Client) []string {
	ctx, cancel := context.WithTimeout(ctx, askServerLimit)
	defer cancel()
	found, err := client.Discover(ctx, hc, c.server, nil)
	if err != nil {
		return nil
	}
	return found.Resource.ScopesSupported
}

// sameScope compares scopes as Entra writes them, too: what is asked for as api://app/execute may be granted as execute.
func sameScope(granted, wanted string) bool {
	return granted == wanted || strings.HasSuffix(wanted, "/"+granted) || strings.HasSuffix(granted, "/"+wanted)
}

// hidden are scopes that providers grant without saying so.
func hidden(scope string) bool {
	return slices.Contains([]string{"openid", "profile", "email", "offline_access"}, scope)
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func (c *caller) printIdentity(v identityView, s signin.State) error {
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"server", v.Server}, {"name", v.Account.Name}, {"e-mail", v.Account.Email}, {"subject", v.Account.Subject},
		{"tenant", v.Account.Tenant}, {"issuer", v.Account.Issuer}, {"client", v.Client},
		{"scopes", strings.Join(v.Scopes, " ")}, {"missing", strings.Join(v.Missing, " ")}, {"token", ends(s)}, {"kept in", placeOf(v)},
	} {
		if row[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", row[0], clean(row[1]))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if v.Next != "" {
		fmt.Fprintf(c.err, "fastmcp-auth: hint: run %q\n", clean(v.Next))
	}
	return nil
}

// ends says until when the access token is good, and what is then.
func ends(s signin.State) string {
	text := "good until it is refused"
	switch left := time.Until(s.Expiry); {
	case s.Expiry.IsZero():
	case left <= 0:
		text = "ended"
	default:
		text = fmt.Sprintf("good until %s (%s)", s.Expiry.Local().Format(time.DateTime), roughly(left))
	}
	if s.Refresh != "" {
		return text + ", renews itself"
	}
	return text
}

func placeOf(v identityView) string {
	return map[string]string{
		string(tokencache.InKeyring): "encrypted files in " + v.Folder + ", their key in the keyring",
		string(tokencache.InFile):    "encrypted files in " + v.Folder + ", their key beside them",
		string(tokencache.InPlain):   "files in " + v.Folder + ", not encrypted",
		string(tokencache.InMemory):  "this process alone",
	}[v.Kept]
}

// isOver reports whether only a new sign-in helps.
func isOver(err error) bool { return errors.Is(err, signin.ErrNeeded) }
