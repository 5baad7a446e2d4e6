// Package app is the server put together: it opens the door, and holds no rule of its own.
//
// Read [Server.Run] and you know the house. A request walks: request id → record of refusals → Host and Origin → limit
// of the address → bearer → limit of the caller → mcpserver → toolbox → policy → record → the tool → record.
//
//	Listen   bind, build every room, refuse what cannot work   app.go
//	tokens   the guard, and the development provider           signin.go
//	policy   who may call what, read again when it changes     policy.go
//	explain  what these settings say of a token                explain.go identify.go
//	tools    the toolbox, and what is in it                    tools.go
//	audit    what is recorded, where, of which request         audit.go
//	limits   how many requests one caller or address may send  limits.go
//	admin    metrics and profiles, on an address of their own  admin.go
//	observe  who counts what                                observe.go
//	routes   what stands at which path                         routes.go
//	proxies  whose address the caller's is                     proxy.go
//	store    what sessions and long calls are kept in          store.go
//	api      the REST API                                      api.go
//	console  the web console's sign-in                         console.go
//	ready    what a started server says of itself              ready.go
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/console"
	"github.com/fastmcp-auth/fastmcp-auth/internal/limits"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/rest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/web"
)

// Options are what a Server is given besides its settings. The zero value works.
type Options struct {
	Version string           // of the program, told to MCP clients
	Logger  *slog.Logger     // nil means silence
	Now     func() time.Time // nil means time.Now
	Stdout  io.Writer        // for audit.stdout; nil means that there is none

	around func(http.Handler) http.Handler // of the development provider, for tests; nil means nothing
}

// Server is the protected server. It holds its address from [Listen] on, and answers while Run runs.
type Server struct {
	settings  *config.Settings
	options   Options
	log       *slog.Logger
	listener  net.Listener
	http      *http.Server
	guard     *bearer.Guard   // nil without sign-in
	provider  *devidp.Running // nil with a provider of one's own
	record    *recorder
	callers   *limits.Rate   // by identity; nil: no limit
	addresses *limits.Rate   // by where a request comes from, of those that fail to sign in; nil: no limit
	signIns   *limits.Rate   // by where a request comes from, of those that begin a sign-in to the console
	streams   *limits.Shares // of events
	policy    *policy.Policy // at the start; the box has the one in use
	shadow    *policy.Policy // nil: none is tried out
	box       *toolbox.Box
	mcp       *mcpserver.Handler
	store     store.Store // sealed where it outlives the process
	stateKey  []byte      // what calls remember between their rounds is sealed with; nil: a key of the process's own
	calls     *calls.Runner
	api       *rest.Handler
	rest      *http.Server // answers the API alone; nil: nothing does

	restListener net.Listener

	pages    *web.Console
	console  *console.Handler // nil: the web console signs nobody in
	origin   idp.Provider     // where people sign in; zero without sign-in
	draining atomic.Bool
	admin    *admin             // nil: operators are not answered
	metrics  *telemetry.Metrics // nil: nothing is counted
	tracing  *telemetry.Tracing // nil: nothing is traced
	signedIn telemetry.Count    // tokens that were accepted

	policyFiles []*policyFile

	issuer      string // where people sign in
	scopePrefix string // before each scope when a client asks for it
	public      string // base URL that clients see, without a slash at the end
}

// CutOffError says that calls had to be cancelled for the server to end.
type CutOffError struct{ Calls []string }

// Error names the calls.
func (e *CutOffError) Error() string {
	return "cancelled at shutdown: " + strings.Join(e.Calls, ", ")
}

// SetupError is why a server does not start where a person can mend that.
type SetupError struct {
	Err  error
	Mend string // what to do, for a hint
}

// Error says what is wrong.
func (e *SetupError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SetupError) Unwrap() error { return e.Err }

// Listen takes the addresses of s and builds the server behind them; the development provider, where s asks for it,
// answers at once, everything else with [Server.Run]. ctx ends the development provider. After an error nothing is
// left open.
func Listen(ctx context.Context, s *config.Settings, o Options) (_ *Server, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	srv := &Server{settings: s, options: o, log: o.Logger}
	srv.listener, err = net.Listen("tcp", s.Addr)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen on %s: %w", s.Addr, err)
	}
	defer func() {
		if err != nil {
			cancel()
			srv.Close()
		}
	}()
	srv.public = publicURL(s, srv.listener.Addr())
	if err := srv.openAdmin(o); err != nil {
		return nil, err
	}
	if err := srv.openTracing(ctx, o); err != nil {
		return nil, err
	}
	if err := srv.openPolicies(); err != nil {
		return nil, err
	}
	if err := srv.signIn(ctx, o); err != nil {
		return nil, err
	}
	srv.newLimits(&s.Limits, o)
	if err := srv.openTrail(o); err != nil {
		return nil, err
	}
	if srv.box, err = newBox(s, srv.policy, o, srv.record); err != nil {
		return nil, err
	}
	srv.box.SetShadow(srv.shadow)
	if err := srv.openStore(ctx, o); err != nil {
		return nil, err
	}
	if srv.calls, err = calls.New(calls.Options{Box: srv.box, Store: srv.store, Now: o.Now, Logger: o.Logger}); err != nil {
		return nil, err
	}
	handler, err := srv.routes(o)
	if err != nil {
		return nil, err
	}
	srv.observe()
	srv.http = srv.newHTTP(ctx, handler)
	if err := srv.openREST(ctx); err != nil {
		return nil, err
	}
	return srv, nil
}

