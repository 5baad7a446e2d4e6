package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// given reports whether somebody said key, and it counts.
func (l *loader) given(key string) bool { return l.origins[key].origin != fromDefault }

// blame adds a fault under the name that gave key its value.
func (l *loader) blame(key, problem string, args ...any) {
	where := l.origins[key]
	l.faults.add(where.name, where.place, problem, args...)
}

// lacks adds a fault for key, which nobody gave, with every way to give it. A value that was refused is no lack.
func (l *loader) lacks(key, why string) {
	if l.refused[key] {
		return
	}
	d := byKey(key)
	ways := []string{d.env(), key + " in the file"}
	if d.kind != secret {
		ways = append([]string{"--" + d.flag()}, ways...)
	}
	l.faults.add(key, "", "%s: set %s", why, enumerate(ways))
}

// complete fills what follows from other settings.
func (l *loader) complete(s *Settings) {
	p := &s.Provider
	if p.Kind == "entra" && p.ScopePrefix == "" && len(p.Audience) > 0 {
		app := p.Audience[0]
		if i := slices.IndexFunc(p.Audience, func(a string) bool { return strings.Contains(a, "://") }); i >= 0 {
			app = p.Audience[i]
		}
		if idp.IsGUID(app) {
			app = "api://" + app
		}
		p.ScopePrefix = strings.TrimSuffix(app, "/") + "/"
		l.origins["provider.scope_prefix"] = said{name: "provider.scope_prefix", origin: "from provider.audience", value: p.ScopePrefix}
	}
	if file := p.Introspection.ClientSecretFile; file != "" && p.Introspection.ClientSecret == "" {
		p.Introspection.ClientSecret = l.secretFile("provider.introspection.client_secret_file", file)
	}
	if ci := l.environ()["CI"].value; ci != "" && ci != "false" && ci != "0" {
		if !s.NoInput {
			l.origins["no_input"] = said{name: "CI", origin: fromCI, value: true}
		}
		s.NoInput = true
	}
	for _, path := range []*string{&s.Policy.File, &s.Policy.Shadow, &s.CAFile, &s.StoreDir} {
		if *path != "" {
			*path = l.inDir(*path)
		}
	}
	l.completeStore(&s.Store)
	if file := s.Model.KeyFile; file != "" && s.Model.Key == "" {
		s.Model.Key = l.secretFile("model.key_file", file)
	}
	if l.origins["model.url"].name == azureEndpoint && !l.given("model.kind") {
		s.Model.Kind = "azure"
	}
	if s.Model.Entra.TokenFile != "" {
		s.Model.Entra.TokenFile = l.inDir(s.Model.Entra.TokenFile)
	}
	if file := s.Model.Entra.SecretFile; file != "" && s.Model.Entra.Secret == "" {
		s.Model.Entra.Secret = l.secretFile("model.entra.secret_file", file)
	}
	if file := s.Console.ClientSecretFile; file != "" && s.Console.ClientSecret == "" {
		s.Console.ClientSecret = l.secretFile("console.client_secret_file", file)
	}
	if s.Console.ClientID == "" && loopback(s.Addr) && s.PublicURL == "" {
		s.Console.ClientID = p.ClientID
	}
	if s.Audit.File.Path != "" {
		s.Audit.File.Path = l.inDir(s.Audit.File.Path)
	}
	if file := s.Audit.HashKeyFile; file != "" {
		s.Audit.hashKey = l.secretFile("audit.hash_key_file", file)
		if n := len(s.Audit.hashKey); n > 0 && n < 32 {
			l.blame("audit.hash_key_file", "%s has %d bytes; a key needs 32, such as openssl rand -hex 32 makes", file, n)
		}
	}
}

// secretFile reads the secret in the file that key names. One line end at its end is the editor's and does not count.
func (l *loader) secretFile(key, path string) Secret {
	body, err := readFile(l.inDir(path), maxValue)
	if err != nil {
		l.blame(key, "%s %v", path, err)
		return ""
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(body), "\n"), "\r")
	if err := plain(text); err != nil {
		l.blame(key, "%s %v", path, err)
		return ""
	}
	return Secret(text)
}

