// Package config knows every setting of the program: its name, where it may be said, and what it may be.
//
// It starts nothing and decides nothing about callers. It is the one room that reads the environment. What it hands
// out is checked as a whole: either every setting holds, or [Load] answers with all faults at once.
//
//	table.go      the settings: one row each, which drives everything below
//	value.go      from text to a checked value, and back
//	flags.go      --provider-kind                     first
//	environ.go    FASTMCP_AUTH_PROVIDER_KIND          before
//	dotenv.go     the same names in .env              before
//	file.go       provider: {kind: …} in the file     before the default
//	legacy.go     TENANT_ID, CLIENT_ID, API_SCOPE and API_AUDIENCE, below the names of their layer
//	rules.go      what settings ask of each other
//	otel.go       OTEL_…, the standard variables of OpenTelemetry
//	faults.go     all that is wrong, by the names that were typed
//	explain.go    each value and where it came from
//	providers.go  the identity providers the settings describe
//	model.go      the language model, and OPENAI_…, the names that others use
//	servers.go    the servers that are called by name
//	trust.go      what a file that was merely found does not decide
//	terminal.go   NO_COLOR, CI and TERM, which are no settings
//	desktop.go    keyring, browser and platform, which are none either
//	state.go      where the store is, by what the system says
//	systemd.go    NOTIFY_SOCKET, which is none either
package config

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// The commands whose settings this package knows.
const (
	Serve = "serve"
	IDP   = "idp"
	Demo  = "demo"
	Call  = "call" // and every other command that calls a server
	Agent = "agent"
	Show  = "config" // knows the settings of all the others
)

// Source is where settings are read from.
type Source struct {
	// Command is Serve, IDP, Demo, Call, Agent or Show. Settings of other commands are checked where they are said, but not used.
	Command string
	// Flags are the parsed flags that [Flags] declared. Nil means none were given.
	Flags *pflag.FlagSet
	// Dir is the working directory, where .env and fastmcp-auth.yaml are looked for, and which relative paths in
	// settings start from. Empty means the process's own.
	Dir string
	// Environ is the environment as NAME=value. Nil means the process's own.
	Environ []string
	// Tools are the names of the tools there are, so that a misspelt one in scopes.tools is a fault. Nil means that
	// tool names are not checked.
	Tools []string
}

// Settings is everything a command needs to know before it starts. It is read-only once loaded.
//
// The reference page docs/reference/settings.md describes each field by its key.
type Settings struct {
	Addr           string         `koanf:"addr"`
	PublicURL      string         `koanf:"public_url"` // scheme and host, without a path or a last slash; empty: not said
	TrustedProxies []netip.Prefix `koanf:"trusted_proxies"`
	TLS            TLS            `koanf:"tls"`
	AllowedOrigins []string       `koanf:"allowed_origins"`
	AllowedHosts   []string       `koanf:"allowed_hosts"`
	NoAuth         bool           `koanf:"no_auth"`
	ForceNoAuth    bool           `koanf:"force_no_auth"`
	Provider       Provider       `koanf:"provider"`
	Scopes         Scopes         `koanf:"scopes"`
	Policy         Policy         `koanf:"policy"`
	Tokens         Tokens         `koanf:"tokens"`
	Reverse        Reverse        `koanf:"reverse"`
	Limits         Limits         `koanf:"limits"`
	Audit          Audit          `koanf:"audit"`
	Store          Store          `koanf:"store"`
	Console        Console        `koanf:"console"`
	REST           REST           `koanf:"rest"`
	Log            Log            `koanf:"log"`
	Admin          Admin          `koanf:"admin"`
	IDP            DevProvider    `koanf:"idp"`
	Server         string         `koanf:"server"`
	CAFile         string         `koanf:"ca_file"`
	NoInput        bool           `koanf:"no_input"`  // true in CI, too
	StoreDir       string         `koanf:"store_dir"` // empty: the usual one
	Insecure       bool           `koanf:"insecure_storage"`
	Client         Client         `koanf:"client"`
	Model          Model          `koanf:"model"`

	OTel OTel // by the standard variables, not by the table

	rows    []Row
	servers map[string]layer // by name
	loader  *loader
}

// REST is where the REST API is answered besides Addr.
type REST struct {
	Addr string `koanf:"addr"` // empty: nowhere
}

// Console is how the web console signs people in.
type Console struct {
	ClientID         string        `koanf:"client_id"`     // empty: there is none
	ClientSecret     Secret        `koanf:"client_secret"` // empty: a public client
	ClientSecretFile string        `koanf:"client_secret_file"`
	Idle             time.Duration `koanf:"idle"`
	Lifetime         time.Duration `koanf:"lifetime"`
}

