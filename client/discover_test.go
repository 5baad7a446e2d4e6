package client_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	inserted = "mcp /.well-known/oauth-protected-resource/mcp"
	root     = "mcp /.well-known/oauth-protected-resource"
)

func TestC1_ProtectedResourceMetadataIsLookedForInOrder(t *testing.T) {
	bare := func() string { return "Bearer" }
	for _, row := range []struct {
		name string
		bend func(*world)
		want []string // what was asked of the MCP server
	}{
		{"C-1 the header's URL comes first, and nothing else is asked", func(w *world) {
			w.Challenge = func() string { return `Bearer resource_metadata="` + w.MCP.URL + `/elsewhere"` }
			w.Documents["/elsewhere"] = document(w.Resource)
		}, []string{"mcp /elsewhere"}},
		{"C-1 without a URL in the header, the path is inserted", func(w *world) { w.Challenge = bare }, []string{inserted}},
		{"C-1 without a header, too", func(w *world) { w.Challenge = func() string { return "" } }, []string{inserted}},
		{"C-1 with a header that breaks the grammar, too", func(w *world) {
			w.Challenge = func() string { return `Bearer resource_metadata="` }
		}, []string{inserted}},
		{"C-1 then the root", func(w *world) {
			w.Challenge = bare
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = http.NotFound
		}, []string{inserted, root}},
		{"C-1 a page that is not JSON is no document", func(w *world) {
			w.Challenge = bare
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "text/html")
				rw.Write([]byte("<p>Welcome"))
			}
		}, []string{inserted, root}},
		{"C-2 the bearer challenge is found among others", func(w *world) {
			w.Challenge = func() string {
				return `Basic realm="x", bearer resource_metadata="` + w.MCP.URL + `/elsewhere"`
			}
			w.Documents["/elsewhere"] = document(w.Resource)
		}, []string{"mcp /elsewhere"}},
		{"C-1 a redirect on the same origin is followed", func(w *world) {
			w.Challenge = bare
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = http.RedirectHandler("/moved", http.StatusFound).ServeHTTP
			w.Documents["/moved"] = document(w.Resource)
		}, []string{inserted, "mcp /moved"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, modern)
			row.bend(w)
			w.connect(t)
			asked := slices.DeleteFunc(w.Asked(), func(s string) bool { return strings.HasPrefix(s, "as ") })
			if !slices.Equal(asked, row.want) {
				t.Errorf("asked %q, want %q", asked, row.want)
			}
		})
	}
}

func TestC3_AuthorizationServerMetadataIsLookedForInOrder(t *testing.T) {
	const (
		rfc8414  = "/.well-known/oauth-authorization-server/tenant"
		oidc     = "/.well-known/openid-configuration/tenant"
		appended = "/tenant/.well-known/openid-configuration"
		rootRFC  = "/.well-known/oauth-authorization-server"
		rootOIDC = "/.well-known/openid-configuration"
	)
	for _, row := range []struct {
		name   string
		path   string // of the issuer
		absent []string
		want   []string
	}{
		{"C-3 RFC 8414 with the path inserted", "/tenant", nil, []string{rfc8414}},
		{"C-3 then OpenID Connect with the path inserted", "/tenant", []string{rfc8414}, []string{rfc8414, oidc}},
		{"C-3 then OpenID Connect with the path appended", "/tenant", []string{rfc8414, oidc}, []string{rfc8414, oidc, appended}},
		{"C-3 RFC 8414 without a path", "", nil, []string{rootRFC}},
		{"C-3 then OpenID Connect without a path", "", []string{rootRFC}, []string{rootRFC, rootOIDC}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, modern)
			w.Metadata.Issuer = w.AS.URL + row.path
			w.Resource.AuthorizationServers = []string{w.Metadata.Issuer, "https://never.example"}
			for _, path := range row.absent {
				w.ASPaths[path] = http.NotFound
			}
			w.connect(t)
			var asked []string
			for _, s := range w.Asked() {
				if path, ok := strings.CutPrefix(s, "as "); ok {
					asked = append(asked, path)
				}
			}
			if !slices.Equal(asked, row.want) {
				t.Errorf("asked %q, want %q", asked, row.want)
			}
		})
	}
}

