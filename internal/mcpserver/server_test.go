package mcpserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// fixture is a server on a real port. The bearer token is the name of a caller, which stands for the verification that
// is another room's.
type fixture struct {
	url     string
	box     *toolbox.Box
	handler *mcpserver.Handler
	server  *httptest.Server
}

// callers are the identities behind the tokens.
var callers = map[string]*identity.Identity{
	"ada":    {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "ada", Scopes: []string{"execute"}},
	"bob":    {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "bob", Scopes: []string{"execute"}},
	"reader": {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "reader", Scopes: []string{"time:read"}},
}

type guard struct{}

func (guard) InsufficientScope(w http.ResponseWriter, r *http.Request, scopes []string) {
	w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+strings.Join(scopes, " ")+`"`)
	w.WriteHeader(http.StatusForbidden)
}

// change alters the options of a fixture.
type change func(*toolbox.Options, *mcpserver.Options)

func serve(t *testing.T, changes ...change) *fixture {
	t.Helper()
	p, err := policy.New(policy.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	boxOptions := toolbox.Options{Policy: p}
	options := mcpserver.Options{Name: "test", Version: "1", Guard: guard{}}
	for _, tool := range tools.All(tools.Options{}) {
		boxOptions.Tools = append(boxOptions.Tools, toolbox.Tool(tool))
	}
	for _, resource := range tools.Resources(tools.Options{}) {
		boxOptions.Resources = append(boxOptions.Resources, toolbox.Resource(resource))
	}
	for _, c := range changes {
		c(&boxOptions, &options)
	}
	box, err := toolbox.New(boxOptions)
	if err != nil {
		t.Fatal(err)
	}
	options.Box = box
	h, err := mcpserver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(origins.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		id := callers[token]
		if signedIn && id == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if id != nil {
			r = r.WithContext(identity.NewContext(r.Context(), id))
		}
		h.ServeHTTP(w, r)
	})))
	f := &fixture{url: server.URL, box: box, handler: h, server: server}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		box.Drain(ctx)
		h.Close(context.Background())
		server.Close()
	})
	return f
}

// as returns an HTTP client that sends this caller's token.
func as(caller string) *http.Client {
	return &http.Client{Transport: withToken(caller)}
}

type withToken string

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

// connect signs a client of the official SDK in; version is "" for the newest.
func (f *fixture) connect(t *testing.T, caller, version string, o *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, o)
	var so *mcp.ClientSessionOptions
	if version != "" {
		so = &mcp.ClientSessionOptions{ProtocolVersion: version}
	}
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: f.url, HTTPClient: as(caller)}, so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// eras are the versions a client may speak: the newest, and each one before.
var eras = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"}

func TestTheOfficialClientListsAndCalls(t *testing.T) {
	f := serve(t, func(b *toolbox.Options, _ *mcpserver.Options) {
		b.Tools = nil
		for _, tool := range tools.All(tools.Options{ReverseDuration: 100 * time.Millisecond}) {
			b.Tools = append(b.Tools, toolbox.Tool(tool))
		}
	})
	for _, era := range eras {
		t.Run("in "+era, func(t *testing.T) {
			heard := make(chan *mcp.ProgressNotificationParams, 100)
			session := f.connect(t, "ada", era, &mcp.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) { heard <- req.Params },
			})
			listed, err := session.ListTools(t.Context(), nil)
			if err != nil || len(listed.Tools) != 4 {
				t.Fatalf("listed %v, %v", listed, err)
			}
			params := &mcp.CallToolParams{Name: "reverse_tool", Arguments: map[string]any{"query": "añb🇩🇪"}}
			params.SetProgressToken("p1")
			result, err := session.CallTool(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.StructuredContent.(map[string]any)["reversed_query"]; got != "🇩🇪bña" {
				t.Errorf("got %q", got)
			}
			for last := -1.0; last < 20; {
				p := <-heard
				if p.Progress <= last || p.Total != 20 || p.Message == "" || p.ProgressToken != "p1" {
					t.Fatalf("after %v came %+v", last, p)
				}
				last = p.Progress
			}
			read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "time://current"})
			if err != nil || !strings.Contains(read.Contents[0].Text, `"timezone":"UTC"`) {
				t.Errorf("read %v, %v", read, err)
			}
		})
	}
}