// Store is where sessions and long calls are kept.
type Store struct {
	Kind    string `koanf:"kind"` // sqlite, redis or memory
	Path    string `koanf:"path"` // of sqlite; never empty with it
	URL     Secret `koanf:"url"`  // of redis
	KeyFile string `koanf:"key_file"`

	key   Secret
	usual bool // nobody said where
}

// Key is what was read from KeyFile; empty where there is none to read.
func (s *Store) Key() []byte { return []byte(s.key) }

// Usual reports that nobody said where the file is, so that another place will do.
func (s *Store) Usual() bool { return s.usual }

// TLS names the files of the server's certificate. Both are set, or none.
type TLS struct {
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
}

// Provider describes the identity provider whose tokens are accepted.
type Provider struct {
	// Kind is entra, keycloak, auth0, okta, google, oidc or dev. Empty means the development provider, started by
	// serve itself.
	Kind          string        `koanf:"kind"`
	Issuer        string        `koanf:"issuer"`
	Tenant        string        `koanf:"tenant"`
	Tenants       []string      `koanf:"tenants"` // the tenants let in; "*" alone means any
	Cloud         string        `koanf:"cloud"`
	Realm         string        `koanf:"realm"`
	Domain        string        `koanf:"domain"`
	Server        string        `koanf:"server"`
	Audience      []string      `koanf:"audience"` // empty: the server's own URL; never any
	ClientID      string        `koanf:"client_id"`
	ScopePrefix   string        `koanf:"scope_prefix"`
	Guests        string        `koanf:"guests"` // allow or deny
	Introspection Introspection `koanf:"introspection"`
}

// Introspection is where opaque tokens are asked about (RFC 7662). An empty URL means that there is no such place.
type Introspection struct {
	URL              string `koanf:"url"`
	ClientID         string `koanf:"client_id"`
	ClientSecret     Secret `koanf:"client_secret"` // from the setting, or read from ClientSecretFile
	ClientSecretFile string `koanf:"client_secret_file"`
}

// Scopes names what a token must carry.
type Scopes struct {
	Execute string              `koanf:"execute"` // opens every tool
	Tools   map[string][]string `koanf:"tools"`   // tool name to all the scopes that open it, instead of its own
}

// Policy names the files that say who may call what. Each is empty where there is none.
type Policy struct {
	File   string `koanf:"file"`
	Shadow string `koanf:"shadow"` // decides too, and only the log hears of it
}

// Tokens bounds how tokens are checked.
type Tokens struct {
	Leeway             time.Duration `koanf:"leeway"`
	UnknownKeyInterval time.Duration `koanf:"unknown_key_interval"`
}

// Reverse sets reverse_tool up.
type Reverse struct {
	Duration time.Duration `koanf:"duration"`
}

// Limits bounds what one stranger can cost. Sizes are in bytes.
type Limits struct {
	Body          int64         `koanf:"body"`
	Header        int64         `koanf:"header"`
	ReadTimeout   time.Duration `koanf:"read_timeout"`
	WriteTimeout  time.Duration `koanf:"write_timeout"`
	IdleTimeout   time.Duration `koanf:"idle_timeout"`
	CallTimeout   time.Duration `koanf:"call_timeout"` // zero: no limit
	CallerRate    int64         `koanf:"caller_rate"`  // requests a second; zero: no limit
	AddressRate   int64         `koanf:"address_rate"` // failures to sign in a second; zero: no limit
	Calls         int64         `koanf:"calls"`        // running at a time
	CallerCalls   int64         `koanf:"caller_calls"`
	Result        int64         `koanf:"result"`
	Sessions      int64         `koanf:"sessions"`
	SessionIdle   time.Duration `koanf:"session_idle"`
	ShutdownGrace time.Duration `koanf:"shutdown_grace"`
}

// Audit says where decisions and outcomes are recorded. Without a place, nothing is.
type Audit struct {
	File        AuditFile `koanf:"file"`
	Syslog      string    `koanf:"syslog"` // empty: none
	Stdout      bool      `koanf:"stdout"`
	OTel        bool      `koanf:"otel"`
	OnFailure   string    `koanf:"on_failure"` // closed or open
	HashKeyFile string    `koanf:"hash_key_file"`

	hashKey Secret // read from HashKeyFile
}

// HashKey is the key in HashKeyFile, or nil for a random one.
func (a *Audit) HashKey() []byte {
	if a.hashKey == "" {
		return nil
	}
	return []byte(a.hashKey)
}

