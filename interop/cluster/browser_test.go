package cluster_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/program"
)

// browser is one at the balancer, with cookies of its own.
type browser struct {
	*world
	visitor devidp.Visitor
	http    *http.Client
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{world: w, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// ask asks at base, which is the balancer or, with its name, one server.
func (b *browser) ask(base, method, place, body string, header ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.front.URL+strings.TrimPrefix(place, b.front.URL), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	client := *b.http
	if base != "" {
		client.Jar = nil // the jar knows the balancer's name
		req.Host, req.URL.Host = req.URL.Host, base
	} else {
		req.Header.Del("Cookie")
	}
	if method != http.MethodGet {
		req.Header.Set("Origin", b.front.URL)
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func (b *browser) do(method, place, body string, header ...string) (status int, answer string) {
	b.t.Helper()
	resp := b.ask("", method, place, body, header...)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func (b *browser) goes(place string) string {
	b.t.Helper()
	resp := b.ask("", http.MethodGet, place, "")
	resp.Body.Close()
	return resp.Header.Get("Location")
}

// trySignIn begins a sign-in and returns where it leads.
func (b *browser) trySignIn() string {
	b.t.Helper()
	return b.goes("/console/sign-in")
}

func (b *browser) signIn(user string) {
	b.t.Helper()
	back, err := b.visitor.SignIn(b.t.Context(), b.trySignIn(), user)
	if err != nil {
		b.t.Fatal(err)
	}
	if to := b.goes(back.String()); to != "/" {
		b.t.Fatalf("the sign-in leads to %q", to)
	}
}

type session struct {
	SignedIn bool `json:"signed_in"`
	CSRF     string
}

func (b *browser) session() (s session) {
	b.t.Helper()
	status, body := b.do(http.MethodGet, "/console/session", "")
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != http.StatusOK {
		b.t.Fatalf("session: %d %s", status, body)
	}
	return s
}

// begin begins a long call and returns its place.
func (b *browser) begin(tool, arguments string) string {
	b.t.Helper()
	resp := b.ask("", http.MethodPost, "/api/v1/calls", `{"tool":"`+tool+`","arguments":`+arguments+`}`, "X-CSRF-Token: "+b.session().CSRF)
	defer resp.Body.Close()
	place := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusAccepted || place == "" {
		body, _ := io.ReadAll(resp.Body)
		b.t.Fatalf("begin %s: %d %s", tool, resp.StatusCode, body)
	}
	return place
}

// follow reads the events of a call at one server until it ends.
func (b *browser) follow(at *program.Process, place string) (data []string) {
	b.t.Helper()
	resp := b.ask(at.Ready.Addr, http.MethodGet, place+"/events", "")
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("follow: %d %s, %v", resp.StatusCode, all, err)
	}
	for line := range strings.Lines(string(all)) {
		if text, is := strings.CutPrefix(line, "data: "); is {
			data = append(data, text)
		}
	}
	if len(data) == 0 {
		b.t.Fatalf("follow: no event in %s", all)
	}
	return data
}

func (b *browser) cancel(at *program.Process, place string) {
	b.t.Helper()
	resp := b.ask(at.Ready.Addr, http.MethodDelete, place, "", "X-CSRF-Token: "+b.session().CSRF)
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		b.t.Fatalf("cancel: %d", resp.StatusCode)
	}
}

func (b *browser) signOut() {
	b.t.Helper()
	if status, body := b.do(http.MethodPost, "/console/sign-out", "", "X-CSRF-Token: "+b.session().CSRF); status != http.StatusOK {
		b.t.Fatalf("sign out: %d %s", status, body)
	}
}
