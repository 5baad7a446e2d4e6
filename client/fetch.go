package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	fetchTimeout = 15 * time.Second // for one metadata document
	maxDocument  = 1 << 20          // bytes of a metadata document
	maxRedirects = 3                // all on one origin
)

// errAbsent means that a place holds no document, so that the next one may be tried.
var errAbsent = errors.New("no document there")

// fetch reads the JSON object at rawURL into doc. It follows redirects on the same origin only: a document speaks for
// the origin it was asked of. An answer 4xx or one that is not JSON is errAbsent.
func fetch(ctx context.Context, hc *http.Client, rawURL string, doc any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	c := &http.Client{Transport: hc.Transport, CheckRedirect: sameOriginOnly}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	resp.Body = &answerBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel}
	defer discard(resp)
	switch {
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return fmt.Errorf("%w: HTTP %d", errAbsent, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return &StatusError{resp.StatusCode}
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return fmt.Errorf("%w: it answers %s, not application/json", errAbsent, quote(media))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return fmt.Errorf("the document is larger than %d bytes", maxDocument)
	}
	if err := json.Unmarshal(body, doc); err != nil {
		return fmt.Errorf("the document is not the JSON it should be: %v", err)
	}
	return nil
}

func sameOriginOnly(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if origin(req.URL) != origin(via[0].URL) {
		return fmt.Errorf("it redirects to another origin, %s", origin(req.URL))
	}
	return nil
}

// checkURL parses a URL that a stranger named. It must be https; http is accepted on this machine only, and only when
// the server called is on this machine as well.
func checkURL(raw string, local bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%s is not an absolute URL without user and fragment", quote(raw))
	}
	switch {
	case !local && (isLoopback(u) || net.ParseIP(u.Hostname()).IsUnspecified()):
		return nil, fmt.Errorf("%s points to this machine, but the server is elsewhere", quote(raw))
	case u.Scheme == "https", u.Scheme == "http" && staysHere(u):
		return u, nil
	}
	return nil, fmt.Errorf("%s is not https", quote(raw))
}

// staysHere reports whether what is sent to u in the clear leaves this machine on no account. A name below localhost is
// looked up, and goes through a proxy, as any other (RFC 6761, section 6.3, asks resolvers for better).
func staysHere(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}

// isLoopback reports whether u may name this machine, by whatever name.
func isLoopback(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// origin is the scheme, host and port of u, spelled one way.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
