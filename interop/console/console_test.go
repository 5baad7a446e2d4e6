package console_test

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/console"
	"github.com/fastmcp-auth/fastmcp-auth/interop/program"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// scratch holds the program, which is built once for all tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "console")
	if err != nil {
		panic(err)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestTheConsoleWhereNobodySignsIn(t *testing.T) {
	walk(t, "open.mjs", serve(t, open, "REVERSE_DURATION=8s"))
}

func TestTheConsoleWithoutAMouse(t *testing.T) {
	walk(t, "keyboard.mjs", serve(t, open, "REVERSE_DURATION=6s"))
}

func TestTheConsoleHasNoViolation(t *testing.T) {
	walk(t, "look.mjs", serve(t, "REVERSE_DURATION=4s"))
}

func TestTheDocumentationOfTheAPI(t *testing.T) {
	walk(t, "docs.mjs", serve(t, open))
}

// The page's own sign-in, by code and PKCE: the token is the page's for as long as it is open, and is kept nowhere.
func TestAuthorizeInTheDocumentationOfTheAPI(t *testing.T) {
	walk(t, "authorize.mjs", serve(t))
}

// Nothing that a script in the page can reach, and nothing that was ever sent to the browser, holds a token.
func TestNoTokenInTheBrowser(t *testing.T) {
	for _, character := range []string{"standard", "entra"} {
		t.Run(character, func(t *testing.T) {
			walk(t, "reach.mjs", serve(t, "REVERSE_DURATION=1s", "IDP_CHARACTER="+character))
		})
	}
}

// attack 9: what other pages send. attack 10: a sign-in that another site has begun. And all that people do.
func TestAttack9_Attack10_TheConsoleSignedIn(t *testing.T) {
	policy, err := filepath.Abs("clock.yaml")
	if err != nil {
		t.Fatal(err)
	}
	everyCharacter(t, func(t *testing.T, character devidp.Character) {
		apart(t, devidp.Options{Character: character}, "REVERSE_DURATION=10s", "POLICY_FILE="+policy).walk(t, "signed_in.mjs")
	})
}

// attack 33: a person who is disabled while signed in. attack 54: a provider that is down.
func TestAttack33_TheConsoleAndAProviderInTrouble(t *testing.T) {
	t.Parallel() // most of it is waiting for a token's end
	everyCharacter(t, func(t *testing.T, character devidp.Character) {
		apart(t, devidp.Options{Character: character, TokenLifetime: 15 * time.Second}, "REVERSE_DURATION=1s").walk(t, "trouble.mjs")
	})
}

func TestTheConsoleWhenASessionsTimeIsUp(t *testing.T) {
	t.Parallel() // most of it is waiting
	everyCharacter(t, func(t *testing.T, character devidp.Character) {
		apart(t, devidp.Options{Character: character}, "CONSOLE_IDLE=15s", "CONSOLE_LIFETIME=30s").walk(t, "expiry.mjs")
	})
}

func TestTheConsoleWhereNobodyCanSignIn(t *testing.T) {
	p := serve(t, "PROVIDER_KIND=dev", "PROVIDER_ISSUER=http://127.0.0.1:1")
	console.Walk{Script: "unset.mjs", Console: p.Ready.Base()}.Run(t)
}

func everyCharacter(t *testing.T, test func(*testing.T, devidp.Character)) {
	for name, character := range map[string]devidp.Character{"standard": devidp.Standard, "entra": devidp.Entra} {
		t.Run(name, func(t *testing.T) { test(t, character) })
	}
}

// open lets everyone in.
const open = "NO_AUTH=true"

var building sync.Mutex

// build builds the program once for all tests.
func build(t *testing.T) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	path := filepath.Join(scratch, "fastmcp-auth")
	if _, err := os.Stat(path); err != nil {
		program.Build(t, scratch)
	}
	return path
}

