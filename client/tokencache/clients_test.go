package tokencache_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

func TestC10RegistrationsAreKeptByIssuer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := signin.Registered{Issuer: "https://one.example", ID: "mine", Secret: "the-secret-of-a-client", Method: "client_secret_basic",
		RedirectURI: "http://127.0.0.1:4711/callback", Expires: time.Now().Add(time.Hour).Round(0)}
	must(t, open(t, dir).Clients().Remember(r))
	got, known := open(t, dir).Clients().Registered(r.Issuer)
	if !known || got.ID != r.ID || got.Secret != r.Secret || got.RedirectURI != r.RedirectURI || !got.Expires.Equal(r.Expires) {
		t.Errorf("known %v: %+v", known, got)
	}
	for _, other := range []string{"https://one.example/", "https://two.example", ""} {
		if _, known := open(t, dir).Clients().Registered(other); known {
			t.Errorf("%q has the client of another issuer", other)
		}
	}
	for _, name := range files(t, dir) {
		body, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if strings.Contains(string(body), string(r.Secret)) {
			t.Errorf("%s holds the secret in clear", name)
		}
	}
	two := r
	two.Issuer = "https://two.example"
	must(t, open(t, dir).Clients().Remember(two))
	must(t, open(t, dir).Clients().Forget(r.Issuer))
	if _, known := open(t, dir).Clients().Registered(two.Issuer); !known {
		t.Error("one was forgotten, and the other is gone")
	}
	must(t, open(t, dir).Clients().ForgetAll())
	if _, known := open(t, dir).Clients().Registered(two.Issuer); known {
		t.Error("all were forgotten, and one is still known")
	}
	if _, known := open(t, dir).Clients().Registered(r.Issuer); known {
		t.Error("forgotten, and still known")
	}
}
