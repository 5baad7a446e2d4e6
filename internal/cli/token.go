package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

func tokenCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "token [SERVER]",
		Short: "Print an access token",
		Long: "Prints an access token for a server, and nothing else, on stdout: a kept one, refreshed where its end is near, or one that a\n" +
			"sign-in brings. Whoever has it can call as you until it ends.",
		Example: "  curl -H \"Authorization: Bearer $(fastmcp-auth token)\" …\n  fastmcp-auth token --json --no-input",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, firstOf(args)); err != nil {
			return err
		}
		return c.printToken(cmd.Context())
	}
	return cmd
}

// tokenView is what token prints with --json: the one document of this program with a token in it.
type tokenView struct {
	AccessToken string       `json:"access_token"`
	TokenType   string       `json:"token_type"`
	Expires     time.Time    `json:"expires,omitzero"`
	Server      string       `json:"server"`
	Scopes      []string     `json:"scopes,omitempty"`
	Account     *accountView `json:"account"`
}

func (c *caller) printToken(ctx context.Context) error {
	tokens, err := c.tokens(ctx)
	if err != nil {
		return c.explain(err)
	}
	token, err := tokens.TokenContext(ctx)
	if err != nil {
		return c.explain(err)
	}
	if !c.asJSON {
		_, err := fmt.Fprintln(c.out, token.AccessToken)
		return err
	}
	s := tokens.State()
	return printJSON(c.out, tokenView{
		AccessToken: token.AccessToken, TokenType: token.Type(), Expires: token.Expiry, Server: c.server, Scopes: s.Granted, Account: viewOf(s.Account),
	})
}

// tokens are those of the kept sign-in, where they are good or can be refreshed, and else of the one that the server asks
// for.
func (c *caller) tokens(ctx context.Context) (*signin.Tokens, error) {
	if c.noAuth {
		return nil, &usageError{errors.New("with --no-auth there is no token"), "fastmcp-auth token"}
	}
	if tokens, err := c.keptTokens(ctx); tokens != nil || err != nil {
		return tokens, err
	}
	session, err := c.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	tokens, ours := session.TokenSource().(*signin.Tokens)
	if !ours {
		return nil, &hintError{err: fmt.Errorf("%s asks nobody to sign in, so there is no token", c.server)}
	}
	return tokens, nil
}

// keptTokens are nil where there is no kept sign-in, or only a person can help.
func (c *caller) keptTokens(ctx context.Context) (*signin.Tokens, error) {
	if c.isUnattended() {
		return nil, nil
	}
	cache, err := c.cache()
	if err != nil {
		return nil, err
	}
	hc, err := c.httpClient()
	if err != nil {
		return nil, err
	}
	tokens, err := cache.Tokens(c.server, c.use(hc))
	if tokens == nil || err != nil {
		return nil, err
	}
	return usable(ctx, tokens)
}

// usable is tokens, unless the sign-in is over.
func usable(ctx context.Context, tokens *signin.Tokens) (*signin.Tokens, error) {
	var token *oauth2.Token
	token, err := tokens.TokenContext(ctx)
	switch {
	case isOver(err), err == nil && token.AccessToken == "":
		return nil, nil
	case err != nil:
		return nil, err
	}
	return tokens, nil
}