func TestDiscoveryIsRefused(t *testing.T) {
	for _, row := range []struct {
		name string
		bend func(*world)
		leg  client.Leg
		want string // what the error says
	}{
		{"C-25 metadata that speaks for another server", func(w *world) { w.Resource.Resource = "https://other.example/mcp" },
			client.LegResource, "it speaks for https://other.example/mcp, not for"},
		{"C-25 metadata that speaks for a neighbour on the same origin", func(w *world) { w.Resource.Resource = w.MCP.URL + "/mc" },
			client.LegResource, "it speaks for"},
		{"C-25 metadata that speaks for a child", func(w *world) { w.Resource.Resource = w.URL + "/" },
			client.LegResource, "it speaks for"},
		{"C-25 metadata that speaks for another port", func(w *world) { w.Resource.Resource = "http://127.0.0.1:1/mcp" },
			client.LegResource, "it speaks for"},
		{"C-25 metadata that speaks for the whole host, from a place in a part of it", func(w *world) {
			w.Resource.Resource = w.MCP.URL
			w.Documents["/mcp/prm"] = document(w.Resource)
			w.Challenge = func() string { return `Bearer resource_metadata="` + w.MCP.URL + `/mcp/prm"` }
		}, client.LegResource, "from a place that anybody there may have"},
		{"C-25 the same, by a way around", func(w *world) {
			w.Resource.Resource = w.MCP.URL
			around := "/.well-known/oauth-protected-resource/../../mcp/prm"
			w.Documents[around] = document(w.Resource)
			w.Challenge = func() string { return `Bearer resource_metadata="` + w.MCP.URL + around + `"` }
		}, client.LegResource, "from a place that anybody there may have"},
		{"C-25 metadata that speaks for nobody", func(w *world) { w.Resource.Resource = "" },
			client.LegResource, "it speaks for"},
		{"RS-2 metadata that names no authorization server: the server's root is not taken for one", func(w *world) { w.Resource.AuthorizationServers = nil },
			client.LegResource, "it names no authorization server"},
		{"C-1 a header that names a place without metadata", func(w *world) {
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = http.NotFound
		}, client.LegResource, "HTTP 404"},
		{"a header that names a place in the clear", func(w *world) {
			w.Challenge = func() string { return `Bearer resource_metadata="http://other.example/prm"` }
		}, client.LegChallenge, "http://other.example/prm is not https"},
		{"a header that names a file", func(w *world) {
			w.Challenge = func() string { return `Bearer resource_metadata="file:///etc/passwd"` }
		}, client.LegChallenge, "is not an absolute URL"},
		{"metadata that is too large", func(w *world) {
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.Write([]byte(`{"resource":"` + strings.Repeat("x", 1<<20) + `"}`))
			}
		}, client.LegResource, "larger than 1048576 bytes"},
		{"metadata that is broken JSON", func(w *world) {
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.Write([]byte(`{"resource":`))
			}
		}, client.LegResource, "not the JSON it should be"},
		{"attack 22 metadata that redirects to another origin", func(w *world) {
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = http.RedirectHandler(w.AS.URL+"/prm", http.StatusFound).ServeHTTP
			w.ASPaths["/prm"] = document(w.Resource)
		}, client.LegResource, "redirects to another origin"},
		{"an authorization server in the clear", func(w *world) { w.Resource.AuthorizationServers = []string{"http://login.example"} },
			client.LegResource, "authorization server http://login.example is not https"},
		{"C-4 an issuer that is another", func(w *world) { w.Metadata.Issuer = "https://login.example" },
			client.LegAuthorization, "it speaks for the issuer https://login.example"},
		{"C-4 an issuer with a slash more", func(w *world) { w.Metadata.Issuer += "/" },
			client.LegAuthorization, "it speaks for the issuer"},
		{"C-4 a document without issuer", func(w *world) { w.Metadata.Issuer = "" },
			client.LegAuthorization, "it speaks for the issuer"},
		{"C-3 an authorization server without metadata", func(w *world) {
			for _, p := range []string{"/.well-known/oauth-authorization-server/tenant", "/.well-known/openid-configuration/tenant", "/tenant/.well-known/openid-configuration"} {
				w.ASPaths[p] = http.NotFound
			}
		}, client.LegAuthorization, "HTTP 404"},
		{"an authorization server that is down", func(w *world) {
			w.ASPaths["/.well-known/oauth-authorization-server/tenant"] = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }
		}, client.LegAuthorization, "HTTP 503"},
		{"attack 59 a token endpoint in the clear", func(w *world) { w.Metadata.TokenEndpoint = "http://login.example/token" },
			client.LegAuthorization, "token_endpoint http://login.example/token is not https"},
		{"an authorization server without token endpoint", func(w *world) { w.Metadata.TokenEndpoint = "" },
			client.LegAuthorization, "it names no token_endpoint"},
		{"a device endpoint that is a script", func(w *world) { w.Metadata.DeviceAuthorizationEndpoint = "javascript:alert(1)" },
			client.LegAuthorization, "device_authorization_endpoint"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, modern)
			row.bend(w)
			var signIns atomic.Int64
			_, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: w.SignIn(&signIns)})
			var broken *client.DiscoveryError
			if !errors.As(err, &broken) {
				t.Fatalf("error %v", err)
			}
			if broken.Leg != row.leg || !strings.Contains(err.Error(), row.want) {
				t.Errorf("leg %q, error %v; want leg %q, error with %q", broken.Leg, err, row.leg, row.want)
			}
			if signIns.Load() != 0 {
				t.Error("somebody was asked to sign in")
			}
		})
	}
}

