package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/console"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// TestAProviderThatRefreshesOnlineIsAskedForNoOfflineSession: its own sign-out would not reach that.
func TestAProviderThatRefreshesOnlineIsAskedForNoOfflineSession(t *testing.T) {
	var provider *httptest.Server
	provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[2]s/authorize","token_endpoint":"%[2]s/token","jwks_uri":"%[2]s/jwks","code_challenge_methods_supported":["S256"]}`, provider.URL+"/realms/main", provider.URL)
	}))
	t.Cleanup(provider.Close)
	preset := idp.Keycloak(provider.URL, "main")
	for online, want := range map[bool]bool{preset.RefreshesOnline: false, !preset.RefreshesOnline: true} {
		h, err := console.New(console.Options{
			Store:    store.Memory(store.MemoryOptions{}),
			Verify:   func(context.Context, string) (*identity.Identity, error) { return nil, errors.New("nobody") },
			Refuse:   func(http.ResponseWriter, *http.Request, int, string, string) {},
			Provider: console.Provider{Issuer: preset.Issuers[0], ClientID: "c", Scopes: []string{"execute"}, Online: online},
			Public:   "http://127.0.0.1:8000",
		})
		if err != nil {
			t.Fatal(err)
		}
		mux, w := http.NewServeMux(), httptest.NewRecorder()
		h.Register(mux)
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/console/sign-in", nil))
		to, err := url.Parse(w.Header().Get("Location"))
		scope := to.Query().Get("scope")
		if err != nil || !strings.HasPrefix(scope, "openid ") || strings.Contains(scope, "offline_access") != want {
			t.Errorf("online %v: asks for %q at %s", online, scope, to)
		}
	}
}
