package bearer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const tenant = "11111111-2222-3333-4444-555555555555"

func entraGuard(t testing.TB, change func(*bearer.Config)) *bearer.Guard {
	t.Helper()
	cfg := bearer.Config{
		Resource: resource, Providers: []idp.Provider{idp.Entra(tenant)}, Audience: []string{"api-client-id"},
		Scopes: []string{"execute"}, ScopePrefix: "api://api-client-id/", Name: "Example tools", Documentation: "https://docs.example.com",
	}
	if change != nil {
		change(&cfg)
	}
	g, err := bearer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func get(mux http.Handler, method, path string) *http.Response {
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

func TestRS1_RS2_RS3_RS6_MetadataStandsAtBothPlaces(t *testing.T) {
	g := entraGuard(t, nil)
	mux := http.NewServeMux()
	g.Publish(mux)
	want := oauth.ResourceMetadata{
		Resource:               resource,
		AuthorizationServers:   []string{"https://login.microsoftonline.com/" + tenant + "/v2.0"}, // RS-2
		ScopesSupported:        []string{"api://api-client-id/execute"},                           // RS-6
		BearerMethodsSupported: []string{"header"},                                                // RS-16
		ResourceName:           "Example tools",
		ResourceDocumentation:  "https://docs.example.com",
	}
	for _, path := range []string{
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/",
		"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp/",
	} {
		resp := get(mux, http.MethodGet, path)
		var got oauth.ResourceMetadata
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 || !reflect.DeepEqual(got, want) {
			t.Errorf("RS-3 %s: %d %v %+v", path, resp.StatusCode, err, got)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != "*" || resp.Header.Get("Content-Type") != "application/json" ||
			resp.Header.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s: header %v", path, resp.Header)
		}
	}
	if resp := get(mux, http.MethodGet, "/.well-known/oauth-protected-resource/other"); resp.StatusCode != 404 {
		t.Errorf("metadata at a path of no resource: %d", resp.StatusCode)
	}
	// The challenge names the place where it stands.
	if g.MetadataURL() != "https://mcp.example.com/.well-known/oauth-protected-resource/mcp" {
		t.Error(g.MetadataURL())
	}
}

func TestMetadataMethods(t *testing.T) {
	h := entraGuard(t, nil).Metadata()
	if resp := get(h, http.MethodHead, "/"); resp.StatusCode != 200 || resp.ContentLength <= 0 {
		t.Errorf("HEAD: %d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
	if resp := get(h, http.MethodOptions, "/"); resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Methods") == "" ||
		resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := get(h, http.MethodPost, "/"); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestAResourceWithoutAPathHasOnePlace(t *testing.T) {
	for _, r := range []string{"https://mcp.example.com", "https://mcp.example.com/"} {
		g := entraGuard(t, func(c *bearer.Config) { c.Resource = r })
		mux := http.NewServeMux()
		g.Publish(mux)
		var got oauth.ResourceMetadata
		json.NewDecoder(get(mux, http.MethodGet, "/.well-known/oauth-protected-resource").Body).Decode(&got)
		if got.Resource != r || g.MetadataURL() != "https://mcp.example.com/.well-known/oauth-protected-resource" {
			t.Errorf("%s: %+v at %s", r, got, g.MetadataURL())
		}
	}
}

func TestAuthorizationServersOfOnesOwnAreTheOnlyOnes(t *testing.T) {
	g := entraGuard(t, func(c *bearer.Config) { c.AuthorizationServers = []string{"https://mcp.example.com"} })
	var got oauth.ResourceMetadata
	json.NewDecoder(get(g.Metadata(), http.MethodGet, "/").Body).Decode(&got)
	if !reflect.DeepEqual(got.AuthorizationServers, []string{"https://mcp.example.com"}) {
		t.Errorf("%q", got.AuthorizationServers)
	}
}
