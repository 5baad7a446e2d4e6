package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// caller is what all commands that call a server have in common: which server, and how to sign in there. A command
// embeds it, declares its flags with flags, and begins with load.
type caller struct {
	streams
	asJSON  bool   // --json: results are one JSON document on stdout
	noAuth  bool   // --no-auth: no token is sent, and nobody signs in
	account string // --account: who must have signed in; empty means who is chosen
	reads   string // whose settings are read; empty means those of every calling command
	anew    bool   // sign in though there is a kept sign-in
	again   bool   // register though there is a kept registration

	settings *config.Settings // with what they say about server in its place
	server   string           // the URL that is called

	kept   *tokencache.Cache // nil until cache makes it
	warned bool              // that nothing can be kept
	stage  stage             // what is shown while somebody signs in
	hold   func(show func()) // gives the terminal to a person, where something else is on it; may be nil
}

// flags declares the flags that every calling command has.
func (c *caller) flags(cmd *cobra.Command) {
	config.Flags(cmd.Flags(), cmp.Or(c.reads, config.Call))
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "Print one JSON document.")
	cmd.Flags().BoolVar(&c.noAuth, "no-auth", false, "Send no token, and ask nobody to sign in.")
	cmd.Flags().StringVar(&c.account, "account", "", "E-mail address, `name` or subject of the one to call as, when several have signed in.")
}

// load reads the settings. server is what an argument names, or empty for the one that is set.
func (c *caller) load(cmd *cobra.Command, server string) (err error) {
	if c.settings, err = config.Load(config.Source{Command: cmp.Or(c.reads, config.Call), Flags: cmd.Flags()}); err != nil {
		return err
	}
	if server == "" {
		server = c.settings.Server
	}
	name := server
	server, foundIn, err := c.known(name)
	if err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	called, err := c.settings.Call(server)
	if err != nil {
		return err
	}
	c.server, c.settings.CAFile, c.settings.Client = called.URL, called.CAFile, called.Client
	if foundIn != "" && !c.noAuth && c.isUnattended() { // attack 59
		return &hintError{code: exitUsage, hint: fmt.Sprintf("write the URL in place of the name, if you trust it: --server %s", c.server),
			err: fmt.Errorf("%s says where %s is; it was found in the working directory and may be a stranger's, and a client with a proof signs in where it is told", foundIn, name)}
	}
	c.stage = stage{out: c.err, look: c.look()}
	return nil
}

// open signs in where the server asks for it, and opens a session with it. Other fields of client.Options may be set by
// change, which may be nil.
func (c *caller) open(ctx context.Context, change func(*client.Options)) (*client.Session, error) {
	o, err := c.options()
	if err != nil {
		return nil, c.explain(err)
	}
	if change != nil {
		change(&o)
	}
	session, err := client.Connect(ctx, c.server, o)
	c.stage.close(err)
	if err != nil {
		return nil, c.unopened(c.explain(err))
	}
	return session, nil
}

// unopened gives an error that nobody has advice for the command that looks closer.
func (c *caller) unopened(err error) error {
	if _, _, known := adviceFor(err); known || errors.Is(err, context.Canceled) || hintOf(err) != "" {
		return err
	}
	return &hintError{err: err, hint: fmt.Sprintf("run %q", "fastmcp-auth doctor "+c.server)}
}

// options says how the server is called: over which connection, and with whose tokens.
func (c *caller) options() (client.Options, error) {
	hc, err := c.httpClient()
	if err != nil {
		return client.Options{}, err
	}
	o := client.Options{HTTPClient: hc, ClientVersion: version()}
	if !c.noAuth {
		err = c.authorize(hc, &o)
	}
	return o, err
}

// explain says which server err is about, so that the advice fits; errors.go knows the rest. Where one would sign in is no
// news to whoever may not: what is said is what is needed.
func (c *caller) explain(err error) error {
	if err == nil {
		return nil
	}
	call := &callError{
		server: c.server, clientID: c.settings.Client.ID, asked: c.settings.Client.Scopes, program: !c.noAuth && c.isUnattended(),
	}
	var asked *client.UnauthorizedError
	var over *overError
	var absent *absentError
	var other *tokencache.AccountError
	var lacking *client.ScopeError
	switch {
	case errors.As(err, &asked):
		err = asked
	case errors.As(err, &over):
		err = over
	case errors.As(err, &absent):
		err = absent
	case errors.As(err, &other):
		err = other
	case errors.As(err, &lacking):
		err, call.scopes = lacking, c.wider(lacking.Challenge.Scopes)
	}
	call.err = err
	company := &c.settings.Client.Enterprise
	if refused := (*signin.Error)(nil); errors.As(err, &refused) && company.Issuer != "" && refused.Issuer == company.Issuer {
		call.clientID = company.ClientID
	}
	if c.settings.NoInput && (asked != nil || absent != nil) {
		if hint := c.unasked(); hint != "" {
			return &hintError{code: exitSignIn, err: call, hint: hint}
		}
	}
	return call
}

// wider are scopes, behind those that the kept sign-in has: another sign-in replaces it.
func (c *caller) wider(scopes []string) []string {
	if c.kept == nil {
		return scopes
	}
	s, found, err := c.kept.Find(c.server, c.use(nil))
	if err != nil || !found {
		return scopes
	}
	return union(c.asked(s), scopes)
}

// unasked is the hint where login would ask nobody either; empty where it would ask.
func (c *caller) unasked() string {
	switch {
	case c.settings.InCI():
		return "CI is set, so nobody is asked: sign in as a program, with --client-id and a proof of its own (docs/signin.md)"
	case c.anew:
		return fmt.Sprintf("run %q, without --no-input", "fastmcp-auth login "+c.server)
	}
	return ""
}

// look says how to draw on stderr.
func (c *caller) look() tui.Options {
	if f, ok := c.err.(*os.File); ok {
		return tui.OptionsFor(f, config.Terminal)
	}
	return tui.Options{}
}

// httpClient goes through the proxy that the environment names, and trusts the certificates of --ca-file too.
func (c *caller) httpClient() (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if c.settings.CAFile == "" {
		return &http.Client{Transport: t}, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pem, err := os.ReadFile(c.settings.CAFile)
	if err != nil {
		return nil, err
	}
	pool.AppendCertsFromPEM(pem)
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t}, nil
}