// serve starts the program, by default with its development provider.
func serve(t *testing.T, settings ...string) *program.Process {
	t.Helper()
	console.Need(t)
	path := build(t)
	all := []string{"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_STORE_KIND=memory", "FASTMCP_AUTH_LOG_LEVEL=debug"}
	for _, s := range settings {
		all = append(all, "FASTMCP_AUTH_"+s)
	}
	p := program.Serve(t, path, t.TempDir(), all...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", p.Said())
		}
	})
	return p
}

func walk(t *testing.T, script string, p *program.Process) {
	t.Helper()
	console.Walk{Script: script, Console: p.Ready.Base(), Issuer: p.Ready.Issuer}.Run(t)
}

// world is a server, and a development provider that is not the server's own, so that it can fail apart from it.
type world struct {
	provider *devidp.Server
	server   *program.Process
	tells    bool
}

func apart(t *testing.T, o devidp.Options, settings ...string) *world {
	t.Helper()
	console.Need(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Issuer = "http://" + listener.Addr().String()
	issuer := o.Issuer
	settings = append(settings, "PROVIDER_KIND=dev", "CONSOLE_CLIENT_ID="+devidp.ClientWeb, "CONSOLE_CLIENT_SECRET="+devidp.WebSecret)
	if o.Character == devidp.Entra {
		issuer += "/" + devidp.EntraTenant + "/v2.0"
		settings = append(settings, "PROVIDER_AUDIENCE="+devidp.EntraAPI+","+devidp.EntraAPIURI, "PROVIDER_SCOPE_PREFIX="+devidp.EntraAPIURI+"/")
	}
	w := &world{tells: o.Character == devidp.Standard, server: serve(t, append(settings, "PROVIDER_ISSUER="+issuer)...)} // it asks the provider when somebody comes
	client := devidp.WebClient()
	client.BackchannelLogoutURI = w.server.Ready.Base() + "/auth/backchannel-logout"
	o.Clients = append(o.Clients, client)
	if w.provider, err = devidp.New(o); err != nil {
		t.Fatal(err)
	}
	at := &http.Server{Handler: w.server.Secrets.Watch(w.provider)}
	go at.Serve(listener)
	t.Cleanup(func() { at.Close() })
	return w
}

func (w *world) walk(t *testing.T, script string) {
	t.Helper()
	faults := w.provider.Faults()
	do := func(set func(string)) func(string) error {
		return func(given string) error { set(given); return nil }
	}
	console.Walk{Script: script, Console: w.server.Ready.Base(), Issuer: w.provider.Issuer(), Tells: w.tells, Hands: console.Hands{
		"down":    do(func(string) { faults.SetUnreachable(true) }),
		"up":      do(func(string) { faults.SetUnreachable(false) }),
		"disable": do(func(user string) { faults.SetDisabled(user, true) }),
		"enable":  do(func(user string) { faults.SetDisabled(user, false) }),
	}}.Run(t)
}

// npm takes the packages of the console from whichever registry a machine uses, checks them, and runs nothing of theirs.
func TestPackagesArePinned(t *testing.T) {
	var manifest struct{ Dependencies, DevDependencies map[string]string }
	var lock struct {
		Packages map[string]struct{ Version, Resolved, Integrity string }
	}
	for name, into := range map[string]any{"package.json": &manifest, "package-lock.json": &lock} {
		text, err := os.ReadFile("../../web/" + name)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	maps.Copy(manifest.Dependencies, manifest.DevDependencies)
	for name, version := range manifest.Dependencies {
		if got := lock.Packages["node_modules/"+name].Version; got != version {
			t.Errorf("package.json asks for %s %s, package-lock.json has %q", name, version, got)
		}
	}
	for name, entry := range lock.Packages {
		if name != "" && (entry.Resolved != "" || entry.Integrity == "") {
			t.Errorf("%s is bound to %q with integrity %q, want an integrity alone", name, entry.Resolved, entry.Integrity)
		}
	}
	if npmrc, err := os.ReadFile("../../web/.npmrc"); err != nil || !strings.Contains(string(npmrc), "ignore-scripts=true") {
		t.Errorf("packages may run scripts when they are installed: %v", err)
	}
}
