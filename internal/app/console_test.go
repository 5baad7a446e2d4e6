package app

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestAPersonSignsInAndNoTokenReachesTheBrowser(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		t.Run(character, func(t *testing.T) {
			h := open(t, Options{}, "FASTMCP_AUTH_IDP_CHARACTER="+character)
			b := newBrowser(t, h)
			if s := b.session(); s.SignedIn || s.Mode != "sign-in" {
				t.Fatalf("before: %+v", s)
			}
			if to := b.signIn(devidp.UserAdmin, "return_to=/tools/reverse_tool%3Ftab%3Draw"); to != "/tools/reverse_tool?tab=raw" {
				t.Errorf("leads to %s", to)
			}
			s := b.session()
			if !s.SignedIn || s.Identity.Name == "" || !slices.Contains(s.Identity.Scopes, "execute") || s.Claims["iss"] == nil {
				t.Errorf("signed in: %+v", s)
			}
			if a := b.call(); a.status != 200 || a.body != `{"reversed_query":"cba"}` {
				t.Errorf("a call: %d %s", a.status, a.body)
			}
			if a := b.do("GET", "/api/v1/me", ""); a.status != 200 || !strings.Contains(a.body, `"signed_in":true`) {
				t.Errorf("me: %d %s", a.status, a.body)
			}
			for _, csrf := range []string{"", "wrong"} {
				if a := b.do("POST", "/api/v1/tools/reverse_tool", `{"query":"abc"}`, "X-CSRF-Token: "+csrf); a.status != 403 || !strings.Contains(a.body, `"code":"csrf"`) {
					t.Errorf("attack 9 with the CSRF token %q: %d %s", csrf, a.status, a.body)
				}
			}
			u, _ := url.Parse(h.public)
			for _, c := range b.http.Jar.Cookies(u) {
				b.readable.WriteString(c.Value) // HttpOnly, and no token all the same
			}
			out := b.do("POST", "/console/sign-out", "", "X-CSRF-Token: "+s.CSRF)
			if strings.Contains(b.readable.String(), "eyJ") {
				t.Errorf("a token is readable in %s", b.readable.String())
			}
			var to struct {
				RedirectTo string `json:"redirect_to"`
			}
			out.into(t, &to)
			end := b.goes(b.do("GET", to.RedirectTo, ""))
			if !strings.HasPrefix(end, h.issuer[:20]) || !strings.Contains(end, "post_logout_redirect_uri="+url.QueryEscape(h.public+"/signed-out")) {
				t.Errorf("the provider's end: %s", end)
			}
			if again := b.goes(b.do("GET", to.RedirectTo, "")); again != "/?signed_out=1" {
				t.Errorf("a ticket used twice leads to %s", again)
			}
			if s := b.session(); s.SignedIn {
				t.Error("signed in after signing out")
			}
			if a := b.do("GET", "/api/v1/me", ""); a.status != 401 {
				t.Errorf("the API after signing out: %d %s", a.status, a.body)
			}
		})
	}
}

func TestTheCookieOfASession(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	a := b.do("GET", b.back(b.goes(b.do("GET", "/console/sign-in", "")), devidp.UserAdmin), "")
	var found bool
	for _, line := range a.header.Values("Set-Cookie") {
		name, _, _ := strings.Cut(line, "=")
		if name != h.console.Cookie() { // others open nothing
			continue
		}
		found = true
		if !strings.Contains(line, "HttpOnly") || !strings.Contains(line, "SameSite=Strict") || !strings.Contains(line, "Path=/") || strings.Contains(line, "Domain") {
			t.Errorf("the cookie %s", line)
		}
	}
	if !found || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("no cookie in %v", a.header)
	}
}

