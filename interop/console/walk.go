// Package console lets people walk through the web console, in a real Chromium driven by Playwright, for tests at several
// identity providers. Whatever the browser complains of, and every request that leaves the console's origin, is a failure
// of each walk.
//
// It starts neither the program nor a provider: a walk is given the console's address, what its people are called, and
// what else than a person in a browser it can do.
//
//	what a walk needs, and running one        walk.go
//	watching a person's browser               browser.mjs
//	what people do at a provider              people.mjs
//	signed in, to each end of a session       signed_in.mjs
//	a provider that is down, a disabled person  trouble.mjs
//	sessions whose time is up                 expiry.mjs
//	ended by the provider's administrator     told.mjs
//	what a script in the page can reach       reach.mjs
//	a way to the server that is cut           cut.mjs
//	where nobody signs in                     open.mjs
//	where nobody can                          unset.mjs
//	a tool that asks in the middle            asks.mjs
//	without a mouse                           keyboard.mjs
//	what axe finds, and on a phone            look.mjs
//	the page of the REST API                  docs.mjs authorize.mjs
package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Patience bounds one walk. Reaching it is a failure, never a measurement.
const Patience = 8 * time.Minute

// Walk is one of the scripts of this folder, and what it is about.
type Walk struct {
	Script  string // such as "open.mjs"
	Console string // base URL of the server, without a slash at the end
	Issuer  string // of the provider; empty where nobody signs in
	// Tells reports that the provider tells its clients of a sign-out there (OpenID Connect Back-Channel Logout 1.0).
	Tells bool
	// Kind says what people find at the provider: "dev", also the meaning of empty, or "keycloak".
	Kind   string
	People map[string]Person // by the word that the walk has for them; nil means those of the development provider
	Hands  Hands             // nil means that the walk needs none
}

// Person is somebody who can sign in.
type Person struct {
	Name     string `json:"name"` // as the console shows it
	User     string `json:"user"` // as the provider calls them
	Password string `json:"password,omitempty"`
}

// Hands are what a walk can do besides what a person in a browser can, each by its name: to the provider, as whoever runs
// it. What one is given may be empty.
type Hands map[string]func(given string) error

// Need fails or skips the test where a walk cannot be: what is left out is said.
func Need(t *testing.T) (node, chromium string) {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run it, as make test does")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		leaveOut(t, "install Node.js with npm to run it")
	}
	if chromium, err = exec.LookPath("chromium"); err != nil {
		leaveOut(t, "install Chromium (the command chromium) to run it")
	}
	for _, built := range []string{"dist/index.html", "node_modules/playwright-core"} {
		if _, err := os.Stat(filepath.Join(root(t), "web", built)); err != nil {
			leaveOut(t, "run make web before it")
		}
	}
	return node, chromium
}

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: the web console in a real browser; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// root is the folder of the module.
func root(t *testing.T) string {
	t.Helper()
	at, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(at))
}

// Run walks to the end.
func (w Walk) Run(t *testing.T) {
	t.Helper()
	node, chromium := Need(t)
	folder := filepath.Join(root(t), "interop", "console")
	for _, name := range []string{w.Script, "browser.mjs", "people.mjs", "cut.mjs"} { // read here, so that go test knows what it depends on
		if _, err := os.ReadFile(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	people, err := json.Marshal(w.People)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join(folder, w.Script))
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + os.TempDir(), "LANG=C.UTF-8", "NO_COLOR=1",
		"CONSOLE=" + w.Console, "PROVIDER=" + origin(w.Issuer), "ISSUER=" + w.Issuer, "TELLS=" + fmt.Sprint(w.Tells), "KIND=" + w.Kind, "PEOPLE=" + string(people), "HANDS=" + w.Hands.serve(t),
		"CHROMIUM=" + chromium, "PICTURES=" + os.Getenv("FASTMCP_AUTH_PICTURES")}
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", w.Script, err, out)
	}
	t.Logf("%s", out)
}

// serve answers POST /name?given=… until the test ends, and returns where.
func (h Hands) serve(t *testing.T) string {
	t.Helper()
	if len(h) == 0 {
		return ""
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do := h[strings.TrimPrefix(r.URL.Path, "/")]
		err := fmt.Errorf("there is no hand for %s %s", r.Method, r.URL.Path)
		if do != nil && r.Method == http.MethodPost {
			err = do(r.URL.Query().Get("given"))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
