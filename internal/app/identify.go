package app

import (
	"context"
	"errors"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// Identify verifies an access token as a server with these settings would, and says whose it is.
func Identify(ctx context.Context, s *config.Settings, token string) (*identity.Identity, error) {
	guard, err := guardFor(s)
	if err != nil {
		return nil, err
	}
	return guard.Verify(ctx, token)
}

// guardFor is the guard of a server with these settings, which is not going to run.
func guardFor(s *config.Settings) (*bearer.Guard, error) {
	switch {
	case s.NoAuth:
		return nil, errors.New("a server without sign-in reads no token")
	case s.StartsDevProvider():
		return nil, ErrNoProvider
	}
	cfg := guardConfig(s, publicURL(s, address(s.Addr)))
	var err error
	if cfg.Providers, err = s.Providers(); err != nil {
		return nil, err
	}
	return bearer.New(cfg)
}

// address is where a server would listen, as a [net.Addr].
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
