// Package client calls a protected MCP server, signing in when asked.
//
// It speaks both protocol eras through the official SDK and does the authorization itself, to the letter of the
// specification. It keeps no token beyond the session and opens no browser: how a person signs in is a [SignIn], such
// as the flows of package signin.
//
//	connect                   one session, and who answers its server  client.go, options.go
//	list, read, subscribe     what the server offers                   offers.go
//	call                      a tool with its progress                 call.go, progress.go
//	questions                 what a server asks in the middle         question.go
//	verbatim                  results as the server sent them          verbatim.go
//	authorize                 a refusal becomes a sign-in or a step-up authorize.go, demand.go
//	sign in                   what a way of signing in is told         signin.go
//	discover                  RFC 9728, then RFC 8414 or OIDC          discover.go
//	fetch                     strangers' documents, bounded            fetch.go
//	answers                   bounded, in size and in time             answer.go
//	refusals                  what callers branch on                   errors.go
//	requests by hand          the same authorization for other clients transport.go
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"
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
// returned when authorization is at fault, and [*AnswerError] where no MCP server answers.
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
	}, o.protocol())
	o.tell(c)
	c.AddSendingMiddleware(uncached)
	transport := &mcp.StreamableClientTransport{
		Endpoint:             a.server,
		HTTPClient:           &http.Client{Transport: a, CheckRedirect: refuseRedirect},
		DisableStandaloneSSE: !o.listens(),
		MaxEventSize:         maxResponse,
	}
	defer a.connected()
	s.session, err = c.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: o.ProtocolVersion})
	if err != nil {
		return nil, s.explain("connect to "+a.server, err)
	}
	return s, nil
}

// NewTransport returns what a session sends its requests through, for programs that speak the protocol themselves: it
// adds the token, signs in when the server at the URL server asks for it and o.SignIn can, and sends the request once
// more. Its errors are those of [Connect], inside the *url.Error of net/http. It is safe for concurrent use.
//
// It uses HTTPClient, SignIn and Token of o.
func NewTransport(server string, o Options) (http.RoundTripper, error) {
	a, err := newAuthorizer(server, o)
	if err != nil {
		return nil, err
	}
	a.connected()
	a.hear = func(report) {}
	return a, nil
}

// Server says who answered: the server's name, version, protocol revision and instructions, in its own words.
func (s *Session) Server() *mcp.InitializeResult { return s.session.InitializeResult() }

// TokenSource gives the tokens of the session, or nil while nobody is signed in.
func (s *Session) TokenSource() oauth2.TokenSource {
	source, _ := s.auth.current()
	return source
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
	said := saidByServer(err)
	if odd := s.auth.oddity(); odd != nil && (said == nil || odd.MediaType != jsonType) {
		return odd
	}
	if said != nil {
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

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
