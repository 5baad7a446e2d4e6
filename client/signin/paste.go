package signin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// pasteRedirect is where the answer leads when nothing else is set. Nobody listens there: the browser shows an error,
// and the answer stands in its address line.
const pasteRedirect = "http://127.0.0.1" + callbackPath

// Paste signs a person in with a browser on another machine: the person opens a page there, and brings back the address
// at which the browser ends, or the code alone. It is safe for concurrent use when Ask is.
type Paste struct {
	ClientID string        // a public client's id, wherever one signs in; empty means one of Clients
	Clients  Clients       // by which ids the program is known; required when ClientID is empty
	Scopes   []string      // nil means what the server asks for
	Resource Resource      // zero means what the server's metadata names
	Binding  Binding       // zero means where the server asks for bound tokens
	Provider *idp.Provider // what is peculiar about the authorization server; nil means what its issuer tells

	// RedirectURI is where the browser ends: on loopback or https (C-17). Empty means "http://127.0.0.1/callback".
	RedirectURI string
	// Ask shows the page and returns what the person pastes: required. It must end with ctx.
	Ask func(ctx context.Context, p PastePrompt) (string, error)
	Now func() time.Time // nil means time.Now
}

// PastePrompt is what to show a person who signs in elsewhere.
type PastePrompt struct {
	URL         string   // the page to open, on any machine
	RedirectURI string   // how the address begins that is to be pasted
	Issuer      string   // where one signs in
	Server      string   // the MCP server that asks
	Scopes      []string // what is asked for; may be empty
	Doubtful    bool     // as in BrowserPrompt
}

// SignIn refreshes the refused token if it can, and else asks the person. A pasted address is checked as an answer that
// came by itself. A pasted code has only PKCE to show that it belongs here, so it is taken only where the authorization
// server does not promise to name itself (C-15).
func (p *Paste) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	if p.Ask == nil {
		return nil, errors.New("signin: Paste.Ask is nil")
	}
	redirectURI := first(p.RedirectURI, pasteRedirect)
	if !isSafeEndpoint(redirectURI) {
		return nil, fmt.Errorf("signin: the redirect URI %q is neither https nor on loopback", line(redirectURI))
	}
	if source, err := renewed(ctx, r); source != nil || err != nil {
		return source, err
	}
	g, err := newGrant(r, terms{p.Scopes, p.Resource, p.Binding, p.Provider, p.Now})
	if err != nil {
		return nil, err
	}
	if err := p.Clients.or(p.ClientID).chooseKnown(ctx, g, r, wanted{redirectURI, []string{grantCode, grantRefresh}}); err != nil {
		return nil, err
	}
	tokens, err := p.attempt(ctx, g, r, redirectURI)
	if err != nil && g.withoutResource(err) {
		tokens, err = p.attempt(ctx, g, r, redirectURI)
	}
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

func (p *Paste) attempt(ctx context.Context, g *grant, r *Request, redirectURI string) (*Tokens, error) {
	a, err := newAuthorization(g, r, redirectURI)
	if err != nil {
		return nil, err
	}
	page, err := a.url()
	if err != nil {
		return nil, err
	}
	pasted, err := p.Ask(ctx, PastePrompt{URL: page, RedirectURI: redirectURI, Issuer: g.issuer, Server: r.Server, Scopes: g.scopes, Doubtful: g.doubtful})
	if err != nil {
		return nil, err
	}
	code, err := a.pasted(pasted)
	if err != nil {
		return nil, err
	}
	return a.redeem(ctx, code)
}

// pasted reads what a person brings: the address at which the browser ended, its query alone, or the code alone.
func (a *authorization) pasted(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxQuery {
		return "", errors.New("signin: nothing usable was pasted")
	}
	if !strings.Contains(text, "://") && !strings.Contains(text, "code=") && !strings.Contains(text, "error=") {
		if a.sendsIssuer || a.away {
			return "", fmt.Errorf("%w: paste the whole address, so that one can see that it comes from %s", ErrForged, a.issuer)
		}
		return Secret(text), nil
	}
	raw := strings.TrimPrefix(text, "?")
	if strings.Contains(text, "://") {
		var found bool
		if raw, found = strings.CutPrefix(text, a.redirectURI+"?"); !found {
			return "", fmt.Errorf("signin: the pasted address does not begin with %s?", a.redirectURI)
		}
	}
	raw, _, _ = strings.Cut(raw, "#")
	query, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("signin: the pasted address cannot be read")
	}
	return a.code(query)
}