// check holds the settings against each other.
func (l *loader) check(s *Settings) {
	switch l.src.Command {
	case Call, Agent:
		if l.trusts("ca_file", "store_dir", "insecure_storage") && l.trusts(modelGuarded...) {
			l.checkCA(s.CAFile)
			l.checkModel(&s.Model)
		}
		return
	case IDP:
		l.checkIDP(s)
		return
	case Demo:
		l.checkIDP(s)
		if !loopback(s.Addr) {
			l.blame("addr", "%s is beyond this machine; the demonstration uses the development provider, which is for loopback only", show(s.Addr))
		}
		return
	}
	l.checkCA(s.CAFile)
	l.checkIDP(s)
	l.checkTLS(s)
	l.checkTools(s)
	l.checkPolicy(s)
	l.checkAdmin(s)
	l.checkOTel(s)
	l.checkStore(&s.Store)
	if s.REST.Addr != "" && !loopback(s.REST.Addr) && s.PublicURL == "" {
		l.lacks("public_url", "rest.addr is beyond this machine, and clients need the URL they reach the server by")
	}
	if s.ForceNoAuth && !s.NoAuth {
		l.blame("force_no_auth", "means nothing without no_auth; set no_auth too, or leave it out")
	}
	if s.NoAuth {
		l.checkOpen(s)
		return
	}
	l.checkProvider(s)
	l.checkIntrospection(s)
}

func (l *loader) checkIDP(s *Settings) {
	switch {
	case strings.HasPrefix(s.IDP.Addr, ":"):
		l.blame("idp.addr", "%s names no host; write 127.0.0.1%s, or the address to listen on", show(s.IDP.Addr), s.IDP.Addr)
	case !loopback(s.IDP.Addr) && !s.IDP.Expose:
		l.blame("idp.addr", "%s is beyond this machine; the development provider, whose users and secrets everyone knows, is for loopback only (idp.expose lets fastmcp-auth idp do it)", show(s.IDP.Addr))
	case !loopback(s.IDP.Addr) && s.IDP.Issuer == "":
		l.lacks("idp.issuer", "the development provider listens beyond this machine, and needs the URL people reach it by")
	}
}

func (l *loader) checkTLS(s *Settings) {
	switch {
	case s.TLS.Cert == "" && s.TLS.Key == "":
		return
	case s.TLS.Key == "":
		l.lacks("tls.key", "a certificate needs its private key")
		return
	case s.TLS.Cert == "":
		l.lacks("tls.cert", "a private key needs its certificate")
		return
	}
	cert, certErr := readFile(l.inDir(s.TLS.Cert), maxFile)
	if certErr != nil {
		l.blame("tls.cert", "%s %v", s.TLS.Cert, certErr)
	}
	key, keyErr := readFile(l.inDir(s.TLS.Key), maxFile)
	if keyErr != nil {
		l.blame("tls.key", "%s %v", s.TLS.Key, keyErr)
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.blame("tls.cert", "%s and %s are no certificate with its key: %s", s.TLS.Cert, s.TLS.Key, strings.TrimPrefix(err.Error(), "tls: "))
	}
}

func (l *loader) checkTools(s *Settings) {
	if l.src.Tools == nil {
		return
	}
	for tool := range s.Scopes.Tools {
		if !slices.Contains(l.src.Tools, tool) {
			l.blame("scopes.tools", "there is no tool %s%s", show(tool), didYouMean(tool, l.src.Tools, ""))
		}
	}
}

// checkCA wants a file of certificates.
func (l *loader) checkCA(path string) {
	if path == "" {
		return
	}
	body, err := readFile(path, maxFile)
	switch {
	case err != nil:
		l.blame("ca_file", "%s %v", path, err)
	case !x509.NewCertPool().AppendCertsFromPEM(body):
		l.blame("ca_file", "%s holds no certificate as PEM", path)
	}
}

// checkPolicy refuses what would be said and not used.
func (l *loader) checkPolicy(s *Settings) {
	if s.Policy.File != "" && l.given("scopes.tools") {
		l.blame("scopes.tools", "is not used beside policy.file, whose rules name the scopes of each tool; leave one of them out")
	}
	for _, key := range []string{"policy.file", "policy.shadow"} {
		if s.NoAuth && l.given(key) {
			l.blame(key, "is not used with no_auth, which lets everyone call everything; leave one of them out")
		}
	}
}

