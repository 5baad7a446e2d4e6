//go:build unix

package keycloak_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// console is the web console of a server of its own, whose people sign in at a realm of their own as a confidential
// client, and the browser of one of them.
type console struct {
	*world
	*chromium
	t      *testing.T
	base   string   // URL of its pages, without a slash at the end
	client string   // the id that Keycloak gave to its client
	texts  []string // what the browser was sent, and what a script can reach
}

// newConsole follows docs/providers/keycloak.md: a server that names the console's client, then that client.
func newConsole(t *testing.T) *console {
	t.Helper()
	shared := keycloak(t)
	if _, err := os.Stat("../../web/dist/index.html"); err != nil {
		leaveOut(t, "run make web before it")
	}
	c := &console{t: t, chromium: newChromium(t)}
	ctx := within(t)
	r, err := shared.newRealm(ctx, "console")
	if err != nil {
		t.Fatal(err)
	}
	secret := newSecret()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := serve(ctx, shared.scratch, "--provider-issuer", shared.URL, "--provider-realm", r.Name, "--store-kind", "memory",
		"--reverse-duration", "6s", "--console-client-id", "mcp-console", "--console-client-secret-file", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", tail(s.log.bytes()))
		}
	})
	if err := r.furnish(ctx, s.MCP); err != nil {
		t.Fatal(err)
	}
	c.world, c.base = &world{r, s}, strings.TrimSuffix(s.MCP, "/mcp")
	r.secrets["mcp-console"] = secret
	s.secrets = r.allSecrets()
	c.client, err = r.admin(ctx, http.MethodPost, "/clients", map[string]any{
		"clientId": "mcp-console", "secret": secret, "standardFlowEnabled": true, "directAccessGrantsEnabled": false,
		"redirectUris": []string{c.base + "/auth/callback"},
		"attributes": map[string]string{
			"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": c.base + "/signed-out",
			"backchannel.logout.url": c.base + "/auth/backchannel-logout", "backchannel.logout.session.required": "true",
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.admin(ctx, http.MethodPut, "/clients/"+c.client+"/optional-client-scopes/"+r.scopes["execute"], nil, nil); err != nil {
		t.Fatal(err)
	}
	c.watch()
	return c
}

// watch keeps what the browser is sent by the console, from now on.
func (c *console) watch() {
	c.do("Network.enable", nil, nil)
	c.heard = func(m message) {
		if m.Method == "Network.responseReceived" || m.Method == "HeapProfiler.addHeapSnapshotChunk" {
			text, err := json.Marshal(m.Params)
			if err != nil {
				c.t.Fatal(err)
			}
			if m.Method != "Network.responseReceived" || strings.Contains(string(text), `"url":"`+c.base) {
				c.texts = append(c.texts, string(text))
			}
		}
	}
}

// until looks at the page until the script says something, through all pages that come and go meanwhile.
func (c *console) until(what, script string) string {
	c.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for patient := time.After(patience / 4); ; {
		if said, ok := c.glimpse(script); ok && said != "" {
			return said
		}
		select {
		case <-again.C:
		case <-patient:
			c.t.Fatalf("%s: not seen at %s\n%s", what, c.eval("location.href"), c.eval("document.body.innerText"))
		}
	}
}

// press clicks a button or a link, once it is there.
func (c *console) press(name string) {
	c.t.Helper()
	c.until(name, fmt.Sprintf(`(() => {
  const name = %q, all = [...document.querySelectorAll('button, a')].filter(e => !e.disabled)
  const e = all.find(e => e.textContent.trim() === name) ?? all.find(e => e.textContent.trim().startsWith(name + ' '))
  if (!e) return ''
  setTimeout(() => e.click(), 0)
  return 'pressed'
})()`, name))
}

// shows waits until the page has a text.
func (c *console) shows(text string) {
	c.t.Helper()
	c.until(text, fmt.Sprintf("location.origin === %q && document.body.innerText.includes(%q) ? 'shown' : ''", c.base, text))
}

// asked waits until Keycloak's page asks for the password.
func (c *console) asked() {
	c.t.Helper()
	c.until("Keycloak's form", fmt.Sprintf("location.href.startsWith(%q) && document.querySelector('input[name=password]') ? 'there' : ''", c.URL))
}

// enter signs in from wherever the console shows its button, with the password where Keycloak asks for it.
func (c *console) enter() {
	c.t.Helper()
	c.press("Sign in")
	c.asked()
	if did := c.eval(fmt.Sprintf("(%s)(%q, %q)", step, "person", c.people["person"])); did != "signed in" {
		c.t.Fatalf("the person %s", did)
	}
	c.inside()
}

// inside waits until the console says who is signed in.
func (c *console) inside() {
	c.t.Helper()
	c.shows("A Person")
}

// status is what the API answers to the page.
func (c *console) status() string {
	c.t.Helper()
	return c.eval("fetch('/api/v1/tools').then(r => String(r.status))")
}

// progress waits until the newest call has come farther than a number of percent, and says how far.
func (c *console) progress(than int) int {
	c.t.Helper()
	said := c.until("progress", fmt.Sprintf(`(() => {
  const now = document.querySelector('article.card [role=progressbar]')?.getAttribute('aria-valuenow')
  return now && Number(now) > %d ? now : ''
})()`, than))
	n, err := strconv.ParseFloat(said, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return int(n)
}

// step is a part of the walk, which ends it where it fails.
func (c *console) step(t *testing.T, name string, do func(t *testing.T)) {
	t.Helper()
	if !t.Run(name, func(one *testing.T) {
		c.t, c.chromium.t = one, one
		do(one)
	}) {
		t.FailNow()
	}
	c.t, c.chromium.t = t, t
}

// The web console with Keycloak, in a real browser, from the first sign-in to each way in which a session ends.
func TestTheConsoleInARealBrowser(t *testing.T) {
	c := newConsole(t)
	c.open(c.base + "/tools/reverse_tool")
	c.enter()
	account := c.account()

	c.step(t, "a call moves, is reloaded in the middle, and comes to its end", func(t *testing.T) {
		c.until("the form", "(() => { const e = document.querySelector('textarea'); e?.focus(); return e ? 'there' : '' })()")
		c.do("Input.insertText", map[string]any{"text": "stressed"}, nil)
		c.press("Call")
		first := c.progress(0)
		second := c.progress(first)
		c.open(c.base + "/tools/reverse_tool")
		third := c.progress(second - 1)
		if third >= 100 {
			t.Errorf("the reload came at %d percent, which is no middle", third)
		}
		c.shows("desserts")
		t.Logf("seen at %d, %d and, after a reload, %d percent", first, second, third)
	})
	c.step(t, "no script can read a token", func(t *testing.T) { c.reach(t) })
	c.step(t, "Keycloak remembers who has not signed out", func(t *testing.T) {
		c.do("Network.deleteCookies", map[string]any{"name": c.cookie().Name, "url": c.base}, nil)
		c.open(c.base + "/me")
		c.press("Sign in")
		c.inside() // and nobody was asked for a password
	})
	c.step(t, "signing out ends at Keycloak too", func(t *testing.T) {
		c.press("Sign out")
		c.shows("You are signed out.")
		if got := c.status(); got != "401" {
			t.Errorf("the API answers %s", got)
		}
		c.enter()
	})
	c.step(t, "a sign-out by Keycloak's administrator ends the session at once", func(t *testing.T) {
		if got := c.status(); got != "200" {
			t.Fatalf("before it the API answers %s", got)
		}
		if _, err := c.admin(within(t), http.MethodPost, "/users/"+account+"/logout", nil, nil); err != nil {
			t.Fatal(err)
		}
		ended := time.Now().Unix()
		c.until("the page is told", "document.body.innerText.includes('session has ended') || [...document.querySelectorAll('a')].some(e => e.textContent.startsWith('Sign in')) ? 'told' : ''")
		if got := c.status(); got != "401" {
			t.Errorf("the API answers %s", got)
		}
		if strings.Contains(string(c.server.log.bytes()), "the provider ended a session") {
			t.Error("it was a refresh that ended it, and not Keycloak's word")
		}
		eventually(t, "a second passes, since Keycloak counts in them", func() bool { return time.Now().Unix() > ended })
	})
	c.step(t, "attack 33: a disabled person's session ends at the refresh", func(t *testing.T) {
		c.change(t, "/clients/"+c.client, func(client map[string]any) {
			client["attributes"].(map[string]any)["access.token.lifespan"] = "10"
		})
		c.open(c.base + "/me")
		c.enter()
		if got := c.status(); got != "200" {
			t.Fatalf("before it the API answers %s", got)
		}
		c.change(t, "/users/"+account, func(user map[string]any) { user["enabled"] = false })
		eventually(t, "the session ends", func() bool { return c.status() == "401" })
		if _, err := c.server.wait(within(t), c.server.log, regexp.MustCompile("the provider ended a session")); err != nil {
			t.Error(err)
		}
	})
}

// account is the person's id.
func (c *console) account() string {
	c.t.Helper()
	var found []struct{ ID string }
	if _, err := c.admin(within(c.t), http.MethodGet, "/users?exact=true&username=person", nil, &found); err != nil || len(found) != 1 {
		c.t.Fatalf("%v: %v", found, err)
	}
	return found[0].ID
}

// change changes something at Keycloak and leaves the rest of it as it is.
func (c *console) change(t *testing.T, at string, how func(map[string]any)) {
	t.Helper()
	var thing map[string]any
	if _, err := c.admin(within(t), http.MethodGet, at, nil, &thing); err != nil {
		t.Fatal(err)
	}
	how(thing)
	if _, err := c.admin(within(t), http.MethodPut, at, thing, nil); err != nil {
		t.Fatal(err)
	}
}

// kept is a cookie of the browser.
type kept struct {
	Name, Value string
	HTTPOnly    bool   `json:"httpOnly"`
	SameSite    string `json:"sameSite"`
}

// cookie is the session's.
func (c *console) cookie() kept {
	c.t.Helper()
	var jar struct{ Cookies []kept }
	c.do("Network.getCookies", map[string]any{"urls": []string{c.base}}, &jar)
	at, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(jar.Cookies, func(k kept) bool { return k.Name == "fastmcp-auth-"+at.Port() })
	if i < 0 {
		c.t.Fatal("there is no session")
	}
	return jar.Cookies[i]
}

// signed is how a signed token begins: with a header, which is JSON.
var signed = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|"(access|refresh|id)_token\\?"\s*:`)

// reach reads what a script could: cookies, storage, what the server answers, and all texts on the page's heap.
func (c *console) reach(t *testing.T) {
	session := c.cookie()
	if !session.HTTPOnly || session.SameSite != "Strict" {
		t.Errorf("the cookie is %t, %q", session.HTTPOnly, session.SameSite)
	}
	if got := c.eval("document.cookie"); got != "" {
		t.Errorf("a script reads the cookies %q", got)
	}
	stores := c.eval("JSON.stringify([{...localStorage}, {...sessionStorage}, window.name, history.state])")
	answers := c.eval(`Promise.all(['/console/session', '/api/v1/me', '/api/v1/calls', '/api/v1/tools', '/', '/me'].map(
  at => fetch(at).then(async r => r.url + r.status + [...r.headers] + await r.text()))).then(all => all.join('\n'))`)
	if !strings.Contains(answers, "A Person") {
		t.Errorf("the answers do not say who is signed in:\n%.2000s", answers)
	}
	c.do("HeapProfiler.takeHeapSnapshot", map[string]any{"reportProgress": false}, nil)
	all := strings.Join(c.texts, "\n")
	if !strings.Contains(all, "A Person") || !strings.Contains(all, "/console/session") {
		t.Error("what was watched does not hold what the page shows")
	}
	for where, text := range map[string]string{"storage": stores, "an answer": answers, "the heap, or a header": all} {
		if found := signed.FindString(text); found != "" {
			t.Errorf("%s holds %.16s…", where, found)
		}
		for _, secret := range []string{session.Value, c.secrets["mcp-console"]} {
			if where != "the heap, or a header" && strings.Contains(text, secret) {
				t.Errorf("%s holds a secret", where)
			}
		}
	}
}
