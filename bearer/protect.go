package bearer

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

const maxForm = 64 << 10 // bytes of a form in which a stray token is looked for

// Protect lets only requests with a good token through to h, which finds the caller by [identity.FromContext]. Every
// request is checked, whatever its path, method or headers (RS-8, RS-17). The request that h sees has no Authorization
// header, so that a token can neither be logged nor passed on by accident (RS-15, RS-19).
//
// For handlers of the official MCP SDK the caller is also there as auth.TokenInfoFromContext with UserID set to the
// identity's Key, which binds the SDK's sessions to their user.
func (g *Guard) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, refused := g.caller(r)
		if refused != nil {
			g.Refuse(w, r, refused)
			return
		}
		bare := r.WithContext(g.callers.context(r.Context(), caller))
		if g.cfg.ConsumesHeader {
			delete(r.Header, "Authorization") // of both: they share it
		} else {
			bare.Header = without(r.Header, "Authorization")
		}
		h.ServeHTTP(w, bare)
	})
}

// without returns what else stands in the header. A map made for what is left costs less than a clone, which copies the
// room that the request's own was made with.
func without(header http.Header, name string) http.Header {
	rest := make(http.Header, len(header)-1)
	for key, values := range header {
		if key != name {
			rest[key] = values
		}
	}
	return rest
}

// caller says who sent the request. What is remembered was well formed, so only what is new is looked at.
func (g *Guard) caller(r *http.Request) (*identity.Caller, *Error) {
	token, refused := credential(r)
	if refused != nil {
		return nil, refused
	}
	connection := lastOf(r.Context())
	sum, made := connection.fingerprint(token)
	now := g.now()
	caller := g.cache.get(sum, now)
	if caller == nil {
		if !isB64token(token) {
			return nil, refusal(ReasonRequest, errors.New("not exactly one b64token"))
		}
		id, refused := g.verify(r.Context(), token, sum, now)
		if refused != nil {
			return nil, refused
		}
		caller = identity.NewCaller(id)
	}
	if made {
		connection.remember(token, sum)
	}
	return caller, nil
}

// Require is [Guard.Protect] for a handler that needs all of scopes. A token without one of them is answered by
// [Guard.InsufficientScope]. Scopes are a person's consent; tokens that programs get in their own name may carry roles
// instead, so where programs call, decide in h by the identity.
func (g *Guard) Require(h http.Handler, scopes ...string) http.Handler {
	return g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := identity.FromContext(r.Context())
		if slices.ContainsFunc(scopes, func(s string) bool { return !id.HasScope(s) }) {
			g.InsufficientScope(w, r, scopes)
			return
		}
		h.ServeHTTP(w, r)
	}))
}

// credential takes what stands for the one bearer token from the request (RFC 6750, section 2.1), whatever it is.
func credential(r *http.Request) (string, *Error) {
	if inQuery(r.URL.RawQuery) || inForm(r) {
		return "", refusal(ReasonElsewhere, nil)
	}
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", refusal(ReasonMissing, nil)
	}
	if len(lines) > 1 {
		return "", refusal(ReasonRequest, errors.New("more than one Authorization header"))
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		if strings.ContainsFunc(scheme, func(r rune) bool { return r <= ' ' || r == ',' || r == '=' }) || scheme == "" {
			return "", refusal(ReasonRequest, errors.New("no scheme"))
		}
		return "", refusal(ReasonMissing, errors.New("another scheme than Bearer"))
	}
	return strings.Trim(token, " "), nil
}

// isB64token reports whether s is the credential of RFC 6750, section 2.1.
func isB64token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !isB64[s[i]] {
			return false
		}
	}
	return s != ""
}

// isB64 are the bytes of a b64token.
var isB64 = func() (is [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") {
		is[c] = true
	}
	return is
}()

// inQuery reports whether a query holds a token (RS-16), in any spelling of its name that a parser may accept.
func inQuery(query string) bool {
	if !strings.ContainsAny(query, "%_+") {
		return false
	}
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == "access_token" {
			return true
		}
	}
	return false
}

// inForm reports whether a form in the body holds a token (RFC 6750, section 2.2, which is not offered). What it read of
// the body is put back.
func inForm(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	if kind == "application/json" || r.Body == nil || r.Body == http.NoBody || !strings.Contains(strings.ToLower(kind), "form") {
		return false
	}
	if kind, _, err := mime.ParseMediaType(kind); err != nil || kind != "application/x-www-form-urlencoded" {
		return false
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, maxForm))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = failing{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), rest), r.Body}
	return inQuery(string(start))
}

// failing gives the error that reading the body gave.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
