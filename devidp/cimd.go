package devidp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Bounds on fetching what a client's id or metadata points to.
const (
	fetchTime     = 5 * time.Second
	fetchSize     = 64 << 10
	fetchesAtOnce = 8
	documentLife  = 5 * time.Minute // when the answer says nothing about caching
	documentLimit = time.Hour
	failureLife   = 10 * time.Second // a document that failed is not fetched again at once
)

// resolveClient finds the client called id. An id that is an https URL is where its document stands (client ID
// metadata documents); every other unknown one is refused.
func (s *Server) resolveClient(ctx context.Context, id string) (*client, error) {
	if c, ok := s.clientNamed(id); ok {
		return c, nil
	}
	if s.entra() || !strings.Contains(id, "://") {
		return nil, refuseClientUnknown.of(id)
	}
	s.mu.Lock()
	failed, again := s.failed.get(id, s.now())
	s.mu.Unlock()
	if again {
		return nil, failed
	}
	c, life, err := s.fetchClient(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err != nil {
		no := refuseDocument.because(err, id, "it "+err.Error())
		s.failed.put(id, no, now.Add(failureLife), now)
		return nil, no
	}
	if life > 0 {
		s.documents.put(id, c, now.Add(life), now)
	}
	return c, nil
}

// fetchClient reads the document at id, whose client_id must be id itself.
func (s *Server) fetchClient(ctx context.Context, id string) (*client, time.Duration, error) {
	if err := s.checkDocumentURL(id); err != nil {
		return nil, 0, err
	}
	body, life, err := s.get(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	var doc struct {
		oauth.ClientMetadata
		ClientSecret          string   `json:"client_secret"`
		PostLogoutRedirectURI []string `json:"post_logout_redirect_uris"`
	}
	if err := strictJSON(body, &doc); err != nil {
		return nil, 0, err
	}
	switch {
	case doc.ClientID != id:
		return nil, 0, errors.New("names another client_id than its own URL")
	case doc.ClientSecret != "" || strings.HasPrefix(doc.TokenEndpointAuthMethod, "client_secret"):
		return nil, 0, errors.New("speaks of a secret, which a public document cannot keep")
	case len(doc.RedirectURIs) == 0:
		return nil, 0, errors.New("names no redirect_uris")
	}
	doc.TokenEndpointAuthMethod = orElse(doc.TokenEndpointAuthMethod, "none")
	c, err := clientFrom(id, doc.ClientMetadata, doc.PostLogoutRedirectURI, s.knownNames())
	if err != nil {
		return nil, 0, err
	}
	c.origin = "document"
	return c, life, nil
}

// checkDocumentURL holds a client id to the rules for documents: https, a path, and only one way to write it.
func (s *Server) checkDocumentURL(id string) error {
	u, err := url.Parse(id)
	switch {
	case err != nil || len(id) > 2048 || u.Host == "" || u.Opaque != "":
		return errors.New("has no readable URL")
	case u.Scheme != "https" && !(s.opts.AllowLoopbackCIMD && u.Scheme == "http" && loopbackHost(u.Hostname())):
		return errors.New("does not stand at an https URL")
	case u.Path == "" || u.Path == "/":
		return errors.New("stands at a URL without a path")
	case u.User != nil || strings.Contains(id, "#") || dotSegment(u.Path):
		return errors.New("stands at a URL with a user, a fragment or dots in its path")
	}
	return nil
}

// clientKeys are the keys with which c signs its assertions.
func (s *Server) clientKeys(ctx context.Context, c *client) (*jose.JSONWebKeySet, error) {
	if c.method != "private_key_jwt" && c.keys == nil && c.keysURI == "" {
		return nil, refuseClientMethod.of()
	}
	if c.keysURI == "" {
		return c.keys, nil
	}
	body, _, err := s.get(ctx, c.keysURI)
	if err != nil {
		return nil, refuseAssertion.because(err, "the client's keys cannot be fetched")
	}
	keys, err := publicKeys(body)
	if err != nil {
		return nil, refuseAssertion.because(err, "the client's keys cannot be read")
	}
	return keys, nil
}

// get fetches JSON from an address that a stranger named. Redirects are refused: the address is the identity.
func (s *Server) get(ctx context.Context, from string) ([]byte, time.Duration, error) {
	return s.getBy(ctx, s.fetch, from)
}

// getBy fetches JSON with hc.
func (s *Server) getBy(ctx context.Context, hc *http.Client, from string) ([]byte, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	select {
	case s.fetching <- struct{}{}:
		defer func() { <-s.fetching }()
	case <-ctx.Done():
		return nil, 0, errors.New("cannot be fetched now: too many others are")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, 0, errors.New("has no readable URL")
	}
	req.Header.Set("Accept", "application/json")
	once := *hc
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	once.Jar = nil
	res, err := once.Do(req)
	if err != nil {
		var blocked *blockedError
		if errors.As(err, &blocked) {
			return nil, 0, blocked
		}
		s.log.InfoContext(ctx, "client document not fetched", "cause", err)
		return nil, 0, errors.New("cannot be fetched")
	}
	defer res.Body.Close()
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("was answered with status %d", res.StatusCode)
	case kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return nil, 0, errors.New("is not JSON by its Content-Type")
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, fetchSize+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("cannot be read: %w", err)
	case len(body) > fetchSize:
		return nil, 0, errors.New("is larger than 64 KiB")
	}
	return body, cacheLife(res.Header), nil
}

// cacheLife is how long an answer may be kept (RFC 9111, section 5.2.2), at most an hour.
func cacheLife(h http.Header) time.Duration {
	life := documentLife
	for _, part := range strings.Split(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0
		case "max-age":
			if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && n >= 0 {
				life = min(time.Duration(min(n, 3600))*time.Second, documentLimit)
			}
		}
	}
	return life
}

