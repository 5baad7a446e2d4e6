package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// world is a protected MCP server and an authorization server, each on an address of its own. Tests bend them by
// setting fields before the first request.
type world struct {
	MCP, AS *httptest.Server
	URL     string // of the MCP endpoint

	Challenge func() string               // the WWW-Authenticate of a 401; "" sends none
	Documents map[string]http.HandlerFunc // replaces what stands at a path of the MCP server
	ASPaths   map[string]http.HandlerFunc // replaces what stands at a path of the authorization server
	Issuer    string                      // of the authorization server
	Metadata  oauth.ServerMetadata        // at every well-known place of the issuer
	Resource  oauth.ResourceMetadata      // at every well-known place of the server
	Needs     map[string]string           // tool → scope, for a 403

	mu      sync.Mutex
	tokens  map[string]issued
	asked   []string // paths asked at both servers, in order, MCP calls left out
	headers []http.Header

	cancelled chan struct{} // closed when the running call of "wait" was cancelled
	started   chan struct{}
	next      atomic.Int64
}

type issued struct {
	resource string
	scopes   []string
}

func newWorld(t *testing.T, o mcp.StreamableHTTPOptions, versions ...string) *world {
	t.Helper()
	w := &world{
		Documents: map[string]http.HandlerFunc{}, ASPaths: map[string]http.HandlerFunc{}, Needs: map[string]string{},
		tokens: map[string]issued{}, cancelled: make(chan struct{}), started: make(chan struct{}),
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return w.server(versions) }, &o)
	w.MCP = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(rw, r, handler) }))
	t.Cleanup(w.MCP.Close)
	w.AS = httptest.NewServer(http.HandlerFunc(w.serveAS))
	t.Cleanup(w.AS.Close)
	w.URL, w.Issuer = w.MCP.URL+"/mcp", w.AS.URL+"/tenant"
	w.Resource = oauth.ResourceMetadata{
		Resource: w.URL, AuthorizationServers: []string{w.Issuer}, ScopesSupported: []string{"execute"},
	}
	w.Metadata = oauth.ServerMetadata{Issuer: w.Issuer, TokenEndpoint: w.AS.URL + "/token"}
	w.Challenge = func() string {
		return `Bearer resource_metadata="` + w.MCP.URL + `/.well-known/oauth-protected-resource/mcp", scope="execute"`
	}
	return w
}

// server is the MCP server behind the bearer check.
func (w *world) server(versions []string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ServerOptions{SupportedProtocolVersions: versions, PageSize: 2})
	type none struct{}
	mcp.AddTool(s, &mcp.Tool{Name: "echo"}, func(_ context.Context, r *mcp.CallToolRequest, in struct {
		Text string `json:"text"`
	}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "steps"}, func(ctx context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: float64(i + 1), Total: 3, Message: "step",
			})
			if err != nil {
				return nil, nil, err
			}
		}
		return &mcp.CallToolResult{}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		close(w.started)
		<-ctx.Done()
		close(w.cancelled)
		return nil, nil, ctx.Err()
	})
	s.AddResource(&mcp.Resource{Name: "now", URI: "time://current"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "time://current", Text: "noon"}}}, nil
	})
	return s
}

// serve is the bearer check by hand, and the metadata of the resource.
func (w *world) serve(rw http.ResponseWriter, r *http.Request, handler http.Handler) {
	if r.URL.Path != "/mcp" {
		w.note(r)
		if h := w.Documents[r.URL.Path]; h != nil {
			h(rw, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource") {
			writeJSON(rw, w.Resource)
			return
		}
		http.NotFound(rw, r)
		return
	}
	w.mu.Lock()
	w.headers = append(w.headers, r.Header.Clone())
	token, ok := w.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	w.mu.Unlock()
	if !ok || token.resource != w.Resource.Resource {
		if c := w.Challenge(); c != "" {
			if r.Header.Get("Authorization") != "" && !strings.Contains(c, "error=") {
				c += `, error="invalid_token", error_description="not one of ours"`
			}
			rw.Header().Set("WWW-Authenticate", c)
		}
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	if need := w.Needs[r.Header.Get("Mcp-Name")]; need != "" && !slices.Contains(token.scopes, need) {
		rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="execute `+need+`"`)
		rw.WriteHeader(http.StatusForbidden)
		return
	}
	handler.ServeHTTP(rw, r)
}

func (w *world) serveAS(rw http.ResponseWriter, r *http.Request) {
	w.note(r)
	switch h := w.ASPaths[r.URL.Path]; {
	case h != nil:
		h(rw, r)
	case strings.Contains(r.URL.Path, "/.well-known/"):
		writeJSON(rw, w.Metadata)
	default:
		http.NotFound(rw, r)
	}
}

func (w *world) note(r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	host := "mcp "
	if "http://"+r.Host == w.AS.URL {
		host = "as "
	}
	w.asked = append(w.asked, host+r.URL.Path)
}

// Asked returns the documents that were asked for so far.
func (w *world) Asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// Issue makes a token as the authorization server would.
func (w *world) Issue(resource string, scopes ...string) *oauth2.Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := "token-" + string(rune('a'+w.next.Add(1)))
	w.tokens[name] = issued{resource, scopes}
	return &oauth2.Token{AccessToken: name}
}

// Revoke makes the server refuse all tokens so far.
func (w *world) Revoke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.tokens)
}

// signInFunc is a way of signing in.
type signInFunc func(context.Context, *signin.Request) (oauth2.TokenSource, error)

func (f signInFunc) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	return f(ctx, r)
}

// SignIn issues a token for whatever the client found out, and counts.
func (w *world) SignIn(count *atomic.Int64) client.SignIn {
	return signInFunc(func(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
		count.Add(1)
		return oauth2.StaticTokenSource(w.Issue(r.Resource.Resource, r.Scopes()...)), nil
	})
}

func writeJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(v)
}

func document(v any) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { writeJSON(rw, v) }
}

var (
	modern = mcp.StreamableHTTPOptions{Stateless: true, PropagateRequestCancellation: true}
	legacy = mcp.StreamableHTTPOptions{}
)

// eras are servers of both protocol eras; a client begins with the newest and must find its way.
var eras = []struct {
	name     string
	options  mcp.StreamableHTTPOptions
	versions []string
	want     string
}{
	{"2026-07-28 stateless", modern, nil, "2026-07-28"},
	{"2025-11-25 with sessions", legacy, []string{"2025-11-25", "2025-06-18"}, "2025-11-25"},
	{"2025-03-26 with sessions", legacy, []string{"2025-03-26"}, "2025-03-26"},
}
