package bearer_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

func TestProtectPassesTheIdentityOn(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	var id *identity.Identity
	var info *auth.TokenInfo
	var header http.Header
	h := g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, info, header = identity.FromContext(r.Context()), auth.TokenInfoFromContext(r.Context()), r.Header
	}))
	r := request(sign(t, i.good(), signer{}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || id == nil || info == nil {
		t.Fatalf("status %d, identity %v, SDK %v: %s", w.Code, id, info, w.Body)
	}
	if id.Subject != "alice" || id.Issuer != i.URL || id.Provider != "oidc" || id.Kind != identity.Person || id.ClientID != "cli" ||
		!id.HasScope("execute") || !id.HasScope("time:read") || id.TokenID != "t-1" || !id.Expiry.Equal(now.Add(3600e9)) {
		t.Errorf("identity %+v", id)
	}
	if info.UserID != id.Key() || info.UserID == "" || !slices.Equal(info.Scopes, id.Scopes) || !info.Expiration.Equal(id.Expiry) {
		t.Errorf("SDK %+v", info)
	}
	if header.Get("Authorization") != "" {
		t.Error("RS-15 the handler sees the token")
	}
	if header.Get("Content-Type") == "" || r.Header.Get("Authorization") == "" {
		t.Error("the headers of the request were changed")
	}
}

// TestProtectTakesTheHeaderWhereItMay shows that where the request may be changed the token is nowhere any more behind the
// guard, and that a refused request is left as it was.
func TestProtectTakesTheHeaderWhereItMay(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) { c.ConsumesHeader = true })
	h := g.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header["Authorization"] != nil || r.Header.Get("Content-Type") == "" {
			t.Errorf("RS-15 the handler sees %v", r.Header)
		}
	}))
	for _, row := range []struct {
		name   string
		r      *http.Request
		status int
		keeps  bool
	}{
		{"let in", request(sign(t, i.good(), signer{})), 200, false},
		{"refused", request(sign(t, i.good().with(claimSet{"exp": 1}), signer{})), 401, true},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, row.r)
		if w.Code != row.status || (row.r.Header["Authorization"] != nil) != row.keeps {
			t.Errorf("%s: status %d, and the request has %v", row.name, w.Code, row.r.Header)
		}
	}
}

func TestTheSDKIsToldOfTheSameCallerByAll(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	h := g.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		deeper := context.WithValue(r.Context(), t, "a value of the handler's own")
		if first, second := auth.TokenInfoFromContext(r.Context()), auth.TokenInfoFromContext(deeper); first == nil || first != second {
			t.Errorf("told of %v, then of %v", first, second)
		}
		if deeper.Value(t) != "a value of the handler's own" || deeper.Value("nothing") != nil {
			t.Error("other values of the context are lost")
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), request(sign(t, i.good(), signer{})))
	if auth.TokenInfoFromContext(context.Background()) != nil {
		t.Error("somebody is told of outside of a request")
	}
}