// attack 2: the answer to a sign-in of one browser, played in another.
func TestAttack2_ASignInBelongsToItsBrowser(t *testing.T) {
	h := open(t, Options{})
	for _, row := range []struct {
		name   string
		before func(other *browser)
	}{
		{"one that began nothing", func(*browser) {}},
		{"one in the middle of a sign-in of its own", func(other *browser) { other.do("GET", "/console/sign-in", "") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			begun, other := newBrowser(t, h), newBrowser(t, h)
			back := begun.back(begun.goes(begun.do("GET", "/console/sign-in", "")), devidp.UserAdmin)
			row.before(other)
			if to := other.goes(other.do("GET", back, "")); to != "/?sign_in_error=another_browser" {
				t.Errorf("played elsewhere it leads to %s", to)
			}
			if other.session().SignedIn {
				t.Error("the other browser is signed in")
			}
			if to := begun.goes(begun.do("GET", back, "")); to != "/?sign_in_error=sign_in_expired" {
				t.Errorf("after that it leads to %s", to)
			}
		})
	}
}

// attack 8: state that is fixed, absent, used or old. RFC 9207: an answer of another issuer.
func TestAttack8_AnAnswerFitsOneQuestion(t *testing.T) {
	var ahead atomic.Int64
	h := open(t, Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	for _, row := range []struct {
		name string
		bend func(b *browser, q url.Values)
		want string
	}{
		{"as it was", func(*browser, url.Values) {}, "/"},
		{"another state", func(_ *browser, q url.Values) { q.Set("state", "other") }, "/?sign_in_error=sign_in_expired"},
		{"no state", func(_ *browser, q url.Values) { q.Del("state") }, "/?sign_in_error=invalid_response"},
		{"no code", func(_ *browser, q url.Values) { q.Del("code") }, "/?sign_in_error=invalid_response"},
		{"another code", func(_ *browser, q url.Values) { q.Set("code", "other") }, "/?sign_in_error=invalid_grant"},
		{"two codes", func(_ *browser, q url.Values) { q.Add("code", "other") }, "/?sign_in_error=invalid_response"},
		{"another issuer", func(_ *browser, q url.Values) { q.Set("iss", "https://evil.example") }, "/?sign_in_error=wrong_issuer"},
		{"an error of another issuer", func(_ *browser, q url.Values) { q.Set("iss", "https://evil.example"); q.Set("error", "access_denied") }, "/?sign_in_error=wrong_issuer"},
		{"an error with markup", func(_ *browser, q url.Values) { q.Set("error", "<script>") }, "/?sign_in_error=provider_refused"},
		{"too late", func(*browser, url.Values) { ahead.Add(int64(11 * time.Minute)) }, "/?sign_in_error=sign_in_expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBrowser(t, h)
			back, err := url.Parse(b.back(b.goes(b.do("GET", "/console/sign-in", "")), devidp.UserAdmin))
			if err != nil {
				t.Fatal(err)
			}
			q := back.Query()
			row.bend(b, q)
			back.RawQuery = q.Encode()
			if to := b.goes(b.do("GET", back.String(), "")); to != row.want {
				t.Errorf("leads to %s, want %s", to, row.want)
			}
			if signedIn := b.session().SignedIn; signedIn != (row.want == "/") {
				t.Errorf("signed in: %v", signedIn)
			}
		})
	}
}

// attack 8: nobody has to be signed in to begin a sign-in, and each is kept: what one address begins is bounded, and so is
// the size of each.
func TestAttack8_AStrangerDoesNotFillTheStore(t *testing.T) {
	now := time.Now()
	h := open(t, Options{Now: func() time.Time { return now }})
	b := newBrowser(t, h)
	long := "/console/sign-in?scope=" + strings.Repeat(strings.Repeat("s", 99)+"+", 300)
	at, err := url.Parse(b.goes(b.do("GET", long, "")))
	if err != nil || len(at.Query().Get("scope")) > 1500 {
		t.Fatalf("%d bytes of scopes are kept and asked for, %v", len(at.Query().Get("scope")), err)
	}
	begun, last := 1, apiAnswer{}
	for ; begun < 500; begun++ {
		if last = b.do("GET", "/console/sign-in", ""); last.status != http.StatusSeeOther {
			break
		}
	}
	if begun != 100 || last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("after %d: %d %v %s", begun, last.status, last.header, last.body)
	}
}

