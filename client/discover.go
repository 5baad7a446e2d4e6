package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Leg names a step on the way from a 401 to the place where one signs in.
type Leg string

// The legs, in the order in which they are walked.
const (
	LegChallenge     Leg = "challenge"                     // what the server says in its 401
	LegResource      Leg = "protected resource metadata"   // RFC 9728: what the server says of itself
	LegAuthorization Leg = "authorization server metadata" // RFC 8414 or OpenID Connect Discovery
)

// DiscoveryError says which leg broke, at which URL, and why.
type DiscoveryError struct {
	Leg Leg
	URL string // the document that was asked for, or the URL that was named
	Err error
}

// Error joins leg, URL and cause.
func (e *DiscoveryError) Error() string {
	return fmt.Sprintf("client: %s at %s: %v", e.Leg, e.URL, e.Err)
}

// Unwrap returns the cause.
func (e *DiscoveryError) Unwrap() error { return e.Err }

// Discovery is all that a client knows before it signs in. Each part was checked.
type Discovery struct {
	Server    string           // the URL that was called
	Challenge *oauth.Challenge // what the server asked for; nil when it sent no bearer challenge

	ResourceURL string // where Resource was found
	Resource    oauth.ResourceMetadata

	AuthorizationURL string // where Authorization was found
	Authorization    oauth.ServerMetadata
}

// Discover finds out where tokens for server come from: the protected resource metadata, at the URL that challenge
// names or else at the well-known places (RFC 9728, sections 3.1 and 5), and then the metadata of its first
// authorization server (RFC 8414 or OpenID Connect Discovery). challenge may be nil. hc lends its Transport; nil means
// http.DefaultTransport.
//
// Nothing is guessed: a document that does not speak for exactly what was asked is an error, and there is no fallback
// to an authorization server that nobody named. The error is a [*DiscoveryError]; what was found until then is returned
// beside it, for who wants to say how far it came.
func Discover(ctx context.Context, hc *http.Client, server string, challenge *oauth.Challenge) (*Discovery, error) {
	return discover(ctx, hc, server, challenge, false)
}

// discover is Discover. With assume, a server that publishes no metadata of itself is taken for its own authorization
// server, as revision 2025-03-26 has it.
func discover(ctx context.Context, hc *http.Client, server string, challenge *oauth.Challenge, assume bool) (*Discovery, error) {
	if hc == nil {
		hc = &http.Client{}
	}
	d := &Discovery{Server: server, Challenge: challenge}
	u, err := url.Parse(server)
	if err != nil {
		return d, &DiscoveryError{LegChallenge, server, err}
	}
	err = d.findResource(ctx, hc, u)
	if assume && errors.Is(err, errAbsent) && (challenge == nil || challenge.ResourceMetadata == "") {
		return d, d.assumeIssuer(ctx, hc, u)
	}
	if err != nil {
		return d, err
	}
	return d, d.findAuthorization(ctx, hc, isLoopback(u))
}

// assumeIssuer takes the server's origin for its authorization server and, where that publishes no metadata either, the
// default paths for its endpoints (MCP 2025-03-26, authorization server metadata discovery and its fallback). That
// revision makes PKCE a must, and has no resource parameter.
func (d *Discovery) assumeIssuer(ctx context.Context, hc *http.Client, server *url.URL) error {
	issuer := server.Scheme + "://" + server.Host
	d.Resource = oauth.ResourceMetadata{AuthorizationServers: []string{issuer}}
	d.ResourceURL = d.Server
	err := d.findAuthorization(ctx, hc, isLoopback(server))
	if !errors.Is(err, errAbsent) {
		return err
	}
	d.Authorization = oauth.ServerMetadata{Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/token",
		RegistrationEndpoint: issuer + "/register", CodeChallengeMethodsSupported: []string{"S256"}}
	return nil
}

// findResource walks C-1: the challenge's URL first, else the well-known path inserted, else the root.
func (d *Discovery) findResource(ctx context.Context, hc *http.Client, server *url.URL) error {
	if d.Challenge != nil && d.Challenge.ResourceMetadata != "" {
		named := d.Challenge.ResourceMetadata
		if _, err := checkURL(named, isLoopback(server)); err != nil {
			return &DiscoveryError{LegChallenge, quote(named), err}
		}
		return d.readResource(ctx, hc, server, named)
	}
	places, err := resourceURLs(server)
	if err != nil {
		return &DiscoveryError{LegResource, d.Server, err}
	}
	for i, place := range places {
		err = d.readResource(ctx, hc, server, place)
		if !errors.Is(err, errAbsent) || i == len(places)-1 {
			return err
		}
	}
	return err
}

// resourceURLs lists the well-known places for the metadata of server.
func resourceURLs(server *url.URL) ([]string, error) {
	bare := *server
	bare.RawQuery = ""
	inserted, err := oauth.ResourceMetadataURL(bare.String())
	if err != nil {
		return nil, err
	}
	root, err := oauth.ResourceMetadataURL(server.Scheme + "://" + server.Host)
	if err != nil {
		return nil, err
	}
	if inserted == root {
		return []string{root}, nil
	}
	return []string{inserted, root}, nil
}

