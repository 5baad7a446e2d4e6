package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	signInTimeout = 30 * time.Second // for one request to an authorization server
	maxResponse   = 32 << 20         // bytes of an answer that is not a stream
)

// authorizer is the round tripper between the protocol layer and the network. It adds the token, and turns a 401 into
// a sign-in and the same request once more.
//
// The SDK has an authorization handler of its own. It is not used: it falls back to "the server is its own
// authorization server" when the metadata fails its checks, and compares issuers with a tolerated slash.
type authorizer struct {
	server string // the only URL that a token goes to
	base   http.RoundTripper
	signIn SignIn
	hear   func(report) // of progress

	mu         sync.Mutex
	source     oauth2.TokenSource
	generation int     // counts sign-ins, so that a late 401 does not start another
	flight     *flight // the sign-in that is under way, or nil
	connecting bool    // no second sign-in after one that went wrong
	failed     error   // what went wrong while connecting
}

// flight is one sign-in that several requests may wait for.
type flight struct {
	done chan struct{}
	err  error
}

func newAuthorizer(server string, o Options) (*authorizer, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("client: server %q is not an http or https URL without user and fragment", server)
	}
	if (o.SignIn != nil || o.Token != nil) && u.Scheme == "http" && !isLoopback(u) {
		return nil, fmt.Errorf("client: server %q: tokens go over https only, except on this machine", server)
	}
	a := &authorizer{server: u.String(), base: http.DefaultTransport, signIn: o.SignIn, source: o.Token, connecting: true}
	if o.HTTPClient != nil && o.HTTPClient.Transport != nil {
		a.base = o.HTTPClient.Transport
	}
	return a, nil
}

// connected ends the phase in which one failed sign-in fails all that follows: the SDK tries both protocol eras, and
// a person who said no must not be asked twice.
func (a *authorizer) connected() {
	a.mu.Lock()
	a.connecting, a.failed = false, nil
	a.mu.Unlock()
}

func (a *authorizer) current() (source oauth2.TokenSource, generation int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.source, a.generation
}

// RoundTrip sends req with a token, if there is one. It signs in for requests that somebody waits for, so not for
// notifications: a call that was given up must not ask anybody to sign in.
func (a *authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	// C-18: whatever led elsewhere, no token goes along.
	if req.URL.String() != a.server {
		closeBody(req)
		return nil, &refusal{&RedirectError{From: a.server, To: req.URL.String()}}
	}
	source, generation := a.current()
	token, err := bearer(req.Context(), source)
	if errors.Is(err, ErrSignInNeeded) && a.signIn != nil {
		token, err = "", nil // the 401 to come starts a sign-in
	}
	if err != nil {
		closeBody(req)
		return nil, &refusal{fmt.Errorf("client: get a token for %s: %w", a.server, err)}
	}
	resp, err := a.send(req, req.Body, token)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return a.checked(resp)
	}
	challenge := challengeOf(resp)
	if req.Method != http.MethodPost {
		return resp, nil // a stream or the end of a session: the protocol layer goes on without it
	}
	discard(resp)
	if a.signIn == nil || !isCall(req) {
		return nil, a.fail(&UnauthorizedError{Server: a.server, Challenge: challenge, Refused: token != ""})
	}
	if err := a.authorize(req.Context(), generation, token, challenge); err != nil {
		return nil, a.fail(err)
	}
	return a.again(req)
}

// again sends req once more with what the sign-in brought.
func (a *authorizer) again(req *http.Request) (*http.Response, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	source, _ := a.current()
	token, err := bearer(req.Context(), source)
	if err != nil {
		return nil, a.fail(fmt.Errorf("client: get a token for %s: %w", a.server, err))
	}
	resp, err := a.send(req, body, token)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized {
		discard(resp)
		return nil, a.fail(&UnauthorizedError{Server: a.server, Challenge: challengeOf(resp), Refused: true})
	}
	return a.checked(resp)
}

// send puts the token where it belongs, and nowhere else (C-18), and bounds the answer.
func (a *authorizer) send(req *http.Request, body io.ReadCloser, token signin.Secret) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Body = body
	r.Header.Del("Authorization")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+string(token))
	}
	resp, err := a.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "text/event-stream" {
		resp.Body = &reportReader{ReadCloser: resp.Body, hear: a.hear} // the SDK bounds each event
	} else {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxResponse + 1}
	}
	resp.Body = transcribed(req.Context(), resp.Body, media == "text/event-stream")
	return resp, nil
}

