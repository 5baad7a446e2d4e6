package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// provider finds the provider's endpoints when they are first needed, and keeps them.
type provider struct {
	Provider
	http *http.Client
	now  func() time.Time

	mu    sync.Mutex
	found *endpoints
	until time.Time
}

// endpoints are what a provider says of itself, and its keys.
type endpoints struct {
	*idp.Metadata
	keys oidc.KeySet
}

const endpointsAge = time.Hour

// endpoints asks the provider where things are. What is known serves on while it is down.
func (p *provider) endpoints(ctx context.Context) (*endpoints, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil && p.now().Before(p.until) {
		return p.found, nil
	}
	m, err := p.Issuer.Discover(ctx, p.http, p.ManyTenants)
	switch {
	case err != nil && p.found != nil:
		p.until = p.now().Add(time.Minute)
		return p.found, nil
	case err != nil:
		return nil, err
	case m.AuthorizationEndpoint == "" || m.TokenEndpoint == "" || m.JWKSURI == "":
		return nil, errors.New("the provider's metadata names no authorization, token or key endpoint")
	case !p.OmitsPKCEMetadata && !slices.Contains(m.CodeChallengeMethodsSupported, "S256"):
		return nil, errors.New("the provider's metadata does not promise PKCE with S256") // C-13
	}
	for _, place := range []string{m.AuthorizationEndpoint, m.TokenEndpoint, m.EndSessionEndpoint, m.RevocationEndpoint} {
		if place == "" {
			continue
		}
		if _, err := idp.CheckURL(place); err != nil {
			return nil, fmt.Errorf("the provider's metadata: %w", err)
		}
	}
	keys := oidc.ClientContext(context.WithoutCancel(ctx), p.http)
	p.found, p.until = &endpoints{Metadata: m, keys: oidc.NewRemoteKeySet(keys, m.JWKSURI)}, p.now().Add(endpointsAge)
	return p.found, nil
}

// Endpoints are where a client of the provider goes to sign in, for a page that documents it.
func (h *Handler) Endpoints(ctx context.Context) (authorization, token string, err error) {
	at, err := h.origin.endpoints(ctx)
	if err != nil {
		return "", "", err
	}
	return at.AuthorizationEndpoint, at.TokenEndpoint, nil
}