// beyond says by which setting the server is reached from other machines, and its value; or nothing.
func beyond(s *Settings) (key, value string) {
	if !loopback(s.Addr) {
		return "addr", s.Addr
	}
	if u, err := url.Parse(s.PublicURL); s.PublicURL != "" && (err != nil || !loopbackHost(u.Hostname())) {
		return "public_url", s.PublicURL
	}
	return "", ""
}

// checkOpen lets a server without sign-in be reached from this machine alone, unless forced.
func (l *loader) checkOpen(s *Settings) {
	if key, value := beyond(s); key != "" && !s.ForceNoAuth {
		l.blame("no_auth", "serves everyone without sign-in, which is for loopback only, but %s is %s; leave no_auth out, listen on 127.0.0.1, or set force_no_auth to mean it", key, value)
	}
}

// fits names the settings that each kind of provider reads, besides those that every kind reads.
var fits = map[string][]string{
	"entra":    {"provider.tenant", "provider.tenants", "provider.cloud"},
	"keycloak": {"provider.issuer", "provider.realm"},
	"auth0":    {"provider.domain"},
	"okta":     {"provider.domain", "provider.server"},
	"google":   {},
	"oidc":     {"provider.issuer"},
	"dev":      {"provider.issuer"},
}

var fitAll = []string{"provider.kind", "provider.audience", "provider.client_id", "provider.scope_prefix", "provider.guests",
	"provider.introspection.url", "provider.introspection.client_id", "provider.introspection.client_secret",
	"provider.introspection.client_secret_file"}

func (l *loader) checkProvider(s *Settings) {
	if l.refused["provider.kind"] {
		return // nobody knows what the other settings must fit
	}
	if s.Provider.Kind == "" {
		l.checkNoProvider(s)
		return
	}
	for i := range table {
		key := table[i].key
		if strings.HasPrefix(key, "provider.") && l.given(key) && !slices.Contains(fitAll, key) && !slices.Contains(fits[s.Provider.Kind], key) {
			l.blame(key, "is not for provider.kind %s; leave it out", s.Provider.Kind)
		}
	}
	if s.Provider.Kind == "dev" {
		l.checkDev(s)
		return
	}
	if !loopback(s.Addr) && s.PublicURL == "" {
		l.lacks("public_url", "addr "+s.Addr+" is beyond this machine, and tokens are for the URL that clients use")
	}
	switch s.Provider.Kind {
	case "entra":
		l.checkEntra(s)
	case "keycloak":
		l.checkKeycloak(s)
	case "auth0", "okta":
		if s.Provider.Domain == "" {
			l.lacks("provider.domain", "the provider is named by its domain")
		}
	case "google":
		l.needsAudience(s, "Google's tokens are for an OAuth client, so its client id is needed")
	case "oidc":
		if s.Provider.Issuer == "" {
			l.lacks("provider.issuer", "an OpenID provider is named by its issuer")
		}
	}
}

// checkNoProvider lets the development provider stand in, on loopback, where nothing says that another was meant.
func (l *loader) checkNoProvider(s *Settings) {
	kinds := enumerate(byKey("provider.kind").oneOf)
	for _, v := range l.old {
		l.faults.add(v.name, v.place, "is set, but %s is not, so no provider is named: set %s too, or leave %s out", oldTenant, oldTenant, v.name)
	}
	for i := range table {
		key := table[i].key
		named := slices.Contains(oldNames, l.origins[key].name)
		if strings.HasPrefix(key, "provider.") && l.given(key) && !named {
			l.blame(key, "is set, but provider.kind is not: set provider.kind to %s", kinds)
		}
	}
	if key, value := beyond(s); key != "" {
		l.blame(key, "%s is beyond this machine, and without an identity provider only the development provider would sign people in, which is for loopback only: set provider.kind to %s, and what it needs", show(value), kinds)
	}
}

func (l *loader) checkDev(s *Settings) {
	if key, value := beyond(s); key != "" {
		l.blame(key, "%s is beyond this machine, but provider.kind dev is for loopback only: set provider.kind to a real provider", show(value))
	}
	if _, _, entra := devTenant(s.Provider.Issuer); entra {
		l.needsAudience(s, "the development provider's Entra character writes the API's client id into its tokens")
	}
	if u, err := url.Parse(s.Provider.Issuer); s.Provider.Issuer != "" && (err != nil || !loopbackHost(u.Hostname())) {
		l.blame("provider.issuer", "%s is beyond this machine, but provider.kind dev is for loopback only", show(s.Provider.Issuer))
	}
}

