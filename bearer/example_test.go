package bearer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// A server of the official SDK, protected: its sessions are bound to the person who opened them.
func Example() {
	server := mcp.NewServer(&mcp.Implementation{Name: "tools", Version: "1"}, nil)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	mux := http.NewServeMux()

	guard, err := bearer.New(bearer.Config{
		Resource:  "https://mcp.example.com/mcp",
		Providers: []idp.Provider{idp.Keycloak("https://sso.example.com", "main")},
		Scopes:    []string{"execute"},
	})
	if err != nil {
		panic(err)
	}
	guard.Publish(mux)
	mux.Handle("/mcp", guard.Protect(handler))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/mcp", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// 401 Bearer scope="execute", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
}

// A handler of net/http reads the caller from the context. Entra writes the API's client id into its tokens, so that
// the audience is set apart from the resource.
func ExampleGuard_Require() {
	guard, err := bearer.New(bearer.Config{
		Resource:    "https://api.example.com",
		Providers:   []idp.Provider{idp.Entra("11111111-2222-3333-4444-555555555555")},
		Audience:    []string{"aaaaaaaa-0000-0000-0000-00000000000a"},
		Scopes:      []string{"execute"},
		ScopePrefix: "api://aaaaaaaa-0000-0000-0000-00000000000a/",
	})
	if err != nil {
		panic(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", identity.FromContext(r.Context()).Name)
	})
	mux := http.NewServeMux()
	guard.Publish(mux)
	mux.Handle("/hello", guard.Require(hello, "execute"))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
	fmt.Println(w.Body)
	// Output:
	// {"resource":"https://api.example.com","authorization_servers":["https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"],"scopes_supported":["api://aaaaaaaa-0000-0000-0000-00000000000a/execute"],"bearer_methods_supported":["header"]}
}

// The faults of a configuration come all at once, each with the name of its field.
func ExampleNew() {
	_, err := bearer.New(bearer.Config{
		Resource:  "http://mcp.example.com/mcp",
		Providers: []idp.Provider{idp.Entra("11111111-2222-3333-4444-555555555555")},
	})
	fmt.Println(err)
	// Output:
	// bearer: Config.Resource: idp: not an https URL, nor http on loopback: "http://mcp.example.com/mcp"
	// bearer: Config.Audience: provider entra does not write the resource's URL into its tokens: set the audience it does write (for Entra the API's client id)
}