func TestRequests(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	good := sign(t, i.good(), signer{})
	form := func(values url.Values, contentType string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/mcp", strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", contentType)
		return r
	}
	authorized := func(lines ...string) *http.Request {
		r := request("")
		r.Header["Authorization"] = lines
		return r
	}
	query := func(q string) *http.Request {
		r := request(good)
		r.URL.RawQuery = q
		return r
	}
	for _, row := range []struct {
		name   string
		r      *http.Request
		status int // 0: the handler is reached
		code   string
	}{
		{"a good token is let in", request(good), 0, ""},
		{"the scheme in lower case is let in", authorized("bearer " + good), 0, ""},
		{"the scheme in upper case is let in", authorized("BEARER " + good), 0, ""},
		{"several spaces are let in", authorized("Bearer   " + good), 0, ""},

		{"RS-11 no token gets 401 without error", request(""), 401, ""},
		{"RS-11 another scheme is no token", authorized("Basic dXNlcjpwYXNz"), 401, ""},
		{"RS-11 an empty Authorization is malformed", authorized(""), 400, "invalid_request"},
		{"RS-11 a scheme without a token is malformed", authorized("Bearer"), 400, "invalid_request"},
		{"RS-11 a scheme and a space are malformed", authorized("Bearer "), 400, "invalid_request"},
		{"RS-11 two tokens are malformed", authorized("Bearer " + good + " " + good), 400, "invalid_request"},
		{"RS-11 two tokens with a comma are malformed", authorized("Bearer " + good + "," + good), 400, "invalid_request"},
		{"RS-11 a tab instead of a space is malformed", authorized("Bearer\t" + good), 400, "invalid_request"},
		{"RS-11 a quoted token is malformed", authorized(`Bearer "` + good + `"`), 400, "invalid_request"},
		{"RS-11 characters beyond ASCII are malformed", authorized("Bearer é"), 400, "invalid_request"},
		{"RS-11 padding alone is malformed", authorized("Bearer ==="), 400, "invalid_request"},
		{"RS-11 a token without a scheme is no bearer token", authorized(good), 401, ""},
		{"RS-11 two Authorization headers are malformed, though both are good", authorized("Bearer "+good, "Bearer "+good), 400, "invalid_request"},
		{"RS-11 padding inside a token is malformed", authorized("Bearer a=.b.c"), 400, "invalid_request"},

		{"RS-16 attack 30 a token in the query is refused, though the header is good", query("access_token=" + good), 400, "invalid_request"},
		{"RS-16 attack 30 a token in the query with an escaped name is refused", query("a=b&%61ccess_token=" + good), 400, "invalid_request"},
		{"RS-16 attack 30 a token in the query behind a semicolon is refused", query("a=b;access_token=" + good), 400, "invalid_request"},
		{"RS-16 attack 30 an empty token in the query is refused", query("access_token"), 400, "invalid_request"},
		{"RS-16 other parameters are none of its business", query("access_tokens=x&token=y&my_access_token=z&%zz=1"), 0, ""},
		{"RS-16 attack 30 a token in a form is refused", form(url.Values{"access_token": {good}}, "application/x-www-form-urlencoded"), 400, "invalid_request"},
		{"RS-16 attack 30 a token in a form with a charset is refused", form(url.Values{"access_token": {good}}, "application/x-www-form-urlencoded; charset=UTF-8"), 400, "invalid_request"},
		{"RS-11 a form without a token gets 401", form(url.Values{"a": {"b"}}, "application/x-www-form-urlencoded"), 401, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			resp, reached := call(g, row.r)
			if reached != (row.status == 0) {
				t.Fatalf("reached %v, status %d", reached, resp.StatusCode)
			}
			if reached {
				return
			}
			c := expect(t, resp, row.status, row.code)
			if !slices.Equal(c.Scopes, []string{"execute"}) { // RS-4
				t.Errorf("scope %q", c.Scopes)
			}
		})
	}
}

func TestAFormReachesTheHandlerWhole(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	want := "a=" + strings.Repeat("x", 200<<10)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(want))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+sign(t, i.good(), signer{}))
	var got []byte
	g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) })).ServeHTTP(httptest.NewRecorder(), r)
	if string(got) != want {
		t.Errorf("%d bytes reached the handler, want %d", len(got), len(want))
	}
}

// Whatever the path, method or headers, there is no way around the guard.
func TestAttack52_ProtectHasNoExemptions(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	for _, path := range []string{
		"/", "/healthz", "/mcp/../healthz", "//healthz", "/mcp/%2e%2e/healthz", "/mcp%2f..%2fhealthz", "/.well-known/oauth-protected-resource",
		"/mcp?x=/healthz", "/mcp;/healthz", "/favicon.ico", "/%2e%2e/%2e%2e/",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Method = method
			for name, value := range map[string]string{
				"X-Forwarded-Uri": "/healthz", "X-Original-Url": "/healthz", "X-Rewrite-Url": "/healthz", "User-Agent": "kube-probe/1.30",
				"X-Forwarded-User": "admin", "X-Forwarded-Access-Token": "x", "Mcp-Session-Id": "1", "Upgrade": "websocket", "Connection": "Authorization",
			} {
				r.Header.Set(name, value)
			}
			resp, reached := call(g, r)
			if reached || resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("attack 52 %s %s: reached %v, status %d", method, path, reached, resp.StatusCode)
			}
		}
	}
}

