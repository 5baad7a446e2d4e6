package app

import (
	"errors"
	"os"
)

// Addresses is what a started server says of itself: the JSON line on stdout that scripts wait for.
type Addresses struct {
	MCP              string `json:"mcp"`                         // the MCP endpoint
	Addr             string `json:"addr,omitempty"`              // the address listened on, which may not be the one clients see
	ResourceMetadata string `json:"resource_metadata,omitempty"` // RFC 9728; absent without sign-in
	Issuer           string `json:"issuer,omitempty"`            // where people sign in; absent without sign-in
	ClientID         string `json:"client_id,omitempty"`         // the public client for command lines, where one is known
	Scope            string `json:"scope,omitempty"`             // what to ask for to open every tool
	ScopePrefix      string `json:"scope_prefix,omitempty"`      // what stands before each scope when one asks for it
	Health           string `json:"health"`
	Ready            string `json:"ready"`
	Admin            string `json:"admin,omitempty"`   // where operators are answered; absent where they are not
	NoAuth           bool   `json:"no_auth,omitempty"` // everyone is let in
	Development      bool   `json:"development_provider,omitempty"`
	PID              int    `json:"pid,omitempty"`
}

// Addresses says where the server answers.
func (s *Server) Addresses() Addresses {
	a := Addresses{
		MCP:    s.public + mcpPath,
		Addr:   s.listener.Addr().String(),
		Health: s.public + "/healthz",
		Ready:  s.public + "/readyz",
		NoAuth: s.guard == nil,
		PID:    os.Getpid(),
	}
	if s.admin != nil {
		a.Admin = "http://" + s.admin.listener.Addr().String()
	}
	if s.guard != nil {
		a.ResourceMetadata = s.guard.MetadataURL()
		a.Issuer = s.issuer
		a.ClientID = s.settings.Provider.ClientID
		a.ScopePrefix = s.scopePrefix
		a.Scope = s.scopePrefix + s.settings.Scopes.Execute
	}
	if s.provider != nil {
		a.Development = true
		a.ClientID = devClient
	}
	return a
}

// ApproveDevice lets user of the development provider approve the device flow with this code, as on its page.
func (s *Server) ApproveDevice(code, user string) error {
	if s.provider == nil {
		return errors.New("there is no development provider here")
	}
	return s.provider.ApproveDevice(code, user)
}
