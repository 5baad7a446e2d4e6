package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// browserTimeout is how long a person may take on the pages of the provider.
const browserTimeout = 10 * time.Minute

// Browser signs a person in with the browser of this machine: the authorization code comes back to a port on loopback
// and is protected by PKCE (RFC 8252). It is safe for concurrent use when its functions are.
type Browser struct {
	ClientID string        // a public client's id, wherever one signs in; empty means one of Clients
	Clients  Clients       // by which ids the program is known; required when ClientID is empty
	Scopes   []string      // nil means what the server asks for
	Resource Resource      // zero means what the server's metadata names
	Binding  Binding       // zero means where the server asks for bound tokens
	Provider *idp.Provider // what is peculiar about the authorization server; nil means what its issuer tells

	// Prompt is told the page before it is opened, so that the person can open it when Open does not. It must return at
	// once. nil means that nothing is shown.
	Prompt func(BrowserPrompt)
	// Open opens a page; see package opener. It may wait to see whether the page was opened: the answer is awaited
	// meanwhile. ctx ends with the sign-in, and Open must return then. Required unless Prompt is set.
	Open func(ctx context.Context, page string) error
	// NotOpened is told the error of Open. What it returns ends the sign-in; nil waits for a person who goes to the page by
	// hand. A nil NotOpened waits where there is a Prompt to tell the page.
	NotOpened func(error) error
	// Port is where the answer is awaited, for an authorization server that wants the very port that was registered;
	// 0 means one of the kernel's choice.
	Port int
	// Timeout is how long the person may take; 0 means ten minutes.
	Timeout time.Duration
	Now     func() time.Time // nil means time.Now
}

// BrowserPrompt is what to show a person whose browser is being opened.
type BrowserPrompt struct {
	URL     string          // https, or http on this machine; the person may open it anywhere on this machine
	Issuer  string          // where one signs in
	Server  string          // the MCP server that asks
	Scopes  []string        // what is asked for; may be empty
	Expires time.Time       // when nobody waits any more
	Done    <-chan struct{} // closed when nobody waits any more
	// Doubtful says that the program registered itself here before, and that it could not be told whether it is still known:
	// a server that has forgotten it shows an error on its page, and nobody comes back.
	Doubtful bool
}

// SignIn refreshes the refused token if it can, and else sends the person to the authorization server and waits for the
// answer. Where Entra refuses the resource parameter on its page, the person is sent there once more without it.
//
// The error wraps [ErrDeclined], [ErrExpired], [ErrNoPKCE], [ErrForged] or [ErrClientIDNeeded] where that is the reason,
// and ctx.Err() when ctx ended first.
func (b *Browser) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	if b.Open == nil && b.Prompt == nil {
		return nil, errors.New("signin: Browser has neither Open nor Prompt: nobody would see the page")
	}
	if source, err := renewed(ctx, r); source != nil || err != nil {
		return source, err
	}
	g, err := newGrant(r, terms{b.Scopes, b.Resource, b.Binding, b.Provider, b.Now})
	if err != nil {
		return nil, err
	}
	clients := b.Clients.or(b.ClientID)
	c, err := b.listen(ctx, clients, g)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := clients.chooseKnown(ctx, g, r, wanted{c.redirectURI(), []string{grantCode, grantRefresh}}); err != nil {
		return nil, err
	}
	tokens, err := b.attempt(ctx, c, g, r)
	if err != nil && g.withoutResource(err) {
		tokens, err = b.attempt(ctx, c, g, r)
	}
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// listen waits where an earlier registration said, when it can.
func (b *Browser) listen(ctx context.Context, clients *Clients, g *grant) (*callback, error) {
	if b.Port != 0 {
		return listen(ctx, b.Port)
	}
	if known, ok := clients.remembered(g); ok {
		if c, err := listen(ctx, portOf(known.RedirectURI)); err == nil {
			return c, nil
		}
	}
	return listen(ctx, 0)
}

// portOf is the port of a redirect URI of ours, or 0.
func portOf(redirectURI string) int {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Hostname() != "127.0.0.1" || u.Path != callbackPath {
		return 0
	}
	port, _ := strconv.Atoi(u.Port())
	return port
}

// attempt sends the person to the authorization server once.
func (b *Browser) attempt(ctx context.Context, c *callback, g *grant, r *Request) (*Tokens, error) {
	a, err := newAuthorization(g, r, c.redirectURI())
	if err != nil {
		return nil, err
	}
	page, err := a.url()
	if err != nil {
		return nil, err
	}
	timeout := b.Timeout
	if timeout == 0 {
		timeout = browserTimeout
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	c.expect(a)
	if b.Prompt != nil {
		b.Prompt(BrowserPrompt{URL: page, Issuer: g.issuer, Server: r.Server, Scopes: g.scopes, Expires: g.now().Add(timeout), Done: done, Doubtful: g.doubtful})
	}
	opened, ended := b.opening(waiting, page)
	defer func() { cancel(); <-ended }()
	query, err := c.wait(waiting, opened, b.notOpened)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case waiting.Err() != nil && err == waiting.Err():
		return nil, fmt.Errorf("%w: nobody came back from %s within %s", ErrExpired, g.issuer, timeout)
	case err != nil:
		return nil, fmt.Errorf("signin: open a browser: %w", err)
	}
	code, err := a.code(query)
	if err != nil {
		return nil, err
	}
	return a.redeem(ctx, code)
}

// opening opens page. opened gives how that went, ended is closed thereafter.
func (b *Browser) opening(ctx context.Context, page string) (opened <-chan error, ended <-chan struct{}) {
	result, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		if b.Open != nil {
			result <- b.Open(ctx, page)
		}
	}()
	return result, done
}

// notOpened decides whether the sign-in goes on.
func (b *Browser) notOpened(err error) error {
	switch {
	case b.NotOpened != nil:
		return b.NotOpened(err)
	case b.Prompt != nil:
		return nil
	}
	return err
}
