package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	guid  = "11111111-2222-3333-4444-555555555555"
	other = "99999999-8888-7777-6666-555555555555"
)

// faultsOf loads p and returns its faults, one to a line.
func faultsOf(t *testing.T, p place) string {
	t.Helper()
	s, err := p.load(t)
	if err == nil {
		return ""
	}
	var faults *Faults
	if !errors.As(err, &faults) || s != nil {
		t.Fatalf("got %v and %T: %v", s, err, err)
	}
	for _, f := range faults.List {
		if f.Name == "" || f.Problem == "" || strings.ContainsAny(f.String(), "\n\r\x00") {
			t.Errorf("not a line that names something: %#v", f)
		}
	}
	return err.Error()
}

func yamlFile(body string) map[string]string { return map[string]string{"fastmcp-auth.yaml": body} }

func dotenv(body string) map[string]string { return map[string]string{".env": body} }

func flags(line string) place { return place{args: strings.Fields(line)} }

func TestARefusedConfigurationNamesWhatWasTyped(t *testing.T) {
	const entra = "--provider-kind entra --provider-tenant " + guid + " --provider-audience api://x "
	kinds := "entra, keycloak, auth0, okta, google, oidc or dev"
	for _, tt := range []struct {
		name string
		place
		want string
	}{
		// one value
		{"an address without a port", flags("--addr 8000"), `--addr: "8000" is not host:port; write for example 127.0.0.1:8000, [::1]:8000 or :8000`},
		{"a port that is none", flags("--addr 127.0.0.1:70000"), `--addr: "127.0.0.1:70000" has the port "70000"; write a number from 0 to 65535`},
		{"a port with a sign", flags("--addr 127.0.0.1:+80"), `--addr: "127.0.0.1:+80" has the port "+80"; write a number from 0 to 65535`},
		{"an empty value", place{environ: []string{"FASTMCP_AUTH_ADDR="}}, `FASTMCP_AUTH_ADDR: is empty; give a value, or leave it out`},
		{"a space at the end", place{environ: []string{"FASTMCP_AUTH_LOG_LEVEL=info "}}, `FASTMCP_AUTH_LOG_LEVEL: has a space or a line end at its beginning or end; leave it out`},
		{"a space after a comma", place{args: []string{"--allowed-hosts", "a.example, b.example"}}, `--allowed-hosts: item " b.example" has a space or a line end at its beginning or end; leave it out`},
		{"an item twice", flags("--allowed-hosts a.example,a.example"), `--allowed-hosts: has "a.example" twice`},
		{"an empty item", flags("--allowed-hosts a.example,"), `--allowed-hosts: has an empty item`},
		{"a duration without a unit", flags("--reverse-duration 5"), `--reverse-duration: "5" is no duration; write a number with its unit, such as 500ms, 30s or 5m`},
		{"a zero without a unit", flags("--reverse-duration 0"), `--reverse-duration: "0" is no duration; write a number with its unit, such as 500ms, 30s or 5m`},
		{"a negative duration", flags("--reverse-duration=-5s"), `--reverse-duration: "-5s" is out of bounds; from 0s to 10m are allowed`},
		{"a leeway that lets anything pass", flags("--tokens-leeway 6m"), `--tokens-leeway: "6m" is out of bounds; from 0s to 5m are allowed`},
		{"a size in decimal units", flags("--limits-body 1MB"), `--limits-body: "1MB" is no size; write a whole number with its unit, such as 512KiB or 1MiB`},
		{"a size without a unit", flags("--limits-body 1024"), `--limits-body: "1024" is no size; write a whole number with its unit, such as 512KiB or 1MiB`},
		{"a size that is too large", flags("--limits-body 1GiB"), `--limits-body: "1GiB" is out of bounds; from 1KiB to 64MiB are allowed`},
		{"a size beyond counting", flags("--limits-body 9223372036854775807GiB"), `--limits-body: "9223372036854775807GiB" is out of bounds; from 1KiB to 64MiB are allowed`},
		{"a number in another notation", flags("--limits-sessions 1e3"), `--limits-sessions: "1e3" is no whole number`},
		{"a number that is too small", flags("--limits-sessions 0"), `--limits-sessions: "0" is out of bounds; from 1 to 1000000 are allowed`},
		{"a boolean that is nearly one", place{environ: []string{"FASTMCP_AUTH_NO_AUTH=1"}}, `FASTMCP_AUTH_NO_AUTH: "1" is neither true nor false`},
		{"a boolean in capitals", flags("--no-auth=TRUE"), `--no-auth: "TRUE" is neither true nor false`},
		{"a syslog without a port", flags("--audit-syslog udp://127.0.0.1"), `--audit-syslog: "udp://127.0.0.1" is no syslog; write unix:///dev/log, or udp, tcp or tls://host:port`},
		{"a syslog that is no path", flags("--audit-syslog unix://dev/log"), `--audit-syslog: "unix://dev/log" is no syslog; write unix:///dev/log, or udp, tcp or tls://host:port`},
		{"a syslog with a password", flags("--audit-syslog tcp://u:p@logs.example:601"), `--audit-syslog: has an @ in it; a syslog here has no user or password`},
		{"a short key for fingerprints", place{args: []string{"--audit-hash-key-file", "key"}, files: map[string]string{"key": "short\n"}}, `--audit-hash-key-file: key has 5 bytes; a key needs 32, such as openssl rand -hex 32 makes`},
		{"a word that is not offered", flags("--log-level inf"), `--log-level: "inf" is none of debug, info, warn or error; did you mean info?`},
		{"a public URL over http", flags("--public-url http://mcp.example.com"), `--public-url: "http://mcp.example.com" is http beyond this machine; write https`},
		{"a public URL with a path", flags("--public-url https://mcp.example.com/"), `--public-url: "https://mcp.example.com/" has more than scheme and host; write https://mcp.example.com`},
		{"a public URL with a password, which is not shown", flags("--public-url https://u:hunter2@mcp.example.com"), `--public-url: has an @ in it; a URL here has no user, password or mail address`},
		{"a public URL without a scheme", flags("--public-url mcp.example.com"), `--public-url: "mcp.example.com" is no URL; write for example https://mcp.example.com`},
		{"a proxy as an address", flags("--trusted-proxies 10.0.0.1"), `--trusted-proxies: "10.0.0.1" is one address; write 10.0.0.1/32`},
		{"a proxy inside a network", flags("--trusted-proxies 10.0.0.1/8"), `--trusted-proxies: "10.0.0.1/8" names an address inside a network; write 10.0.0.0/8`},
		{"everyone as a proxy", flags("--trusted-proxies 0.0.0.0/0"), `--trusted-proxies: "0.0.0.0/0" would believe everyone; name the proxies' network`},
		{"T-2 any origin", flags("--allowed-origins *"), `--allowed-origins: "*" would let any page call; list each origin`},
		{"T-2 the null origin", flags("--allowed-origins null"), `--allowed-origins: "null" would let any page call; list each origin`},
		{"T-2 an origin with a path", flags("--allowed-origins https://app.example.com/x"), `--allowed-origins: "https://app.example.com/x" is no origin; write scheme and host in lower case, such as https://app.example.com`},
		{"attack 48 any host", flags("--allowed-hosts *.example.com"), `--allowed-hosts: "*.example.com" would open the door to DNS rebinding; list each host`},
		{"a scope with a space", place{args: []string{"--scopes-execute", "a b"}}, `--scopes-execute: "a b" is no scope; a scope has no space, no " and no \ in it`},
		{"RS-7 offline_access as a scope", flags("--scopes-execute offline_access"), `--scopes-execute: offline_access is between client and provider, never a server's to ask for`},
		{"a table without =", flags("--scopes-tools reverse_tool"), `--scopes-tools: "reverse_tool" is not tool=scope, with a comma between tools and a space between scopes`},
		{"a tool without a scope", flags("--scopes-tools reverse_tool="), `--scopes-tools: the tool "reverse_tool": a scope is empty`},
		{"a tool that is not there", place{args: []string{"--scopes-tools=revers_tool=x"}, tools: []string{"reverse_tool", "convert_time"}}, `--scopes-tools: there is no tool "revers_tool"; did you mean reverse_tool?`},
		{"scopes of tools beside a policy file", flags("--scopes-tools reverse_tool=x --policy-file p.yaml"), `--scopes-tools: is not used beside policy.file, whose rules name the scopes of each tool; leave one of them out`},
		{"a policy file without sign-in", flags("--no-auth --policy-file p.yaml"), `--policy-file: is not used with no_auth, which lets everyone call everything; leave one of them out`},
		{"a policy to try out without sign-in", place{args: []string{"--no-auth"}, files: yamlFile("policy: {shadow: p.yaml}\n")}, `fastmcp-auth.yaml:1:10: policy.shadow: is not used with no_auth, which lets everyone call everything; leave one of them out`},
		{"attack 51 a secret on the command line", place{args: []string{"--provider-introspection-client-secret", "hunter2"}},
			`--provider-introspection-client-secret: a secret on the command line is seen by everyone on the machine; set FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET, or --provider-introspection-client-secret-file`},

		// unknown names
		{"an unknown variable", place{environ: []string{"FASTMCP_AUTH_ADR=x"}}, `FASTMCP_AUTH_ADR: is no setting; did you mean FASTMCP_AUTH_ADDR?`},
		{"an unknown variable in lower case", place{environ: []string{"fastmcp_auth_addr=x"}}, `fastmcp_auth_addr: is no setting; did you mean FASTMCP_AUTH_ADDR?`},
		{"an unknown variable like nothing", place{environ: []string{"FASTMCP_AUTH_THE_QUICK_BROWN_FOX_JUMPS=x"}}, `FASTMCP_AUTH_THE_QUICK_BROWN_FOX_JUMPS: is no setting`},
		{"an unknown variable in .env", place{files: dotenv("A=1\nFASTMCP_AUTH_PROVIDER_KND=entra\n")}, `.env:2: FASTMCP_AUTH_PROVIDER_KND: is no setting; did you mean FASTMCP_AUTH_PROVIDER_KIND?`},
		{"an unknown key in the file", place{files: yamlFile("adr: x\n")}, `fastmcp-auth.yaml:1:1: adr: is no setting; did you mean addr?`},
		{"an unknown key in a section", place{files: yamlFile("provider:\n  knd: entra\n")}, `fastmcp-auth.yaml:2:3: provider.knd: is no setting; did you mean provider.kind?`},
		{"a key that belongs elsewhere", place{files: yamlFile("tenant: x\n")}, `fastmcp-auth.yaml:1:1: tenant: is no setting; did you mean provider.tenant?`},
		{"a key of a section like nothing", place{files: yamlFile("provider:\n  xyzzyx: 1\n")}, `fastmcp-auth.yaml:2:3: provider.xyzzyx: is no setting`},
		{"a misspelt section", place{files: yamlFile("provder:\n  kind: entra\n")}, `fastmcp-auth.yaml:1:1: provder: is no setting; did you mean provider?`},
		{"a provider that is misspelt, with what it needs", flags("--provider-kind entrra --provider-tenant " + guid), `--provider-kind: "entrra" is none of ` + kinds + `; did you mean entra?`},
		{"a key that is written with dots", place{files: yamlFile("log.level: info\n")}, `fastmcp-auth.yaml:1:1: log.level: is written with dots; write each part as a key of its own, one below the other`},

		// several settings
		{"a certificate without its key", flags("--tls-cert c.pem"), `tls.key: a certificate needs its private key: set --tls-key, FASTMCP_AUTH_TLS_KEY or tls.key in the file`},
		{"a key without its certificate", flags("--tls-key k.pem"), `tls.cert: a private key needs its certificate: set --tls-cert, FASTMCP_AUTH_TLS_CERT or tls.cert in the file`},
		{"no sign-in off loopback", flags("--no-auth --addr 0.0.0.0:8000"), `--no-auth: serves everyone without sign-in, which is for loopback only, but addr is 0.0.0.0:8000; leave no_auth out, listen on 127.0.0.1, or set force_no_auth to mean it`},
		{"no sign-in behind a public URL", flags("--no-auth --public-url https://mcp.example.com"), `--no-auth: serves everyone without sign-in, which is for loopback only, but public_url is https://mcp.example.com; leave no_auth out, listen on 127.0.0.1, or set force_no_auth to mean it`},
		{"forcing nothing", flags("--force-no-auth"), `--force-no-auth: means nothing without no_auth; set no_auth too, or leave it out`},
		{"traces in a protocol that is not spoken", place{environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}}, `OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not http/protobuf, which is all that is spoken here; collectors take it on port 4318`},
		{"traces by an exporter there is not", place{environ: []string{"OTEL_TRACES_EXPORTER=zipkin"}}, `OTEL_TRACES_EXPORTER: "zipkin" is neither otlp nor none, which is all that is spoken here`},
		{"events by an SDK that is off", place{environ: []string{"OTEL_SDK_DISABLED=true", "FASTMCP_AUTH_AUDIT_OTEL=true"}}, `FASTMCP_AUTH_AUDIT_OTEL: sends events by OpenTelemetry, but OTEL_SDK_DISABLED is true; leave one of them out`},
		{"metrics beyond this machine", flags("--admin-addr :9464"), `--admin-addr: ":9464" is beyond this machine, and nobody signs in there: listen on 127.0.0.1, or set admin.expose to mean it`},
		{"metrics on a name", flags("--admin-addr metrics:9464"), `--admin-addr: "metrics:9464" is beyond this machine, and nobody signs in there: listen on 127.0.0.1, or set admin.expose to mean it`},
		{"metrics exposed on no address", flags("--admin-expose"), `--admin-expose: is set, but admin.addr is not; set it too, or leave this out`},
		{"attack 51 no provider on every interface", flags("--addr :8000"), `--addr: ":8000" is beyond this machine, and without an identity provider only the development provider would sign people in, which is for loopback only: set provider.kind to ` + kinds + `, and what it needs`},
		{"attack 51 no provider on a name", flags("--addr myhost:8000"), `--addr: "myhost:8000" is beyond this machine, and without an identity provider only the development provider would sign people in, which is for loopback only: set provider.kind to ` + kinds + `, and what it needs`},
		{"attack 51 no provider behind a public URL", flags("--public-url https://mcp.example.com"), `--public-url: "https://mcp.example.com" is beyond this machine, and without an identity provider only the development provider would sign people in, which is for loopback only: set provider.kind to ` + kinds + `, and what it needs`},
		{"attack 51 the development provider behind a public URL", flags("--provider-kind dev --public-url https://mcp.example.com"), `--public-url: "https://mcp.example.com" is beyond this machine, but provider.kind dev is for loopback only: set provider.kind to a real provider`},
		{"attack 51 a development provider elsewhere", flags("--provider-kind dev --provider-issuer https://idp.example.com"), `--provider-issuer: "https://idp.example.com" is beyond this machine, but provider.kind dev is for loopback only`},
		{"RS-9 the development provider's Entra character without an audience", flags("--provider-kind dev --provider-issuer http://127.0.0.1:9000/" + guid + "/v2.0"), `provider.audience: the development provider's Entra character writes the API's client id into its tokens: set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`},
		{"a real provider off loopback without a public URL", flags(entra + "--addr 0.0.0.0:8000"), `public_url: addr 0.0.0.0:8000 is beyond this machine, and tokens are for the URL that clients use: set --public-url, FASTMCP_AUTH_PUBLIC_URL or public_url in the file`},
		{"a provider's setting without a provider", flags("--provider-issuer https://idp.example.com"), `--provider-issuer: is set, but provider.kind is not: set provider.kind to ` + kinds},
		{"a setting of another provider", flags(entra + "--provider-realm main"), `--provider-realm: is not for provider.kind entra; leave it out`},
		{"RS-9 Entra without an audience", flags("--provider-kind entra --provider-tenant " + guid), `provider.audience: Entra ID writes the API's client id or App ID URI into its tokens: set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`},
		{"Entra without a tenant", flags("--provider-kind entra --provider-audience api://x"), `provider.tenant: Entra ID needs the directory (tenant) ID: set --provider-tenant, FASTMCP_AUTH_PROVIDER_TENANT or provider.tenant in the file`},
		{"Entra with a domain for a tenant", flags("--provider-kind entra --provider-audience api://x --provider-tenant contoso.example"), `--provider-tenant: "contoso.example" is no directory (tenant) ID; write the GUID in lower case, or common, organizations or consumers`},
		{"Entra 7 every tenant without an allow-list", flags("--provider-kind entra --provider-audience api://x --provider-tenant common"), `provider.tenants: provider.tenant common stands for every tenant: list those let in, or "*" alone for any: set --provider-tenants, FASTMCP_AUTH_PROVIDER_TENANTS or provider.tenants in the file`},
		{"Entra 7 organizations without an allow-list", flags("--provider-kind entra --provider-audience api://x --provider-tenant organizations"), `provider.tenants: provider.tenant organizations stands for every tenant: list those let in, or "*" alone for any: set --provider-tenants, FASTMCP_AUTH_PROVIDER_TENANTS or provider.tenants in the file`},
		{"Entra 7 any tenant beside one", flags("--provider-kind entra --provider-audience api://x --provider-tenant common --provider-tenants *," + guid), `--provider-tenants: has "*" beside others; write "*" alone, or the tenants`},
		{"an allow-list beside one tenant", flags(entra + "--provider-tenants " + other), `--provider-tenants: is for provider.tenant common or organizations; leave it out`},
		{"a tenant in capitals", flags(entra + "--provider-tenants AAAAAAAA-2222-3333-4444-555555555555"), `--provider-tenants: "AAAAAAAA-2222-3333-4444-555555555555" is no directory (tenant) ID; write the GUID in lower case, or "*" alone for any`},
		{"Keycloak without an issuer", flags("--provider-kind keycloak --provider-realm main"), `provider.issuer: Keycloak is named by its base URL with provider.realm, or by the realm's issuer: set --provider-issuer, FASTMCP_AUTH_PROVIDER_ISSUER or provider.issuer in the file`},
		{"Keycloak without a realm", flags("--provider-kind keycloak --provider-issuer https://sso.example.com"), `provider.realm: provider.issuer does not end in /realms/<realm>: set --provider-realm, FASTMCP_AUTH_PROVIDER_REALM or provider.realm in the file`},
		{"Keycloak with two realms", flags("--provider-kind keycloak --provider-issuer https://sso.example.com/realms/a --provider-realm a"), `--provider-realm: is said twice, since provider.issuer ends in /realms/a; leave one of them out`},
		{"Auth0 without a domain", flags("--provider-kind auth0"), `provider.domain: the provider is named by its domain: set --provider-domain, FASTMCP_AUTH_PROVIDER_DOMAIN or provider.domain in the file`},
		{"Okta with a URL for a domain", flags("--provider-kind okta --provider-domain https://dev.okta.example"), `--provider-domain: "https://dev.okta.example" is no domain; write it without scheme and path, such as example.eu.auth0.com`},
		{"RS-9 Google without an audience", flags("--provider-kind google"), `provider.audience: Google's tokens are for an OAuth client, so its client id is needed: set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`},
		{"an OpenID provider without an issuer", flags("--provider-kind oidc"), `provider.issuer: an OpenID provider is named by its issuer: set --provider-issuer, FASTMCP_AUTH_PROVIDER_ISSUER or provider.issuer in the file`},
		{"an issuer over http", flags("--provider-kind oidc --provider-issuer http://idp.example.com"), `--provider-issuer: "http://idp.example.com" is http beyond this machine; write https`},
		{"introspection without a client", flags("--provider-kind oidc --provider-issuer https://idp.example.com --provider-introspection-url https://idp.example.com/introspect"),
			`provider.introspection.client_id: the introspection endpoint must know who asks: set --provider-introspection-client-id, FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_ID or provider.introspection.client_id in the file` + "\n" +
				`provider.introspection.client_secret: the introspection endpoint must know who asks (provider.introspection.client_secret_file will do): set FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET or provider.introspection.client_secret in the file`},
		{"an introspection client without introspection", flags("--provider-kind oidc --provider-issuer https://idp.example.com --provider-introspection-client-id x"), `--provider-introspection-client-id: is set, but provider.introspection.url is not; set it too, or leave this out`},
		{"attack 51 the development provider off loopback", place{command: IDP, args: []string{"--idp-addr=0.0.0.0:9000"}}, `--idp-addr: "0.0.0.0:9000" is beyond this machine; the development provider, whose users and secrets everyone knows, is for loopback only (idp.expose lets fastmcp-auth idp do it)`},
		{"attack 51 the development provider beside a server off loopback", flags("--idp-addr 0.0.0.0:9000"), `--idp-addr: "0.0.0.0:9000" is beyond this machine; the development provider, whose users and secrets everyone knows, is for loopback only (idp.expose lets fastmcp-auth idp do it)`},
		{"the development provider without a host", place{command: IDP, args: []string{"--idp-addr=:9000"}}, `--idp-addr: ":9000" names no host; write 127.0.0.1:9000, or the address to listen on`},
		{"an exposed development provider without its URL", place{command: IDP, args: []string{"--idp-addr=0.0.0.0:9000", "--idp-expose"}}, `idp.issuer: the development provider listens beyond this machine, and needs the URL people reach it by: set --idp-issuer, FASTMCP_AUTH_IDP_ISSUER or idp.issuer in the file`},
		{"a demonstration off loopback", place{command: Demo, args: []string{"--addr=:8000"}}, `--addr: ":8000" is beyond this machine; the demonstration uses the development provider, which is for loopback only`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := faultsOf(t, tt.place); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWhatMayBeSaidIsAccepted(t *testing.T) {
	for _, tt := range []struct {
		name string
		place
	}{
		{"nothing at all", place{}},
		{"a free port", flags("--addr 127.0.0.1:0")},
		{"loopback by another name", flags("--addr localhost:8000")},
		{"loopback in IPv6", flags("--addr [::1]:8000")},
		{"a loopback public URL over http", flags("--public-url http://localhost:8000")},
		{"no sign-in on loopback", flags("--no-auth")},
		{"no sign-in anywhere, forced", flags("--no-auth --force-no-auth --addr 0.0.0.0:8000")},
		{"no sign-in although a provider is configured", flags("--no-auth --provider-kind oidc --provider-issuer https://idp.example.com")},
		{"a development provider that runs already", flags("--provider-kind dev --provider-issuer http://127.0.0.1:9000")},
		{"a real provider behind a public URL", flags("--provider-kind oidc --provider-issuer https://idp.example.com --public-url https://mcp.example.com --addr 0.0.0.0:8000")},
		{"Entra with any tenant, said", flags("--provider-kind entra --provider-audience api://x --provider-tenant common --provider-tenants *")},
		{"Entra for personal accounts", flags("--provider-kind entra --provider-audience api://x --provider-tenant consumers")},
		{"an exposed development provider", place{command: IDP, args: []string{"--idp-addr=0.0.0.0:9000", "--idp-expose", "--idp-issuer=http://localhost:9000"}}},
		{"a list given in pieces", flags("--allowed-hosts a.example --allowed-hosts b.example:8443,[::1]:8000")},
		{"the switch for tests in the environment", place{environ: []string{"FASTMCP_AUTH_INTEGRATION="}}},
		{"a demonstration whatever provider is configured", place{command: Demo, environ: []string{"FASTMCP_AUTH_PROVIDER_KIND=okta", "TENANT_ID=x"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := faultsOf(t, tt.place); got != "" {
				t.Errorf("refused: %s", got)
			}
		})
	}
}

func TestAllFaultsComeAtOnce(t *testing.T) {
	got := faultsOf(t, place{
		args:    []string{"--addr=8000", "--log-level=loud", "--config=settings.yaml"},
		environ: []string{"FASTMCP_AUTH_LIMITS_BODY=lots", "FASTMCP_AUTH_WHAT=1", "PATH=/bin"},
		files: map[string]string{
			".env":          "# the provider\nFASTMCP_AUTH_PROVIDER_KIND=entra\nFASTMCP_AUTH_PROVIDER_GUESTS=maybe\nOTHER=${X}\n",
			"settings.yaml": "provider:\n  tenant: 12\n  audince: [x]\nlimits:\n  sessions: many\n  idle_timeout: 5\nno_auth: \"true\"\nno_auth: true\n",
		},
	})
	want := strings.Join([]string{
		`--addr: "8000" is not host:port; write for example 127.0.0.1:8000, [::1]:8000 or :8000`,
		`--log-level: "loud" is none of debug, info, warn or error`,
		`FASTMCP_AUTH_LIMITS_BODY: "lots" is no size; write a whole number with its unit, such as 512KiB or 1MiB`,
		`FASTMCP_AUTH_WHAT: is no setting`,
		`.env:3: FASTMCP_AUTH_PROVIDER_GUESTS: "maybe" is none of allow or deny`,
		`settings.yaml:2:3: provider.tenant: is a number to YAML; put quotes round it`,
		`settings.yaml:3:3: provider.audince: is no setting; did you mean provider.audience?`,
		`settings.yaml:5:3: limits.sessions: is no whole number; write digits, without quotes`,
		`settings.yaml:6:3: limits.idle_timeout: "5" is no duration; write a number with its unit, such as 500ms, 30s or 5m`,
		`settings.yaml:7:1: no_auth: is neither true nor false; write one of them, without quotes`,
		`settings.yaml:8:1: no_auth: stands twice; the first is in line 7`,
		`provider.audience: Entra ID writes the API's client id or App ID URI into its tokens: set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`,
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var body strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&body, "unknown_%d: 1\n", i)
	}
	got := faultsOf(t, place{files: yamlFile(body.String())})
	if lines := strings.Count(got, "\n") + 1; lines != maxFaults+1 || !strings.HasSuffix(got, "has more faults than these") {
		t.Errorf("got %d lines", lines)
	}
}

func TestNoFaultShowsASecret(t *testing.T) {
	const name = "FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET"
	for _, tt := range []struct {
		name string
		place
	}{
		{"attack 51 on the command line", place{args: []string{"--provider-introspection-client-secret=hunter2"}}},
		{"with a space at its end", place{environ: []string{name + "=hunter2 "}}},
		{"in .env, never closed", place{files: dotenv(name + "=\"hunter2\n")}},
		{"in .env, with a variable in it", place{files: dotenv(name + "=hunter2$X\n")}},
		{"in .env, behind a misspelt name", place{files: dotenv("FASTMCP_AUTH_SECRT=hunter2\n")}},
		{"in the file, as a list", place{files: yamlFile("provider:\n  introspection:\n    client_secret: [hunter2]\n")}},
		{"in the file, behind a misspelt key", place{files: yamlFile("provider:\n  introspection:\n    client_secrt: hunter2\n")}},
		{"in a file that is no YAML", place{files: yamlFile("provider: introspection: {client_secret: hunter2\n")}},
		{"without introspection", place{environ: []string{name + "=hunter2"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := faultsOf(t, tt.place); got == "" || strings.Contains(got, "hunter2") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestDidYouMeanOffersOnlyWhatIsNear(t *testing.T) {
	known := []string{"addr", "provider.kind"}
	for typed, want := range map[string]string{
		"adr": "addr", "addrr": "addr", "adrd": "addr", "provider.knid": "provider.kind", "xyz": "", "": "", strings.Repeat("a", 100): "",
	} {
		got := strings.TrimSuffix(strings.TrimPrefix(didYouMean(typed, known, ""), "; did you mean "), "?")
		if got != want {
			t.Errorf("for %q it offers %q, want %q", typed, got, want)
		}
	}
	if !slices.Contains(envNames(), "CONFIG") {
		t.Error("FASTMCP_AUTH_CONFIG is never offered")
	}
}