// AuditFile is a file of events that rotates.
type AuditFile struct {
	Path    string        `koanf:"path"`     // absolute; empty: no file
	MaxSize int64         `koanf:"max_size"` // bytes
	MaxAge  time.Duration `koanf:"max_age"`  // zero: age does not matter
	Keep    int64         `koanf:"keep"`     // zero: all
	Sync    bool          `koanf:"sync"`
}

// Log says how much is logged, and in what form.
type Log struct {
	Level  string `koanf:"level"`  // debug, info, warn or error
	Format string `koanf:"format"` // auto, text or json
}

// Admin says where operators are answered.
type Admin struct {
	Addr         string   `koanf:"addr"`   // empty: nowhere
	Expose       bool     `koanf:"expose"` // may listen off loopback
	AllowedHosts []string `koanf:"allowed_hosts"`
}

// DevProvider sets the development provider up.
type DevProvider struct {
	Addr      string `koanf:"addr"`
	Character string `koanf:"character"` // standard or entra
	Issuer    string `koanf:"issuer"`    // empty: http:// and the address it listens on
	Expose    bool   `koanf:"expose"`    // may listen off loopback
}

// StartsDevProvider reports that no provider was named, or the development one without an issuer, so that the server
// starts one beside itself.
func (s *Settings) StartsDevProvider() bool {
	return !s.NoAuth && (s.Provider.Kind == "" || s.Provider.Kind == "dev") && s.Provider.Issuer == ""
}

// Load reads every place a setting can be said in, merges them, and checks the whole. The error is always a [*Faults],
// which names everything that is wrong; then no settings are returned.
//
// Flags win over the environment, which wins over .env, which wins over the file, which wins over the defaults. A value
// that cannot be read is a fault even where a higher place says something else.
func Load(src Source) (*Settings, error) {
	if src.Environ == nil {
		src.Environ = os.Environ()
	}
	l := &loader{src: src, origins: map[string]said{}, refused: map[string]bool{}}
	s := &Settings{}
	if err := l.gather(s); err != nil {
		l.faults.add("settings", "", "%v", err)
		return nil, &l.faults
	}
	l.complete(s)
	l.check(s)
	if len(l.faults.List) > 0 {
		return nil, &l.faults
	}
	s.rows, s.servers, s.loader = l.rows(), l.servers, l
	return s, nil
}

// said is a value somebody gave, and where.
type said struct {
	name   string // as the person typed it: --addr, FASTMCP_AUTH_ADDR, addr
	place  string // where it stands, when the name alone does not say: .env:3
	origin string // for Explain
	found  bool   // in a file of the working directory that nobody named: trust.go
	value  any
}

// layer is what one place says, by key.
type layer map[string]said

// loader gathers what the places say, and what is wrong with it.
type loader struct {
	src     Source
	faults  Faults
	origins map[string]said // by key, the place that won
	refused map[string]bool // keys with a value that could not be read, of which nothing more is said
	old     []variable      // the legacy names that count
	servers map[string]layer
}

const fromDefault = "default"

// gather reads every place, the highest first so that faults come in that order, and merges them into s.
func (l *loader) gather(s *Settings) error {
	flags := l.flags()
	environ, inDotenv := l.environ(), l.dotenv()
	env, dotenv := l.variables(environ), l.variables(inDotenv)
	file := l.file(environ, inDotenv)
	oldEnv, oldDotenv := l.legacy(environ, inDotenv, flags, env, dotenv, file)
	l.openai(oldEnv, environ)
	l.openai(oldDotenv, inDotenv)
	return l.merge(s, l.defaults(), file, oldDotenv, dotenv, oldEnv, env, flags)
}

// defaults is the lowest layer. The table's test proves that every default can be read.
func (l *loader) defaults() layer {
	low := layer{}
	for _, d := range table {
		value := d.zero()
		if typed := d.defaultFor(l.src.Command); typed != "" {
			value, _ = d.parse([]string{typed})
		}
		low[d.key] = said{name: d.key, origin: fromDefault, value: value}
	}
	return low
}

// merge lays the layers over each other, the lowest first, and fills s.
func (l *loader) merge(s *Settings, layers ...layer) error {
	k := koanf.New(".")
	for i, places := range layers {
		flat := map[string]any{}
		for key, v := range places {
			if i > 0 && !byKey(key).usedBy(l.src.Command) {
				continue
			}
			flat[key] = v.value
			l.origins[key] = v
		}
		if err := k.Load(confmap.Provider(flat, "."), nil); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	return k.UnmarshalWithConf("", s, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook:  mapstructure.TextUnmarshallerHookFunc(),
		ErrorUnused: true,
		Result:      s,
	}})
}
