package config

import (
	"slices"
	"strings"
	"time"
)

// DefaultServer is the server that commands call where none is named: the one of serve on this machine.
const DefaultServer = "http://127.0.0.1:8000/mcp"

// kind is what a setting may be.
type kind int

const (
	text   kind = iota
	yes         // true or false
	span        // a duration with its unit
	size        // bytes with their unit
	number      // a whole number
	list        // several texts
	scopes      // tool names to scopes
	secret      // a text that is never shown, and never a flag
)

// Sections of the reference page: what is fixed for the life of a process, what describes who may do what, and how
// servers are called.
const (
	atStart = iota
	whileRunning
	whenCalling
	whenTalking
)

// setting is one row of the table.
type setting struct {
	key      string
	kind     kind
	fallback string            // the default as one would type it
	byCmd    map[string]string // a default that differs by command
	help     string            // one sentence: for flags, and for the page
	section  int
	commands []string                 // who uses it, besides Show; nil means serve alone
	oneOf    []string                 // for text: all that it may be
	check    func(item string) string // for text and list items: what is wrong with it, or nothing
	from, to time.Duration            // for span: the bounds, both allowed
	low      int64                    // for number and size
	high     int64
}

var (
	everywhere = []string{Serve, IDP, Demo, Call, Agent}
	withDev    = []string{Serve, IDP, Demo}
	tools      = []string{Serve, Demo}
	calling    = []string{Call, Agent}
	talking    = []string{Agent}
)

