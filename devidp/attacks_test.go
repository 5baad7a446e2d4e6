package devidp_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// request is an authorization request of dev-cli that is good, changed by pairs of name and value; an empty value
// removes the parameter.
func request(p *devidp.Running, verifier string, pairs ...string) string {
	q := url.Values{"client_id": {devidp.ClientCLI}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"execute"}, "state": {"s-1"},
		"code_challenge": {oauth.ChallengeS256(verifier)}, "code_challenge_method": {"S256"}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return p.URL + "/authorize?" + q.Encode()
}

// refusedPage checks that a person is told, and the client is not.
func refusedPage(t *testing.T, a answer, status int, words string) {
	t.Helper()
	if a.status != status || a.header.Get("Location") != "" || !strings.Contains(a.body, words) {
		t.Errorf("got %d, Location %q, want %d and a page that says %q\n%s", a.status, a.header.Get("Location"), status, words, problem(a))
	}
	if !strings.Contains(a.body, "Development only") {
		t.Error("the page does not say that it is for development only")
	}
}

// problem is what a page says was wrong.
func problem(a answer) string {
	_, rest, _ := strings.Cut(a.body, `role="alert"`)
	text, _, _ := strings.Cut(rest, "</div>")
	return text
}

// refusedRedirect checks that the client is told, with state and issuer.
func refusedRedirect(t *testing.T, p *devidp.Running, a answer, code string) {
	t.Helper()
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback+"?") {
		t.Fatalf("got %d to %q: %s", a.status, to, a.body)
	}
	q := to.Query()
	if q.Get("error") != code || q.Get("state") != "s-1" || q.Get("iss") != p.URL || q.Get("code") != "" {
		t.Errorf("the client is told %v, want %s with state and iss (RFC 9207)", q, code)
	}
}