// newHTTP is a server of handler within the limits.
func (s *Server) newHTTP(ctx context.Context, handler http.Handler) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.settings.Limits.ReadTimeout,
		ReadTimeout:       s.settings.Limits.ReadTimeout,
		IdleTimeout:       s.settings.Limits.IdleTimeout,
		MaxHeaderBytes:    int(s.settings.Limits.Header),
		// OPTIONS * is nobody's here, and net/http would answer it before the Host is looked at.
		DisableGeneralOptionsHandler: true,

		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	if s.guard != nil {
		server.ConnContext = bearer.ConnContext
	}
	return server
}

// Run answers requests until ctx ends. Then it accepts no further request, lets running calls finish for the shutdown
// grace, cancels the rest, and returns: nil, or a [*CutOffError] that names what it had to cancel.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(s.http, s.listener) })
	if s.rest != nil {
		group.Go(func() error { return s.serve(s.rest, s.restListener) })
	}
	group.Go(func() error { return settle(ctx) })
	if s.guard != nil {
		group.Go(func() error { return s.guard.Run(ctx) })
	}
	if s.admin != nil {
		group.Go(func() error { return s.admin.run(ctx) })
	}
	if len(s.policyFiles) > 0 {
		group.Go(func() error { return s.watchPolicies(ctx) })
	}
	living, bury := context.WithCancel(context.WithoutCancel(ctx)) // until every call has its end
	calling := make(chan error, 1)
	go func() { calling <- s.calls.Run(living) }()
	group.Go(func() error {
		<-ctx.Done()
		defer bury()
		return s.shutdown()
	})
	defer func() {
		bury()
		<-calling
		s.store.Close()
	}()
	defer s.record.Close()
	return group.Wait()
}

// ballastSize is memory that is never touched, so that it costs none. The collector starts when what is held has
// doubled, and the little that a server of plain calls holds would double all the time: a fifth of its work.
const ballastSize = 16 << 20

// settle gives back what it took to build the rooms, and then holds the ballast until ctx ends. Nobody waits for it. A
// builder's memory is not cleared, as a slice's is where something stood before: clearing it would be touching it.
func settle(ctx context.Context) error {
	debug.FreeOSMemory()
	var ballast strings.Builder
	ballast.Grow(ballastSize)
	<-ctx.Done()
	runtime.KeepAlive(&ballast)
	return nil
}

func (s *Server) serve(server *http.Server, listener net.Listener) (err error) {
	if s.settings.TLS.Cert != "" {
		err = server.ServeTLS(listener, s.settings.TLS.Cert, s.settings.TLS.Key)
	} else {
		err = server.Serve(listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Close gives back what a server holds that is not going to run.
func (s *Server) Close() error {
	if s.record != nil {
		s.record.Close()
	}
	if s.admin != nil {
		s.admin.listener.Close()
	}
	s.tracing.Close(context.Background())
	if s.restListener != nil {
		s.restListener.Close()
	}
	return s.listener.Close()
}

// shutdown ends what runs: first the calls, so that each gets its answer, then the sessions, then the connections. New
// calls are refused with a sentence meanwhile, so that a balancer has time to notice.
func (s *Server) shutdown() error {
	s.draining.Store(true)
	grace, cancel := context.WithTimeout(context.Background(), s.settings.Limits.ShutdownGrace)
	defer cancel()
	finished, cancelled := s.box.Drain(grace)
	s.log.Info("shut down", "finished", names(finished), "cancelled", names(cancelled))

	flush, cancelFlush := context.WithTimeout(context.Background(), flushTime)
	defer cancelFlush()
	s.mcp.Close(flush)
	s.calls.Close(flush)
	for _, server := range []*http.Server{s.rest, s.http} {
		if server == nil {
			continue
		}
		if err := server.Shutdown(flush); err != nil {
			server.Close()
		}
	}
	if err := s.tracing.Close(flush); err != nil {
		s.log.Warn("traces could not be exported", "cause", err)
	}
	if len(cancelled) > 0 {
		return &CutOffError{Calls: names(cancelled)}
	}
	return nil
}

// flushTime is how long the last answers may take to leave.
const flushTime = 2 * time.Second

func names(calls []toolbox.Running) []string {
	list := []string{}
	for _, c := range calls {
		list = append(list, c.Tool+" ("+c.ID+")")
	}
	return list
}

// publicURL is the base URL that clients see: the one that was set, or the address listened on.
func publicURL(s *config.Settings, addr net.Addr) string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	scheme := "http"
	if s.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String()
}
