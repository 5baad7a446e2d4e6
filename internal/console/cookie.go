package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
)

// cookieNames are those of a site. With https the browser holds them to the prefix's promises: this host alone, all of it,
// never over http (RFC 6265bis, section 4.1.3.2). On loopback, where ports share cookies, each port has names of its own.
func cookieNames(public *url.URL) (session, visitor, present string) {
	if public.Scheme == "https" {
		return "__Host-fastmcp-auth", "__Host-fastmcp-auth-sign-in", "__Host-fastmcp-auth-present"
	}
	port := public.Port()
	return "fastmcp-auth-" + port, "fastmcp-auth-sign-in-" + port, "fastmcp-auth-present-" + port
}

// Cookie is the name of the session's cookie, for whoever describes it.
func (h *Handler) Cookie() string { return h.session }

// hold gives a browser the session with that id. Browsers keep the session's own cookie to themselves where another site
// leads here, as the provider does at the end of a sign-in; so a second one names the session then, and opens nothing: it
// holds what the id is looked up by, from which nobody comes to the id.
func (h *Handler) hold(w http.ResponseWriter, id string) {
	h.setCookie(w, h.session, id, http.SameSiteStrictMode, 0)
	h.setCookie(w, h.present, digest(id), http.SameSiteLaxMode, 0)
}

// release takes the session from a browser.
func (h *Handler) release(w http.ResponseWriter) {
	h.setCookie(w, h.session, "", http.SameSiteStrictMode, -1)
	h.setCookie(w, h.present, "", http.SameSiteLaxMode, -1)
}

// token makes 256 bits that nobody guesses, as text.
func token() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest stands for a text where the text itself must not.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (h *Handler) setCookie(w http.ResponseWriter, name, value string, same http.SameSite, seconds int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: h.secure, HttpOnly: true, SameSite: same, MaxAge: seconds})
}

// cookie is the one value of a cookie, or empty: a name that stands there twice is somebody's attempt.
func cookie(r *http.Request, name string) string {
	all := r.CookiesNamed(name)
	if len(all) != 1 || len(all[0].Value) != 43 { // as token makes them
		return ""
	}
	return all[0].Value
}
