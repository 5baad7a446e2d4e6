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
	switch {
	case s.NoAuth:
		return nil, errors.New("a server without sign-in reads no token")
	case s.StartsDevProvider():
		return nil, errors.New("no provider is configured that could stand for a token: set provider.kind, and what it needs")
	}
	cfg := guardConfig(s, publicURL(s, address(s.Addr)))
	var err error
	if cfg.Providers, err = s.Providers(); err != nil {
		return nil, err
	}
	guard, err := bearer.New(cfg)
	if err != nil {
		return nil, err
	}
	return guard.Verify(ctx, token)
}

// address is where a server would listen, as a [net.Addr].
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
