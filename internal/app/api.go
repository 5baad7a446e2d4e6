package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/internal/rest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/web"
)

// newAPI builds the REST API. It is protected as the MCP endpoint is, by the same tokens.
func (s *Server) newAPI(o Options) error {
	options := rest.Options{
		Box:          s.box,
		Calls:        s.calls,
		Version:      o.Version,
		Public:       s.public,
		MaxBody:      s.settings.Limits.Body,
		WriteTimeout: s.settings.Limits.WriteTimeout,
		Streams:      s.streams,
		RequestID:    func(r *http.Request) string { return telemetry.RequestIDFrom(r.Context()) },
		Logger:       o.Logger,
	}
	if s.guard != nil {
		options.Protect = func(next http.Handler) http.Handler {
			if s.console == nil {
				return s.protect(next)
			}
			return s.console.Protect(s.recognized(s.limitCaller(next)), s.protect(next))
		}
		options.NeedsScope = s.guard.InsufficientScope
		options.SignIn = s.documentedSignIn
		if s.console != nil {
			options.Cookie = s.console.Cookie()
		}
	}
	var err error
	s.api, err = rest.New(options)
	return err
}

// documentedSignIn says how a page that documents the API signs in. A provider that cannot be asked is left out.
func (s *Server) documentedSignIn(ctx context.Context) rest.SignIn {
	in := rest.SignIn{Issuer: s.issuer, Scope: s.scopePrefix + s.settings.Scopes.Execute}
	if s.console == nil {
		return in
	}
	var err error
	if in.AuthorizationURL, in.TokenURL, err = s.console.Endpoints(ctx); err != nil {
		s.log.WarnContext(ctx, "the provider cannot be asked where to sign in", "cause", err)
	}
	return in
}

// webOptions let the documentation's page talk to the provider it signs in at, where there is one.
func (s *Server) webOptions() web.Options {
	if s.guard == nil {
		return web.Options{}
	}
	return web.Options{TokenURL: func(ctx context.Context) string { return s.documentedSignIn(ctx).TokenURL }}
}

// openREST takes the address of the API alone, where there is one.
func (s *Server) openREST(ctx context.Context) error {
	if s.settings.REST.Addr == "" {
		return nil
	}
	listener, err := net.Listen("tcp", s.settings.REST.Addr)
	if err != nil {
		return fmt.Errorf("rest.addr: %w", err)
	}
	mux := http.NewServeMux()
	s.api.Register(mux)
	handler, err := s.guarded(mux, listener)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.restListener, s.rest = listener, s.newHTTP(ctx, handler)
	return nil
}

// protect stands before everything that a signed-in caller may ask.
func (s *Server) protect(next http.Handler) http.Handler {
	return s.limitAddress(s.tracing.Verifying(s.guard.Protect(s.recognized(s.limitCaller(next)))))
}

// answerRefusal writes what the guard refuses as a problem document where the REST API was asked.
func (s *Server) answerRefusal(w http.ResponseWriter, r *http.Request, e *bearer.Error, scopes []string) bool {
	if !isAPI(r.URL.Path) {
		return false
	}
	s.api.Refused(w, r, e.Status, e.Code, e.Description, scopes)
	return true
}
