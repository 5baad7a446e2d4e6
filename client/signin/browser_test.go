package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestABrowserSignsAPersonIn(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		p, r := m.start(t)
		who := &person{t: t, user: devidp.UserUser}
		shown := 0
		b := &signin.Browser{ClientID: m.client, Provider: m.provider, Open: who.open, Prompt: func(bp signin.BrowserPrompt) {
			if shown++; len(who.pages) != 0 || !strings.HasPrefix(bp.URL, p.URL) || bp.Issuer != p.Issuer() || bp.Server != mcpURL {
				t.Errorf("shown %+v after %d pages", bp, len(who.pages))
			}
		}}
		source, err := b.SignIn(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		tokens := source.(*signin.Tokens)
		if c := claimsOf(t, source); c["iss"] != p.Issuer() {
			t.Errorf("claims %v", c)
		}
		if a := tokens.State().Account; a.Subject == "" || a.Issuer != p.Issuer() {
			t.Errorf("account %+v", a)
		}
		if len(who.pages) != 1 || shown != 1 || !strings.HasPrefix(who.ends[0], "200 ") || !strings.Contains(who.ends[0], "Signed in") {
			t.Errorf("%d pages, shown %d, the end %q", len(who.pages), shown, who.ends)
		}
		q := who.pages[0].Query()
		if q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 20 || q.Has("prompt") {
			t.Errorf("asked %v", q)
		}
		// Entra 10: it would answer with an error page, so it is sent none.
		if got, want := q.Get("resource"), map[string]string{"standard": mcpURL}[m.name]; got != want {
			t.Errorf("C-11 resource is %q, want %q", got, want)
		}
	})
}

func TestC17_TheAnswerComesToLoopback(t *testing.T) {
	_, r := manners()[0].start(t)
	who := &person{t: t, user: devidp.UserUser}
	if _, err := (&signin.Browser{ClientID: devidp.ClientCLI, Open: who.open}).SignIn(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if at, err := url.Parse(who.pages[0].Query().Get("redirect_uri")); err != nil || at.Hostname() != "127.0.0.1" || at.Scheme != "http" {
		t.Errorf("C-17 the answer goes to %v", at)
	}
	p := &signin.Paste{ClientID: "c", RedirectURI: "http://elsewhere.example/callback", Ask: func(context.Context, signin.PastePrompt) (string, error) {
		t.Error("asked")
		return "", nil
	}}
	if _, err := p.SignIn(t.Context(), r); err == nil || !strings.Contains(err.Error(), "neither https nor on loopback") {
		t.Errorf("C-17 error %v", err)
	}
}

func TestEntraRefusesTheResourceOnItsPageAndThePersonIsSentOnceMore(t *testing.T) {
	m := manners()[1]
	p, r := m.start(t)
	p.Faults().SetResourceRefused(true)
	who := &person{t: t, user: devidp.UserUser}
	b := &signin.Browser{ClientID: m.client, Open: who.open, Provider: m.provider}
	r.Resource.Resource = devidp.EntraAPIURI // the scopes belong to it, so it is tried
	source, err := b.SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(who.pages) != 2 || who.pages[0].Query().Get("resource") == "" || who.pages[1].Query().Has("resource") ||
		who.pages[0].Query().Get("state") == who.pages[1].Query().Get("state") {
		t.Errorf("pages %v", who.pages)
	}
	if s := source.(*signin.Tokens).State(); s.Resource != "" {
		t.Errorf("it goes on with resource %q", s.Resource)
	}
}

func TestAPersonWhoSaysNoOnThePageDeclines(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		_, r := m.start(t)
		who := &person{t: t, user: devidp.Cancel}
		_, err := (&signin.Browser{ClientID: m.client, Provider: m.provider, Open: who.open}).SignIn(t.Context(), r)
		if !errors.Is(err, signin.ErrDeclined) || !strings.Contains(who.ends[0], "You said no") {
			t.Errorf("error %v, page %q", err, who.ends)
		}
	})
}

// answered is a browser that comes back with the answer that edit makes of a good one.
func answered(t *testing.T, r *signin.Request, edit func(url.Values)) func(context.Context, string) error {
	return func(_ context.Context, page string) error {
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		q := url.Values{"code": {"the-code"}, "state": {u.Query().Get("state")}}
		edit(q)
		go visit(t, u.Query().Get("redirect_uri")+"?"+q.Encode())
		return nil
	}
}

