package signin

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// knowledge is whether an authorization server knows a client.
type knowledge int

const (
	unsure knowledge = iota
	known
	forgotten
)

// knownTimeout is how long the question whether a client is known may keep a person waiting.
const knownTimeout = 5 * time.Second

// isKnown asks the authorization server for the page on which a person would sign in, as somebody who is to be shown nothing
// (prompt=none; OpenID Connect Core, section 3.1.2.1). Whoever knows the client sends the browser back to it; whoever does
// not must send it nowhere, and says so (RFC 6749, section 4.1.2.1). No cookie goes along, nothing is followed, and nothing
// of the answer is used.
func (g *grant) isKnown(ctx context.Context, r *Request, redirectURI string) knowledge {
	a, err := newAuthorization(g, r, redirectURI)
	if err != nil {
		return unsure
	}
	page, err := a.url()
	if err != nil {
		return unsure
	}
	u, err := url.Parse(page)
	if err != nil {
		return unsure
	}
	q := u.Query()
	q.Set("prompt", "none")
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, knownTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return unsure
	}
	resp, err := (&http.Client{Transport: g.http.Transport, CheckRedirect: noRedirect}).Do(req)
	if err != nil {
		return unsure
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch {
	case strings.HasPrefix(resp.Header.Get("Location"), redirectURI+"?"):
		return known
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound:
		return forgotten
	}
	return unsure
}
