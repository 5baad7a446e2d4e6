package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/console"
)

// docsRedirect is where the page that documents the REST API waits for an answer of the provider.
const docsRedirect = "/api/docs/oauth2-redirect.html"

// devClient is the development provider's public client.
const devClient = devidp.ClientCLI

// signIn builds the guard, with the development provider where no other was configured.
func (s *Server) signIn(ctx context.Context, o Options) error {
	if s.settings.NoAuth {
		s.log.Warn("serving without sign-in: everyone who reaches this address may call every tool", "addr", s.listener.Addr().String())
		return nil
	}
	guard := guardConfig(s.settings, s.public)
	guard.OnRefuse, guard.Answer, guard.Logger, guard.Now = s.refused, s.answerRefusal, o.Logger, o.Now
	var err error
	if s.settings.StartsDevProvider() {
		err = s.startProvider(ctx, &guard, o)
	} else {
		guard.Providers, err = s.settings.Providers()
	}
	if err != nil {
		return err
	}
	s.scopePrefix, s.origin = guard.ScopePrefix, guard.Providers[0]
	s.issuer = guard.Providers[0].AuthorizationServers[0]
	s.guard, err = bearer.New(guard)
	return err
}

// startProvider starts the development provider beside the server and lets guard trust it.
func (s *Server) startProvider(ctx context.Context, guard *bearer.Config, o Options) error {
	character, err := devidp.ParseCharacter(s.settings.IDP.Character)
	if err != nil {
		return err
	}
	cli, web := devidp.CLIClient(), devidp.WebClient()
	cli.RedirectURIs = append(cli.RedirectURIs, s.public+docsRedirect)
	web.BackchannelLogoutURI = s.public + console.BackchannelPath
	options := devidp.Options{
		Character: character,
		Clients:   []devidp.Client{cli, web},
		Resources: []string{s.public + mcpPath},
		Scopes:    s.scopes(),

		DeviceInterval: time.Second, // nobody else is waiting
		Logger:         o.Logger,
		Now:            o.Now,
		Around:         o.around,
	}
	if s.provider, err = devidp.Start(ctx, s.settings.IDP.Addr, options); err != nil {
		return fmt.Errorf("start the development provider: %w", err)
	}
	if character == devidp.Entra {
		guard.Providers = []idp.Provider{idp.EntraIn(idp.EntraCloud{Login: s.provider.URL, STS: s.provider.URL}, devidp.EntraTenant)}
		guard.Audience = []string{devidp.EntraAPI, devidp.EntraAPIURI}
		guard.ScopePrefix = devidp.EntraAPIURI + "/"
		return nil
	}
	guard.Providers = []idp.Provider{idp.Dev(s.provider.Issuer())}
	return nil
}

// guardConfig is what s says of tokens, for a server at public; the providers are still to come.
func guardConfig(s *config.Settings, public string) bearer.Config {
	guard := bearer.Config{
		Resource:    public + mcpPath,
		Audience:    s.Provider.Audience,
		Scopes:      []string{s.Scopes.Execute},
		ScopePrefix: s.Provider.ScopePrefix,
		Name:        "fastmcp-auth",
		Leeway:      s.Tokens.Leeway,
		KeyInterval: s.Tokens.UnknownKeyInterval,

		ConsumesHeader: true, // what stands before the guard has done with it
	}
	if guard.Leeway == 0 {
		guard.Leeway = -1 // 0s is said, and means none
	}
	if in := s.Provider.Introspection; in.URL != "" {
		guard.Introspection = &bearer.Introspection{URL: in.URL, ClientID: in.ClientID, ClientSecret: string(in.ClientSecret)}
	}
	return guard
}

// scopes are all that a token for this server may carry.
func (s *Server) scopes() []string {
	all := append(s.policy.AllScopes(), s.settings.Scopes.Execute)
	slices.Sort(all)
	return slices.Compact(all)
}
