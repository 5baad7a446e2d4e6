// Package devidp is an OpenID provider for laptops, demonstrations and tests. It stands in for a real account.
//
// It is for development only: it asks for no password, it knows secrets that everyone knows, and it forgets
// everything when it ends. Its signing keys are made anew in each process, it answers on loopback unless told otherwise,
// and every page of it says "development only".
//
// Signing in means choosing one of five people on a plain page ([UserAdmin], [UserUser], [UserReader], [UserGuest],
// [UserDisabled]). Four clients are known from the start ([ClientCLI], [ClientWeb], [ClientService], [ClientAPI]).
// The provider has one of two characters: [Standard] does as the RFCs say, [Entra] behaves like Microsoft Entra ID
// where that differs.
//
//	metadata            RFC 8414, OpenID Connect Discovery     discovery.go, entra_discovery.go
//	keys                RFC 7517, with roll-over               keys.go
//	authorize           RFC 6749, 7636, 8707, 9207             authorize.go, then the page in signin.go
//	token               one door for every grant               token.go, then code.go refresh.go service.go exchange.go obo.go
//	device              RFC 8628, with its page                device.go, devicepage.go
//	client proof        secrets, RFC 7523                      clientauth.go, federated.go entra_certificate.go
//	other companies     ID-JAGs, given and taken               idjag.go
//	registration        RFC 7591, client documents             register.go, cimd.go
//	after the fact      RFC 7009, 7662, OpenID Connect         revoke.go introspect.go userinfo.go endsession.go backchannel.go
//	Entra's own ways    tenants, scopes, claims, errors        entra*.go
//	pages               what each shows, as HTML               pages.go, layout.go markup.go
//	faults on demand    for tests                              faults.go, control.go
package devidp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Character is the manner in which the provider behaves.
type Character int

const (
	Standard Character = iota // as the RFCs say
	Entra                     // as Microsoft Entra ID does, with its error names, tenants and token versions
)

// String returns "standard" or "entra".
func (c Character) String() string {
	if c == Entra {
		return "entra"
	}
	return "standard"
}

// ParseCharacter reads "standard" or "entra".
func ParseCharacter(s string) (Character, error) {
	switch s {
	case "standard":
		return Standard, nil
	case "entra":
		return Entra, nil
	}
	return Standard, fmt.Errorf("devidp: character %q is neither standard nor entra", s)
}

// Options say how a provider behaves. The zero value is a standard provider, once [Start] has filled the issuer.
type Options struct {
	// Issuer is the base URL, such as "http://127.0.0.1:9000", with a path or without. Every generated URL starts
	// with it; no header of a request ever changes one. [Start] fills it from its listener when it is empty.
	Issuer    string
	Character Character

	// Resources are the resource URLs (RFC 8707) it issues tokens for; empty means any absolute http or https URL
	// that a client names. With the Entra character they are further App ID URIs of the API app.
	Resources []string
	// Audience is the audience of a token for which no resource was named; empty means the only entry of Resources,
	// else the issuer. The Entra character does not use it.
	Audience string
	// Scopes are the API's scopes; empty means execute, time:read and time:convert.
	Scopes []string
	// Clients are further clients. One with the id of a known client takes its place.
	Clients []Client

	// Enterprises are companies' providers whose ID-JAGs are accepted. The Entra character accepts none.
	Enterprises []Enterprise

	// Algorithm signs tokens: "RS256" (also the meaning of empty) or "ES256". The Entra character always uses RS256.
	Algorithm string
	// Opaque issues access tokens that only introspection can read (RFC 7662). The Entra character ignores it.
	Opaque bool
	// TokenLifetime is how long access tokens live; 0 means an hour, and 60 to 90 minutes at random with the Entra
	// character.
	TokenLifetime time.Duration
	// RefreshGrace is how long the refresh token before the current one is still answered, for requests that raced;
	// 0 means 5 seconds, a negative value means not at all.
	RefreshGrace time.Duration
	// DeviceInterval is the least time between two polls of a device, in whole seconds; 0 means 5 seconds.
	DeviceInterval time.Duration

	// AccessTokenVersion is the API app's requestedAccessTokenVersion with the Entra character: 1, or 2 (also the
	// meaning of 0).
	AccessTokenVersion int
	// AppSigningKey signs tokens for the API app, with the Entra character, by a key of the app's own, which only the
	// key set of metadata fetched with ?appid={EntraAPI} shows.
	AppSigningKey bool

	// AllowRemote lets [Start] listen beyond loopback.
	AllowRemote bool
	// Hosts are further values of the Host header to answer, beside loopback names and the issuer's host.
	Hosts []string
	// Origins are further web origins that may call the token and registration endpoints from a browser, beside
	// loopback origins and the issuer's own.
	Origins []string
	// Control is the bearer token of the endpoint {issuer}/control, through which a test commands faults of a
	// provider in another process; empty means that there is no such endpoint.
	Control string

	// HTTPClient fetches client ID metadata documents and key sets of clients; nil means one that refuses every
	// address that is not public. Bounds on size and time hold for both.
	HTTPClient *http.Client
	// AllowLoopbackCIMD accepts client documents from loopback, over http too. For tests.
	AllowLoopbackCIMD bool

	// Around wraps what [Start] serves, for a test that looks at what passes; nil means that nothing does.
	Around func(http.Handler) http.Handler

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence
}

