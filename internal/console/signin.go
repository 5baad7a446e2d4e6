package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// signInTime is how long a person may take at the provider.
const signInTime = 10 * time.Minute

// attempt is one way to the provider and back. It stands in the store under its state, once.
type attempt struct {
	Browser  string // digest of the cookie of the browser that began it
	Verifier string // of PKCE
	Nonce    string
	Issuer   string   // that the browser was sent to
	ReturnTo string   // path of the console
	Scopes   []string // asked for
	Earlier  string   // key of the session that this sign-in replaces; empty where there is none
}

func attemptKey(state string) string { return "sign-in/" + digest(state) }

// begin sends the browser to the provider. The query may name return_to, a path of the console, and scope, which is
// asked for besides what the session has already (C-20).
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	query := r.URL.Query()
	at, err := h.origin.endpoints(r.Context())
	if err != nil {
		h.o.Logger.WarnContext(r.Context(), "the provider cannot be asked where to sign in", "cause", err)
		h.home(w, r, "sign_in_error", "provider_unavailable")
		return
	}
	state, browser := token(), token()
	a := attempt{Browser: digest(browser), Verifier: oauth.NewVerifier(), Nonce: token(), Issuer: at.Issuer, ReturnTo: localPath(query.Get("return_to"))}
	a.Scopes = h.scopes(strings.Fields(query.Get("scope")))
	if s, err := h.current(r); err == nil {
		a.Earlier = s.key
		a.Scopes = union(a.Scopes, s.Asked)
	}
	data, err := json.Marshal(a)
	if err == nil {
		_, err = h.o.Store.Put(r.Context(), attemptKey(state), data, store.Write{TTL: signInTime, Create: true})
	}
	if err != nil {
		h.o.Logger.ErrorContext(r.Context(), "a sign-in cannot be kept", "cause", err)
		h.home(w, r, "sign_in_error", "store_unavailable")
		return
	}
	h.setCookie(w, h.visitor, browser, http.SameSiteLaxMode, int(signInTime/time.Second))
	http.Redirect(w, r, h.authorizeURL(at, state, &a), http.StatusSeeOther)
}

func (h *Handler) authorizeURL(at *endpoints, state string, a *attempt) string {
	u, _ := url.Parse(at.AuthorizationEndpoint) // was checked
	v := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": h.o.Provider.ClientID, "redirect_uri": h.o.Public + CallbackPath, "state": state,
		"nonce": a.Nonce, "scope": strings.Join(a.Scopes, " "), "code_challenge": oauth.ChallengeS256(a.Verifier), "code_challenge_method": "S256",
	} {
		v.Set(name, value)
	}
	if h.o.Provider.Resource != "" {
		v.Set("resource", h.o.Provider.Resource)
	}
	u.RawQuery = v.Encode()
	return u.String()
}

// maxScopes are the bytes of further scopes that one sign-in asks for: anybody may begin one, and it is kept.
const maxScopes = 1000

// scopes are what to ask for: OpenID's own, the server's, and further ones of tools, by their short names or as a
// challenge spells them.
func (h *Handler) scopes(further []string) []string {
	asked := []string{"openid", "profile", "email"}
	if !h.o.Provider.Online {
		asked = append(asked, "offline_access")
	}
	asked = append(asked, h.o.Provider.Scopes...)
	left := maxScopes
	for _, s := range further {
		if left -= len(s); left < 0 {
			break
		}
		if !oauth.ValidScope(s) {
			continue
		}
		if !strings.HasPrefix(s, h.o.Provider.ScopePrefix) {
			s = h.o.Provider.ScopePrefix + s
		}
		asked = union(asked, []string{s})
	}
	return asked
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// localPath is a path of this site, or the first page (attack 12): nothing that a browser would take for another host.
func localPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > 1000 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || u.Host != "" || u.Scheme != "" ||
		strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == '\\' || r == 0x7f }) {
		return "/"
	}
	return u.EscapedPath() + query(u.RawQuery)
}

func query(raw string) string {
	if raw == "" {
		return ""
	}
	return "?" + raw
}
