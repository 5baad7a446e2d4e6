package bearer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const maxLeeway = 5 * time.Minute

// faults collects what is wrong with a Config, by field.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf("bearer: Config."+field+": "+format, args...))
}

// configure checks g.cfg, fills what zero values mean, and derives the rest.
func (g *Guard) configure() error {
	var f faults
	g.defaults(&f)
	g.resource(&f)
	for i, p := range g.cfg.Providers {
		g.provider(&f, fmt.Sprintf("Providers[%d]", i), p)
	}
	if len(g.cfg.Providers) == 0 {
		f.add("Providers", "at least one identity provider is needed")
	}
	g.duplicates(&f)
	g.publish(&f)
	g.describers(&f)
	if len(f) > 0 {
		return errors.Join(f...)
	}
	g.cache = newCache(g.cfg.CacheSize)
	return g.compose()
}

func (g *Guard) defaults(f *faults) {
	c := &g.cfg
	if c.Leeway > maxLeeway {
		f.add("Leeway", "%v is more than %v", c.Leeway, maxLeeway)
	}
	if c.Leeway == 0 {
		c.Leeway = time.Minute
	}
	c.Leeway = max(c.Leeway, 0)
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"MaxLifetime", &c.MaxLifetime, 48 * time.Hour},
		{"KeyInterval", &c.KeyInterval, 5 * time.Minute},
		{"KeyRefresh", &c.KeyRefresh, time.Hour},
		{"MaxKeyAge", &c.MaxKeyAge, 7 * 24 * time.Hour},
	} {
		if *d.value < 0 {
			f.add(d.name, "%v is negative", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if c.MaxTokenBytes < 0 {
		f.add("MaxTokenBytes", "%d is negative", c.MaxTokenBytes)
	}
	if c.MaxTokenBytes == 0 {
		c.MaxTokenBytes = 16 << 10
	}
	if c.CacheSize == 0 {
		c.CacheSize = 4096
	}
	if g.log = c.Logger; g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	if g.now = c.Now; g.now == nil {
		g.now = time.Now
	}
	if g.client = c.HTTPClient; g.client == nil {
		g.client = &http.Client{Timeout: 10 * time.Second}
	}
}

func (g *Guard) resource(f *faults) {
	u, err := idp.CheckURL(g.cfg.Resource)
	switch {
	case g.cfg.Resource == "":
		f.add("Resource", "the URL of the protected resource is needed")
	case err != nil:
		f.add("Resource", "%w", err)
	case !plainPath(u):
		f.add("Resource", "the path %q has braces, spaces, escaped slashes, dots or double slashes", u.EscapedPath())
	default:
		if g.metaURL, err = oauth.ResourceMetadataURL(g.cfg.Resource); err != nil {
			f.add("Resource", "%w", err)
		}
	}
}

// plainPath reports whether the path can be served by a ServeMux as it stands.
func plainPath(u *url.URL) bool {
	if u.RawPath != "" || strings.ContainsAny(u.Path, "{} \t") {
		return false
	}
	return u.Path == "" || u.Path == "/" || path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/")
}

// provider checks one provider and resolves its audience and its key sources.
func (g *Guard) provider(f *faults, field string, p idp.Provider) {
	r := &provider{Provider: p}
	r.audience = g.audience(f, field, p)
	if p.Name == "" || len(p.Issuers) == 0 {
		f.add(field, "a provider needs a Name and Issuers: start from a preset of idp")
		return
	}
	for _, alg := range p.Algorithms {
		if !slices.Contains(algorithms, alg) {
			f.add(field+".Algorithms", "%q is not a signature that a public key checks", alg)
		}
	}
	if len(p.Algorithms) == 0 {
		f.add(field+".Algorithms", "at least one is needed")
	}
	if p.MultiTenant && len(p.Tenants) == 0 {
		f.add(field+".Tenants", "a provider for many tenants needs an allow-list; idp.AnyTenant admits all")
	}
	if len(p.Tenants) > 0 && p.Claims.Tenant == nil {
		f.add(field+".Tenants", "provider %s has no tenant claim", p.Name)
	}
	for _, t := range p.Tenants {
		if t != idp.AnyTenant && slices.ContainsFunc(p.Issuers, templated) && !idp.IsGUID(t) {
			f.add(field+".Tenants", "%q is not a tenant id in lower case", t)
		}
	}
	if p.Guests != idp.GuestsAllowed && p.Guests != idp.GuestsDenied {
		f.add(field+".Guests", "%q is neither idp.GuestsAllowed nor idp.GuestsDenied", p.Guests)
	}
	for _, i := range p.Issuers {
		for _, place := range []string{i.Name, i.Discovery, i.JWKS} {
			if _, err := idp.CheckURL(strings.ReplaceAll(place, idp.TenantPlaceholder, "t")); err != nil && place != "" {
				f.add(field+".Issuers", "%w", err)
			}
		}
		if i.Name == "" || templated(i) && i.Discovery == "" && i.JWKS == "" {
			f.add(field+".Issuers", "an issuer needs a Name, and one with a placeholder needs Discovery")
		}
		if !p.OpaqueTokens {
			r.sources = append(r.sources, newSource(g, p, i))
		}
	}
	g.providers = append(g.providers, r)
}

func templated(i idp.Issuer) bool { return strings.Contains(i.Name, idp.TenantPlaceholder) }

// audience resolves what a provider's tokens must carry in aud (RS-9): never empty.
func (g *Guard) audience(f *faults, field string, p idp.Provider) []string {
	name, list := "Audience", g.cfg.Audience
	switch {
	case len(p.Audience) > 0:
		name, list = field+".Audience", p.Audience
	case len(list) == 0 && p.AudienceApart:
		f.add("Audience", "provider %s does not write the resource's URL into its tokens: set the audience it does write (for Entra the API's client id)", p.Name)
	case len(list) == 0:
		name, list = "Resource", []string{g.cfg.Resource}
	}
	for _, a := range list {
		if a == "" && name != "Resource" {
			f.add(name, "an audience is empty")
		}
		if service := p.ForeignAudiences[a]; service != "" {
			f.add(name, "%q is %s, not this resource", a, service)
		}
	}
	return slices.Clone(list)
}

// duplicates refuses two providers that would claim the same token.
func (g *Guard) duplicates(f *faults) {
	seen := map[string]bool{}
	for _, p := range g.providers {
		for _, i := range p.Issuers {
			tenants := p.Tenants
			if !templated(i) || len(tenants) == 0 {
				tenants = []string{""}
			}
			for _, t := range tenants {
				if seen[i.Name+" "+t] {
					f.add("Providers", "issuer %s is listed twice", i.Name)
				}
				seen[i.Name+" "+t] = true
			}
		}
	}
}

// publish checks what challenges and metadata say.
func (g *Guard) publish(f *faults) {
	for _, s := range g.cfg.Scopes {
		switch {
		case !oauth.ValidScope(g.cfg.ScopePrefix + s), s == "":
			f.add("Scopes", "%q is not a scope", s)
		case s == "offline_access": // RS-7
			f.add("Scopes", "offline_access is between client and provider, never a resource's to ask for")
		}
		g.scopes = append(g.scopes, g.cfg.ScopePrefix+s)
	}
	g.servers = slices.Clone(g.cfg.AuthorizationServers)
	field := "AuthorizationServers"
	if len(g.servers) == 0 {
		field = "Providers"
		for _, p := range g.cfg.Providers {
			g.servers = append(g.servers, p.AuthorizationServers...)
		}
	}
	if len(g.servers) == 0 && len(g.cfg.Providers) > 0 {
		f.add(field, "no authorization server to publish") // RS-2
	}
	for _, s := range g.servers {
		if _, err := idp.CheckURL(s); err != nil {
			f.add(field, "%w", err)
		}
	}
	if d := g.cfg.Documentation; d != "" {
		if u, err := url.Parse(d); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			f.add("Documentation", "%q is not a URL", d)
		}
	}
}
