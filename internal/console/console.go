// Package console signs people in to the web console and keeps their tokens away from the browser.
//
// The browser holds a cookie that means nothing by itself; tokens stand in the store, and requests with the cookie come to
// the same identity as requests with the token would. It serves no page and decides nothing about tools.
//
//	sign in   go to the provider, and come back                         signin.go callback.go
//	tokens    the provider's endpoints, codes and refresh tokens        provider.go tokens.go idtoken.go
//	session   what is kept of one, its cookie, its ends                 session.go cookie.go
//	protect   from cookie to identity, CSRF, refresh                    protect.go
//	tell      what a page may know, and when it changes                 tell.go
//	sign out  here, everywhere, at the provider, from the provider      signout.go backchannel.go
package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/limits"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Paths that the provider knows.
const (
	CallbackPath    = "/auth/callback"
	SignedOutPath   = "/signed-out"
	BackchannelPath = "/auth/backchannel-logout"
	EndSessionPath  = "/auth/end-session" // ours, on the way there
)

// Options of a Handler.
type Options struct {
	Store store.Store // required; sealed where it outlives the process
	// Verify says whose an access token is, as it would for a request that brings it. Required.
	Verify func(ctx context.Context, token string) (*identity.Identity, error)
	// Unavailable reports that an error of Verify says nothing about the token: the provider could not be asked. Nil means
	// that none does.
	Unavailable func(error) bool
	// Refuse writes a refusal; status, code and sentence are for strangers. Required.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, code, detail string)

	// Begins stands before what begins a sign-in, which anybody may, and which is kept for a while: it turns away who
	// begins too many. Nil lets everyone begin.
	Begins func(http.Handler) http.Handler

	// Streams are the streams that are open, of all and of each person; nil means 10,000 and 64.
	Streams *limits.Shares

	Provider Provider // where people sign in
	ClientID string   // that programs sign in with, for pages to show; may be empty
	MCP      string   // URL of the MCP endpoint, for pages to show
	Public   string   // base URL that browsers see, without a slash at the end

	Idle     time.Duration // how long a session lives without a request; 0 means 1 hour
	Absolute time.Duration // how long it lives at the most; 0 means 12 hours

	HTTPClient *http.Client     // for the provider; nil means one with a timeout of 15 seconds
	Now        func() time.Time // nil means time.Now
	Logger     *slog.Logger     // nil means silence
}

// Provider is where people sign in, and as which client.
type Provider struct {
	Name        string // of the preset, such as "entra"
	Issuer      idp.Issuer
	ManyTenants bool     // the issuer is named by a template
	ClientID    string   // required
	Secret      Secret   // empty for a public client
	Scopes      []string // to ask for at sign-in, besides OpenID's own
	ScopePrefix string   // before a tool's scope when it is asked for
	Resource    string   // the resource parameter (RFC 8707); empty means that it is not sent
	// OmitsPKCEMetadata reports that PKCE works although the metadata does not say so.
	OmitsPKCEMetadata bool
	// Online reports that refresh tokens come without offline_access, and that asking for it would make a session that the
	// provider's own sign-out does not reach.
	Online bool
}

// Secret prints as "…".
type Secret string

// String returns "…".
func (Secret) String() string { return "…" }

// LogValue returns "…".
func (Secret) LogValue() slog.Value { return slog.StringValue("…") }

// Handler signs people in. It may be used from many goroutines.
type Handler struct {
	o       Options
	public  *url.URL
	secure  bool // cookies for https alone
	origin  provider
	session string // name of the cookie
	visitor string // name of the cookie that ties a sign-in to a browser
	present string // name of the cookie that says which session a browser has, to the one route that ends it
}

// New returns a handler. It refuses what cannot work, and asks nobody.
func New(o Options) (*Handler, error) {
	public, err := url.Parse(o.Public)
	switch {
	case o.Store == nil || o.Verify == nil || o.Refuse == nil:
		return nil, errors.New("console: Store, Verify or Refuse is missing")
	case o.Provider.ClientID == "":
		return nil, errors.New("console: Provider.ClientID is missing")
	case err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https":
		return nil, errors.New("console: Public is no http or https URL")
	}
	if o.Unavailable == nil {
		o.Unavailable = func(error) bool { return false }
	}
	if o.Begins == nil {
		o.Begins = func(next http.Handler) http.Handler { return next }
	}
	if o.Streams == nil {
		o.Streams = limits.NewShares(10_000, 64)
	}
	if o.Idle == 0 {
		o.Idle = time.Hour
	}
	if o.Absolute == 0 {
		o.Absolute = 12 * time.Hour
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{Timeout: 15 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o, public: public, secure: public.Scheme == "https"}
	h.origin = provider{Provider: o.Provider, http: o.HTTPClient, now: o.Now}
	h.session, h.visitor, h.present = cookieNames(public)
	return h, nil
}

// Register puts the handler's routes into mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /console/session", h.tell)
	mux.HandleFunc("GET /console/events", h.events)
	mux.Handle("GET /console/sign-in", h.o.Begins(http.HandlerFunc(h.begin)))
	mux.HandleFunc("GET "+CallbackPath, h.callback)
	mux.HandleFunc("POST /console/sign-out", h.signOut)
	mux.HandleFunc("GET "+SignedOutPath, func(w http.ResponseWriter, r *http.Request) { h.home(w, r, "signed_out", "1") })
	mux.HandleFunc("GET "+EndSessionPath, h.endSessionAt)
	mux.HandleFunc("POST "+BackchannelPath, h.backchannel)
}

// home leads to the console's first page, with a word for it.
func (h *Handler) home(w http.ResponseWriter, r *http.Request, key, value string) {
	noStore(w)
	http.Redirect(w, r, "/?"+url.Values{key: {value}}.Encode(), http.StatusSeeOther)
}

func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