func TestAttack03RedirectURIIsExact(t *testing.T) {
	registered := "https://app.example.org/callback"
	p := start(t, devidp.Options{Clients: []devidp.Client{{ID: "app", RedirectURIs: []string{registered}}}})
	for name, uri := range map[string]string{
		"a longer path is refused":             registered + "/more",
		"a shorter path is refused":            "https://app.example.org/",
		"a path with dots is refused":          "https://app.example.org/x/../callback",
		"an encoded slash is refused":          "https://app.example.org%2fcallback",
		"a user before the host is refused":    "https://app.example.org@evil.example.org/callback",
		"a fragment is refused":                registered + "#x",
		"an added query is refused":            registered + "?x=1",
		"a trailing dot is refused":            "https://app.example.org./callback",
		"an upper-case host is refused":        "https://APP.example.org/callback",
		"an IDN lookalike is refused":          "https://арр.example.org/callback",
		"a backslash is refused":               `https://app.example.org\callback`,
		"another scheme is refused":            "http://app.example.org/callback",
		"another port is refused":              "https://app.example.org:444/callback",
		"a javascript URL is refused":          "javascript:alert(1)",
		"a redirect URI left out is refused":   "",
		"a scheme-relative address is refused": "//app.example.org/callback",
	} {
		t.Run(name, func(t *testing.T) {
			refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", "app", "redirect_uri", uri)), 400, "redirect")
		})
	}
	t.Run("the registered one is shown the page", func(t *testing.T) {
		if a := get(t, request(p, oauth.NewVerifier(), "client_id", "app", "redirect_uri", registered)); a.status != 200 {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
}

func TestAttack04LoopbackRedirects(t *testing.T) {
	p := start(t, devidp.Options{})
	for uri, status := range map[string]int{
		"http://127.0.0.1:1/callback":                200,
		"http://127.0.0.1:65535/callback":            200,
		"http://localhost:41234/callback":            200,
		"http://[::1]:41234/callback":                200,
		"http://127.0.0.1/callback":                  200,
		"http://127.0.0.1:8000/other":                400,
		"http://127.0.0.2:8000/callback":             400,
		"http://127.0.0.1.evil.example.org/callback": 400,
		"http://localhost.evil.example.org/callback": 400,
		"http://evil@127.0.0.1:8000/callback":        400,
		"http://127.0.0.1:8000@evil.org/callback":    400,
		"http://127.0.0.1:/callback":                 400,
		"http://127.0.0.1:8a/callback":               400,
		"https://127.0.0.1:8000/callback":            400,
		"http://0.0.0.0:8000/callback":               400,
		"http://2130706433:8000/callback":            400,
		"http://[::ffff:127.0.0.1]:80/callback":      400,
		"http://LOCALHOST:8000/callback":             400,
	} {
		a := get(t, request(p, oauth.NewVerifier(), "redirect_uri", uri))
		if a.status != status || a.header.Get("Location") != "" {
			t.Errorf("%s gives %d, want %d", uri, a.status, status)
		}
	}
}

func TestAttack06PKCE(t *testing.T) {
	p := start(t, devidp.Options{})
	v := oauth.NewVerifier()
	t.Run("a public client without a challenge is refused", func(t *testing.T) {
		refusedRedirect(t, p, get(t, request(p, v, "code_challenge", "", "code_challenge_method", "")), "invalid_request")
	})
	t.Run("plain is refused", func(t *testing.T) {
		refusedRedirect(t, p, get(t, request(p, v, "code_challenge", v, "code_challenge_method", "plain")), "invalid_request")
	})
	t.Run("a challenge without a method, which means plain, is refused", func(t *testing.T) {
		refusedRedirect(t, p, get(t, request(p, v, "code_challenge_method", "")), "invalid_request")
	})
	t.Run("another code's verifier is refused", func(t *testing.T) {
		redeem(t, p, codeOf(t, p, request(p, v)), "code_verifier", oauth.NewVerifier()).refused(t, 400, "invalid_grant")
	})
	t.Run("leaving out the verifier is refused", func(t *testing.T) {
		redeem(t, p, codeOf(t, p, request(p, v)), "code_verifier", "").refused(t, 400, "invalid_grant")
	})
	t.Run("a wrong verifier uses the code up", func(t *testing.T) {
		code := codeOf(t, p, request(p, v))
		redeem(t, p, code, "code_verifier", oauth.NewVerifier()).refused(t, 400, "invalid_grant")
		redeem(t, p, code, "code_verifier", v).refused(t, 400, "invalid_grant")
	})
	t.Run("a verifier for a code without challenge is refused, so that nobody downgrades by omission", func(t *testing.T) {
		code := codeOf(t, p, request(p, v, "client_id", devidp.ClientWeb, "code_challenge", "", "code_challenge_method", ""))
		redeem(t, p, code, "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret, "code_verifier", v).refused(t, 400, "invalid_grant")
	})
	t.Run("a confidential client may leave PKCE out altogether", func(t *testing.T) {
		code := codeOf(t, p, request(p, v, "client_id", devidp.ClientWeb, "code_challenge", "", "code_challenge_method", ""))
		redeem(t, p, code, "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret).ok(t)
	})
}

// codeOf signs the user in and returns the code.
func codeOf(t *testing.T, p *devidp.Running, authURL string) string {
	t.Helper()
	to := visit(t, authURL, devidp.UserUser)
	if to.Query().Get("iss") != p.URL {
		t.Errorf("RFC 9207: iss is %q", to.Query().Get("iss"))
	}
	code := to.Query().Get("code")
	if code == "" {
		t.Fatalf("no code in %s", to)
	}
	return code
}

// form is a form of pairs; an empty value removes the field.
func form(base url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		base.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			base.Del(pairs[i])
		}
	}
	return base
}

func redeem(t *testing.T, p *devidp.Running, code string, pairs ...string) answer {
	t.Helper()
	return post(t, p.URL+"/token", form(url.Values{"grant_type": {"authorization_code"}, "client_id": {devidp.ClientCLI}, "code": {code},
		"redirect_uri": {callback}}, pairs...))
}

func refresh(t *testing.T, p *devidp.Running, token string, pairs ...string) answer {
	t.Helper()
	return post(t, p.URL+"/token", form(url.Values{"grant_type": {"refresh_token"}, "client_id": {devidp.ClientCLI}, "refresh_token": {token}}, pairs...))
}

// alive reports what introspection says of a token.
func alive(t *testing.T, p *devidp.Running, token string) bool {
	t.Helper()
	a := post(t, p.URL+"/introspect", url.Values{"token": {token}}, withBasic(devidp.ClientAPI, devidp.APISecret)).ok(t)
	active, ok := a.json["active"].(bool)
	if !ok {
		t.Fatalf("introspection says %s", a.body)
	}
	return active
}

func TestAttack08State(t *testing.T) {
	p := start(t, devidp.Options{})
	v := oauth.NewVerifier()
	t.Run("state comes back byte for byte", func(t *testing.T) {
		const state = `a+b c/=&?#"'<>é`
		if got := visit(t, request(p, v, "state", state), devidp.UserUser).Query().Get("state"); got != state {
			t.Errorf("state is %q", got)
		}
	})
	t.Run("no state comes back where none was sent", func(t *testing.T) {
		if to := visit(t, request(p, v, "state", ""), devidp.UserUser); to.Query().Has("state") {
			t.Errorf("sent to %s", to)
		}
	})
	t.Run("state without bound is refused", func(t *testing.T) {
		refusedPage(t, get(t, request(p, v, "state", strings.Repeat("x", 5000))), 400, "too long")
	})
	t.Run("state twice is refused", func(t *testing.T) {
		refusedPage(t, get(t, request(p, v)+"&state=other"), 400, "more than once")
	})
}

func TestAttack09ClickjackingAndCSRF(t *testing.T) {
	p := start(t, devidp.Options{})
	v := oauth.NewVerifier()
	page := get(t, request(p, v))
	t.Run("no page may be framed and no script runs", func(t *testing.T) {
		for _, from := range []string{request(p, v), p.URL + "/device", p.URL + "/", request(p, v, "redirect_uri", "x")} {
			h := get(t, from).header
			csp := h.Get("Content-Security-Policy")
			if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: %v", from, h)
			}
		}
	})
	fields := url.Values{"choice": {devidp.UserUser}, "request": {field(t, page, "request")}, "csrf": {field(t, page, "csrf")}}
	cookie := page.header.Get("Set-Cookie")
	cookie = cookie[:strings.IndexByte(cookie, ';')]
	for name, edit := range map[string]func(*http.Request, url.Values){
		"a form from another browser is refused": func(r *http.Request, _ url.Values) {
			other := get(t, request(p, v)).header.Get("Set-Cookie")
			r.Header.Set("Cookie", other[:strings.IndexByte(other, ';')])
		},
		"a form without the cookie is refused":  func(r *http.Request, _ url.Values) { r.Header.Del("Cookie") },
		"a form without the token is refused":   func(_ *http.Request, f url.Values) { f.Del("csrf") },
		"a form with a wrong token is refused":  func(_ *http.Request, f url.Values) { f.Set("csrf", "x") },
		"a form for another request is refused": func(_ *http.Request, f url.Values) { f.Set("request", field(t, get(t, request(p, v)), "request")) },
		"a form sent by another site is refused": func(r *http.Request, _ url.Values) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		},
		"a form with another origin is refused": func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "https://evil.example.org") },
		"a form with origin null is refused":    func(r *http.Request, _ url.Values) { r.Header.Set("Origin", "null") },
	} {
		t.Run(name, func(t *testing.T) {
			changed := url.Values{}
			for k, v := range fields {
				changed[k] = v
			}
			probe, _ := http.NewRequest(http.MethodPost, p.URL, nil)
			probe.Header.Set("Cookie", cookie)
			edit(probe, changed)
			a := post(t, p.URL+"/signin", changed, func(r *http.Request) {
				for k, v := range probe.Header {
					r.Header[k] = v
				}
			})
			refusedPage(t, a, 403, "does not belong to this browser")
		})
	}
	t.Run("the true form works once", func(t *testing.T) {
		with := withHeader("Cookie", cookie)
		if a := post(t, p.URL+"/signin", fields, with); a.status != http.StatusSeeOther {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		refusedPage(t, post(t, p.URL+"/signin", fields, with), 403, "was used already")
	})
}

