//go:build unix

// Package keycloak_test lets a real Keycloak issue the tokens that the real program accepts and refuses: what
// docs/providers/keycloak.md teaches, done step by step through Keycloak's admin interface, and its pages walked as a
// person walks them.
//
// Keycloak is started once for all tests, on ports of the kernel's choice, with a database in memory. The switch is
// FASTMCP_AUTH_INTEGRATION=1; Maven brings Keycloak when it is missing. Nothing has a known password: every secret is
// made for one run.
//
//	the switch, and what all tests share            keycloak_test.go
//	where Keycloak comes from                       install_test.go
//	a running Keycloak                              start_test.go
//	children that end with the test                 process_test.go
//	the realm, as the provider's page teaches it    realm_test.go, testdata/realm.json
//	its admin interface, and its token endpoint     admin_test.go
//	a person with a browser                         person_test.go
//	the program in front of its tools               serve_test.go
//	who is let in, and as whom                      identity_test.go
//	who is refused, and how                         refusal_test.go
//	keys that roll                                  keys_test.go
//	what a logout ends                              logout_test.go
//	how our own client signs a person in            signin_test.go
//	a person at the terminal, with a real browser   terminal_test.go, chromium_test.go
//	the web console, with a real browser            console_test.go, line_test.go
package keycloak_test

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// patience bounds whatever waits for another process. Reaching it is a failure, never a measurement.
const patience = 2 * time.Minute

// atEnd are what the tests started together, ended in the opposite order once all of them are through.
var atEnd []func() error

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(atEnd) - 1; i >= 0; i-- {
		if err := atEnd[i](); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// world is what the tests share: one Keycloak, one realm, and the program that trusts it.
type world struct {
	*realm
	server *server
}

// keycloak starts everything at the first call, and says what is left out when it is not asked for or cannot be had.
func keycloak(t *testing.T) *world {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run them, as make test does")
	}
	if _, err := exec.LookPath(java()); err != nil {
		leaveOut(t, "install a Java runtime, version 17 or newer, to run them")
	}
	if _, err := exec.LookPath("mvn"); err != nil && !installed() {
		leaveOut(t, "install Apache Maven (the command mvn), which brings Keycloak, to run them")
	}
	w, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: real tokens of Keycloak against the real server; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// open starts the world once. Its order is a person's: Keycloak, a realm, the server that names the realm, and then
// what the provider's page says to create for that server's URL.
var open = sync.OnceValues(func() (*world, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute) // the first time, Keycloak is fetched and built
	defer cancel()
	home, err := install(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "keycloak")
	if err != nil {
		return nil, err
	}
	atEnd = append(atEnd, func() error { return os.RemoveAll(scratch) })
	k, err := start(ctx, home, scratch)
	if err != nil {
		return nil, err
	}
	return k.realmWithServer(ctx, "main")
})

// realmWithServer makes a realm with everything in it, and a server of its own that trusts it.
func (k *running) realmWithServer(ctx context.Context, name string) (*world, error) {
	r, err := k.newRealm(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := serve(ctx, k.scratch, "--provider-issuer", k.URL, "--provider-realm", name)
	if err != nil {
		return nil, err
	}
	atEnd = append(atEnd, s.stop)
	if err := r.furnish(ctx, s.MCP); err != nil {
		return nil, err
	}
	s.secrets = r.allSecrets()
	return &world{r, s}, nil
}

// within bounds what a test waits for.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newSecret is a password for one run.
func newSecret() string { return rand.Text() }
