package config

import (
	"fmt"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Providers returns the identity providers whose tokens are accepted. It returns none where nobody signs in, and none
// where the server starts the development provider itself ([Settings.StartsDevProvider]), whose issuer is only known
// then. The error is for settings that [Load] did not make.
func (s *Settings) Providers() ([]idp.Provider, error) {
	if s.NoAuth || s.StartsDevProvider() {
		return nil, nil
	}
	p, err := s.Provider.preset()
	if err != nil {
		return nil, err
	}
	p.Audience = s.Provider.Audience
	if s.Provider.Guests == "deny" {
		p.Guests = idp.GuestsDenied
	}
	if len(s.Provider.Tenants) > 0 {
		p.Tenants = s.Provider.Tenants
	}
	return []idp.Provider{p}, nil
}

func (p Provider) preset() (idp.Provider, error) {
	switch p.Kind {
	case "entra":
		cloud, known := map[string]idp.EntraCloud{"public": idp.EntraPublic, "usgov": idp.EntraUSGov, "china": idp.EntraChina}[p.Cloud]
		if !known {
			return idp.Provider{}, fmt.Errorf("config: provider.cloud %q is unknown", p.Cloud)
		}
		return idp.EntraIn(cloud, p.Tenant), nil
	case "keycloak":
		base, realm, _ := keycloakRealm(p)
		return idp.Keycloak(base, realm), nil
	case "auth0":
		return idp.Auth0(p.Domain), nil
	case "okta":
		return idp.Okta(p.Domain, p.Server), nil
	case "google":
		return idp.Google(), nil
	case "oidc":
		return idp.OIDC(p.Issuer), nil
	case "dev":
		return devPreset(p.Issuer), nil
	}
	return idp.Provider{}, fmt.Errorf("config: provider.kind %q is unknown", p.Kind)
}

// devPreset is a development provider that runs elsewhere on this machine. The issuer of its Entra character is told by
// its form, {base}/{tenant id}/v2.0.
func devPreset(issuer string) idp.Provider {
	base, tenant, entra := devTenant(issuer)
	if !entra {
		return idp.Dev(issuer)
	}
	return idp.EntraIn(idp.EntraCloud{Login: base, STS: base}, tenant)
}

func devTenant(issuer string) (base, tenant string, entra bool) {
	of, entra := strings.CutSuffix(issuer, "/v2.0")
	base, tenant, _ = cutLast(of, "/")
	return base, tenant, entra && idp.IsGUID(tenant)
}