// RS-8, RS-17: the body is not touched and the handler not asked before the token is verified; and each request is
// verified, not the first one of a connection or session.
func TestRS8_RS17_EveryRequestIsVerifiedFirst(t *testing.T) {
	i := newIssuer(t)
	h := &hands{}
	g := guardFor(t, i, moving(h))
	body := &touched{}
	r := httptest.NewRequest(http.MethodPost, "/mcp", body)
	r.Header.Set("Content-Type", "application/json")
	if resp, reached := call(g, r); reached || resp.StatusCode != 401 || body.read {
		t.Errorf("reached %v, status %d, body read %v", reached, resp.StatusCode, body.read)
	}
	token := sign(t, i.good(), signer{})
	if _, reached := call(g, request(token)); !reached {
		t.Fatal("a good token was refused")
	}
	r = request("")
	r.Header.Set("Mcp-Session-Id", "the session of before")
	if resp, reached := call(g, r); reached || resp.StatusCode != 401 {
		t.Errorf("a session id counted as authentication: %d", resp.StatusCode)
	}
	h.advance(2 * 3600e9)
	resp, reached := call(g, request(token))
	if reached {
		t.Error("RS-10 a token that was good before is let in after its end")
	}
	expect(t, resp, http.StatusUnauthorized, "invalid_token")
}

type touched struct{ read bool }

func (b *touched) Read([]byte) (int, error) { b.read = true; return 0, io.EOF }

func TestRS12_InsufficientScope(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) { c.ScopePrefix = "api://app/" })
	t.Run("RS-12 RS-13 all scopes of the operation stand in one challenge of status 403", func(t *testing.T) {
		w := httptest.NewRecorder()
		g.InsufficientScope(w, request("x"), []string{"time:read", "time:convert"})
		c := expect(t, w.Result(), http.StatusForbidden, "insufficient_scope")
		if !slices.Equal(c.Scopes, []string{"api://app/time:read", "api://app/time:convert"}) {
			t.Errorf("scope %q", c.Scopes)
		}
		if c.ErrorDescription != "this request needs the scopes time:read time:convert" {
			t.Errorf("description %q", c.ErrorDescription)
		}
	})
	t.Run("a scope that could end the quotation is left out", func(t *testing.T) {
		w := httptest.NewRecorder()
		g.InsufficientScope(w, request("x"), []string{"a\", error=\"none", "b"})
		if c := expect(t, w.Result(), http.StatusForbidden, "insufficient_scope"); !slices.Equal(c.Scopes, []string{"api://app/b"}) {
			t.Errorf("scope %q", c.Scopes)
		}
	})
	t.Run("no scopes at all still make a refusal", func(t *testing.T) {
		w := httptest.NewRecorder()
		g.InsufficientScope(w, request("x"), nil)
		expect(t, w.Result(), http.StatusForbidden, "insufficient_scope")
	})
	t.Run("RS-12 Require refuses a token without one of the scopes", func(t *testing.T) {
		reached := false
		h := g.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }), "execute", "admin")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(sign(t, i.good(), signer{})))
		if c := expect(t, w.Result(), http.StatusForbidden, "insufficient_scope"); len(c.Scopes) != 2 || reached {
			t.Errorf("scope %q, reached %v", c.Scopes, reached)
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, request(sign(t, i.good().with(claimSet{"scope": "admin x execute"}), signer{})))
		if !reached || w.Code != 200 {
			t.Errorf("status %d", w.Code)
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, request(""))
		expect(t, w.Result(), http.StatusUnauthorized, "")
	})
}