// field reads a hidden input of a page.
func field(t *testing.T, a answer, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, `name="`+name+`" value="`)
	value, _, found := strings.Cut(rest, `"`)
	if !ok || !found {
		t.Fatalf("no field %s in %s", name, a.body)
	}
	return value
}

func TestAttack01SilentSignInNeedsEarlierConsent(t *testing.T) {
	p := start(t, devidp.Options{})
	v := oauth.NewVerifier()
	person := new(devidp.Visitor)
	silent := func(pairs ...string) string {
		t.Helper()
		to, err := person.SignIn(t.Context(), request(p, v, append(pairs, "prompt", "none")...), "")
		if err != nil {
			t.Fatal(err)
		}
		if to.Query().Get("code") != "" {
			return "code"
		}
		return to.Query().Get("error")
	}
	if got := silent(); got != "login_required" {
		t.Errorf("nobody is signed in: got %s", got)
	}
	if _, err := person.SignIn(t.Context(), request(p, v), devidp.UserUser); err != nil {
		t.Fatal(err)
	}
	if got := silent(); got != "code" {
		t.Errorf("the person agreed before: got %s", got)
	}
	if got := silent("client_id", devidp.ClientWeb); got != "consent_required" {
		t.Errorf("another client rides the sign-in: got %s", got)
	}
	if got := silent("redirect_uri", "http://127.0.0.1:6666/callback"); got != "consent_required" {
		t.Errorf("another redirect URI rides the sign-in: got %s", got)
	}
	if got := silent("scope", "execute openid"); got != "consent_required" {
		t.Errorf("more scopes ride the sign-in: got %s", got)
	}
}