func TestAPersonWhoSaysNoIsNotSignedIn(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	if to := b.signIn(devidp.Cancel, ""); to != "/?sign_in_error=access_denied" || b.session().SignedIn {
		t.Errorf("leads to %s", to)
	}
}

// attack 10: an earlier session survives another person's sign-in.
func TestAttack10_EachSignInIsANewSession(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	u, _ := url.Parse(h.public)
	before := b.http.Jar.Cookies(u)
	first := b.session().Identity.Name
	b.at = devidp.Visitor{} // another person at the same browser
	b.signIn(devidp.UserUser, "")
	if second := b.session().Identity.Name; second == first || second == "" {
		t.Errorf("signed in as %q after %q", second, first)
	}
	b.http.Jar.SetCookies(u, before)
	if b.session().SignedIn {
		t.Error("the earlier session goes on")
	}
}

// attack 12: a sign-in that leads elsewhere.
func TestAttack12_ASignInLeadsBackIntoTheConsole(t *testing.T) {
	h := open(t, Options{})
	for _, to := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "javascript:alert(1)", "evil", "/%0d%0aX: y", ""} {
		b := newBrowser(t, h)
		if got := b.signIn(devidp.UserAdmin, url.Values{"return_to": {to}}.Encode()); got != "/" && got != "/%0D%0AX:%20y" {
			t.Errorf("%q leads to %q", to, got)
		}
	}
}

