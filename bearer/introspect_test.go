package bearer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// oracle is an introspection endpoint that knows tokens by name.
type oracle struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]any
	status  int
	gate    chan struct{}
	asked   atomic.Int64
	most    atomic.Int64 // questions at once
	under   atomic.Int64
}

func newOracle(t testing.TB) *oracle {
	t.Helper()
	o := &oracle{answers: map[string]any{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		if n := o.under.Add(1); n > o.most.Load() {
			o.most.Store(n)
		}
		defer o.under.Add(-1)
		o.mu.Lock()
		gate, status := o.gate, o.status
		o.mu.Unlock()
		if gate != nil {
			<-gate
		}
		id, secret, _ := r.BasicAuth()
		switch {
		case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.FormValue("token_type_hint") != "access_token":
			w.WriteHeader(http.StatusBadRequest)
			return
		case id != "rs%3Aone" || secret != "s%26cret": // RFC 6749, section 2.3.1: encoded before they are joined
			w.WriteHeader(http.StatusUnauthorized)
			return
		case status != 0:
			w.Header().Set("Location", o.URL+"/elsewhere")
			w.WriteHeader(status)
			return
		}
		o.mu.Lock()
		answer, known := o.answers[r.FormValue("token")]
		o.mu.Unlock()
		if !known {
			answer = claimSet{"active": false}
		}
		if text, ok := answer.(string); ok {
			io.WriteString(w, text)
			return
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *oracle) knows(token string, answer any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[token] = answer
}

func (o *oracle) set(status int, gate chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status, o.gate = status, gate
}

func active(i *issuer) claimSet { return i.good().with(claimSet{"active": true, "username": "alice"}) }

func opaqueGuard(t testing.TB, i *issuer, o *oracle, change func(*bearer.Config)) *bearer.Guard {
	t.Helper()
	return guardFor(t, i, func(c *bearer.Config) {
		c.Introspection = &bearer.Introspection{URL: o.URL, ClientID: "rs:one", ClientSecret: "s&cret"}
		if change != nil {
			change(c)
		}
	})
}

func TestIntrospection(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	for _, row := range []struct {
		name   string
		answer any
		reason bearer.Reason
		look   func(*identity.Identity) bool
	}{
		{"an active token is accepted", active(i), "", func(id *identity.Identity) bool {
			return id.Subject == "alice" && id.HasScope("execute") && id.ClientID == "cli" && id.Username == "alice" && id.Issuer == i.URL && id.Kind == identity.Person
		}},
		{"an answer without iss is the configured issuer's", active(i).with(claimSet{"iss": nil}), "", func(id *identity.Identity) bool { return id.Issuer == i.URL }},
		{"token_type bearer in any case is accepted", active(i).with(claimSet{"token_type": "bearer"}), "", nil},
		{"a program is told from a person", active(i).with(claimSet{"sub": "cli"}), "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"an inactive token is refused", claimSet{"active": false, "sub": "alice"}, bearer.ReasonInactive, nil},
		{"attack 26 a token for another resource is refused", active(i).with(claimSet{"aud": "https://other.example.com"}), bearer.ReasonAudience, nil},
		{"attack 26 RS-9 a token without aud is refused, though active", active(i).with(claimSet{"aud": nil}), bearer.ReasonAudience, nil},
		{"attack 26 a token of another client for its own use is refused", active(i).with(claimSet{"aud": "other-client", "client_id": "other-client"}), bearer.ReasonAudience, nil},
		{"attack 26 another issuer's token is refused", active(i).with(claimSet{"iss": "https://evil.example.com"}), bearer.ReasonIssuer, nil},
		{"attack 25 a refresh token is active too, and refused", active(i).with(claimSet{"token_use": "refresh_token"}), bearer.ReasonType, nil},
		{"attack 25 token_type refresh_token is refused", active(i).with(claimSet{"token_type": "refresh_token"}), bearer.ReasonType, nil},
		{"a token bound to a key is refused", active(i).with(claimSet{"cnf": claimSet{"jkt": "x"}}), bearer.ReasonType, nil},
		{"attack 24 an expired token is refused, though active", active(i).with(claimSet{"exp": now.Unix() - 3600}), bearer.ReasonExpired, nil},
		{"attack 24 a token without exp is refused", active(i).with(claimSet{"exp": nil}), bearer.ReasonLifetime, nil},
		{"a token without sub is refused", active(i).with(claimSet{"sub": nil}), bearer.ReasonSubject, nil},
		{"attack 54 active as a text fails closed", active(i).with(claimSet{"active": "true"}), bearer.ReasonUnavailable, nil},
		{"attack 54 active as a number fails closed", active(i).with(claimSet{"active": 1}), bearer.ReasonUnavailable, nil},
		{"attack 54 an answer without active fails closed", i.good(), bearer.ReasonUnavailable, nil},
		{"attack 54 active twice fails closed", `{"active":false,"active":true}`, bearer.ReasonUnavailable, nil},
		{"attack 54 no JSON fails closed", `<html>`, bearer.ReasonUnavailable, nil},
		{"attack 54 nothing fails closed", ``, bearer.ReasonUnavailable, nil},
		{"attack 54 an endless answer fails closed", `{"active":true,"x":"` + strings.Repeat("x", 300<<10) + `"}`, bearer.ReasonUnavailable, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			o.knows("opaque-token", row.answer)
			g := opaqueGuard(t, i, o, nil)
			id, err := g.Verify(t.Context(), "opaque-token")
			if row.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if row.look != nil && !row.look(id) {
					t.Errorf("%+v", id)
				}
				return
			}
			if bearer.ReasonOf(err) != row.reason {
				t.Fatalf("%v, want %s", err, row.reason)
			}
			resp, reached := call(g, request("opaque-token"))
			if reached {
				t.Error("the handler was reached")
			}
			if row.reason == bearer.ReasonUnavailable {
				if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
					t.Errorf("status %d, %v", resp.StatusCode, resp.Header)
				}
				return
			}
			expect(t, resp, http.StatusUnauthorized, "invalid_token")
		})
	}
}

func TestIntrospectionObeysTheProvidersRules(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	tenants := func(c *bearer.Config) {
		c.Providers[0].Claims.Tenant, c.Providers[0].Tenants = idp.Path{"tid"}, []string{"ours"}
	}
	o.knows("ours", active(i).with(claimSet{"tid": "ours"}))
	o.knows("theirs", active(i).with(claimSet{"tid": "theirs"}))
	accepted(t, opaqueGuard(t, i, o, tenants), "ours")
	refused(t, opaqueGuard(t, i, o, tenants), "theirs", bearer.ReasonTenant)

	keycloak := func(c *bearer.Config) { c.Providers[0] = at(i, idp.Keycloak(i.URL, "r")) }
	o.knows("access", active(i).with(claimSet{"typ": "Bearer", "token_type": "Bearer"}))
	o.knows("refresh", active(i).with(claimSet{"typ": "Refresh"}))
	accepted(t, opaqueGuard(t, i, o, keycloak), "access")
	refused(t, opaqueGuard(t, i, o, keycloak), "refresh", bearer.ReasonType) // attack 25
}

func TestIntrospectionThatFails(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	o.knows("opaque", active(i))
	for name, change := range map[string]func(*bearer.Config){
		"attack 54 wrong credentials": func(c *bearer.Config) { c.Introspection.ClientSecret = "wrong" },
		"attack 54 no server":         func(c *bearer.Config) { c.Introspection.URL = "http://127.0.0.1:1/introspect" },
	} {
		t.Run(name+" fail closed", func(t *testing.T) {
			refused(t, opaqueGuard(t, i, o, change), "opaque", bearer.ReasonUnavailable)
		})
	}
	for _, status := range []int{204, 302, 307, 404, 500} {
		o.set(status, nil)
		before := o.asked.Load()
		refused(t, opaqueGuard(t, i, o, nil), "opaque", bearer.ReasonUnavailable)
		if n := o.asked.Load() - before; n != 1 {
			t.Errorf("status %d: %d requests; a redirect would carry the token away", status, n)
		}
	}
}

func TestIntrospectionIsRememberedShortly(t *testing.T) {
	i, o, h := newIssuer(t), newOracle(t), &hands{}
	o.knows("short", active(i).with(claimSet{"exp": now.Unix() + 10}))
	o.knows("long", active(i))
	g := opaqueGuard(t, i, o, func(c *bearer.Config) { c.Now = h.now; c.Leeway = -1 })
	count := func(token string, want int64) {
		t.Helper()
		before := o.asked.Load()
		g.Verify(t.Context(), token)
		if n := o.asked.Load() - before; n != want {
			t.Errorf("%s: asked %d times, want %d", token, n, want)
		}
	}
	count("long", 1)
	count("long", 0)
	count("short", 1)
	count("junk", 1)
	count("junk", 0)
	h.advance(6 * time.Second)
	count("junk", 1) // an inactive answer is believed for five seconds
	h.advance(5 * time.Second)
	count("short", 1) // never past exp
	count("long", 0)
	h.advance(18 * time.Second)
	count("long", 0) // 29 seconds
	o.knows("long", claimSet{"active": false})
	h.advance(time.Second)
	count("long", 1) // 30 seconds
	refused(t, g, "long", bearer.ReasonInactive)
}

func TestIntrospectionCanAskEachTime(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	o.knows("opaque", active(i))
	g := opaqueGuard(t, i, o, func(c *bearer.Config) { c.Introspection.CacheFor = -1 })
	for range 3 {
		accepted(t, g, "opaque")
		refused(t, g, "junk", bearer.ReasonInactive)
	}
	if n := o.asked.Load(); n != 6 {
		t.Errorf("asked %d times, want 6", n)
	}
}

func TestIntrospectionIsAskedOnceForAllAndBounded(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	gate := make(chan struct{})
	o.set(0, gate)
	for n := range 20 {
		o.knows("t"+string(rune('a'+n)), active(i))
	}
	g := opaqueGuard(t, i, o, func(c *bearer.Config) { c.Introspection.Concurrency = 3 })
	var wg sync.WaitGroup
	for range 5 {
		for n := range 20 {
			wg.Go(func() {
				if _, err := g.Verify(context.Background(), "t"+string(rune('a'+n))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	close(gate)
	wg.Wait()
	if o.asked.Load() != 20 || o.most.Load() > 3 {
		t.Errorf("asked %d times, %d at once; want 20, at most 3", o.asked.Load(), o.most.Load())
	}
}

func TestAFloodOfOpaqueTokensIsTurnedAwayAtOnce(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	gate := make(chan struct{})
	o.set(0, gate)
	g := opaqueGuard(t, i, o, func(c *bearer.Config) { c.Introspection.Concurrency = 1 })
	const flood = 100
	answers := make(chan error, flood)
	for n := range flood {
		go func() {
			_, err := g.Verify(context.Background(), fmt.Sprintf("junk%d", n))
			answers <- err
		}()
	}
	// Sixteen wait for the one question under way; all others have their answer although that one never comes.
	for range flood - 16 {
		if err := <-answers; bearer.ReasonOf(err) != bearer.ReasonUnavailable {
			t.Errorf("turned away with %v", err)
		}
	}
	close(gate)
	for range 16 {
		if err := <-answers; bearer.ReasonOf(err) != bearer.ReasonInactive {
			t.Errorf("answered with %v", err)
		}
	}
}

func TestJWTsAreNotIntrospected(t *testing.T) {
	i, o := newIssuer(t), newOracle(t)
	g := opaqueGuard(t, i, o, nil)
	accepted(t, g, sign(t, i.good(), signer{}))
	forged := sign(t, i.good(), signer{key: rsaKeys()[1]})
	o.knows(forged, active(i))
	refused(t, g, forged, bearer.ReasonSignature)
	if o.asked.Load() != 0 {
		t.Error("a JWT was sent to introspection")
	}
}

func TestGoogleTokens(t *testing.T) {
	answer := claimSet{}
	status := http.StatusOK
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.PostFormValue("access_token") == "" || r.URL.RawQuery != "" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(answer)
	}))
	defer google.Close()
	good := claimSet{"azp": "web.apps.googleusercontent.com", "aud": "web.apps.googleusercontent.com", "sub": "1098", "scope": "openid https://www.googleapis.com/auth/userinfo.email",
		"exp": "1800003599", "expires_in": "3599", "email": "alice@example.com", "email_verified": "true", "access_type": "online"}
	guard := func() *bearer.Guard {
		p := idp.Google()
		p.TokenInfo = google.URL
		g, err := bearer.New(bearer.Config{Resource: resource, Providers: []idp.Provider{p}, Audience: []string{"web.apps.googleusercontent.com"}, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	const token = "ya29.a0opaque"
	answer = good
	id, err := guard().Verify(t.Context(), token)
	if err != nil || id.Subject != "1098" || id.Issuer != "https://accounts.google.com" || !id.HasScope("openid") || id.ClientID == "" || id.Expiry.Unix() != 1_800_003_599 {
		t.Errorf("%+v, %v", id, err)
	}
	answer = good.with(claimSet{"aud": "other.apps.googleusercontent.com"})
	refused(t, guard(), token, bearer.ReasonAudience) // attack 26
	answer = good.with(claimSet{"exp": "1799990000"})
	refused(t, guard(), token, bearer.ReasonExpired)
	answer = good.with(claimSet{"exp": "soon"})
	refused(t, guard(), token, bearer.ReasonLifetime)
	answer = good.with(claimSet{"sub": nil})
	refused(t, guard(), token, bearer.ReasonSubject)
	status, answer = http.StatusBadRequest, claimSet{"error": "invalid_token"}
	refused(t, guard(), token, bearer.ReasonInactive)
	status = http.StatusInternalServerError
	refused(t, guard(), token, bearer.ReasonUnavailable)
	if err := guard().Ready(t.Context()); err != nil {
		t.Error("there are no keys to wait for:", err)
	}
}
