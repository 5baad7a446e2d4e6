// Package bearer protects HTTP handlers with OAuth bearer tokens: the resource server's side of MCP authorization.
//
// It verifies tokens of identity providers, says who calls, and tells clients where to sign in. It issues no token and
// decides nothing about tools; that is policy's part. Constructing a [Guard] opens no connection: keys are fetched when
// the first token asks for them, and kept.
//
// A request walks: Protect takes the one credential from the request, Verify looks into the cache, then checks what is
// cheap and local (shape, header, issuer, audience, times), then finds the key (the only step that may reach out), then
// the signature, then reads the identity. A refusal is an [*Error] with a [Reason]; one function writes it.
//
//	settings, and their faults             bearer.go config.go
//	from request to handler                protect.go sdk.go
//	what a refusal says                    error.go refuse.go
//	protected resource metadata, RFC 9728  metadata.go
//	from token to identity                 verify.go token.go claims.go json.go
//	key sets, fetched once for all         keys.go jwks.go
//	tokens seen before                     cache.go known.go connection.go
//	what was done so far, in numbers       stats.go
//	opaque tokens, RFC 7662                introspect.go
package bearer

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Config is what a [Guard] needs to know. Resource and Providers are required; Audience is, where a provider does not
// write the resource into its tokens.
type Config struct {
	// Resource identifies what is protected (RFC 8707, RFC 9728): its https URL, or http on loopback. It is published
	// and compared byte for byte; add or leave out a slash at the end as clients type it.
	Resource string
	// Providers are the identity providers whose tokens are accepted.
	Providers []idp.Provider
	// Audience are the accepted values of aud; one of them must be in the token. Nil means Resource alone. A provider
	// with AudienceApart refuses nil; a provider with an Audience of its own uses that. It never means "any".
	Audience []string

	// Scopes are the least a client needs for basic use: scopes_supported of the metadata and the scope of the 401
	// challenge. They are not required of every token; see [Guard.Require]. Nil means that clients choose.
	Scopes []string
	// ScopePrefix is put before each scope in challenges and metadata, such as "api://<app id>/" for Entra. Tokens hold
	// the short names, so it is never compared.
	ScopePrefix string
	// AuthorizationServers are the issuers to publish. Nil means those of Providers. Set it where an authorization
	// server of one's own stands before the providers.
	AuthorizationServers []string
	// Name and Documentation (a URL) describe the resource to people. Empty means absent.
	Name          string
	Documentation string

	// Introspection describes opaque tokens (RFC 7662). Nil means that opaque tokens are refused.
	Introspection *Introspection

	// Leeway is how far clocks may differ. Zero means 60 seconds, a negative value none; the most is 5 minutes.
	Leeway time.Duration
	// MaxLifetime is the longest life of a token that is believed, whole and remaining. Zero means 48 hours, which has
	// room for the 28 hours of Entra's continuous access evaluation.
	MaxLifetime time.Duration
	// MaxTokenBytes bounds a token. Zero means 16 KiB.
	MaxTokenBytes int
	// CacheSize is how many verified tokens are remembered. Zero means 4096, a negative value none.
	CacheSize int

	// KeyInterval is how long after a fetch of keys that brought nothing new another unknown key id may not cause one.
	// Zero means 5 minutes. A fetch that brings a new key does not start the interval, so keys may roll twice in
	// a row; but where a stranger's unknown key id has started it, a token signed with a key younger than that fetch is
	// refused until it ends. Providers publish keys before they use them, and Run finds those every KeyRefresh.
	KeyInterval time.Duration
	// KeyRefresh is how old keys may be before they are fetched again in the background. Zero means one hour.
	KeyRefresh time.Duration
	// MaxKeyAge is how long the last good keys serve while the provider is down; then tokens are answered with 503.
	// Zero means 7 days. A token seldom lives longer than a day, so that a shorter time protects only against a key
	// that was stolen and withdrawn while this server could not learn of it.
	MaxKeyAge time.Duration

	// ConsumesHeader lets Protect take the Authorization header out of the request it was given, which saves every request
	// the copy of its header. Set it where nothing outside of Protect looks for that header once a request was let in.
	// False leaves the request as it is.
	ConsumesHeader bool

	// OnRefuse is told of every refusal before it is answered, by many goroutines at a time; nil means nobody is. It is
	// for records and counts: it cannot change the answer, and must not keep the request.
	OnRefuse func(*http.Request, *Error)

	// Answer writes status and body of a refusal in another form than this package's, and returns true, or writes nothing
	// and returns false; nil means that nobody does. The challenge and other headers are set already. scopes are what to
	// ask for, as the challenge names them.
	Answer func(w http.ResponseWriter, r *http.Request, e *Error, scopes []string) bool

	HTTPClient *http.Client     // for keys, metadata and introspection; nil means one with a timeout of 10 seconds
	Logger     *slog.Logger     // nil means silence
	Now        func() time.Time // nil means time.Now
}

// Guard verifies tokens and protects handlers. Make one with [New]; its methods may be called by many goroutines.
type Guard struct {
	cfg       Config
	log       *slog.Logger
	now       func() time.Time
	client    *http.Client
	providers []*provider
	servers   []string // authorization servers to publish
	scopes    []string // Config.Scopes with the prefix
	metaURL   string   // where the metadata stands
	document  []byte   // the metadata
	cache     *cache
	opaque    []*describer
	callers   callers
}

// provider is one of the providers with what New has resolved.
type provider struct {
	idp.Provider
	audience []string
	sources  []*source // one for each of Issuers
}

// New makes a guard. It returns every fault of the settings at once, each with the name of its field. It opens no
// connection and starts nothing.
func New(cfg Config) (*Guard, error) {
	g := &Guard{cfg: cfg, callers: newCallers()}
	if err := g.configure(); err != nil {
		return nil, err
	}
	return g, nil
}

// Run keeps the keys of all providers fresh until ctx ends, then returns nil. Without it keys are refreshed by the
// requests that need them, which then wait for nobody but at the first time and after a roll-over.
func (g *Guard) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range g.sources() {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Wait()
	return nil
}

// Ready reports whether tokens can be verified now: for each issuer there are keys, or they could be fetched within two
// seconds or until ctx ends. The error names the issuers for which there are none.
func (g *Guard) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var mu sync.Mutex
	var faults []error
	var wg sync.WaitGroup
	for _, s := range g.sources() {
		wg.Go(func() {
			if err := s.ready(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults = append(faults, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(faults...)
}

func (g *Guard) sources() []*source {
	var all []*source
	for _, p := range g.providers {
		all = append(all, p.sources...)
	}
	return all
}
