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

	mu     sync.Mutex
	found  *endpoints
	failed error // the last time, where nothing is known
	until  time.Time
}

// endpoints are what a provider says of itself, and its keys.
type endpoints struct {
	*idp.Metadata
	keys oidc.KeySet
}

const (
	endpointsAge = time.Hour
	notAgain     = 5 * time.Second // after a provider that could not be asked: strangers cause these questions
)

// endpoints asks the provider where things are. What is known serves on while it is down.
func (p *provider) endpoints(ctx context.Context) (*endpoints, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now().Before(p.until) {
		return p.found, p.failed
	}
	found, err := p.ask(ctx)
	switch {
	case err == nil:
		p.found, p.failed, p.until = found, nil, p.now().Add(endpointsAge)
	case p.found != nil:
		p.until = p.now().Add(time.Minute)
	case ctx.Err() == nil:
		p.failed, p.until = err, p.now().Add(notAgain)
	default:
		return nil, err
	}
	return p.found, p.failed
}

// ask reads the provider's metadata, and refuses what cannot be used.
func (p *provider) ask(ctx context.Context) (*endpoints, error) {
	m, err := p.Issuer.Discover(ctx, p.http, p.ManyTenants)
	switch {
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
	spaced := *p.http
	spaced.Transport = &keyFetches{to: p.http.Transport, now: p.now}
	keys := oidc.ClientContext(context.WithoutCancel(ctx), &spaced)
	return &endpoints{Metadata: m, keys: oidc.NewRemoteKeySet(keys, m.JWKSURI)}, nil
}

// Endpoints are where a client of the provider goes to sign in, for a page that documents it.
func (h *Handler) Endpoints(ctx context.Context) (authorization, token string, err error) {
	at, err := h.origin.endpoints(ctx)
	if err != nil {
		return "", "", err
	}
	return at.AuthorizationEndpoint, at.TokenEndpoint, nil
}

// keyFetches keeps fetches of keys apart: a stranger's token with an unknown key id causes one (attack 23).
type keyFetches struct {
	to  http.RoundTripper // nil means http.DefaultTransport
	now func() time.Time

	mu   sync.Mutex
	next time.Time
}

// keyInterval is the least time between two fetches of keys.
const keyInterval = 10 * time.Second

func (k *keyFetches) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	now := k.now()
	early := now.Before(k.next)
	if !early {
		k.next = now.Add(keyInterval)
	}
	k.mu.Unlock()
	if early {
		return nil, errors.New("the keys were fetched a moment ago")
	}
	if k.to == nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	return k.to.RoundTrip(r)
}