// transport answers requests from a map of documents, so that a test can own public names.
type transport map[string]any

func (m transport) RoundTrip(r *http.Request) (*http.Response, error) {
	rw := httptest.NewRecorder()
	doc, ok := m[r.URL.String()]
	if !ok {
		rw.WriteHeader(http.StatusNotFound)
		return rw.Result(), nil
	}
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(doc)
	return rw.Result(), nil
}

func TestC25_WhichResourceSpeaksForAServer(t *testing.T) {
	for _, row := range []struct {
		name, server, resource string
		want                   bool
	}{
		{"C-25 the very same URL", "https://h.example/mcp", "https://h.example/mcp", true},
		{"C-25 the origin, for all that is on it", "https://h.example/mcp", "https://h.example", true},
		{"C-25 the origin with a slash", "https://h.example/mcp", "https://h.example/", true},
		{"C-25 a slash after the host means nothing", "https://h.example", "https://h.example/", true},
		{"C-25 a parent path", "https://h.example/a/mcp", "https://h.example/a", true},
		{"C-25 host and scheme in capitals, and the default port", "https://h.example/mcp", "HTTPS://H.example:443/mcp", true},
		{"C-25 the server with a slash more than its resource", "https://h.example/mcp/", "https://h.example/mcp", true},
		{"C-25 another case in the path", "https://h.example/mcp", "https://h.example/MCP", false},
		{"C-25 half a segment", "https://h.example/mcp-two", "https://h.example/mcp", false},
		{"C-25 a child", "https://h.example/mcp", "https://h.example/mcp/two", false},
		{"C-25 another host that begins alike", "https://h.example/mcp", "https://h.example.net/mcp", false},
		{"C-25 another scheme", "https://h.example/mcp", "http://h.example/mcp", false},
		{"C-25 with a user", "https://h.example/mcp", "https://x@h.example/mcp", false},
		{"C-25 with a fragment", "https://h.example/mcp", "https://h.example/mcp#a", false},
		{"C-25 with a query of its own", "https://h.example/mcp", "https://h.example/mcp?a=1", false},
		{"C-25 not a URL", "https://h.example/mcp", "h.example/mcp", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			docs := transport{
				"https://h.example/.well-known/oauth-protected-resource": oauth.ResourceMetadata{Resource: row.resource, AuthorizationServers: []string{"https://as.example"}},
				"https://as.example/.well-known/oauth-authorization-server": oauth.ServerMetadata{
					Issuer: "https://as.example", TokenEndpoint: "https://as.example/token"},
			}
			d, err := client.Discover(t.Context(), &http.Client{Transport: docs}, row.server,
				&oauth.Challenge{Scheme: "Bearer", ResourceMetadata: "https://h.example/.well-known/oauth-protected-resource"})
			if row.want {
				if err != nil || d.Resource.Resource != row.resource {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var broken *client.DiscoveryError
			if !errors.As(err, &broken) || broken.Leg != client.LegResource {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestC22_AServerElsewhereCannotSendUsToThisMachine(t *testing.T) {
	for _, at := range []string{"https://0.0.0.0/prm", "https://[::]/prm", "http://127.0.0.1:8080/prm", "https://localhost/prm", "http://[::1]/prm"} {
		_, err := client.Discover(t.Context(), &http.Client{Transport: transport{}}, "https://h.example/mcp",
			&oauth.Challenge{Scheme: "Bearer", ResourceMetadata: at})
		var broken *client.DiscoveryError
		if !errors.As(err, &broken) || broken.Leg != client.LegChallenge || !strings.Contains(err.Error(), "points to this machine") {
			t.Errorf("%s: error %v", at, err)
		}
	}
}
