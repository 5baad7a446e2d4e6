package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/bridge"
)

func connectCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "connect [SERVER]",
		Short: "Let a client that speaks stdio reach a protected server",
		Long: "Carries MCP between stdin and stdout, a message a line, and a server over HTTP, and signs in there on the way. Clients that\n" +
			"know only servers they start themselves reach protected ones so: give them this command in place of a server.\n" +
			"Only the protocol stands on stdout; sign-in and troubles are told on stderr. It ends when stdin does.",
		Example: "  fastmcp-auth connect https://mcp.example.com/mcp\n" +
			"  claude mcp add tools -- fastmcp-auth connect https://mcp.example.com/mcp",
		Args: usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, firstOf(args)); err != nil {
			return err
		}
		c.in = nil // it carries the protocol: nobody is asked there
		transport, err := c.transport()
		if err != nil {
			return c.explain(err)
		}
		b := &bridge.Bridge{
			Server: c.server,
			HTTP: &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
				return &client.RedirectError{From: via[0].URL.String(), To: req.URL.String()}
			}},
			Say: c.sayOnce(),
		}
		return b.Run(cmd.Context(), s.in, s.out)
	}
	return cmd
}

// transport signs in for a program that speaks the protocol itself.
func (c *caller) transport() (http.RoundTripper, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	return client.NewTransport(c.server, o)
}

// sayOnce tells troubles on stderr as any command does, each once: a client asks again and again.
func (c *caller) sayOnce() func(error) {
	var mu sync.Mutex
	var last string
	return func(err error) {
		if u, outermost := err.(*url.Error); outermost {
			err = u.Err
		}
		mu.Lock()
		defer mu.Unlock()
		if text := fmt.Sprint(err); text != last {
			last = text
			report(c.err, c.unopened(c.explain(err)))
		}
	}
}