func TestRS5_ChallengesAreConsistent(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) { c.Scopes, c.ScopePrefix = []string{"execute", "time:read"}, "api://app/" })
	for _, r := range []*http.Request{request(""), request("x"), request(sign(t, i.good().with(claimSet{"exp": 1}), signer{}))} {
		resp, _ := call(g, r)
		all := resp.Header.Values("WWW-Authenticate")
		if len(all) != 1 || !strings.Contains(all[0], `scope="api://app/execute api://app/time:read"`) ||
			!strings.Contains(all[0], `resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"`) {
			t.Errorf("RS-3 RS-4 RS-5 challenge %q", all)
		}
	}
}

func TestStrangersLearnNothingOfTheCause(t *testing.T) {
	i := newIssuer(t)
	logs := &logbook{}
	g := guardFor(t, i, func(c *bearer.Config) { c.Logger = logs.logger() })
	resp, _ := call(g, request(sign(t, i.good().with(claimSet{"iss": "https://internal-name.example"}), signer{})))
	body, _ := io.ReadAll(resp.Body)
	if said := string(body) + resp.Header.Get("WWW-Authenticate"); strings.Contains(said, "internal-name") || strings.Contains(said, i.URL) {
		t.Errorf("the answer says %s", said)
	}
	if !strings.Contains(logs.String(), `"reason":"issuer"`) || !strings.Contains(logs.String(), "internal-name") {
		t.Errorf("the log says %s", logs)
	}
}

func TestRS19_TokensAreNeverLogged(t *testing.T) {
	i := newIssuer(t)
	logs := &logbook{}
	g := guardFor(t, i, func(c *bearer.Config) { c.Logger = logs.logger() })
	tokens := []string{
		sign(t, i.good(), signer{}), sign(t, i.good().with(claimSet{"exp": 1}), signer{}), sign(t, i.good(), signer{key: rsaKeys()[1]}),
		sign(t, i.good(), signer{kid: "k7"}), sign(t, i.good().with(claimSet{"aud": "x"}), signer{}), "opaque-secret-token-0123456789", "e30.e30.e30",
		sign(t, []byte(`{"sub":1,"sub":2}`), signer{}),
	}
	for _, token := range tokens {
		call(g, request(token))
		r := request("")
		r.URL.RawQuery = "access_token=" + token
		call(g, r) // attack 30: nor from the query
		r = request("")
		r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
		call(g, r)
		r = request("")
		r.Header["Authorization"] = []string{token}
		call(g, r)
	}
	said := logs.String()
	if strings.Count(said, "request refused") < 3*len(tokens) {
		t.Errorf("only %d refusals were logged", strings.Count(said, "request refused"))
	}
	for _, token := range tokens {
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 8 && strings.Contains(said, part) {
				t.Errorf("RS-19 the log holds a part of a token: %s", part)
			}
		}
	}
}

func TestAttack54_AnErrorNobodyKnowsFailsClosed(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	w := httptest.NewRecorder()
	g.Refuse(w, request("x"), io.ErrUnexpectedEOF)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "EOF") {
		t.Errorf("status %d, %v: %s", w.Code, w.Header(), w.Body)
	}
}

func TestAttack56_NothingPanicsOnWhatIsAbsent(t *testing.T) {
	g, err := bearer.New(bearer.Config{Resource: "http://127.0.0.1:9/mcp", Providers: []idp.Provider{idp.OIDC("http://127.0.0.1:9")}})
	if err != nil {
		t.Fatal(err)
	}
	if resp, reached := call(g, &http.Request{URL: &url.URL{}, Header: http.Header{}}); reached || resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
	for _, token := range []string{"", ".", "..", "...", encode("{}") + "..", encode("null") + "." + encode("null") + "."} {
		if _, err := g.Verify(context.Background(), token); err == nil {
			t.Errorf("%q was accepted", token)
		}
	}
}
