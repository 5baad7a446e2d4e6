//go:build unix

package keycloak_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// browser is a person's: it keeps cookies, follows redirects, and sends forms as they stand.
type browser struct {
	t      *testing.T
	client *http.Client
	pages  []string // the titles of what it has seen
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: patience}}
}

// signIn opens a page of Keycloak and goes through its forms to the end: signs in where it is asked to, and says yes to
// what it is asked.
func (b *browser) signIn(page, user, password string) {
	b.t.Helper()
	res, err := b.client.Get(page)
	for steps := 0; ; steps++ {
		if err != nil {
			b.t.Fatal(err)
		}
		form, action := b.read(res)
		if form == nil {
			return
		}
		if steps == 5 {
			b.t.Fatalf("still a form, after %q", b.pages)
		}
		if form.Has("password") {
			form.Set("username", user)
			form.Set("password", password)
		}
		form.Del("cancel") // the button that says no
		target, bad := res.Request.URL.Parse(action)
		if bad != nil {
			b.t.Fatal(bad)
		}
		res, err = b.client.PostForm(target.String(), form)
	}
}

// open opens a page that asks nothing.
func (b *browser) open(page string) {
	b.t.Helper()
	res, err := b.client.Get(page)
	if err != nil {
		b.t.Fatal(err)
	}
	if form, _ := b.read(res); form != nil {
		b.t.Fatalf("a form at %s, after %q", res.Request.URL, b.pages)
	}
}

// read takes the first form of a page, or none.
func (b *browser) read(res *http.Response) (form url.Values, action string) {
	b.t.Helper()
	defer res.Body.Close()
	page, err := html.Parse(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for n := range page.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "title":
			b.pages = append(b.pages, res.Status+" "+text(n))
		case n.Data == "form" && form == nil:
			form, action = url.Values{}, attr(n, "action")
			for field := range n.Descendants() {
				if name := attr(field, "name"); name != "" && (field.Data == "input" || field.Data == "button") {
					form.Set(name, attr(field, "value"))
				}
			}
		}
	}
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %q: %s", res.Request.URL, b.pages, text(page))
	}
	return form, action
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what a page says, for a failure's message.
func text(page *html.Node) string {
	var said strings.Builder
	for n := range page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			fmt.Fprint(&said, " ", n.Data)
		}
	}
	return strings.Join(strings.Fields(said.String()), " ")
}

// byDevice signs a person in by the device flow, over Keycloak's own pages, and returns all that was granted.
func (r *realm) byDevice(t *testing.T, user, scopes string) *answer {
	t.Helper()
	return r.byDeviceWith(t, newBrowser(t), user, scopes)
}

// byDeviceWith is byDevice in a browser in which the person may be signed in already.
func (r *realm) byDeviceWith(t *testing.T, b *browser, user, scopes string) *answer {
	t.Helper()
	ctx, verifier := within(t), oauth.NewVerifier()
	code, err := r.ask(ctx, r.Name, "auth/device", url.Values{
		"client_id": {"mcp-client"}, "scope": {scopes},
		"code_challenge": {oauth.ChallengeS256(verifier)}, "code_challenge_method": {"S256"},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.signIn(code.VerificationURIComplete, user, r.people[user])
	granted, err := r.ask(ctx, r.Name, "token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"mcp-client"},
		"device_code": {code.DeviceCode}, "code_verifier": {verifier},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.keep(granted)
	return granted
}

// byBrowser signs a person in by the authorization code flow with PKCE, to a loopback address of the kernel's choice
// under the given name of this machine.
func (r *realm) byBrowser(t *testing.T, host, user, scopes string) *answer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back := make(chan url.Values, 1)
	callback := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/callback" {
			back <- q.URL.Query()
		}
		io.WriteString(rw, "<title>signed in</title>")
	})}
	go callback.Serve(listener)
	t.Cleanup(func() { callback.Close() })
	redirect := fmt.Sprintf("http://%s:%d/callback", host, listener.Addr().(*net.TCPAddr).Port)

	verifier, state := oauth.NewVerifier(), newSecret()
	newBrowser(t).signIn(r.Issuer+"/protocol/openid-connect/auth?"+url.Values{
		"response_type": {"code"}, "client_id": {"mcp-client"}, "redirect_uri": {redirect}, "scope": {scopes}, "state": {state},
		"resource": {r.Audience}, "code_challenge": {oauth.ChallengeS256(verifier)}, "code_challenge_method": {"S256"},
	}.Encode(), user, r.people[user])
	ctx := within(t)
	select {
	case got := <-back:
		if got.Get("state") != state || got.Get("iss") != r.Issuer || got.Get("code") == "" {
			t.Fatalf("Keycloak came back with %v", got)
		}
		granted, err := r.ask(ctx, r.Name, "token", url.Values{
			"grant_type": {"authorization_code"}, "client_id": {"mcp-client"}, "redirect_uri": {redirect},
			"code": {got.Get("code")}, "code_verifier": {verifier}, "resource": {r.Audience},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.keep(granted)
		return granted
	case <-ctx.Done():
		t.Fatal("Keycloak did not come back")
	}
	return nil
}

// keep remembers what no log may show.
func (r *realm) keep(a *answer) {
	for _, s := range []string{a.AccessToken, a.RefreshToken, a.IDToken} {
		if s != "" {
			r.given = append(r.given, s)
		}
	}
}