// Server is a provider. It is an [http.Handler], keeps all state in memory and is safe for concurrent use.
type Server struct {
	opts     Options
	base     string // the issuer URL without a trailing slash
	prefix   string // the path of base
	host     string // the host of base
	now      func() time.Time
	log      *slog.Logger
	mux      *http.ServeMux
	keys     *keyring
	appKeys  *keyring // with Options.AppSigningKey: the API app's own
	faults   *Faults
	fetch    *http.Client  // for what a stranger names
	trusted  *http.Client  // for what is configured
	fetching chan struct{} // one place for each fetch at once
	apis     []*api        // with the Entra character: the applications that tokens can be for
	secret   [32]byte

	mu           sync.Mutex // guards what follows
	users        []*user
	clients      map[string]*client
	registered   *shelf[*client]
	documents    *shelf[*client]
	failed       *shelf[error] // documents that could not be fetched
	interactions *shelf[*interaction]
	codes        *shelf[*code]
	devices      *shelf[*device] // by device code
	userCodes    *shelf[string]  // user code to device code
	grants       *shelf[*grant]
	tokens       *shelf[*issued]
	sessions     *shelf[*session]
	assertions   *shelf[struct{}] // jti of client assertions
	guesses      guesses
}

// New makes a provider that serves on o.Issuer. It starts nothing. It returns an error that names the field when o
// cannot be served.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	u, _ := url.Parse(o.Issuer)
	s := &Server{
		opts: o, base: o.Issuer, prefix: u.EscapedPath(), host: u.Host, now: o.Now, log: o.Logger,
		keys:         &keyring{},
		appKeys:      &keyring{},
		users:        people(o),
		clients:      map[string]*client{},
		registered:   newShelf[*client](500),
		documents:    newShelf[*client](500),
		failed:       newShelf[error](1000),
		interactions: newShelf[*interaction](500),
		codes:        newShelf[*code](10_000),
		devices:      newShelf[*device](500),
		userCodes:    newShelf[string](500),
		grants:       newShelf[*grant](20_000),
		tokens:       newShelf[*issued](20_000),
		sessions:     newShelf[*session](5000),
		assertions:   newShelf[struct{}](20_000),
		fetching:     make(chan struct{}, fetchesAtOnce),
	}
	rand.Read(s.secret[:])
	s.faults = &Faults{s: s, counts: map[string]int64{}, disabled: map[string]bool{}, revoked: map[string]time.Time{}, stepUp: map[string]bool{}}
	s.fetch = o.HTTPClient
	if s.fetch == nil {
		s.fetch = guardedClient(o.AllowLoopbackCIMD)
	}
	s.trusted = &http.Client{Timeout: fetchTime}
	s.apis = apps(o)
	for _, c := range append(knownClients(o), o.Clients...) {
		known, err := newClient(c)
		if err != nil {
			return nil, err
		}
		s.clients[c.ID] = known
	}
	s.mux = s.routes()
	return s, nil
}

// complete checks o and fills what was left out.
func (o *Options) complete() error {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("devidp: Options.Issuer %q is not an http or https URL without query and fragment", o.Issuer)
	}
	o.Issuer = strings.TrimSuffix(o.Issuer, "/")
	if o.Character != Standard && o.Character != Entra {
		return fmt.Errorf("devidp: Options.Character %d is unknown", o.Character)
	}
	for _, r := range o.Resources {
		if !absoluteURL(r) && !(o.Character == Entra && strings.HasPrefix(r, "api://")) {
			return fmt.Errorf("devidp: Options.Resources: %q is not an absolute URL", r)
		}
	}
	if o.Algorithm == "" || o.Character == Entra {
		o.Algorithm = "RS256"
	}
	if o.Algorithm != "RS256" && o.Algorithm != "ES256" {
		return fmt.Errorf("devidp: Options.Algorithm %q is neither RS256 nor ES256", o.Algorithm)
	}
	if o.AccessTokenVersion < 0 || o.AccessTokenVersion > 2 {
		return fmt.Errorf("devidp: Options.AccessTokenVersion %d is neither 1 nor 2", o.AccessTokenVersion)
	}
	if o.DeviceInterval%time.Second != 0 || o.DeviceInterval < 0 {
		return errors.New("devidp: Options.DeviceInterval is not in whole seconds")
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"execute", "time:read", "time:convert"}
	}
	for _, sc := range o.Scopes {
		if !scopeToken(sc) {
			return fmt.Errorf("devidp: Options.Scopes: %q is not a scope", sc)
		}
	}
	for _, e := range o.Enterprises {
		if e.Issuer == "" || !absoluteURL(e.JWKSURI) {
			return fmt.Errorf("devidp: Options.Enterprises: %q lacks its issuer, or the URL of its keys", e.Issuer)
		}
	}
	if o.Audience == "" {
		o.Audience = o.Issuer
		if len(o.Resources) == 1 {
			o.Audience = o.Resources[0]
		}
	}
	o.RefreshGrace = orElse(o.RefreshGrace, 5*time.Second)
	o.DeviceInterval = orElse(o.DeviceInterval, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Enterprises = slices.Clone(o.Enterprises)
	o.Scopes, o.Resources = slices.Clone(o.Scopes), slices.Clone(o.Resources)
	return nil
}

// Issuer is the issuer identifier to configure at a resource server or client: the base URL, and {base}/{tenant
// id}/v2.0 with the Entra character.
func (s *Server) Issuer() string {
	if s.entra() {
		return s.issuerOf(EntraTenant, 2)
	}
	return s.base
}

// Faults commands faults and counts requests, for tests.
func (s *Server) Faults() *Faults { return s.faults }

func (s *Server) entra() bool { return s.opts.Character == Entra }

// clock is the time as the provider tells it to others, which a fault can skew. What it keeps expires by s.now.
func (s *Server) clock() time.Time { return s.now().Add(s.faults.skew()) }

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
