package app

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/internal/console"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/web"
)

const mcpPath = "/mcp"

const instructions = "Tools of this server: reverse a text, draw a random number, tell and convert times. " +
	"A call that lacks a scope is answered with the scopes to ask for."

// routes says what stands where. Each route is guarded by itself, so no spelling of a path leads around a guard.
func (s *Server) routes(o Options) (http.Handler, error) {
	options := mcpserver.Options{
		Box:            s.box,
		Name:           "fastmcp-auth",
		Version:        cmp.Or(o.Version, "devel"),
		Instructions:   instructions,
		MaxBody:        s.settings.Limits.Body,
		SessionTimeout: s.settings.Limits.SessionIdle,
		MaxSessions:    int(s.settings.Limits.Sessions),
		WriteTimeout:   s.settings.Limits.WriteTimeout,
		StateKey:       s.stateKey,
		OnRefuse:       s.turnedAway,
		Follow:         s.follow,
		OnLimit:        func(limit string) { s.metrics.Limit(limit).Inc() },
		Logger:         o.Logger,
	}
	if s.guard != nil {
		options.Guard = s.guard
	}
	var err error
	if s.mcp, err = mcpserver.New(options); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	var protected http.Handler = s.recognized(s.limitCaller(s.mcp))
	if s.guard != nil {
		protected = s.protect(s.mcp)
		s.guard.Publish(mux)
		if err := s.newConsole(o, s.origin); err != nil {
			return nil, err
		}
	}
	if err := s.newAPI(o); err != nil {
		return nil, err
	}
	s.api.Register(mux)
	switch {
	case s.guard == nil:
		mux.HandleFunc("GET /console/session", console.Open(s.public+mcpPath))
	case s.console == nil:
		mux.HandleFunc("GET /console/session", console.Unset(s.public, s.public+mcpPath))
	default:
		s.console.Register(mux)
	}
	mux.Handle(mcpPath, protected)
	mux.Handle(mcpPath+"/{$}", protected)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if s.pages, err = web.New(s.webOptions()); err != nil {
		return nil, err
	}
	s.pages.Register(mux)
	mux.HandleFunc("GET /{$}", s.front)
	return s.guarded(straight(protected, mux), s.listener)
}

// straight takes what is for the MCP endpoint, which is nearly all, past the looking up of its route.
func straight(endpoint, routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == mcpPath && r.URL.RawPath == "" {
			endpoint.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// guarded is mux behind what stands before every route, for requests that come in at listener.
func (s *Server) guarded(mux http.Handler, listener net.Listener) (http.Handler, error) {
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{
		Port:    listener.Addr().(*net.TCPAddr).Port,
		Hosts:   s.hosts(),
		Origins: s.origins(),
		Answer: func(w http.ResponseWriter, r *http.Request, why string) bool {
			if !isAPI(r.URL.Path) {
				return false
			}
			s.api.Refused(w, r, http.StatusForbidden, "foreign_origin", why, nil)
			return true
		},
		Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	handler := telemetry.Middleware(s.log, s.address, s.tracing.Requests(s.recorded(origins.Protect(mux))))
	return s.metrics.Requests(routeOf, handler), nil
}

// isAPI reports whether the REST API stands at path.
func isAPI(path string) bool { return strings.HasPrefix(path, "/api/") || path == "/reverse" }

// isConsole reports whether the console's sign-in stands at path.
func isConsole(path string) bool {
	return strings.HasPrefix(path, "/console/") || strings.HasPrefix(path, "/auth/") || path == console.SignedOutPath
}

// address says where a request comes from.
func (s *Server) address(r *http.Request) string { return clientAddress(r, s.settings.TrustedProxies) }

// hosts are the names that requests may be addressed to, besides loopback's.
func (s *Server) hosts() []string {
	hosts := s.settings.AllowedHosts
	if u, err := url.Parse(s.public); err == nil && s.settings.PublicURL != "" {
		hosts = append(hosts[:len(hosts):len(hosts)], u.Host)
	}
	return hosts
}

// origins are those whose pages may call, besides https at the hosts.
func (s *Server) origins() []string {
	origins := s.settings.AllowedOrigins
	if strings.HasPrefix(s.settings.PublicURL, "http://") { // on loopback, behind something that has another port
		origins = append(origins[:len(origins):len(origins)], s.settings.PublicURL)
	}
	return origins
}

// healthz answers as long as the process does.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"status": "ok"})
}

// readyz answers 200 when a request with a good token would be served: the keys are at hand or can be had, and the
// server is not going down.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		reply(w, http.StatusServiceUnavailable, map[string]any{"status": "shutting down"})
		return
	}
	if s.guard != nil {
		if err := s.guard.Ready(r.Context()); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "cause", err)
			reply(w, http.StatusServiceUnavailable, map[string]any{"status": "no keys of the identity provider"})
			return
		}
	}
	reply(w, http.StatusOK, map[string]any{"status": "ready"})
}

// front is the console for a browser, and tells everybody else where things are.
func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	if web.Wanted(r) {
		s.pages.Page(w, r)
		return
	}
	a := s.Addresses()
	a.PID, a.Addr, a.Admin = 0, "", "" // the process's own affair
	reply(w, http.StatusOK, a)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
