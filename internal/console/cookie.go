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
func cookieNames(public *url.URL) (session, visitor string) {
	if public.Scheme == "https" {
		return "__Host-fastmcp-auth", "__Host-fastmcp-auth-sign-in"
	}
	port := public.Port()
	return "fastmcp-auth-" + port, "fastmcp-auth-sign-in-" + port
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
