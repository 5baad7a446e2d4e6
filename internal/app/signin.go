package app

import (
	"context"
	"fmt"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// devClient is the development provider's public client.
const devClient = devidp.ClientCLI

// signIn builds the guard, with the development provider where no other was configured.
func (s *Server) signIn(ctx context.Context, o Options) error {
	if s.settings.NoAuth {
		s.log.Warn("serving without sign-in: everyone who reaches this address may call every tool", "addr", s.listener.Addr().String())
		return nil
	}
	guard := bearer.Config{
		Resource:    s.public + mcpPath,
		Audience:    s.settings.Provider.Audience,
		Scopes:      []string{s.settings.Scopes.Execute},
		ScopePrefix: s.settings.Provider.ScopePrefix,
		Name:        "fastmcp-auth",
		Leeway:      s.settings.Tokens.Leeway,
		KeyInterval: s.settings.Tokens.UnknownKeyInterval,
		OnRefuse:    refused,
		Logger:      o.Logger,
		Now:         o.Now,
	}
	if guard.Leeway == 0 {
		guard.Leeway = -1 // 0s is said, and means none
	}
	if in := s.settings.Provider.Introspection; in.URL != "" {
		guard.Introspection = &bearer.Introspection{URL: in.URL, ClientID: in.ClientID, ClientSecret: string(in.ClientSecret)}
	}
	var err error
	if s.settings.StartsDevProvider() {
		err = s.startProvider(ctx, &guard, o)
	} else {
		guard.Providers, err = s.settings.Providers()
	}
	if err != nil {
		return err
	}
	s.scopePrefix = guard.ScopePrefix
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
	options := devidp.Options{
		Character: character,
		Resources: []string{s.public + mcpPath},
		Scopes:    newRules(s.settings).AllScopes(),

		DeviceInterval: time.Second, // nobody else is waiting
		Logger:         o.Logger,
		Now:            o.Now,
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
