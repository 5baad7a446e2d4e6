package devidp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Running is a provider that serves on a listener of its own.
type Running struct {
	*Server
	URL string // the base URL, such as "http://127.0.0.1:41234"

	done chan struct{}
	err  error
}

// Start listens on addr, such as "127.0.0.1:0", and serves until ctx ends. An empty Options.Issuer becomes the URL of
// the listener. It refuses an address that is not loopback unless Options.AllowRemote is set.
func Start(ctx context.Context, addr string, o Options) (*Running, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("devidp: listen address %q: %w", addr, err)
	}
	if host == "" {
		return nil, fmt.Errorf("devidp: listen address %q names no host; 127.0.0.1 is the safe one", addr)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("devidp: listen: %w", err)
	}
	at := l.Addr().(*net.TCPAddr)
	if !at.IP.IsLoopback() && !o.AllowRemote {
		l.Close()
		return nil, fmt.Errorf("devidp: %s is not a loopback address, and this provider is for development only (Options.AllowRemote)", addr)
	}
	if o.Issuer == "" {
		if at.IP.IsUnspecified() {
			host = "127.0.0.1"
		}
		o.Issuer = "http://" + net.JoinHostPort(host, fmt.Sprint(at.Port))
	}
	s, err := New(o)
	if err != nil {
		l.Close()
		return nil, err
	}
	r := &Running{Server: s, URL: s.base, done: make(chan struct{})}
	var handler http.Handler = s
	if o.Around != nil {
		handler = o.Around(s)
	}
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	s.log.WarnContext(ctx, "development only: identity provider started", "issuer", s.Issuer(),
		"character", s.opts.Character.String(), "listen", l.Addr().String(), "users", strings.Join(Users(), " "))
	go r.serve(ctx, srv, l)
	return r, nil
}

// Wait blocks until the provider has ended, and returns why if that was not its context's end.
func (r *Running) Wait() error {
	<-r.done
	return r.err
}

func (r *Running) serve(ctx context.Context, srv *http.Server, l net.Listener) {
	defer close(r.done)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case r.err = <-failed:
		return
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		r.err = err
	}
}
