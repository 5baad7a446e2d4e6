package app

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// A sign-out everywhere reaches every session there is, since older ones than it reaches have ended.
func TestNoSessionIsOutOfReachOfASignOutEverywhere(t *testing.T) {
	h, pass := worldly(t)
	var all []*browser
	for range 103 {
		b := newBrowser(t, h)
		b.signIn(devidp.UserAdmin, "")
		all = append(all, b)
		pass(time.Second) // so many sign-ins at once are too many
	}
	other := newBrowser(t, h)
	other.signIn(devidp.UserUser, "")
	signedIn := func() (n int) {
		for _, b := range all {
			if b.session().SignedIn {
				n++
			}
		}
		return n
	}
	if all[2].session().SignedIn || !all[3].session().SignedIn || signedIn() != 100 {
		t.Errorf("of 103 sign-ins %d go on, the third of them %v", signedIn(), all[2].session().SignedIn)
	}
	here := all[50]
	if a := here.do("POST", "/console/sign-out?everywhere=1", "", "X-CSRF-Token: "+here.session().CSRF); a.status != 200 {
		t.Fatalf("sign out: %d %s", a.status, a.body)
	}
	if n := signedIn(); n != 0 {
		t.Errorf("%d sessions go on", n)
	}
	if !other.session().SignedIn {
		t.Error("somebody else was signed out")
	}
}

// ledHere is the jar of a browser that another site leads here: cookies that are strictly for this site stay away.
type ledHere struct {
	http.CookieJar
	strict string
}

func (j ledHere) Cookies(u *url.URL) (sent []*http.Cookie) {
	for _, c := range j.CookieJar.Cookies(u) {
		if c.Name != j.strict {
			sent = append(sent, c)
		}
	}
	return sent
}

// attack 10: a sign-in that another site's link has begun, and whose end, as every one, the provider leads to. The
// session's own cookie comes with neither.
func TestAttack10_ASignInThatAnotherSiteBeganEndsTheEarlierSession(t *testing.T) {
	h := open(t, Options{})
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	u, err := url.Parse(h.public)
	if err != nil {
		t.Fatal(err)
	}
	before, jar := b.http.Jar.Cookies(u), b.http.Jar
	b.http.Jar = ledHere{jar, h.console.Cookie()}
	if b.session().SignedIn {
		t.Fatal("what names a session opens it")
	}
	b.at = devidp.Visitor{}
	b.signIn(devidp.UserUser, "")
	b.http.Jar = jar
	if s := b.session(); !s.SignedIn || s.Identity.Name != "Uma User" {
		t.Errorf("then signed in: %+v", s)
	}
	b.http.Jar.SetCookies(u, before)
	if s := b.session(); s.SignedIn {
		t.Errorf("the earlier session goes on: %+v", s)
	}
}

// attack 60: streams that one caller leaves open, of calls and of sessions, leave room for others.
func TestAttack60_OneCallerFollowsOnlySoMuchAtOnce(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REVERSE_DURATION=10m", "FASTMCP_AUTH_LIMITS_SHUTDOWN_GRACE=0s")
	token, stranger := h.token(t, h.provider.Server, devidp.UserAdmin, "execute"), h.token(t, h.provider.Server, devidp.UserUser, "execute")
	begin := func(token string) string {
		return h.api(t, "POST", "/api/v1/calls", token, `{"tool":"reverse_tool","arguments":{"query":"abc"}}`).header.Get("Location")
	}
	place := begin(token) + "/events"
	var streams []io.Closer
	for i := range maxStreamsPerCaller {
		resp := h.ask(t, "GET", place, token, "")
		defer resp.Body.Close()
		streams = append(streams, resp.Body)
		if resp.StatusCode != 200 {
			t.Fatalf("stream %d: %d", i+1, resp.StatusCode)
		}
	}
	a := h.api(t, "GET", place, token, "")
	if a.status != 429 || !strings.Contains(a.body, `"code":"busy"`) || a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("one too many: %d %v %s", a.status, a.header, a.body)
	}
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	if a := b.do("GET", "/console/events", ""); a.status != 429 || !strings.Contains(a.body, `"code":"busy"`) {
		t.Errorf("of a session: %d %s", a.status, a.body)
	}
	other := h.ask(t, "GET", begin(stranger)+"/events", stranger, "")
	other.Body.Close()
	if other.StatusCode != 200 {
		t.Errorf("somebody else: %d", other.StatusCode)
	}
	streams[0].Close()
	comesTrue(t, "there is room again", func() bool {
		resp := h.ask(t, "GET", place, token, "")
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// comesTrue asks again until it is so.
func comesTrue(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(time.Minute); !is(); <-again.C {
		if time.Now().After(end) {
			t.Fatalf("it did not come to that: %s", what)
		}
	}
}

func TestTheConsoleSaysWhatToSetWhereNobodyCanSignIn(t *testing.T) {
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, trusting(p)...)
	a := h.api(t, "GET", "/console/session", "", "")
	want := fmt.Sprintf(`{"signed_in":false,"mode":"unset","unset":{"setting":"console.client_id","redirect_uri":"%s/auth/callback"},"mcp_url":"%[1]s/mcp"}`, h.public)
	if a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("answered %d %s, want %s", a.status, a.body, want)
	}
	if doc := h.api(t, "GET", "/api/openapi.json", "", ""); strings.Contains(doc.body, `"in":"cookie"`) {
		t.Error("the document promises a cookie that nobody gets")
	}
}

func TestTheDocumentNamesTheCookieOfItsServer(t *testing.T) {
	h := open(t, Options{})
	var doc struct {
		Components struct {
			SecuritySchemes map[string]struct{ In, Name string }
		}
	}
	h.api(t, "GET", "/api/openapi.json", "", "").into(t, &doc)
	b := newBrowser(t, h)
	b.signIn(devidp.UserAdmin, "")
	u, err := url.Parse(h.public)
	if err != nil {
		t.Fatal(err)
	}
	scheme := doc.Components.SecuritySchemes["console"]
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == scheme.Name && scheme.In == "cookie" {
			return
		}
	}
	t.Errorf("the document names %+v, the browser has %v", scheme, b.http.Jar.Cookies(u))
}