// strictJSON reads exactly one JSON object.
func strictJSON(body []byte, v any) error {
	if !json.Valid(body) || len(strings.TrimSpace(string(body))) == 0 || strings.TrimSpace(string(body))[0] != '{' {
		return errors.New("is not a JSON object")
	}
	if name, twice := memberTwice(body); twice {
		return fmt.Errorf("has the member %.40q twice", name)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return errors.New("has a member of the wrong type")
	}
	return nil
}

// memberTwice finds a member of the object that stands there twice, whatever its case: parsers disagree about which one
// counts. body is valid JSON.
func memberTwice(body []byte) (string, bool) {
	seen, dec := map[string]bool{}, json.NewDecoder(bytes.NewReader(body))
	dec.Token() // the brace
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return "", false
		}
		lower := strings.ToLower(fmt.Sprint(name))
		if seen[lower] {
			return lower, true
		}
		seen[lower] = true
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return "", false
		}
	}
	return "", false
}

// guardedClient fetches only from public addresses. The check looks at the address that is dialled, after its name was
// resolved, so that a name cannot change between check and dial.
func guardedClient(loopback bool) *http.Client {
	dialer := &net.Dialer{Timeout: fetchTime, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return &blockedError{address}
		}
		if ip := at.Addr(); publicAddress(ip) || loopback && ip.Unmap().IsLoopback() {
			return nil
		}
		return &blockedError{address}
	}}
	return &http.Client{Timeout: fetchTime, Transport: &http.Transport{
		Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchTime, ResponseHeaderTimeout: fetchTime,
		MaxResponseHeaderBytes: 16 << 10, MaxConnsPerHost: 4, DisableKeepAlives: true,
	}}
}

type blockedError struct{ address string }

func (*blockedError) Error() string { return "stands at an address that is not public" }

// special are the blocks of addresses that are not the public Internet, or lead out of it: IANA's special-purpose
// registries, with the prefixes that carry an IPv4 address inside (NAT64, 6to4, Teredo).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16")

var globalV6 = netip.MustParsePrefix("2000::/3") // nothing beyond it is given out

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func publicAddress(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() && !globalV6.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsValid()
}
