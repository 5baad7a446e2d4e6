package client

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// stranger answers every request with one of two documents.
type stranger struct{ resource, server []byte }

func (s *stranger) RoundTrip(r *http.Request) (*http.Response, error) {
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/.well-known/oauth-protected-resource/mcp" {
		rw.Write(s.resource)
	} else {
		rw.Write(s.server)
	}
	return rw.Result(), nil
}

// FuzzDiscover reads metadata of strangers: what comes of it speaks for the server and the issuer, and leads to no place
// that a secret must not go to.
func FuzzDiscover(f *testing.F) {
	f.Add([]byte(`{"resource":"https://h.example/mcp","authorization_servers":["https://as.example"]}`), []byte(`{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}`))
	f.Add([]byte(`{"resource":"https://h.example","authorization_servers":["https://as.example/a"]}`), []byte(`{"issuer":"https://as.example/a/","token_endpoint":"http://as.example/token"}`))
	f.Add([]byte(`{"resource":"https://evil.example/mcp"}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, resource, server []byte) {
		d, err := Discover(t.Context(), &http.Client{Transport: &stranger{resource, server}}, "https://h.example/mcp", nil)
		if err != nil {
			return
		}
		for _, place := range []string{d.Authorization.TokenEndpoint, d.Authorization.Issuer} {
			if _, err := checkURL(place, false); err != nil {
				t.Errorf("it leads to %q: %v", place, err)
			}
		}
		if d.Authorization.Issuer != d.Resource.AuthorizationServers[0] {
			t.Errorf("it speaks for %q, not for %q", d.Authorization.Issuer, d.Resource.AuthorizationServers[0])
		}
	})
}

// FuzzClaims decodes claims challenges: what comes is a JSON object.
func FuzzClaims(f *testing.F) {
	f.Add("eyJhIjp7fX0=")
	f.Add("bnVsbA")
	f.Fuzz(func(t *testing.T, claims string) {
		got := claimsOf(&oauth.Challenge{Error: "insufficient_claims", Claims: claims})
		var object map[string]any
		if got != "" && (json.Unmarshal([]byte(got), &object) != nil || object == nil) {
			t.Errorf("%q asks for %q", claims, got)
		}
	})
}