func (l *loader) checkEntra(s *Settings) {
	p := s.Provider
	l.needsAudience(s, "Entra ID writes the API's client id or App ID URI into its tokens")
	several := p.Tenant == "common" || p.Tenant == "organizations"
	switch {
	case p.Tenant == "":
		l.lacks("provider.tenant", "Entra ID needs the directory (tenant) ID")
	case several && len(p.Tenants) == 0:
		l.lacks("provider.tenants", "provider.tenant "+p.Tenant+` stands for every tenant: list those let in, or "*" alone for any`)
	case !several && len(p.Tenants) > 0:
		l.blame("provider.tenants", "is for provider.tenant common or organizations; leave it out")
	}
	if slices.Contains(p.Tenants, idp.AnyTenant) && len(p.Tenants) > 1 {
		l.blame("provider.tenants", `has "*" beside others; write "*" alone, or the tenants`)
	}
}

// needsAudience refuses an audience that was left open: it never means any (RS-9).
func (l *loader) needsAudience(s *Settings, why string) {
	if len(s.Provider.Audience) > 0 {
		return
	}
	if s.Provider.Kind == "entra" && slices.ContainsFunc(l.old, func(v variable) bool { return v.name == oldTenant }) {
		why += " (" + oldAudience + ", " + oldScope + " or " + oldClient + " beside " + oldTenant + " will do)"
	}
	l.lacks("provider.audience", why)
}

func (l *loader) checkKeycloak(s *Settings) {
	_, realm, inIssuer := keycloakRealm(s.Provider)
	switch {
	case s.Provider.Issuer == "":
		l.lacks("provider.issuer", "Keycloak is named by its base URL with provider.realm, or by the realm's issuer")
	case inIssuer && s.Provider.Realm != "":
		l.blame("provider.realm", "is said twice, since provider.issuer ends in /realms/%s; leave one of them out", realm)
	case !inIssuer && s.Provider.Realm == "":
		l.lacks("provider.realm", "provider.issuer does not end in /realms/<realm>")
	}
}

// keycloakRealm splits the issuer of a realm, or takes the base URL and the realm as they were given.
func keycloakRealm(p Provider) (base, realm string, inIssuer bool) {
	base, realm, found := cutLast(p.Issuer, "/realms/")
	if !found || realm == "" || pathSegment(realm) != "" {
		return p.Issuer, p.Realm, false
	}
	return base, realm, true
}

// checkAdmin lets operators be answered beyond this machine only where somebody says so.
func (l *loader) checkAdmin(s *Settings) {
	switch {
	case s.Admin.Addr == "":
		for _, key := range []string{"admin.expose", "admin.allowed_hosts"} {
			if l.given(key) {
				l.blame(key, "is set, but admin.addr is not; set it too, or leave this out")
			}
		}
	case !loopback(s.Admin.Addr) && !s.Admin.Expose:
		l.blame("admin.addr", "%s is beyond this machine, and nobody signs in there: listen on 127.0.0.1, or set admin.expose to mean it", show(s.Admin.Addr))
	}
}

func (l *loader) checkIntrospection(s *Settings) {
	const url, id, secret, file = "provider.introspection.url", "provider.introspection.client_id",
		"provider.introspection.client_secret", "provider.introspection.client_secret_file"
	if l.given(secret) && l.given(file) {
		l.blame(file, "says the secret a second time, beside %s; leave one of them out", l.origins[secret].name)
	}
	if s.Provider.Introspection.URL == "" {
		for _, key := range []string{id, secret, file} {
			if l.given(key) {
				l.blame(key, "is set, but provider.introspection.url is not; set it too, or leave this out")
			}
		}
		return
	}
	if s.Provider.Introspection.ClientID == "" {
		l.lacks(id, "the introspection endpoint must know who asks")
	}
	if !l.given(secret) && !l.given(file) {
		l.lacks(secret, "the introspection endpoint must know who asks (provider.introspection.client_secret_file will do)")
	}
}
