package devidp

import (
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds on what a stranger may send.
const (
	maxBody  = 64 << 10
	maxParam = 4096
	maxToken = 16 << 10
)

// ServeHTTP answers every endpoint and page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A page on another site can point its own name at 127.0.0.1, yet it cannot choose the Host header (DNS rebinding).
	if !s.knowsHost(r.Host) {
		http.Error(w, "development only: this Host is not answered", http.StatusForbidden)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat)) // a clock that is skewed is skewed here, too
	if s.opts.Control != "" && r.URL.Path == s.prefix+"/control" {
		s.serveControl(w, r)
		return
	}
	if delay := s.faults.wait(); delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	switch s.faults.state() {
	case unreachable:
		panic(http.ErrAbortHandler) // the connection ends without an answer
	case down:
		s.fail(w, r, refuseDown.of())
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	if s.entra() {
		s.entraRoutes(mux)
	} else {
		s.standardRoutes(mux)
	}
	mux.HandleFunc("GET "+s.prefix+"/{$}", s.home)
	return mux
}

func (s *Server) standardRoutes(mux *http.ServeMux) {
	p := s.prefix
	for _, path := range s.metadataPaths() {
		mux.HandleFunc(path, anyOrigin(s.serveMetadata))
	}
	mux.HandleFunc(p+"/jwks", anyOrigin(s.serveKeys))
	mux.HandleFunc(p+"/token", s.localOrigin(s.serveToken))
	mux.HandleFunc(p+"/register", s.localOrigin(s.serveRegister))
	mux.HandleFunc(p+"/device_authorization", s.localOrigin(s.serveDevice))
	mux.HandleFunc(p+"/introspect", s.localOrigin(s.serveIntrospect))
	mux.HandleFunc(p+"/revoke", s.localOrigin(s.serveRevoke))
	mux.HandleFunc(p+"/userinfo", s.localOrigin(s.serveUserinfo))
	mux.HandleFunc("GET "+p+"/authorize", s.serveAuthorize)
	mux.HandleFunc("POST "+p+"/authorize", s.serveAuthorize)
	s.pageRoutes(mux)
	mux.HandleFunc("GET "+p+"/device", s.serveDevicePage)
	mux.HandleFunc("POST "+p+"/device", s.serveDeviceChoice)
	mux.HandleFunc("GET "+p+"/logout", s.serveEndSession)
	mux.HandleFunc("POST "+p+"/logout", s.serveEndSession)
}

// pageRoutes are where the forms of pages are sent, with both characters.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+s.prefix+"/signin", s.serveSignin)
	mux.HandleFunc("POST "+s.prefix+"/signout", s.serveSignout)
}

// knowsHost reports whether host, with a port or without, is one to answer: a loopback name, the issuer's host or one
// of Options.Hosts.
func (s *Server) knowsHost(host string) bool {
	if host == s.host || slices.Contains(s.opts.Hosts, host) {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return loopbackHost(name) || slices.Contains(s.opts.Hosts, name)
}

// anyOrigin lets every web page read h: what it tells is public.
func anyOrigin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodOptions:
			preflight(w, "GET, HEAD, OPTIONS")
		case http.MethodGet, http.MethodHead:
			h(w, r)
		default:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		}
	}
}

// localOrigin lets web pages of this machine use h, and refuses those of strange sites: they would get tokens with
// secrets that everyone knows.
func (s *Server) localOrigin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			if !s.knowsOrigin(origin) {
				s.fail(w, r, refuseOrigin.of())
				return
			}
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate")
		}
		if r.Method == http.MethodOptions {
			preflight(w, "GET, POST, OPTIONS")
			return
		}
		h(w, r)
	}
}

func (s *Server) knowsOrigin(origin string) bool {
	if slices.Contains(s.opts.Origins, origin) || slices.Contains(s.opts.Origins, "*") {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	own, _ := url.Parse(s.base)
	return loopbackHost(u.Hostname()) || u.Scheme == own.Scheme && u.Host == own.Host
}

func preflight(w http.ResponseWriter, methods string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// repeatable are the parameters that may stand more than once (RFC 8707, section 2; RFC 8693, section 2.1).
var repeatable = []string{"resource", "audience"}

// long are the parameters that hold tokens.
var long = []string{"token", "subject_token", "actor_token", "client_assertion", "assertion", "id_token_hint", "refresh_token", "claims"}

// posted reads the form of a POST. It refuses every other method and content type, and parameters in the query, where
// secrets would be logged.
func posted(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, &refused{refusal: refusal{status: http.StatusMethodNotAllowed, code: "invalid_request", text: "send a POST", aadsts: 900561,
			entraText: "The endpoint only accepts POST requests. Received a " + r.Method + " request."}}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuseMalformed.of("the body is not application/x-www-form-urlencoded")
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuseMalformed.because(err, reasonOf(err))
	}
	if err := checkParams(r.PostForm); err != nil {
		return nil, err
	}
	return r.PostForm, nil
}

// parameters reads the query of a GET, or the form of a POST.
func parameters(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return posted(r)
	}
	if len(r.URL.RawQuery) > maxBody {
		return nil, refuseMalformed.of("the query is too long")
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuseMalformed.because(err, "the query cannot be read")
	}
	return q, checkParams(q)
}

// checkParams bounds each parameter, and refuses the same one twice (RFC 6749, section 3.1).
func checkParams(form url.Values) error {
	for name, values := range form {
		if len(name) > 100 || !utf8.ValidString(name) {
			return refuseMalformed.of("a parameter has an unreadable name")
		}
		if len(values) > 1 && !slices.Contains(repeatable, name) || len(values) > 10 {
			return refuseMalformed.of("the parameter " + name + " stands more than once")
		}
		for _, v := range values {
			if len(v) > maxToken || len(v) > maxParam && !slices.Contains(long, name) {
				return refuseMalformed.of("the parameter " + name + " is too long")
			}
			if !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				return refuseMalformed.of("the parameter " + name + " holds control characters")
			}
		}
	}
	return nil
}

func reasonOf(err error) string {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return "the body is too large"
	}
	return "the form cannot be read"
}

// writeDocument answers with public JSON.
func writeDocument(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // keys roll at once in tests
	json.NewEncoder(w).Encode(v)
}

// writeSecret answers with JSON that nobody may keep (RFC 6749, section 5.1).
func writeSecret(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func absoluteURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == "" &&
		!strings.Contains(raw, "#") && len(raw) <= maxParam
}

// scopeToken reports whether sc is a scope-token (RFC 6749, section 3.3).
func scopeToken(sc string) bool {
	return sc != "" && len(sc) <= 500 && !strings.ContainsFunc(sc, func(c rune) bool {
		return c < 0x21 || c > 0x7e || c == '"' || c == '\\'
	})
}

// scopeList splits a scope parameter and refuses what RFC 6749, section 3.3 does not allow.
func scopeList(raw string) ([]string, error) {
	var list []string
	for _, sc := range strings.Fields(raw) {
		if !scopeToken(sc) {
			return nil, refuseScope.of(sc)
		}
		if !slices.Contains(list, sc) {
			list = append(list, sc)
		}
	}
	return list, nil
}
