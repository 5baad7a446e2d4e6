package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// admin answers operators, on an address of its own: nobody signs in there, and nothing of it is reachable where clients
// are answered.
//
//	/metrics        what was done, in numbers
//	/debug/pprof/   what the process is doing, for callers on this machine alone
//
// Whoever has the profiles of a process knows much of what it works on, so an address that is exposed for its metrics
// still keeps them.
type admin struct {
	listener net.Listener
	http     *http.Server
}

// openAdmin takes the address for operators, where there is one.
func (s *Server) openAdmin(o Options) error {
	a := &s.settings.Admin
	if a.Addr == "" {
		return nil
	}
	listener, err := net.Listen("tcp", a.Addr)
	if err != nil {
		return fmt.Errorf("admin.addr: %w", err)
	}
	s.metrics = telemetry.NewMetrics(cmp.Or(o.Version, "devel"))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET /debug/pprof/", here(pprof.Index))
	mux.Handle("GET /debug/pprof/cmdline", here(pprof.Cmdline))
	mux.Handle("GET /debug/pprof/profile", here(pprof.Profile))
	mux.Handle("GET /debug/pprof/symbol", here(pprof.Symbol))
	mux.Handle("POST /debug/pprof/symbol", here(pprof.Symbol)) // as go tool pprof sends it
	mux.Handle("GET /debug/pprof/trace", here(pprof.Trace))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "/metrics\n/debug/pprof/\n")
	})
	s.admin = &admin{listener: listener, http: &http.Server{
		Handler:           telemetry.Middleware(s.log, nil, ownHosts(a, s.log, mux)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Minute, // a profile takes as long as it is asked to
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}}
	return nil
}

// run answers until ctx ends. A profile that is being taken then is cut off.
func (a *admin) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { a.http.Close() })()
	if err := a.http.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve operators: %w", err)
	}
	return nil
}

// here lets callers on this machine alone through.
func here(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() {
			reply(w, http.StatusForbidden, map[string]any{"error": "forbidden", "error_description": "profiles are for callers on this machine"})
			return
		}
		next(w, r)
	})
}

// ownHosts refuses what a page in somebody's browser sends, and requests by a name that is not this server's: a name
// that was rebound to this machine would let the page read the answers (attack 48). An IP address cannot be rebound, so
// where others may come, they may come by it.
func ownHosts(a *config.Admin, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := foreign(a, r); why != "" {
			log.WarnContext(r.Context(), "request refused", "at", "admin.addr", "reason", why)
			reply(w, http.StatusForbidden, map[string]any{"error": "forbidden", "error_description": why})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// foreign says why a request is refused, or nothing.
func foreign(a *config.Admin, r *http.Request) string {
	const unknownHost = "this host is not served here; admin.allowed_hosts allows it, if it is this server's"
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = strings.Trim(r.Host, "[]"), ""
	}
	ip, err := netip.ParseAddr(host)
	switch own := localPort(r); {
	case containsFold(a.AllowedHosts, r.Host), containsFold(a.AllowedHosts, host):
	case err == nil && (ip.IsLoopback() || a.Expose):
	case strings.EqualFold(host, "localhost") && (port == own || a.Expose):
	default:
		return unknownHost
	}
	switch {
	case len(r.Header.Values("Origin")) > 0:
		return "pages may not call this address"
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
		return "another site's page may not call this address"
	}
	return ""
}

func containsFold(list []string, host string) bool {
	return slices.ContainsFunc(list, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}

// localPort is the port that a request came in on.
func localPort(r *http.Request) string {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if addr == nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return port
}
