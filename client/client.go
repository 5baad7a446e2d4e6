// Package client calls a protected MCP server, signing in when asked.
//
// It speaks both protocol eras through the official SDK and does the authorization itself, to the letter of the
// specification. It keeps no token beyond the session and opens no browser: how a person signs in is a [SignIn], such
// as the flows of package signin.
//
//	connect, list, read       one session with one server              client.go
//	call                      a tool with its progress                 call.go, progress.go
//	questions                 what a server asks in the middle         question.go
//	verbatim                  results as the server sent them          verbatim.go
//	authorize                 401 becomes a sign-in, then once more    authorize.go
//	sign in                   what a way of signing in is told         signin.go
//	discover                  RFC 9728, then RFC 8414 or OIDC          discover.go
//	fetch                     strangers' documents, bounded            fetch.go
//	refusals                  what callers branch on                   errors.go
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"
)

// Options says how to call a server. The zero value calls a server that asks nobody to sign in.
type Options struct {
	// HTTPClient lends its Transport (proxy, TLS) to every request; nil means http.DefaultTransport. Its Timeout,
	// CheckRedirect and Jar are not used: calls last as long as their context, and no token follows a redirect.
	HTTPClient *http.Client
	// SignIn is asked for tokens when the server answers 401; nil means that a 401 is an [UnauthorizedError].
	SignIn SignIn
	// Token gives the tokens to begin with; nil means none, until SignIn brings some. They must have been issued for
	// this server.
	Token oauth2.TokenSource
	// ClientName and ClientVersion name the program to the server; empty means "fastmcp-auth" and "dev".
	ClientName, ClientVersion string
	// ProtocolVersion is the MCP revision to begin with, such as "2025-11-25"; empty means the newest. The server may
	// lower it.
	ProtocolVersion string
	// OnProgress hears the progress of calls that bring no function of their own; nil means nobody does.
	OnProgress func(Progress)
	// Answer answers what the server asks in the middle of a call; nil means that there is nobody to ask.
	Answer Answerer
	// Logger hears what the protocol layer has to say; nil means silence.
	Logger *slog.Logger
}

// What a server may list, over all pages together.
const (
	maxItems = 10_000
	maxPages = 1_000
)

// Session is a conversation with one server. It is safe for concurrent use. Close it when done.
type Session struct {
	session    *mcp.ClientSession
	auth       *authorizer
	onProgress func(Progress)

	mu    sync.Mutex
	calls map[string]*running // by progress token
}

// Connect opens a session with the MCP server at the http or https URL server, signing in if the server asks for it
// and o.SignIn can. A token, given or obtained, goes only to exactly this URL, and over plain http only to this machine.
//
// The error is, or wraps, [*UnauthorizedError], [*ScopeError], [*DiscoveryError], [*RedirectError] or what SignIn
// returned when authorization is at fault.
func Connect(ctx context.Context, server string, o Options) (*Session, error) {
	a, err := newAuthorizer(server, o)
	if err != nil {
		return nil, err
	}
	s := &Session{auth: a, onProgress: o.OnProgress, calls: map[string]*running{}}
	a.hear = s.progressed
	options := &mcp.ClientOptions{Logger: o.Logger, Capabilities: &mcp.ClientCapabilities{}}
	questions(options, o.Answer)
	c := mcp.NewClient(&mcp.Implementation{
		Name:    orElse(o.ClientName, "fastmcp-auth"),
		Version: orElse(o.ClientVersion, "dev"),
	}, options)
	transport := &mcp.StreamableClientTransport{
		Endpoint:             a.server,
		HTTPClient:           &http.Client{Transport: a, CheckRedirect: refuseRedirect},
		DisableStandaloneSSE: true,
	}
	defer a.connected()
	s.session, err = c.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: o.ProtocolVersion})
	if err != nil {
		return nil, s.explain("connect to "+a.server, err)
	}
	return s, nil
}

// Server says who answered: the server's name, version, protocol revision and instructions, in its own words.
func (s *Session) Server() *mcp.InitializeResult { return s.session.InitializeResult() }

// TokenSource gives the tokens of the session, or nil while nobody is signed in.
func (s *Session) TokenSource() oauth2.TokenSource {
	source, _ := s.auth.current()
	return source
}

// Tools lists what the caller may call, from all pages.
func (s *Session) Tools(ctx context.Context) ([]*mcp.Tool, error) {
	tools, err := collect(func(cursor string) ([]*mcp.Tool, string, error) {
		page, err := s.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Tools, page.NextCursor, nil
	})
	return tools, s.explain("list tools", err)
}

// Resources lists what the caller may read, from all pages.
func (s *Session) Resources(ctx context.Context) ([]*mcp.Resource, error) {
	resources, err := collect(func(cursor string) ([]*mcp.Resource, string, error) {
		page, err := s.session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Resources, page.NextCursor, nil
	})
	return resources, s.explain("list resources", err)
}

// Read fetches the resource with the given URI.
func (s *Session) Read(ctx context.Context, uri string) (*mcp.ReadResourceResult, error) {
	result, err := s.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	return result, s.explain("read "+uri, err)
}

// Templates lists the kinds of resources whose URIs the caller may fill in, from all pages.
func (s *Session) Templates(ctx context.Context) ([]*mcp.ResourceTemplate, error) {
	templates, err := collect(func(cursor string) ([]*mcp.ResourceTemplate, string, error) {
		page, err := s.session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.ResourceTemplates, page.NextCursor, nil
	})
	return templates, s.explain("list resource templates", err)
}

// Prompts lists the prompts that the caller may use, from all pages.
func (s *Session) Prompts(ctx context.Context) ([]*mcp.Prompt, error) {
	prompts, err := collect(func(cursor string) ([]*mcp.Prompt, string, error) {
		page, err := s.session.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Prompts, page.NextCursor, nil
	})
	return prompts, s.explain("list prompts", err)
}

// Prompt fetches the prompt called name, filled in with arguments.
func (s *Session) Prompt(ctx context.Context, name string, arguments map[string]string) (*mcp.GetPromptResult, error) {
	result, err := s.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: arguments})
	return result, s.explain(fmt.Sprintf("get prompt %q", name), err)
}

// Close ends the session, at the server too where it keeps one. It waits for running calls; cancel their contexts
// first to be quick.
func (s *Session) Close() error { return s.session.Close() }

// explain shortens err to the refusal of ours that it carries, if any: the layers between say nothing a caller needs.
func (s *Session) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	var ours *refusal
	if errors.As(err, &ours) {
		return ours.err
	}
	if said := saidByServer(err); said != nil {
		return &ServerError{Doing: doing, Code: said.Code, Message: said.Message, Data: said.Data}
	}
	return fmt.Errorf("client: %s: %w", doing, err)
}

// saidByServer finds the error that the server answered with. The SDK says in the same type that it could not send.
func saidByServer(err error) *jsonrpc.Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *jsonrpc.Error:
		if e.Message == "rejected by transport" {
			return nil
		}
		return e
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if said := saidByServer(inner); said != nil {
				return said
			}
		}
		return nil
	}
	return saidByServer(errors.Unwrap(err))
}

// collect joins the pages of a list.
func collect[T any](page func(cursor string) ([]T, string, error)) ([]T, error) {
	var all []T
	for cursor, n := "", 0; ; n++ {
		items, next, err := page(cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(all) > maxItems || n > maxPages {
			return nil, fmt.Errorf("the server lists more than %d on %d pages", maxItems, maxPages)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
