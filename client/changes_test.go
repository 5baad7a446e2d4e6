package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestChangesAreHeard(t *testing.T) {
	for _, era := range eras[:2] {
		t.Run(era.name, func(t *testing.T) {
			subscribed := make(chan string, 1)
			server := mcp.NewServer(&mcp.Implementation{Name: "changing", Version: "1"}, &mcp.ServerOptions{
				SupportedProtocolVersions: era.versions,
				SubscribeHandler: func(_ context.Context, r *mcp.SubscribeRequest) error {
					subscribed <- r.Params.URI
					return nil
				},
				UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
			})
			read := func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "a://b", Text: "x"}}}, nil
			}
			server.AddResource(&mcp.Resource{Name: "b", URI: "a://b"}, read)
			server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "c", URITemplate: "a://{x}"}, read)
			server.AddPrompt(&mcp.Prompt{Name: "p"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return &mcp.GetPromptResult{Description: "a prompt"}, nil
			})
			o := era.options
			at := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &o))
			t.Cleanup(at.Close)
			lists, uris := make(chan client.List, 8), make(chan string, 8)
			s, err := client.Connect(t.Context(), at.URL, client.Options{
				OnChange: func(l client.List) { lists <- l },
				OnUpdate: func(uri string) { uris <- uri },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if prompt, err := s.Prompt(t.Context(), "p", nil); err != nil || prompt.Description != "a prompt" {
				t.Errorf("prompt %v, %v", prompt, err)
			}
			if templates, err := s.Templates(t.Context()); err != nil || len(templates) != 1 {
				t.Errorf("templates %v, %v", templates, err)
			}
			if err := s.Subscribe(t.Context(), "a://b"); err != nil {
				t.Fatal(err)
			}
			if got := within(t, subscribed); got != "a://b" {
				t.Errorf("subscribed to %s", got)
			}
			if err := server.ResourceUpdated(t.Context(), &mcp.ResourceUpdatedNotificationParams{URI: "a://b"}); err != nil {
				t.Fatal(err)
			}
			if got := within(t, uris); got != "a://b" {
				t.Errorf("updated %s", got)
			}
			server.AddPrompt(&mcp.Prompt{Name: "q"}, nil)
			if got := within(t, lists); got != client.ListPrompts {
				t.Errorf("changed %s", got)
			}
			if err := s.Unsubscribe(t.Context(), "a://b"); err != nil {
				t.Error(err)
			}
		})
	}
}

// within waits for what must come. Reaching the end is a failure, never a measurement.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("it never came")
		panic("unreachable")
	}
}

func TestArgumentsAreAnObjectWhateverKindOfNothingTheyAre(t *testing.T) {
	w := newWorld(t, modern)
	s := w.connect(t)
	var none map[string]any
	for _, args := range []any{nil, none, map[string]any{}} {
		if _, err := s.Call(t.Context(), "steps", args, nil); err != nil {
			t.Errorf("%#v: %v", args, err)
		}
	}
	for _, args := range []any{"text", 1, []string{"a"}, func() {}} {
		if _, err := s.Call(t.Context(), "steps", args, nil); err == nil {
			t.Errorf("%T is taken for arguments", args)
		}
	}
}

func TestAServerIsItsOwnIssuerOnlyWhenToldSo(t *testing.T) {
	absent := func(rw http.ResponseWriter, r *http.Request) { http.NotFound(rw, r) }
	begin := func(t *testing.T) *world {
		w := newWorld(t, legacy, "2025-03-26")
		w.Challenge = func() string { return "Bearer" }
		for _, place := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
			w.Documents[place] = absent
		}
		return w
	}
	t.Run("told", func(t *testing.T) {
		w := begin(t)
		var told *signin.Request
		s, err := client.Connect(t.Context(), w.URL, client.Options{AssumeIssuer: true, ProtocolVersion: "2025-03-26", SignIn: signInFunc(
			func(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
				told = r
				return oauth2.StaticTokenSource(w.Issue(w.Resource.Resource)), nil
			})})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if told.Authorization.Issuer != w.MCP.URL || told.Authorization.TokenEndpoint != w.MCP.URL+"/token" || told.Resource.Resource != "" {
			t.Errorf("told %+v", told)
		}
	})
	t.Run("told, and its metadata speaks for another", func(t *testing.T) {
		w := begin(t)
		w.Documents["/.well-known/oauth-authorization-server"] = document(oauth.ServerMetadata{Issuer: "https://evil.example", TokenEndpoint: "https://evil.example/token"})
		refusesToSignIn(t, w, true)
	})
	t.Run("told, but its resource metadata is wrong", func(t *testing.T) {
		w := begin(t)
		w.Documents["/.well-known/oauth-protected-resource/mcp"] = document(oauth.ResourceMetadata{Resource: "https://evil.example/mcp", AuthorizationServers: []string{"https://evil.example"}})
		refusesToSignIn(t, w, true)
	})
	t.Run("not told", func(t *testing.T) { refusesToSignIn(t, begin(t), false) })
}

func refusesToSignIn(t *testing.T, w *world, assume bool) {
	t.Helper()
	var n atomic.Int64
	_, err := client.Connect(t.Context(), w.URL, client.Options{AssumeIssuer: assume, SignIn: w.SignIn(&n)})
	var broken *client.DiscoveryError
	if !errors.As(err, &broken) || n.Load() != 0 {
		t.Errorf("%d sign-ins, error %v", n.Load(), err)
	}
}

func TestACallThatLacksMirroredArgumentsIsMadeAgainWithThem(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "mirror", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "near", InputSchema: map[string]any{"type": "object",
		"properties": map[string]any{"region": map[string]any{"type": "string", "x-mcp-header": "Region"}}}},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	var seen []string
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") == "tools/call" {
			seen = append(seen, r.Header.Get("Mcp-Param-Region"))
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(at.Close)
	s, err := client.Connect(t.Context(), at.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Call(t.Context(), "near", map[string]any{"region": "north"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, ","); got != ",north" {
		t.Errorf("sent %q", got)
	}
}
