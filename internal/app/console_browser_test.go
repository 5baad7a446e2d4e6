package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// browser is one with cookies of its own, at the server and at the provider. It keeps what scripts could read.
type browser struct {
	t        *testing.T
	h        *house
	at       devidp.Visitor
	http     *http.Client
	mu       sync.Mutex
	readable strings.Builder
}

func newBrowser(t *testing.T, h *house) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, h: h, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do asks for a place of the server as a page of the console does.
func (b *browser) do(method, place, body string, header ...string) apiAnswer {
	b.t.Helper()
	if strings.HasPrefix(place, "/") {
		place = b.h.public + place
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, place, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method != http.MethodGet {
		req.Header.Set("Origin", b.h.public)
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	b.readable.Write(read)
	b.mu.Unlock()
	return apiAnswer{resp.StatusCode, resp.Header, string(read)}
}

// goes is where an answer leads to.
func (b *browser) goes(a apiAnswer) string {
	b.t.Helper()
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || to == "" {
		b.t.Fatalf("answered %d %s, no redirect", a.status, a.body)
	}
	return to
}

// signIn signs user in and returns where the console leads to.
func (b *browser) signIn(user, query string) string {
	b.t.Helper()
	return b.goes(b.do("GET", b.back(b.goes(b.do("GET", "/console/sign-in?"+query, "")), user), ""))
}

// back is where the provider sends the browser when user was chosen there.
func (b *browser) back(at, user string) string {
	b.t.Helper()
	to, err := b.at.SignIn(b.t.Context(), at, user)
	if err != nil {
		b.t.Fatal(err)
	}
	return to.String()
}

// seen is what GET /console/session says.
type seen struct {
	SignedIn bool   `json:"signed_in"`
	Mode     string `json:"mode"`
	CSRF     string `json:"csrf"`
	Identity struct {
		Name, Email string
		Scopes      []string
	}
	Claims map[string]any
}

func (b *browser) session() (s seen) {
	b.t.Helper()
	a := b.do("GET", "/console/session", "")
	if err := json.Unmarshal([]byte(a.body), &s); err != nil || a.status != 200 {
		b.t.Fatalf("session: %d %s", a.status, a.body)
	}
	return s
}

func (b *browser) call() apiAnswer {
	b.t.Helper()
	return b.do("POST", "/api/v1/tools/reverse_tool", `{"query":"abc"}`, "X-CSRF-Token: "+b.session().CSRF)
}