func TestC15_TheAnswerComesFromWhoWasAsked(t *testing.T) {
	const issuer = "https://as.example"
	for _, row := range []struct {
		name  string
		sends bool // authorization_response_iss_parameter_supported
		iss   []string
		taken bool
	}{
		{"C-15 advertised and equal is taken", true, []string{issuer}, true},
		{"C-15 advertised and absent is refused", true, nil, false},
		{"C-15 advertised and another's is refused, attack 59", true, []string{"https://evil.example"}, false},
		{"C-15 advertised and one slash more is refused", true, []string{issuer + "/"}, false},
		{"C-15 not advertised and absent is taken", false, nil, true},
		{"C-15 not advertised and equal is taken", false, []string{issuer}, true},
		{"C-15 not advertised and another's is refused, attack 59", false, []string{"https://evil.example"}, false},
		{"C-15 not advertised and empty is refused", false, []string{""}, false},
		{"C-15 named twice is refused", false, []string{issuer, issuer}, false},
	} {
		for _, what := range []string{"code", "error"} {
			t.Run(row.name+" with "+what, func(t *testing.T) {
				s := newServer(token("one", "", "", 100))
				r := s.request()
				r.Authorization.IssParameterSupported = row.sends
				b := &signin.Browser{ClientID: "c", Open: answered(t, r, func(q url.Values) {
					if what == "error" {
						q.Del("code")
						q.Set("error", "access_denied")
					}
					if row.iss != nil {
						q["iss"] = row.iss
					}
				})}
				_, err := b.SignIn(t.Context(), r)
				switch {
				case !row.taken && (!errors.Is(err, signin.ErrForged) || len(s.forms) != 0):
					t.Errorf("C-14 error %v, %d requests: the code must not be sent", err, len(s.forms))
				case row.taken && what == "error" && !errors.Is(err, signin.ErrDeclined):
					t.Errorf("error %v", err)
				case row.taken && what == "code" && (err != nil || s.forms[0].Get("code") != "the-code"):
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestC14_VerifierAndStateBelongToOneAnswer(t *testing.T) {
	s := newServer(token("one", "", "", 100), token("two", "", "", 100))
	var states, challenges []string
	for range 2 {
		r := s.request()
		b := &signin.Browser{ClientID: "c", Prompt: func(p signin.BrowserPrompt) {
			u, _ := url.Parse(p.URL)
			states = append(states, u.Query().Get("state"))
			challenges = append(challenges, u.Query().Get("code_challenge"))
		}, Open: answered(t, r, func(url.Values) {})}
		if _, err := b.SignIn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if states[0] == states[1] || challenges[0] == challenges[1] || s.forms[0].Get("code_verifier") == s.forms[1].Get("code_verifier") {
		t.Errorf("states %v, challenges %v", states, challenges)
	}
}

func TestC14_AnAnswerIsTakenOnce(t *testing.T) {
	var back string
	s := newServer(func(url.Values) any { // while the code is redeemed
		if status, _ := visit(t, back); status != http.StatusBadRequest {
			t.Errorf("the same answer once more is answered %d", status)
		}
		return token("one", "", "", 100)
	})
	r := s.request()
	b := &signin.Browser{ClientID: "c", Open: func(_ context.Context, page string) error {
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		back = u.Query().Get("redirect_uri") + "?code=c&state=" + u.Query().Get("state")
		go visit(t, back)
		return nil
	}}
	if _, err := b.SignIn(t.Context(), r); err != nil || len(s.forms) != 1 {
		t.Errorf("error %v, %d requests", err, len(s.forms))
	}
}

func TestC16_AnAnswerWithoutTheStateChangesNothing(t *testing.T) {
	s := newServer(token("one", "", "", 100))
	r := s.request()
	open := func(_ context.Context, page string) error {
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		back, state := u.Query().Get("redirect_uri"), u.Query().Get("state")
		go func() {
			for _, forged := range []string{"?code=evil&state=guess", "?code=evil", "?code=evil&state=" + state + "&state=" + state, "?error=access_denied", "?%zz"} {
				if status, body := visit(t, back+forged); status != http.StatusBadRequest || strings.Contains(body, "evil") {
					t.Errorf("C-16 %s is answered %d %s", forged, status, body)
				}
			}
			if status, _ := visit(t, strings.Replace(back, "/callback", "/favicon.ico", 1)); status != http.StatusNotFound {
				t.Errorf("another path is answered %d", status)
			}
			if status, _ := visit(t, strings.Replace(back, "127.0.0.1", "localhost", 1)+"?code=evil&state="+state); status != http.StatusForbidden {
				t.Errorf("another name for this machine is answered %d", status)
			}
			resp, err := http.Post(back+"?code=evil&state="+state, "text/plain", nil)
			if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("a POST is answered %v, %v", resp, err)
			}
			visit(t, back+"?code=good&state="+state)
		}()
		return nil
	}
	source, err := (&signin.Browser{ClientID: "c", Open: open}).SignIn(t.Context(), r)
	if err != nil || access(t, source) != "one" || s.forms[0].Get("code") != "good" {
		t.Fatalf("error %v, sent %v", err, s.forms)
	}
}

func TestTheLastPageIsSafe(t *testing.T) {
	s := newServer(token("one", "", "", 100))
	r := s.request()
	ended := make(chan *http.Response, 2)
	open := func(_ context.Context, page string) error {
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		go func() {
			resp, err := http.Get(u.Query().Get("redirect_uri") + "?code=the-code&state=" + u.Query().Get("state"))
			if err != nil {
				t.Error(err)
			}
			ended <- resp
		}()
		return nil
	}
	start := time.Now()
	idle := func(ctx context.Context, page string) error { // as browsers do
		u, err := url.Parse(page)
		if err != nil {
			return err
		}
		at, err := url.Parse(u.Query().Get("redirect_uri"))
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", at.Host)
		if err != nil {
			return err
		}
		t.Cleanup(func() { conn.Close() })
		return open(ctx, page)
	}
	if _, err := (&signin.Browser{ClientID: "c", Open: idle}).SignIn(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Logf("signed in after %v, with a connection left open", time.Since(start))
	resp := <-ended
	defer resp.Body.Close()
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") ||
		resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	body := make([]byte, 8<<10)
	n, _ := resp.Body.Read(body)
	if page := string(body[:n]); strings.Contains(page, "the-code") || strings.Contains(page, "<script") {
		t.Errorf("page %s", page)
	}
}

func TestC13_WithoutPKCENobodyIsSentAway(t *testing.T) {
	m := manners()[1]
	for _, row := range []struct {
		name    string
		methods []string
		known   bool
		goes    bool
	}{
		{"C-13 S256 is listed", []string{"plain", "S256"}, false, true},
		{"C-13 nothing is listed", nil, false, false},
		{"C-13 plain alone is listed", []string{"plain"}, false, false},
		{"C-13 nothing is listed by a provider that is known to leave it out", nil, true, true},
		{"C-13 plain alone is listed by that provider", []string{"plain"}, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			r.Authorization.CodeChallengeMethodsSupported = row.methods
			opened := false
			b := &signin.Browser{ClientID: "c", Resource: signin.ResourceOmit, Open: func(ctx context.Context, page string) error {
				opened = true
				return answered(t, r, func(url.Values) {})(ctx, page)
			}}
			if row.known {
				b.Provider = m.provider
			}
			_, err := b.SignIn(t.Context(), r)
			if opened != row.goes || row.goes != (err == nil) || !row.goes && !errors.Is(err, signin.ErrNoPKCE) {
				t.Errorf("opened %v, error %v", opened, err)
			}
		})
	}
}

func TestAttack5_OnlyAWebPageIsShownOrOpened(t *testing.T) {
	for _, endpoint := range []string{"javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "http://as.example/authorize",
		"https://user:secret@as.example/authorize", "https://as.example/\x1b[2J", "calculator:"} {
		t.Run("attack 5 C-23 "+endpoint, func(t *testing.T) {
			s := newServer()
			r := s.request()
			r.Authorization.AuthorizationEndpoint = endpoint
			seen := false
			b := &signin.Browser{ClientID: "c", Prompt: func(signin.BrowserPrompt) { seen = true },
				Open: func(context.Context, string) error { seen = true; return nil }}
			if _, err := b.SignIn(t.Context(), r); err == nil || seen {
				t.Errorf("error %v, seen %v", err, seen)
			}
		})
	}
}

func TestABrowserWaitsNoLongerThanItMay(t *testing.T) {
	s := newServer()
	never := func(context.Context, string) error { return nil }
	_, err := (&signin.Browser{ClientID: "c", Open: never, Timeout: time.Nanosecond}).SignIn(t.Context(), s.request())
	if !errors.Is(err, signin.ErrExpired) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = (&signin.Browser{ClientID: "c", Open: func(context.Context, string) error { cancel(); return nil }}).SignIn(ctx, s.request())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestABrowserThatCannotBeOpenedLeavesThePersonTheAddress(t *testing.T) {
	s := newServer(token("one", "", "", 100))
	r := s.request()
	broken := errors.New("no browser here")
	b := &signin.Browser{ClientID: "c", Open: func(context.Context, string) error { return broken }}
	if _, err := b.SignIn(t.Context(), r); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	b.Prompt = func(p signin.BrowserPrompt) { answered(t, r, func(url.Values) {})(t.Context(), p.URL) }
	if _, err := b.SignIn(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestABrowserThatDoesNotOpenIsToldOfAtOnce(t *testing.T) {
	broken := errors.New("firefox: exit status 1")
	for _, row := range []struct {
		name      string
		prompt    bool
		notOpened func(error) error
		ends      bool
	}{
		{"nobody has seen the page", false, nil, true},
		{"somebody has seen the page", true, nil, false},
		{"whoever is told waits on", true, func(error) error { return nil }, false},
		{"whoever is told ends it", true, func(err error) error { return fmt.Errorf("nobody is here: %w", err) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			told := make(chan error, 1)
			byHand := answered(t, r, func(url.Values) {})
			page := make(chan string, 1)
			b := &signin.Browser{ClientID: "c", Open: func(_ context.Context, address string) error { page <- address; return broken }}
			if row.prompt {
				b.Prompt = func(signin.BrowserPrompt) {}
			}
			b.NotOpened = row.notOpened
			if row.notOpened != nil {
				b.NotOpened = func(err error) error { told <- err; return row.notOpened(err) }
			}
			if !row.ends {
				go func() {
					if row.notOpened != nil {
						if err := <-told; !errors.Is(err, broken) {
							t.Errorf("told %v", err)
						}
					}
					byHand(t.Context(), <-page)
				}()
			}
			_, err := b.SignIn(t.Context(), r)
			if row.ends != errors.Is(err, broken) || !row.ends && err != nil {
				t.Errorf("error %v", err)
			}
		})
	}
}
