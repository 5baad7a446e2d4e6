package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// caller is what all commands that call a server have in common: which server, and how to sign in there. A command
// embeds it, declares its flags with flags, and begins with load.
type caller struct {
	streams
	asJSON bool // --json: results are one JSON document on stdout
	noAuth bool // --no-auth: no token is sent, and nobody signs in

	settings *config.Settings
	server   string // the URL that is called

	screen *tui.Screen // the device sign-in that is shown, or nil
}

// flags declares the flags that every calling command has.
func (c *caller) flags(cmd *cobra.Command) {
	config.Flags(cmd.Flags(), config.Call)
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "Print one JSON document.")
	cmd.Flags().BoolVar(&c.noAuth, "no-auth", false, "Send no token, and ask nobody to sign in.")
}

// load reads the settings. server is what an argument names, or empty for the one that is set.
func (c *caller) load(cmd *cobra.Command, server string) (err error) {
	if c.settings, err = config.Load(config.Source{Command: config.Call, Flags: cmd.Flags()}); err != nil {
		return err
	}
	if server == "" {
		server = c.settings.Server
	}
	if c.server, err = serverURL(server); err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	return nil
}

// open signs in where the server asks for it, and opens a session with it. onProgress may be nil. Other fields of
// client.Options may be set by change, which may be nil.
func (c *caller) open(ctx context.Context, change func(*client.Options)) (*client.Session, error) {
	hc, err := c.httpClient()
	if err != nil {
		return nil, err
	}
	o := client.Options{HTTPClient: hc, ClientVersion: version()}
	if !c.noAuth {
		o.SignIn = c.signIn()
	}
	if change != nil {
		change(&o)
	}
	session, err := client.Connect(ctx, c.server, o)
	if c.screen != nil {
		c.screen.Close(err)
		c.screen = nil
	}
	if err != nil {
		return nil, c.explain(err)
	}
	return session, nil
}

// explain says which server err is about, so that the advice fits; errors.go knows the rest.
func (c *caller) explain(err error) error {
	if err == nil {
		return nil
	}
	return &callError{err: err, server: c.server, clientID: c.settings.Client.ID}
}

// signIn chooses how to sign in. It is nil where nobody may be asked.
func (c *caller) signIn() client.SignIn {
	if c.settings.NoInput {
		return nil
	}
	id := c.settings.Client.ID
	if id == "" {
		id = devidp.ClientCLI
	}
	return &signin.Device{ClientID: id, Scopes: c.settings.Client.Scopes, Prompt: c.show}
}

// show draws the code of a device sign-in on stderr.
func (c *caller) show(p signin.DevicePrompt) {
	c.screen = tui.DeviceScreen(c.err, tui.Device{
		UserCode: p.UserCode, VerificationURI: p.VerificationURI, VerificationURIComplete: p.VerificationURIComplete,
		Expires: p.Expires, Server: p.Server,
	}, c.look())
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

// serverURL makes a URL of what a person types for a server: https is assumed, and http on this machine.
func serverURL(typed string) (string, error) {
	if !strings.Contains(typed, "://") {
		scheme := "https://"
		if u, err := url.Parse("//" + typed); err == nil && isLoopback(u.Hostname()) {
			scheme = "http://"
		}
		typed = scheme + typed
	}
	u, err := url.Parse(typed)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return "", fmt.Errorf("server %q is not an http or https URL without user and fragment", typed)
	}
	return u.String(), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
