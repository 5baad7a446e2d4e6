package app

import (
	"errors"
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/console"
)

// newConsole builds the web console's sign-in, where there is a client to sign in as.
func (s *Server) newConsole(o Options, provider idp.Provider) error {
	client, secret := s.settings.Console.ClientID, s.settings.Console.ClientSecret
	if s.provider != nil && client == "" {
		client, secret = devidp.ClientWeb, devidp.WebSecret
	}
	if client == "" {
		s.log.Info("the web console signs nobody in: console.client_id is not set")
		return nil
	}
	origin := console.Provider{
		Name: provider.Name, Issuer: signInIssuer(provider), ManyTenants: provider.MultiTenant, ClientID: client, Secret: console.Secret(secret),
		ScopePrefix: s.scopePrefix, OmitsPKCEMetadata: provider.OmitsPKCEMetadata,
		Online: provider.RefreshesOnline,
	}
	origin.Scopes = []string{s.scopePrefix + s.settings.Scopes.Execute}
	if !provider.RefusesResource && !provider.AudienceApart {
		origin.Resource = s.public + mcpPath
	}
	var err error
	s.console, err = console.New(console.Options{
		Store:  s.store,
		Verify: s.guard.Verify,
		Unavailable: func(err error) bool {
			var refused *bearer.Error
			return errors.As(err, &refused) && refused.Reason == bearer.ReasonUnavailable
		},
		Refuse: func(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
			s.api.Refused(w, r, status, code, detail, nil)
		},
		Begins:   s.limitSignIns,
		Streams:  s.streams,
		Provider: origin, ClientID: s.Addresses().ClientID, MCP: s.public + mcpPath, Public: s.public,
		Idle: s.settings.Console.Idle, Absolute: s.settings.Console.Lifetime,
		Now: o.Now, Logger: o.Logger,
	})
	return err
}

// signInIssuer is the issuer of ID tokens: the one that people are sent to.
func signInIssuer(p idp.Provider) idp.Issuer {
	for _, i := range p.Issuers {
		if i.Name == p.AuthorizationServers[0] {
			return i
		}
	}
	return p.Issuers[0] // named by a template
}