// checked turns a 403 for want of scope into an error that names the scopes.
func (a *authorizer) checked(resp *http.Response) (*http.Response, error) {
	if resp.StatusCode == http.StatusForbidden {
		if c := challengeOf(resp); c != nil && c.Error == oauth.CodeInsufficientScope {
			discard(resp)
			return nil, &refusal{&ScopeError{Server: a.server, Challenge: c}}
		}
	}
	return resp, nil
}

// fail marks err as ours and, while connecting, keeps it for what follows.
func (a *authorizer) fail(err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.connecting && a.failed == nil {
		a.failed = err
	}
	return &refusal{err}
}

// authorize brings the session past generation: it signs in, or waits for the sign-in that is under way.
func (a *authorizer) authorize(ctx context.Context, generation int, refused signin.Secret, challenge *oauth.Challenge) error {
	for {
		a.mu.Lock()
		if a.failed != nil {
			defer a.mu.Unlock()
			return a.failed
		}
		if a.generation != generation {
			a.mu.Unlock()
			return nil
		}
		f := a.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			a.flight = f
			a.mu.Unlock()
			a.fly(ctx, f, refused, challenge)
			return f.err
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.done:
		}
		if f.err == nil || !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return f.err
		}
		// The one who was signing in gave up; it is our turn.
	}
}

// fly discovers where to sign in, signs in, and tells all who wait for f.
func (a *authorizer) fly(ctx context.Context, f *flight, refused signin.Secret, challenge *oauth.Challenge) {
	source, err := a.newSource(ctx, refused, challenge)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.source = source
		a.generation++
	}
	f.err = err
	a.flight = nil
	close(f.done)
}

func (a *authorizer) newSource(ctx context.Context, refused signin.Secret, challenge *oauth.Challenge) (oauth2.TokenSource, error) {
	d, err := Discover(ctx, &http.Client{Transport: a.base}, a.server, challenge)
	if err != nil {
		return nil, err
	}
	r := &signin.Request{
		Server: d.Server, Challenge: d.Challenge, Resource: d.Resource, Authorization: d.Authorization,
		Refused: refused,
		HTTPClient: &http.Client{
			Transport:     a.base,
			Timeout:       signInTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if refused != "" {
		r.Previous, _ = a.current()
	}
	source, err := a.signIn.SignIn(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("client: sign in at %s: %w", d.Authorization.Issuer, err)
	}
	if source == nil {
		return nil, fmt.Errorf("client: sign in at %s: no token source", d.Authorization.Issuer)
	}
	return source, nil
}

// bearer asks source for a token; no source means no token.
func bearer(ctx context.Context, source oauth2.TokenSource) (signin.Secret, error) {
	if source == nil {
		return "", nil
	}
	var token *oauth2.Token
	var err error
	if s, ok := source.(interface {
		TokenContext(context.Context) (*oauth2.Token, error)
	}); ok {
		token, err = s.TokenContext(ctx)
	} else {
		token, err = source.Token()
	}
	switch {
	case err != nil:
		return "", err
	case token == nil || token.AccessToken == "":
		return "", ErrSignInNeeded
	case token.Type() != "Bearer":
		return "", fmt.Errorf("client: token type %s is not Bearer", quote(token.Type()))
	}
	return signin.Secret(token.AccessToken), nil
}

// isCall reports whether somebody waits for the answer to req: it is a JSON-RPC request, not a notification.
func isCall(req *http.Request) bool {
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
	}
	return json.NewDecoder(body).Decode(&m) == nil && m.Method != "" && len(m.ID) > 0 && string(m.ID) != "null"
}

// challengeOf returns what resp asks of a bearer of tokens, or nil. A header that breaks the grammar asks nothing.
func challengeOf(resp *http.Response) *oauth.Challenge {
	challenges, err := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		return nil
	}
	for i, c := range challenges {
		if c.Is("Bearer") {
			return &challenges[i]
		}
	}
	return nil
}

func refuseRedirect(req *http.Request, via []*http.Request) error {
	return &refusal{&RedirectError{From: via[0].URL.String(), To: req.URL.String()}}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// discard reads a little of a body that nobody wants, so that the connection can serve again.
func discard(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// boundedBody ends an endless answer with an error.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("client: the answer is too large")
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