// table is every setting there is. Flags, environment, file, page and checks are made from it.
var table = []setting{
	{key: "addr", kind: text, fallback: "127.0.0.1:8000", commands: tools, check: listenAddress,
		help: "Address to listen on, as host:port; port 0 takes a free one."},
	{key: "public_url", kind: text, check: publicURL,
		help: "Address clients reach the server by, as a URL of scheme and host alone; needed when addr is beyond this machine."},
	{key: "trusted_proxies", kind: list, check: network,
		help: "Networks of the reverse proxies whose X-Forwarded-For is believed, as CIDR."},
	{key: "tls.cert", kind: text, help: "File with the TLS certificate chain, as PEM."},
	{key: "tls.key", kind: text, help: "File with the TLS private key, as PEM."},
	{key: "admin.addr", kind: text, check: listenAddress,
		help: "Address to answer operators on, with metrics and profiles, as host:port such as 127.0.0.1:9464; without one, nobody is answered."},
	{key: "admin.expose", kind: yes, fallback: "false",
		help: "Let admin.addr, where nobody signs in, be beyond this machine; profiles stay on it."},
	{key: "admin.allowed_hosts", kind: list, check: hostHeader,
		help: "Names that admin.addr is asked by, besides the loopback names and, with admin.expose, any IP address."},
	{key: "log.level", kind: text, fallback: "info", byCmd: map[string]string{Demo: "error", Call: "error", Agent: "error"}, commands: everywhere, oneOf: []string{"debug", "info", "warn", "error"},
		help: "Least level that is logged."},
	{key: "log.format", kind: text, fallback: "auto", commands: everywhere, oneOf: []string{"auto", "text", "json"},
		help: "Form of the log; auto is text on a terminal and JSON elsewhere."},
	{key: "limits.body", kind: size, fallback: "1MiB", low: 1 << 10, high: 64 << 20,
		help: "Largest request body."},
	{key: "limits.header", kind: size, fallback: "64KiB", low: 4 << 10, high: 1 << 20,
		help: "Largest request header, all fields together."},
	{key: "limits.read_timeout", kind: span, fallback: "30s", from: time.Second, to: time.Hour,
		help: "Longest time a request, header and body, may take to arrive."},
	{key: "limits.write_timeout", kind: span, fallback: "30s", from: time.Second, to: time.Hour,
		help: "Longest time one write of an answer may wait for a slow reader."},
	{key: "limits.idle_timeout", kind: span, fallback: "2m", from: time.Second, to: time.Hour,
		help: "How long a connection without a request stays open."},
	{key: "limits.call_timeout", kind: span, fallback: "5m", to: 24 * time.Hour,
		help: "Longest time one tool call may run; 0s means no limit."},
	{key: "limits.caller_rate", kind: number, fallback: "1000", high: 1_000_000,
		help: "Most requests a second of one person or program, ten times as many at once; 0 means no limit."},
	{key: "limits.address_rate", kind: number, fallback: "100", high: 1_000_000,
		help: "Most requests a second from one address that fail to sign in, ten times as many at once; 0 means no limit."},
	{key: "limits.calls", kind: number, fallback: "1024", low: 1, high: 1_000_000,
		help: "Most calls that run at a time."},
	{key: "limits.caller_calls", kind: number, fallback: "64", low: 1, high: 1_000_000,
		help: "Most calls of one person or program that run at a time."},
	{key: "limits.result", kind: size, fallback: "8MiB", low: 1 << 10, high: 1 << 30,
		help: "Largest result of a call."},
	{key: "limits.sessions", kind: number, fallback: "1000", low: 1, high: 1_000_000,
		help: "Most sessions of older protocol versions at a time."},
	{key: "limits.session_idle", kind: span, fallback: "30m", from: time.Second, to: 24 * time.Hour,
		help: "How long such a session lives without a request."},
	{key: "limits.shutdown_grace", kind: span, fallback: "10s", to: 10 * time.Minute, commands: tools,
		help: "How long running calls may finish after a signal to end, before they are cancelled."},
	{key: "rest.addr", kind: text, check: listenAddress,
		help: "Address that answers the REST API alone, as host:port, besides addr, which answers it too."},
	{key: "console.client_id", kind: text, commands: tools, check: printable,
		help: "Client id that the web console signs people in as; not said, on loopback it is provider.client_id."},
	{key: "console.client_secret", kind: secret, commands: tools,
		help: "Secret of that client; without one it is a public client."},
	{key: "console.client_secret_file", kind: text, commands: tools,
		help: "File with that secret; one line end at its end does not count."},
	{key: "console.idle", kind: span, fallback: "1h", from: 10 * time.Second, to: 24 * time.Hour, commands: tools,
		help: "How long a session of the console lives without a request."},
	{key: "console.lifetime", kind: span, fallback: "12h", from: 10 * time.Second, to: 30 * 24 * time.Hour, commands: tools,
		help: "How long a session of the console lives at the most."},
	{key: "store.kind", kind: text, fallback: "sqlite", byCmd: map[string]string{Demo: "memory"}, commands: tools, oneOf: []string{"sqlite", "redis", "memory"},
		help: "Where sessions of the console and long calls are kept: in a file, in Redis, where several servers share them, or in memory, which ends with the process."},
	{key: "store.path", kind: text, commands: tools,
		help: "File of the store; not said, it is fastmcp-auth/serve.db where the system keeps the state of programs, or in memory where another server has that."},
	{key: "store.url", kind: secret, commands: tools,
		help: "Redis to keep the store in, as redis://user:password@host:6379/0, or rediss:// with TLS."},
	{key: "store.key_file", kind: text, commands: tools,
		help: "File with the key, 32 characters or more such as openssl rand -hex 32 makes, that the store is sealed with, the same for every server; not said, a file made beside store.path, and needed with Redis."},
	{key: "reverse.duration", kind: span, fallback: "5s", to: 10 * time.Minute, commands: tools,
		help: "Time over which reverse_tool reports its progress."},
	{key: "idp.addr", kind: text, fallback: "127.0.0.1:0", byCmd: map[string]string{IDP: "127.0.0.1:9000"}, commands: withDev,
		check: listenAddress, help: "Address the development provider listens on."},
	{key: "idp.character", kind: text, fallback: "standard", commands: withDev, oneOf: []string{"standard", "entra"},
		help: "How the development provider behaves: as the RFCs say, or with the oddities of Entra ID."},
	{key: "idp.issuer", kind: text, commands: []string{IDP}, check: baseURL,
		help: "Issuer the development provider names, where people reach it by another address than it listens on."},
	{key: "idp.expose", kind: yes, fallback: "false", commands: []string{IDP},
		help: "Let the development provider, whose users and secrets everyone knows, listen beyond this machine."},

	{key: "allowed_origins", kind: list, section: whileRunning, check: origin,
		help: "Web origins that may call from a browser, besides the server's own."},
	{key: "allowed_hosts", kind: list, section: whileRunning, check: hostHeader,
		help: "Host headers that are answered, besides the public URL's and, on loopback, the loopback names."},
	{key: "no_auth", kind: yes, fallback: "false", section: whileRunning,
		help: "Serve everyone without sign-in; on loopback only."},
	{key: "force_no_auth", kind: yes, fallback: "false", section: whileRunning,
		help: "With no_auth: serve everyone even beyond this machine."},
	{key: "provider.kind", kind: text, section: whileRunning,
		oneOf: []string{"entra", "keycloak", "auth0", "okta", "google", "oidc", "dev"},
		help:  "Identity provider whose tokens are accepted; without one, the development provider starts, on loopback only."},
	{key: "provider.issuer", kind: text, section: whileRunning, check: baseURL,
		help: "Issuer of an OpenID provider; for Keycloak the base URL with provider.realm, or the realm's issuer without."},
	{key: "provider.tenant", kind: text, section: whileRunning, check: tenant,
		help: "Entra directory (tenant) ID, or common or organizations."},
	{key: "provider.tenants", kind: list, section: whileRunning, check: allowedTenant,
		help: `Entra tenants let in when provider.tenant is common or organizations; "*" alone lets in any.`},
	{key: "provider.cloud", kind: text, fallback: "public", section: whileRunning, oneOf: []string{"public", "usgov", "china"},
		help: "Entra cloud the tenant is in."},
	{key: "provider.realm", kind: text, section: whileRunning, check: pathSegment, help: "Keycloak realm."},
	{key: "provider.domain", kind: text, section: whileRunning, check: domain, help: "Auth0 or Okta domain, without a scheme."},
	{key: "provider.server", kind: text, section: whileRunning, check: pathSegment,
		help: "Okta authorization server id; not said, it is default."},
	{key: "provider.audience", kind: list, section: whileRunning, check: printable,
		help: "What a token's aud must be, any of these; not said, it is the server's own URL, except for Entra and Google, which need it said."},
	{key: "provider.client_id", kind: text, section: whileRunning, check: printable,
		help: "Public client id that command-line clients sign in with; it is shown to people, and not checked."},
	{key: "provider.scope_prefix", kind: text, section: whileRunning, check: scopePrefix,
		help: "What stands before a scope's name when a client asks for it, such as api://<app>/ for Entra."},
	{key: "provider.guests", kind: text, fallback: "allow", section: whileRunning, oneOf: []string{"allow", "deny"},
		help: "Whether people whose home is another tenant or provider may call."},
	{key: "provider.introspection.url", kind: text, section: whileRunning, check: endpointURL,
		help: "Introspection endpoint for opaque tokens (RFC 7662)."},
	{key: "provider.introspection.client_id", kind: text, section: whileRunning, check: printable,
		help: "Client id to ask the introspection endpoint with."},
	{key: "provider.introspection.client_secret", kind: secret, section: whileRunning,
		help: "Secret of that client."},
	{key: "provider.introspection.client_secret_file", kind: text, section: whileRunning,
		help: "File with that secret; one line end at its end does not count."},
	{key: "scopes.execute", kind: text, fallback: "execute", section: whileRunning, check: scope,
		help: "Name of the scope that opens every tool."},
	{key: "scopes.tools", kind: scopes, section: whileRunning,
		help: "Scopes that open a tool, all of them together, instead of its own; the scope that opens every tool still does."},
	{key: "policy.file", kind: text, section: whileRunning,
		help: "File with rules that say who may call what, in place of scopes.tools; it is read again when it changes."},
	{key: "policy.shadow", kind: text, section: whileRunning,
		help: "Policy file that is tried out: the log says where it would have decided otherwise, and nobody acts on it."},
	{key: "audit.file.path", kind: text, section: whileRunning,
		help: "File that every decision and outcome is recorded in, as lines of JSON; its folder must exist."},
	{key: "audit.file.max_size", kind: size, fallback: "64MiB", section: whileRunning, low: 4 << 10, high: 1 << 40,
		help: "Size from which on that file is put aside under a name with the time."},
	{key: "audit.file.max_age", kind: span, fallback: "24h", section: whileRunning, to: 366 * 24 * time.Hour,
		help: "Age of its first event from which on it is put aside; 0s means that age does not matter."},
	{key: "audit.file.keep", kind: number, fallback: "30", section: whileRunning, high: 100_000,
		help: "How many files put aside are kept; 0 keeps all."},
	{key: "audit.file.sync", kind: yes, fallback: "false", section: whileRunning,
		help: "Have each event on the disk before the call goes on, so that a loss of power loses none."},
	{key: "audit.syslog", kind: text, section: whileRunning, check: syslogURL,
		help: "Syslog that every decision and outcome is sent to (RFC 5424): unix:///dev/log, or udp, tcp or tls://host:port."},
	{key: "audit.stdout", kind: yes, fallback: "false", section: whileRunning,
		help: "Record every decision and outcome on stdout too, after the line that says the server is ready."},
	{key: "audit.otel", kind: yes, fallback: "false", section: whileRunning,
		help: "Send every decision and outcome as an OpenTelemetry log, to where OTEL_EXPORTER_OTLP_ENDPOINT says."},
	{key: "audit.on_failure", kind: text, fallback: "closed", section: whileRunning, oneOf: []string{"closed", "open"},
		help: "What happens to calls that cannot be recorded: closed refuses them, open lets them pass."},
	{key: "audit.hash_key_file", kind: text,
		help: "File with the key, 32 characters or more such as openssl rand -hex 32 makes, that arguments are fingerprinted with; without one, each process makes its own."},
	{key: "tokens.leeway", kind: span, fallback: "1m", to: 5 * time.Minute, section: whileRunning,
		help: "How far the provider's clock may be off ours."},
	{key: "tokens.unknown_key_interval", kind: span, fallback: "5m", from: time.Second, to: time.Hour, section: whileRunning,
		help: "Least time between two fetches of the provider's keys for tokens signed with an unknown key."},

	{key: "server", kind: text, fallback: DefaultServer, commands: calling, section: whenCalling, check: printable,
		help: "MCP server that is called: its URL, or its name in servers."},
	{key: "ca_file", kind: text, commands: calling, section: whenCalling,
		help: "File with certificates, as PEM, that sign servers besides those the system trusts."},
	{key: "no_input", kind: yes, fallback: "false", commands: calling, section: whenCalling,
		help: "Never ask anybody for anything; CI does the same."},
	{key: "store_dir", kind: text, commands: calling, section: whenCalling,
		help: "Folder that sign-ins are kept in; not said, it is fastmcp-auth/sign-ins where the system keeps settings of programs."},
	{key: "insecure_storage", kind: yes, fallback: "false", commands: calling, section: whenCalling,
		help: "Keep sign-ins in files that are not encrypted."},
	{key: "client.flow", kind: text, fallback: "auto", commands: calling, section: whenCalling,
		oneOf: []string{"auto", "browser", "device", "paste", "credentials", "workload", "exchange", "enterprise"},
		help:  "How to sign in; auto is credentials where the client has a proof, else the browser where one can be opened, else a code for another device."},
	{key: "client.id", kind: text, commands: calling, section: whenCalling, check: printable,
		help: "Client id at the authorization server; without one, the program registers itself where it can."},
	{key: "client.issuer", kind: text, commands: calling, section: whenCalling, check: baseURL,
		help: "Authorization server that client.id belongs to; with a proof it must be said, since a proof goes nowhere else."},
	{key: "client.provider", kind: text, fallback: "auto", commands: calling, section: whenCalling, oneOf: []string{"auto", "entra"},
		help: "Whose habits the authorization server has, where its address does not tell."},
	{key: "client.document_url", kind: text, commands: calling, section: whenCalling, check: endpointURL,
		help: "URL of a client ID metadata document that stands for the program where an authorization server takes such URLs."},
	{key: "client.scopes", kind: list, commands: calling, section: whenCalling, check: clientScope,
		help: "Scopes to ask for; not said, those that the server asks for."},
	{key: "client.resource", kind: text, fallback: "auto", commands: calling, section: whenCalling, check: resourceParameter,
		help: "The resource parameter: auto, send, omit, or a URI to send as it is; auto goes on without where Entra refuses it."},
	{key: "client.port", kind: number, fallback: "0", commands: calling, section: whenCalling, high: 65535,
		help: "Port on this machine that a browser comes back to; 0 takes a free one."},
	{key: "client.secret", kind: secret, commands: calling, section: whenCalling,
		help: "Proof of the client: its secret."},
	{key: "client.secret_file", kind: text, commands: calling, section: whenCalling,
		help: "Proof of the client: file with its secret; one line end at its end does not count."},
	{key: "client.key_file", kind: text, commands: calling, section: whenCalling,
		help: "Proof of the client: file with its private key as PEM, and its certificate where the provider knows it by that."},
	{key: "client.token_file", kind: text, commands: calling, section: whenCalling,
		help: "Proof of the client, or the token to exchange: file with a token of the platform, read again for each use."},
	{key: "client.platform", kind: text, commands: calling, section: whenCalling, oneOf: []string{"github", "azure"},
		help: "Proof of the client: a token of the platform the program runs on, a GitHub Actions job or an Azure managed identity."},
	{key: "client.platform_id", kind: text, commands: calling, section: whenCalling, check: printable,
		help: "Client id of the managed identity, where the machine has several."},
	{key: "client.audience", kind: text, commands: calling, section: whenCalling, check: printable,
		help: "Audience of the platform's token, or of the exchanged one; not said, it is the authorization server's."},
	{key: "client.enterprise.issuer", kind: text, commands: calling, section: whenCalling, check: baseURL,
		help: "Identity provider of the enterprise that gives the ID-JAG."},
	{key: "client.enterprise.token_endpoint", kind: text, commands: calling, section: whenCalling, check: endpointURL,
		help: "Its token endpoint."},
	{key: "client.enterprise.client_id", kind: text, commands: calling, section: whenCalling, check: printable,
		help: "Client id at that identity provider."},
	{key: "client.enterprise.secret_file", kind: text, commands: calling, section: whenCalling,
		help: "File with the secret of that client."},

	{key: "model.name", kind: text, commands: talking, section: whenTalking, check: printable,
		help: "Language model, as its maker names it; at Azure the deployment."},
	{key: "model.url", kind: text, commands: talking, section: whenTalking, check: baseURL,
		help: "Base URL of an interface like OpenAI's; not said, it is OpenAI's own where there is a key, else Ollama or vLLM on this machine."},
	{key: "model.kind", kind: text, fallback: "auto", commands: talking, section: whenTalking, oneOf: []string{"auto", "openai", "azure"},
		help: "How the interface is spoken; auto is azure where the host of model.url is one of Azure's, or AZURE_OPENAI_ENDPOINT says it."},
	{key: "model.azure_version", kind: text, commands: talking, section: whenTalking, check: printable,
		help: "Version of Azure's interface; not said, one that is known to work."},
	{key: "model.key", kind: secret, commands: talking, section: whenTalking,
		help: "Key of the model's maker."},
	{key: "model.key_file", kind: text, commands: talking, section: whenTalking,
		help: "File with that key; one line end at its end does not count."},
	{key: "model.sign_in", kind: text, fallback: "auto", commands: talking, section: whenTalking, oneOf: []string{"auto", "key", "secret", "workload", "identity", "person"},
		help: "How Azure is told who asks; auto is the key, else Entra ID with the secret, the workload's token, App Service's identity, or a person, whichever is set first."},
	{key: "model.entra.tenant", kind: text, commands: talking, section: whenTalking, check: tenantName,
		help: "Entra tenant that gives tokens for the model: its id, or a verified domain."},
	{key: "model.entra.client_id", kind: text, commands: talking, section: whenTalking, check: printable,
		help: "Client id of the application there; of a managed identity, where the machine has several."},
	{key: "model.entra.secret", kind: secret, commands: talking, section: whenTalking,
		help: "Secret of that application."},
	{key: "model.entra.secret_file", kind: text, commands: talking, section: whenTalking,
		help: "File with that secret; one line end at its end does not count."},
	{key: "model.entra.token_file", kind: text, commands: talking, section: whenTalking,
		help: "File with the token of a workload that the application trusts, read again for each use."},
	{key: "model.entra.authority", kind: text, commands: talking, section: whenTalking, check: baseURL,
		help: "Where Entra is; not said, it is that of the cloud of model.url."},
	{key: "model.context", kind: number, fallback: "128000", commands: talking, section: whenTalking, low: 1000, high: 100_000_000,
		help: "Tokens that the model can read at once; a conversation that comes near is summed up."},
	{key: "model.price_in", kind: text, commands: talking, section: whenTalking, check: price,
		help: "What a million tokens that the model reads cost, in any currency and in the file in quotes; not said, costs are unknown."},
	{key: "model.price_out", kind: text, commands: talking, section: whenTalking, check: price,
		help: "What a million tokens that it writes cost."},
}

// byKey returns the row of key, or nil.
func byKey(key string) *setting {
	i := slices.IndexFunc(table, func(d setting) bool { return d.key == key })
	if i < 0 {
		return nil
	}
	return &table[i]
}

func (d *setting) defaultFor(command string) string {
	if v, differs := d.byCmd[command]; differs {
		return v
	}
	return d.fallback
}

func (d *setting) usedBy(command string) bool {
	return command == Show || slices.Contains(d.users(), command)
}

func (d *setting) users() []string {
	if d.commands == nil {
		return []string{Serve}
	}
	return d.commands
}

// flag is the setting's name on the command line, without the dashes. A secret has none.
func (d *setting) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(d.key)
}

// env is the setting's name in the environment.
func (d *setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(d.key, ".", "_"))
}
