package cli

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// entraSource gives tokens of Entra ID for a model at Azure: those of a program, of this machine's identity, or of a person,
// whose sign-in is kept as that of a server is.
type entraSource struct {
	caller   *caller
	proof    string
	audience string // of the tokens
	request  signin.Request

	mu     sync.Mutex
	flow   client.SignIn
	source oauth2.TokenSource // nil until somebody signed in
	last   signin.Secret      // the latest token
}

// azureClouds are where people sign in, and for what, by how the model's host ends.
var azureClouds = map[string]struct{ login, audience string }{
	".us": {"https://login.microsoftonline.us", "https://cognitiveservices.azure.us"},
	".cn": {"https://login.partner.microsoftonline.cn", "https://cognitiveservices.azure.cn"},
	"":    {"https://login.microsoftonline.com", "https://cognitiveservices.azure.com"},
}

// entra prepares the sign-in of m. Nobody is asked before the first token.
func (c *conversation) entra(m *config.Model) (*entraSource, error) {
	end := ""
	if u, err := url.Parse(m.URL); err == nil {
		if host := u.Hostname(); strings.HasSuffix(host, ".azure.us") || strings.HasSuffix(host, ".azure.cn") {
			end = host[strings.LastIndexByte(host, '.'):]
		}
	}
	cloud := azureClouds[end]
	tenant := strings.TrimSuffix(cmp.Or(m.Entra.Authority, cloud.login), "/") + "/" + m.Entra.Tenant
	settings := *c.settings
	settings.Client = config.Client{
		Flow: "credentials", ID: m.Entra.ClientID, Issuer: tenant + "/v2.0", Provider: "entra", Scopes: []string{cloud.audience + "/.default"},
		Resource: string(signin.ResourceOmit), Port: c.settings.Client.Port,
	}
	switch m.Proof() {
	case config.BySecret:
		settings.Client.Secret = m.Entra.Secret
	case config.ByWorkload:
		settings.Client.TokenFile = m.Entra.TokenFile
	case config.ByPerson:
		settings.Client.Scopes = append(settings.Client.Scopes, "openid", "profile", "offline_access")
		settings.Client.Flow = flowAuto
		if flow := c.settings.Client.Flow; flow == flowBrowser || flow == flowDevice || flow == flowPaste {
			settings.Client.Flow = flow
		}
	}
	one := &caller{streams: c.streams, asJSON: c.asJSON, account: c.account, reads: config.Agent, settings: &settings, server: m.URL}
	one.stage.out, one.stage.look = c.err, c.look()
	hc, err := one.httpClient()
	if err != nil {
		return nil, err
	}
	return &entraSource{caller: one, proof: m.Proof(), audience: cloud.audience, request: signin.Request{
		Server: m.URL,
		// Entra's endpoints are the same for each tenant; its metadata says nothing else that is needed here.
		Authorization: oauth.ServerMetadata{
			Issuer: tenant + "/v2.0", AuthorizationEndpoint: tenant + "/oauth2/v2.0/authorize", TokenEndpoint: tenant + "/oauth2/v2.0/token",
			DeviceAuthorizationEndpoint: tenant + "/oauth2/v2.0/devicecode",
		},
		HTTPClient: &http.Client{Transport: hc.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}}, nil
}

// token signs in where that is needed. One question at a time asks for it.
func (e *entraSource) token(ctx context.Context) (*oauth2.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	hc := e.request.HTTPClient
	if e.proof == config.ByIdentity {
		p := config.ReadPlatform()
		token, err := workload.ManagedIdentity{Endpoint: p.AzureEndpoint, Header: signin.Secret(p.AzureHeader), Host: p.AzureHost, ClientID: e.caller.settings.Client.ID, HTTPClient: hc}.Assertion(ctx, e.audience)
		return &oauth2.Token{AccessToken: string(token)}, err
	}
	if e.flow == nil {
		if err := e.begin(); err != nil {
			return nil, err
		}
	}
	token, err := e.current(ctx)
	if err == nil && token == nil || errors.Is(err, signin.ErrNeeded) {
		r := e.request
		r.Previous, r.Refused = e.source, e.last
		if e.source, err = e.flow.SignIn(ctx, &r); errors.As(err, new(*client.UnauthorizedError)) {
			return nil, &hintError{code: exitSignIn, err: errors.New("nobody has signed in to Entra ID for it"), hint: `run "fastmcp-auth agent" where you can sign in, or set AZURE_CLIENT_SECRET`}
		}
		if err != nil {
			return nil, e.caller.explain(err)
		}
		token, err = e.current(ctx)
	}
	if err != nil {
		return nil, e.caller.explain(err)
	}
	e.last = signin.Secret(token.AccessToken)
	return token, nil
}

// begin finds a kept sign-in, and the way to another.
func (e *entraSource) begin() error {
	var o client.Options
	if err := e.caller.authorize(e.request.HTTPClient, &o); err != nil {
		return err
	}
	e.source, e.flow = o.Token, o.SignIn
	if !e.caller.isUnattended() {
		if kept, found, err := e.caller.kept.Find(e.caller.server, e.caller.use(nil)); err == nil && found {
			e.last = kept.Access
		}
	}
	return nil
}

// current is the token at hand, renewed where that is due; nil where nobody signed in yet.
func (e *entraSource) current(ctx context.Context) (*oauth2.Token, error) {
	switch s := e.source.(type) {
	case nil:
		return nil, nil
	case interface {
		TokenContext(context.Context) (*oauth2.Token, error)
	}:
		return s.TokenContext(ctx)
	default:
		return s.Token()
	}
}