func (d *Discovery) readResource(ctx context.Context, hc *http.Client, server *url.URL, place string) error {
	var m oauth.ResourceMetadata
	err := fetch(ctx, hc, place, &m)
	switch {
	case err != nil:
	case !speaksFor(m.Resource, server):
		// C-25; RFC 9728, section 3.3: a document that speaks for another resource must not be used.
		err = &ResourceError{Named: quote(m.Resource), Called: d.Server}
	case !isWhole(m.Resource, server) && !isWellKnown(place, server):
		err = fmt.Errorf("it speaks for %s, of which %s is a part, from a place that anybody there may have", quote(m.Resource), d.Server)
	case len(m.AuthorizationServers) == 0:
		err = errors.New("it names no authorization server")
	}
	if err != nil {
		return &DiscoveryError{LegResource, place, err}
	}
	d.Resource, d.ResourceURL = m, place
	return nil
}

// speaksFor reports whether resource is the server itself or one that contains it: the same origin, and a path that is
// the server's or a parent of it. Metadata at the root speaks for the whole origin.
func speaksFor(resource string, server *url.URL) bool {
	r, err := url.Parse(resource)
	if err != nil || r.Host == "" || r.User != nil || r.Fragment != "" || origin(r) != origin(server) {
		return false
	}
	if r.RawQuery != "" && r.RawQuery != server.RawQuery {
		return false
	}
	return isWhole(resource, server) || strings.HasPrefix(server.EscapedPath(), strings.TrimSuffix(r.EscapedPath(), "/")+"/")
}

// isWhole reports whether resource, which speaks for server, is the server itself and not what contains it.
func isWhole(resource string, server *url.URL) bool {
	r, err := url.Parse(resource)
	if err != nil {
		return false
	}
	whole, called := r.EscapedPath(), server.EscapedPath()
	return whole == called || whole+"/" == called || called == "" && whole == "/"
}

// isWellKnown reports whether place is one where only the owner of the server's host publishes metadata of resources. The
// owner of a part of the host names any other place in a challenge, and must not have tokens for the whole.
func isWellKnown(place string, server *url.URL) bool {
	u, err := url.Parse(place)
	return err == nil && origin(u) == origin(server) && strings.HasPrefix(path.Clean(u.Path)+"/", "/.well-known/oauth-protected-resource/")
}

// findAuthorization walks C-3 for the first authorization server that the resource names.
func (d *Discovery) findAuthorization(ctx context.Context, hc *http.Client, local bool) error {
	issuer := d.Resource.AuthorizationServers[0]
	u, err := checkURL(issuer, local)
	if err == nil && u.RawQuery != "" {
		err = fmt.Errorf("%s has a query", quote(issuer)) // RFC 8414, section 2
	}
	if err != nil {
		return &DiscoveryError{LegResource, d.ResourceURL, fmt.Errorf("authorization server %w", err)}
	}
	places, err := oauth.ServerMetadataURLs(issuer)
	if err != nil {
		return &DiscoveryError{LegAuthorization, issuer, err}
	}
	for i, place := range places {
		err = d.readAuthorization(ctx, hc, issuer, place, local)
		if !errors.Is(err, errAbsent) || i == len(places)-1 {
			return err
		}
	}
	return err
}

func (d *Discovery) readAuthorization(ctx context.Context, hc *http.Client, issuer, place string, local bool) error {
	var m oauth.ServerMetadata
	err := fetch(ctx, hc, place, &m)
	switch {
	case err != nil:
	case m.Issuer != issuer:
		// C-4; RFC 8414, section 3.3: identical, or nothing of the document is used.
		err = fmt.Errorf("it speaks for the issuer %s, not for %s", quote(m.Issuer), quote(issuer))
	default:
		err = checkEndpoints(&m, local)
	}
	if err != nil {
		return &DiscoveryError{LegAuthorization, place, err}
	}
	d.Authorization, d.AuthorizationURL = m, place
	return nil
}

// checkEndpoints refuses endpoints to which no secret may go.
func checkEndpoints(m *oauth.ServerMetadata, local bool) error {
	if m.TokenEndpoint == "" {
		return errors.New("it names no token_endpoint")
	}
	for _, e := range []struct{ name, url string }{
		{"token_endpoint", m.TokenEndpoint},
		{"authorization_endpoint", m.AuthorizationEndpoint},
		{"device_authorization_endpoint", m.DeviceAuthorizationEndpoint},
		{"registration_endpoint", m.RegistrationEndpoint},
		{"revocation_endpoint", m.RevocationEndpoint},
		{"introspection_endpoint", m.IntrospectionEndpoint},
		{"userinfo_endpoint", m.UserinfoEndpoint},
		{"end_session_endpoint", m.EndSessionEndpoint},
		{"jwks_uri", m.JWKSURI},
	} {
		if e.url == "" {
			continue
		}
		if _, err := checkURL(e.url, local); err != nil {
			return fmt.Errorf("%s %w", e.name, err)
		}
	}
	return nil
}