func TestAttack11HostHeadersNeverEnterURLs(t *testing.T) {
	p := start(t, devidp.Options{})
	a := get(t, p.URL+"/.well-known/openid-configuration", withHeader("Host", "localhost:1"), withHeader("X-Forwarded-Host", "evil.example.org"), withHeader("X-Forwarded-Proto", "https")).ok(t)
	for name, v := range a.json {
		if s, ok := v.(string); ok && strings.Contains(s, "://") && !strings.HasPrefix(s, p.URL) {
			t.Errorf("%s is %s", name, s)
		}
	}
}

func TestAttack12NoOpenRedirectAfterSignOut(t *testing.T) {
	p := start(t, devidp.Options{})
	for name, q := range map[string]string{
		"an unregistered address is refused":   "client_id=dev-cli&post_logout_redirect_uri=https://evil.example.org/",
		"an address without client is refused": "post_logout_redirect_uri=http://127.0.0.1:1/signed-out",
		"a path next to it is refused":         "client_id=dev-cli&post_logout_redirect_uri=http://127.0.0.1:1/signed-out/x",
		"a javascript address is refused":      "client_id=dev-cli&post_logout_redirect_uri=javascript:alert(1)",
	} {
		t.Run(name, func(t *testing.T) {
			refusedPage(t, get(t, p.URL+"/logout?"+q), 400, "post_logout_redirect_uri")
		})
	}
	t.Run("the form cannot be bent to another address", func(t *testing.T) {
		a := post(t, p.URL+"/signout", url.Values{"choice": {"yes"}, "request": {"end|https://evil.example.org/"}, "csrf": {"x"}})
		refusedPage(t, a, 403, "does not belong")
	})
	t.Run("the registered address is reached, with the state", func(t *testing.T) {
		a := get(t, p.URL+"/logout?client_id=dev-cli&state=x+y&post_logout_redirect_uri=http://127.0.0.1:5/signed-out")
		if got := a.header.Get("Location"); got != "http://127.0.0.1:5/signed-out?state=x+y" {
			t.Errorf("sent to %q: %d %s", got, a.status, a.body)
		}
	})
}

func TestAttack48DNSRebinding(t *testing.T) {
	p := start(t, devidp.Options{})
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/authorize", "/device", "/", "/control"} {
		for _, host := range []string{"evil.example.org", "evil.example.org:80", "127.0.0.1.evil.example.org", "localhost.evil.example.org:9", ""} {
			if a := get(t, p.URL+path, func(r *http.Request) { r.Host = host; r.URL.Opaque = "" }); host != "" && a.status != 403 {
				t.Errorf("%s for %s answers %d", path, host, a.status)
			}
		}
	}
	t.Run("a token request of a strange site is refused, known secret or not", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example.org", "null", "http://127.0.0.1.evil.example.org"} {
			a := post(t, p.URL+"/token", url.Values{"grant_type": {"client_credentials"}}, withBasic(devidp.ClientService, devidp.ServiceSecret), withHeader("Origin", origin))
			a.refused(t, 403, "invalid_request")
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("and its page may read the answer")
			}
		}
	})
	t.Run("a page of this machine may ask", func(t *testing.T) {
		a := post(t, p.URL+"/token", url.Values{"grant_type": {"client_credentials"}}, withBasic(devidp.ClientService, devidp.ServiceSecret), withHeader("Origin", "http://localhost:6274")).ok(t)
		if a.header.Get("Access-Control-Allow-Origin") != "http://localhost:6274" {
			t.Errorf("but not read: %v", a.header)
		}
	})
}
