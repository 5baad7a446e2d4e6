package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Metadata is what a provider says of itself: the members of RFC 8414 and OpenID Connect Discovery 1.0 that tell where
// to go. Issuer, and JWKSURI where present, were checked.
type Metadata struct {
	Issuer                        string   `json:"issuer"`
	JWKSURI                       string   `json:"jwks_uri"`
	AuthorizationEndpoint         string   `json:"authorization_endpoint"`
	TokenEndpoint                 string   `json:"token_endpoint"`
	DeviceAuthorizationEndpoint   string   `json:"device_authorization_endpoint"`
	IntrospectionEndpoint         string   `json:"introspection_endpoint"`
	RevocationEndpoint            string   `json:"revocation_endpoint"`
	RegistrationEndpoint          string   `json:"registration_endpoint"`
	UserinfoEndpoint              string   `json:"userinfo_endpoint"`
	EndSessionEndpoint            string   `json:"end_session_endpoint"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
}

// Errors of discovery that a caller may branch on.
var (
	ErrIssuerMismatch = errors.New("idp: the metadata names another issuer") // RFC 8414, section 3.3
	ErrInsecureURL    = errors.New("idp: not an https URL, nor http on loopback")
)

const (
	maxMetadata  = 1 << 20 // bytes of a metadata document or key set
	fetchTimeout = 10 * time.Second
)

// Discover finds and reads the metadata of issuer: as OpenID Connect Discovery places it, then as RFC 8414 does. The
// document is used only if its issuer is identical to the one asked for (RFC 8414, section 3.3). A nil client means
// http.DefaultClient. Redirects may not leave the origin.
func Discover(ctx context.Context, client *http.Client, issuer string) (*Metadata, error) {
	return Issuer{Name: issuer}.Discover(ctx, client, false)
}

// Discover reads the metadata of i. With manyTenants the document may name its issuer by [TenantPlaceholder]; otherwise
// it must name one issuer, which i accepts. The caller compares that issuer with the token's.
func (i Issuer) Discover(ctx context.Context, client *http.Client, manyTenants bool) (*Metadata, error) {
	places := []string{i.Discovery}
	if i.Discovery == "" {
		var err error
		if places, err = metadataURLs(i.Name); err != nil {
			return nil, err
		}
	}
	var absent error
	for _, place := range places {
		body, err := Get(ctx, client, place)
		var status *StatusError
		if errors.As(err, &status) && status.Status >= 400 && status.Status < 500 {
			absent = err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read metadata of %s: %w", i.Name, err)
		}
		m, err := i.check(body, manyTenants)
		if err != nil {
			return nil, fmt.Errorf("read metadata at %s: %w", place, err)
		}
		return m, nil
	}
	return nil, fmt.Errorf("read metadata of %s: %w", i.Name, absent)
}

func (i Issuer) check(body []byte, manyTenants bool) (*Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("idp: the metadata is not the JSON expected: %w", err)
	}
	if !i.names(m.Issuer, manyTenants) {
		return nil, fmt.Errorf("%w: %.200q instead of %q", ErrIssuerMismatch, m.Issuer, i.Name)
	}
	if m.JWKSURI == "" {
		return &m, nil
	}
	keys, err := CheckURL(m.JWKSURI)
	if err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	// A provider on the network has no business with keys on this machine.
	if keys.Scheme == "http" && !strings.HasPrefix(m.Issuer, "http://") {
		return nil, fmt.Errorf("jwks_uri: %w", ErrInsecureURL)
	}
	return &m, nil
}

// names reports whether the issuer of a document may stand for i.
func (i Issuer) names(issuer string, manyTenants bool) bool {
	before, after, template := strings.Cut(i.Name, TenantPlaceholder)
	if !template {
		return issuer == i.Name && issuer != ""
	}
	if issuer == i.Name {
		return manyTenants
	}
	tenant, ok := strings.CutPrefix(issuer, before)
	if !ok {
		return false
	}
	tenant, ok = strings.CutSuffix(tenant, after)
	return ok && IsGUID(tenant)
}

func metadataURLs(issuer string) ([]string, error) {
	u, err := CheckURL(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer %.200q: %w", issuer, err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("idp: issuer %.200q has a query", issuer) // RFC 8414, section 2
	}
	origin, path := u.Scheme+"://"+u.Host, trimSlash(u.EscapedPath())
	urls := []string{origin + path + "/.well-known/openid-configuration", origin + "/.well-known/oauth-authorization-server" + path}
	if path != "" {
		urls = append(urls, origin+"/.well-known/openid-configuration"+path)
	}
	return urls, nil
}

// CheckURL parses an absolute URL and refuses all but https, and http on loopback, which is for development.
func CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("idp: %.200q is not a URL", raw)
	case u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, fmt.Errorf("idp: %.200q is not an absolute URL without user and fragment", raw)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%w: %.200q", ErrInsecureURL, raw)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// StatusError is an answer other than 200.
type StatusError struct {
	URL    string
	Status int
}

// Error names the URL and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("idp: GET %s answered %d", e.URL, e.Status)
}

// Get reads a document of a provider: a key set or metadata, at most 1 MiB within 10 seconds. The URL must pass
// [CheckURL]. A redirect that leaves the origin is refused, since whoever answers there would choose the keys; so is
// the fourth in a row. A nil client means http.DefaultClient.
func Get(ctx context.Context, client *http.Client, place string) ([]byte, error) {
	u, err := CheckURL(place)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if client == nil {
		client = http.DefaultClient
	}
	same := *client
	same.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if next.URL.Scheme != u.Scheme || !strings.EqualFold(hostPort(next.URL), hostPort(u)) {
			return fmt.Errorf("idp: redirected from %s to another origin, %s", u.Host, next.URL.Host)
		}
		if len(via) > 3 {
			return errors.New("idp: too many redirects")
		}
		return nil
	}
	resp, err := same.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{URL: place, Status: resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place, err)
	}
	if len(body) > maxMetadata {
		return nil, fmt.Errorf("idp: %s answered more than %d bytes", place, maxMetadata)
	}
	return body, nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