// attack 11: a Host that is not ours never reaches a generated URL.
func TestAttack11_TheRedirectURIIsOurs(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	at, err := url.Parse(b.goes(b.do("GET", "/console/sign-in", "", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")))
	if err != nil || at.Query().Get("redirect_uri") != h.public+"/auth/callback" || at.Query().Get("code_challenge_method") != "S256" {
		t.Errorf("goes to %s", at)
	}
	req, _ := http.NewRequest("GET", h.public+"/console/sign-in", nil)
	req.Host = "evil.example"
	resp, err := b.http.Do(req)
	if err != nil || resp.StatusCode != 403 {
		t.Errorf("with another Host: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestAStepUpAsksForWhatIsMissingToo(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	at, err := url.Parse(b.goes(b.do("GET", "/console/sign-in?scope=time%3Aread+%22+bad%22&return_to=/tools", "")))
	if err != nil {
		t.Fatal(err)
	}
	if got := at.Query().Get("scope"); got != "openid profile email offline_access execute time:read" {
		t.Errorf("asks for %q", got)
	}
}

// worldly is a house whose time can be turned.
func worldly(t *testing.T, settings ...string) (*house, func(time.Duration)) {
	var ahead atomic.Int64
	h := open(t, Options{Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}, settings...)
	return h, func(d time.Duration) { ahead.Add(int64(d)) }
}

func TestASessionRefreshesOnceForAllRequests(t *testing.T) {
	h, pass := worldly(t, "FASTMCP_AUTH_CONSOLE_IDLE=8h")
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	before := h.provider.Faults().Counts()["token"]
	pass(55 * time.Minute)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if a := b.do("GET", "/api/v1/me", ""); a.status != 200 {
				t.Errorf("answered %d %s", a.status, a.body)
			}
		})
	}
	group.Wait()
	if n := h.provider.Faults().Counts()["token"] - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	for range 5 { // each refresh token is good once
		pass(55 * time.Minute)
		if a := b.call(); a.status != 200 {
			t.Errorf("later: %d %s", a.status, a.body)
		}
	}
}

// attack 33: a person who was disabled, or signed out at the provider.
func TestAttack33_ADisabledPersonsSessionEndsWithItsToken(t *testing.T) {
	h, pass := worldly(t)
	b := newBrowser(t, h)
	b.signIn(devidp.UserUser, "")
	h.provider.Faults().SetDisabled(devidp.UserUser, true)
	pass(55 * time.Minute)
	if a := b.do("GET", "/api/v1/me", ""); a.status != 401 || !strings.Contains(a.body, "session_expired") {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	h.provider.Faults().SetDisabled(devidp.UserUser, false)
	if b.session().SignedIn {
		t.Error("the session came back")
	}
}

func TestASessionEndsInTime(t *testing.T) {
	h, pass := worldly(t, "FASTMCP_AUTH_CONSOLE_IDLE=30m", "FASTMCP_AUTH_CONSOLE_LIFETIME=3h")
	idle, busy := newBrowser(t, h), newBrowser(t, h)
	idle.signIn(devidp.UserAdmin, "")
	busy.signIn(devidp.UserAdmin, "")
	for range 8 {
		pass(20 * time.Minute)
		if a := busy.do("GET", "/api/v1/me", ""); a.status != 200 {
			t.Fatalf("one that is used: %d %s", a.status, a.body)
		}
	}
	if idle.session().SignedIn {
		t.Error("one that is not used goes on after 160 minutes")
	}
	pass(25 * time.Minute)
	if busy.session().SignedIn {
		t.Error("one that is used goes on after 185 minutes")
	}
}

// attack 54: a provider that is down neither opens nor ends a session whose token is good.
func TestAttack54_ASessionWhileTheProviderIsDown(t *testing.T) {
	h, pass := worldly(t)
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	h.provider.Faults().SetDown(true)
	pass(55 * time.Minute) // the refresh fails, the token is good for 5 minutes more
	if a := b.do("GET", "/api/v1/me", ""); a.status != 200 {
		t.Errorf("while the token is good: %d %s", a.status, a.body)
	}
	pass(4 * time.Minute)
	stranger := newBrowser(t, h)
	if to := stranger.goes(stranger.do("GET", "/console/sign-in", "")); !strings.HasPrefix(to, h.issuer[:20]) && to != "/?sign_in_error=provider_unavailable" {
		t.Errorf("a sign-in leads to %s", to)
	}
	pass(3 * time.Minute)
	if a := b.do("GET", "/api/v1/me", ""); a.status != 503 || !strings.Contains(a.body, `"code":"provider_unavailable"`) {
		t.Errorf("after that: %d %s", a.status, a.body)
	}
	h.provider.Faults().SetDown(false)
	if a := b.do("GET", "/api/v1/me", ""); a.status != 200 {
		t.Errorf("when it is back: %d %s", a.status, a.body)
	}
}

func TestSigningOutEverywhere(t *testing.T) {
	h := open(t, Options{})
	here, there, other := newBrowser(t, h), newBrowser(t, h), newBrowser(t, h)
	here.signIn(devidp.UserAdmin, "")
	there.signIn(devidp.UserAdmin, "")
	other.signIn(devidp.UserUser, "")
	told, listening := make(chan string, 1), make(chan struct{})
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", h.public+"/console/events", nil)
		resp, err := there.http.Do(req)
		if err != nil {
			told <- err.Error()
			return
		}
		defer resp.Body.Close()
		first := make([]byte, 1)
		io.ReadFull(resp.Body, first)
		close(listening)
		all, _ := io.ReadAll(resp.Body)
		told <- string(all)
	}()
	<-listening
	if a := here.do("POST", "/console/sign-out?everywhere=1", ""); a.status != 403 {
		t.Errorf("without the CSRF token: %d %s", a.status, a.body)
	}
	if a := here.do("POST", "/console/sign-out?everywhere=1", "", "X-CSRF-Token: "+here.session().CSRF); a.status != 200 {
		t.Fatalf("sign out: %d %s", a.status, a.body)
	}
	if there.session().SignedIn || here.session().SignedIn {
		t.Error("a session goes on")
	}
	if !other.session().SignedIn {
		t.Error("somebody else was signed out")
	}
	select {
	case got := <-told:
		if !strings.Contains(got, "event: session") {
			t.Errorf("the other tab heard %q", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the other tab heard nothing")
	}
}

func TestARestartSignsNobodyOut(t *testing.T) {
	p := provider(t, devidp.Options{})
	dir := t.TempDir()
	settings := append(trusting(p), "FASTMCP_AUTH_STORE_PATH="+filepath.Join(dir, "serve.db"), "FASTMCP_AUTH_CONSOLE_CLIENT_ID="+devidp.ClientWeb,
		"FASTMCP_AUTH_CONSOLE_CLIENT_SECRET="+devidp.WebSecret)
	h := open(t, Options{}, settings...)
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	addr := h.listener.Addr().String()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	b.h = open(t, Options{}, append(settings, "FASTMCP_AUTH_ADDR="+addr)...)
	if !b.session().SignedIn {
		t.Error("signed out by a restart")
	}
	if a := b.call(); a.status != 200 {
		t.Errorf("a call after a restart: %d %s", a.status, a.body)
	}
}

func TestSigningOutAtTheProviderEndsTheSession(t *testing.T) {
	h := open(t, Options{})
	b, other := newBrowser(t, h), newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	other.signIn(devidp.UserUser, "")
	out := b.do("POST", "/console/sign-out", "", "X-CSRF-Token: "+b.session().CSRF)
	var to struct {
		RedirectTo string `json:"redirect_to"`
	}
	out.into(t, &to)
	end := b.goes(b.do("GET", to.RedirectTo, ""))
	b.signIn(devidp.UserAdmin, "") // as in another tab, while the provider's own session lives
	if !b.session().SignedIn {
		t.Fatal("not signed in again")
	}
	if _, err := b.at.SignIn(t.Context(), end, ""); err != nil {
		t.Fatal(err)
	}
	if b.session().SignedIn {
		t.Error("the session goes on after the provider's sign-out")
	}
	if !other.session().SignedIn {
		t.Error("somebody else was signed out")
	}
}

func TestALogoutTokenIsHeldToTheSpecification(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	var me struct{ Identity struct{ Subject string } }
	b.do("GET", "/api/v1/me", "").into(t, &me)
	event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	now := time.Now().Unix()
	good := map[string]any{"sub": me.Identity.Subject, "jti": "one", "iat": now, "events": event, "scope": nil}
	for _, row := range []struct {
		name     string
		audience string
		over     map[string]any
		status   int
	}{
		{"for another client", "dev-cli", nil, 400},
		{"an ID token", devidp.ClientWeb, map[string]any{"events": nil}, 400},
		{"with a nonce", devidp.ClientWeb, map[string]any{"nonce": "n"}, 400},
		{"about nobody", devidp.ClientWeb, map[string]any{"sub": nil}, 400},
		{"without an id", devidp.ClientWeb, map[string]any{"jti": nil}, 400},
		{"too old", devidp.ClientWeb, map[string]any{"iat": now - 600}, 400},
		{"of another issuer", devidp.ClientWeb, map[string]any{"iss": "https://evil.example"}, 400},
		{"about somebody else", devidp.ClientWeb, map[string]any{"sub": "other", "jti": "two"}, 200},
		{"as it should be", devidp.ClientWeb, nil, 200},
		{"played again", devidp.ClientWeb, nil, 400},
	} {
		claims := map[string]any{}
		maps.Copy(claims, good)
		maps.Copy(claims, row.over)
		token, err := h.provider.MintToken(devidp.TokenRequest{User: devidp.UserAdmin, Audience: []string{row.audience}, Claims: claims, Header: map[string]any{"typ": "logout+jwt"}})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.PostForm(h.public+"/auth/backchannel-logout", url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != row.status {
			t.Errorf("a token %s: %d, want %d", row.name, resp.StatusCode, row.status)
		}
		if signedIn := b.session().SignedIn; signedIn != (row.name != "as it should be" && row.name != "played again") {
			t.Errorf("a token %s: signed in %v", row.name, signedIn)
		}
	}
}
