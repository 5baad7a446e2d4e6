package client

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
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
	maxAttempts   = 6                // at one request, whatever the server asks for
	maxStepUps    = 3                // for one operation, as long as a session lasts (C-20)
	maxOperations = 1000             // whose step-ups are counted
	maxNonce      = 4 << 10          // bytes of a server's nonce, which may be a sealed document
)

// authorizer is the round tripper between the protocol layer and the network. It adds the token, turns a 401 into a
// sign-in and a 403 for want of scope into a step-up, and sends the same request once more.
//
// The SDK has an authorization handler of its own. It is not used: it falls back to "the server is its own
// authorization server" when the metadata fails its checks, and compares issuers with a tolerated slash.
type authorizer struct {
	server   string // the only URL that a token goes to
	base     http.RoundTripper
	signIn   SignIn
	unlisted bool         // a server without metadata is its own authorization server (2025-03-26)
	hear     func(report) // of progress; nil means that nobody listens
	patience time.Duration

	mu         sync.Mutex
	source     oauth2.TokenSource
	generation int            // counts sign-ins, so that a late 401 does not start another
	flight     *flight        // the sign-in that is under way, or nil
	connecting bool           // no second sign-in after one that went wrong
	failed     error          // what went wrong while connecting
	stepUps    map[string]int // by operation
	nonce      string         // the server's last, for proofs of possession (RFC 9449, section 9)
	odd        *AnswerError   // the first answer to a request while connecting, where no MCP server gives such
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
	if (o.SignIn != nil || o.Token != nil) && u.Scheme == "http" && !staysHere(u) {
		return nil, fmt.Errorf("client: server %q: tokens go over https only, except on this machine", server)
	}
	a := &authorizer{server: u.String(), base: http.DefaultTransport, signIn: o.SignIn, source: o.Token, unlisted: o.AssumeIssuer,
		patience: o.AnswerTimeout, connecting: true, stepUps: map[string]int{}}
	if a.patience <= 0 {
		a.patience = answerTimeout
	}
	if o.HTTPClient != nil && o.HTTPClient.Transport != nil {
		a.base = o.HTTPClient.Transport
	}
	return a, nil
}

// connected ends the phase in which one failed sign-in fails all that follows: the SDK tries both protocol eras, and
// a person who said no must not be asked twice.
func (a *authorizer) connected() {
	a.mu.Lock()
	a.connecting, a.failed, a.odd = false, nil, nil
	a.mu.Unlock()
}

func (a *authorizer) current() (source oauth2.TokenSource, generation int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.source, a.generation
}

// RoundTrip sends req with a token, if there is one. It signs in for requests that somebody waits for, so not for
// notifications: a call that was given up must not ask anybody to sign in. It signs in once, and steps up once.
func (a *authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	// C-18: whatever led elsewhere, no token goes along.
	if req.URL.String() != a.server {
		closeBody(req)
		return nil, &refusal{&RedirectError{From: a.server, To: req.URL.String()}}
	}
	if err := a.tooSlow(); err != nil {
		closeBody(req)
		return nil, err
	}
	m := messageOf(req)
	asked := map[bool]bool{} // what this request has led to: a sign-in, a step-up
	for range maxAttempts {
		source, generation := a.current()
		t, err := credentialOf(req.Context(), source)
		if errors.Is(err, ErrSignInNeeded) && a.signIn != nil {
			t, err = credential{}, nil // the 401 to come starts a sign-in
		}
		if err != nil {
			closeBody(req)
			return nil, &refusal{fmt.Errorf("client: get a token for %s: %w", a.server, err)}
		}
		resp, err := a.sendProven(&m, req, t)
		if err != nil {
			return nil, a.unreached(err)
		}
		a.wonder(resp, m)
		d := a.demandOf(resp, t)
		if d == nil || req.Method != http.MethodPost {
			return resp, nil // a stream or the end of a session: the protocol layer goes on without it
		}
		discard(resp)
		if a.signIn == nil || !m.isCall() || asked[d.stepUp] {
			return nil, a.fail(d.err)
		}
		flew, err := a.authorize(req.Context(), generation, t.token, d, m.operation())
		if err != nil {
			return nil, a.fail(err)
		}
		asked[d.stepUp] = flew
	}
	return nil, a.fail(fmt.Errorf("client: %s asks for another token again and again", a.server))
}

// unreached marks an error of the network as ours: the layers between say nothing a caller needs. Errors of ours, and the
// end of a caller's context, pass as they are.
func (a *authorizer) unreached(err error) error {
	if network := (*net.OpError)(nil); !errors.As(err, &network) || errors.As(err, new(*refusal)) || errors.Is(err, context.Canceled) {
		return err
	}
	return &refusal{fmt.Errorf("client: reach %s: %w", a.server, err)}
}

const jsonType = "application/json"

// wonder remembers what no MCP server answers a request with, while connecting: it says more than what the protocol layer
// makes of it. It is the first such answer that counts, since the SDK tries both protocol eras.
func (a *authorizer) wonder(resp *http.Response, m message) {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	fits := resp.StatusCode < http.StatusMultipleChoices && (media == jsonType || media == "text/event-stream")
	if fits || !m.isCall() || resp.StatusCode == http.StatusUnauthorized {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.connecting && a.odd == nil {
		a.odd = &AnswerError{Server: a.server, Status: resp.StatusCode, MediaType: quote(media)}
	}
}

func (a *authorizer) oddity() *AnswerError {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.odd
}

// sendProven sends req, and once more where the server wants its nonce in the proof of possession (RFC 9449, section 9).
func (a *authorizer) sendProven(m *message, req *http.Request, t credential) (*http.Response, error) {
	nonce := a.lastNonce()
	resp, err := a.sendFor(m, req, t, nonce)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !t.bound() || a.lastNonce() == nonce {
		return resp, err
	}
	if c := challengeOf(resp); c == nil || c.Error != codeUseNonce || req.Body != nil && req.GetBody == nil {
		return resp, nil
	}
	discard(resp)
	return a.sendFor(m, req, t, a.lastNonce())
}

const codeUseNonce = "use_dpop_nonce" // RFC 9449, section 9

func (a *authorizer) lastNonce() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nonce
}

// send puts the token where it belongs, and nowhere else (C-18), and bounds the answer.
func (a *authorizer) send(req *http.Request, t credential, nonce string) (*http.Response, error) {
	r := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
		closeBody(req)
	}
	r.Header.Del("Authorization")
	r.Header.Del("DPoP")
	if t.token != "" {
		r.Header.Set("Authorization", t.scheme+" "+string(t.token))
	}
	if t.bound() {
		proof, err := t.prover.Proof(r.Method, a.server, string(t.token), nonce)
		if err != nil {
			return nil, &refusal{fmt.Errorf("client: %w", err)}
		}
		r.Header.Set("DPoP", proof)
	}
	resp, err := a.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if n := resp.Header.Get("DPoP-Nonce"); n != "" && len(n) <= maxNonce {
		a.mu.Lock()
		a.nonce = n
		a.mu.Unlock()
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "text/event-stream" {
		resp.Body = &reportReader{ReadCloser: resp.Body, hear: a.report} // MaxEventSize bounds each event
	} else {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxResponse + 1}
	}
	resp.Body = transcribed(req.Context(), resp.Body, media == "text/event-stream")
	return resp, nil
}

// report hands on a report of progress.
func (a *authorizer) report(m report) {
	if a.hear != nil {
		a.hear(m)
	}
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

// authorize brings the session past generation: it signs in, or waits for the sign-in that is under way. flew reports
// that it was this request's own.
func (a *authorizer) authorize(ctx context.Context, generation int, refused signin.Secret, d *demand, operation string) (flew bool, err error) {
	for {
		a.mu.Lock()
		if a.failed != nil {
			defer a.mu.Unlock()
			return false, a.failed
		}
		if a.generation != generation {
			a.mu.Unlock()
			return false, nil
		}
		f := a.flight
		if f == nil {
			if d.stepUp && !a.mayStepUp(operation) {
				a.mu.Unlock()
				return false, d.err
			}
			f = &flight{done: make(chan struct{})}
			a.flight = f
			a.mu.Unlock()
			a.fly(ctx, f, refused, d)
			return true, f.err
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-f.done:
		}
		if f.err == nil || !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return false, f.err
		}
		// The one who was signing in gave up; it is our turn.
	}
}

// mayStepUp counts a step-up for operation (C-20). The lock is held.
func (a *authorizer) mayStepUp(operation string) bool {
	if a.stepUps[operation] >= maxStepUps || a.stepUps[operation] == 0 && len(a.stepUps) >= maxOperations {
		return false
	}
	a.stepUps[operation]++
	return true
}

// fly discovers where to sign in, signs in, and tells all who wait for f.
func (a *authorizer) fly(ctx context.Context, f *flight, refused signin.Secret, d *demand) {
	source, err := a.newSource(ctx, refused, d)
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

func (a *authorizer) newSource(ctx context.Context, refused signin.Secret, demand *demand) (oauth2.TokenSource, error) {
	d, err := discover(ctx, &http.Client{Transport: a.base}, a.server, demand.challenge, a.unlisted)
	if err != nil {
		return nil, err
	}
	r := &signin.Request{
		Server: d.Server, Challenge: d.Challenge, Resource: d.Resource, Authorization: d.Authorization,
		Refused: refused,
		StepUp:  demand.stepUp,
		Claims:  demand.claims,
		HTTPClient: &http.Client{
			Transport:     a.base,
			Timeout:       signInTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if refused != "" {
		r.Previous, _ = a.current()
	}
	if s, ok := r.Previous.(interface{ Scopes() []string }); ok && demand.stepUp && !isOfAnother(r.Previous, d.Authorization.Issuer) {
		r.Earlier = s.Scopes()
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

// isOfAnother reports whether source is known to be of another authorization server than issuer: what that one granted is
// no reason to ask this one for it.
func isOfAnother(source oauth2.TokenSource, issuer string) bool {
	t, ours := source.(*signin.Tokens)
	return ours && t.State().Issuer != issuer
}

// credential is what goes along with one request.
type credential struct {
	token  signin.Secret // empty means none
	scheme string
	prover prover // of possession; nil where the token is not bound
}

func (c credential) bound() bool { return c.token != "" && c.prover != nil }

// prover proves possession of the key that a token is bound to (RFC 9449).
type prover interface {
	Proof(method, url, token, nonce string) (string, error)
}

// credentialOf asks source for a token; no source means no token.
func credentialOf(ctx context.Context, source oauth2.TokenSource) (credential, error) {
	if source == nil {
		return credential{}, nil
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
		return credential{}, err
	case token == nil || token.AccessToken == "":
		return credential{}, ErrSignInNeeded
	}
	c := credential{token: signin.Secret(token.AccessToken), scheme: token.Type()}
	if c.scheme == "Bearer" {
		return c, nil
	}
	if p, ok := source.(prover); ok && c.scheme == "DPoP" {
		c.prover = p
		return c, nil
	}
	return credential{}, fmt.Errorf("client: token type %s is not Bearer, nor DPoP with its key", quote(token.Type()))
}

func refuseRedirect(req *http.Request, via []*http.Request) error {
	return &refusal{&RedirectError{From: via[0].URL.String(), To: req.URL.String()}}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// challengeOf returns what resp asks of a bearer of tokens, or nil: the challenge for bound tokens before the one for
// any, since a server that sends both prefers the former. A header that breaks the grammar asks nothing.
func challengeOf(resp *http.Response) *oauth.Challenge {
	challenges, err := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
	if err != nil {
		return nil
	}
	for _, scheme := range []string{"DPoP", "Bearer"} {
		for i, c := range challenges {
			if c.Is(scheme) {
				return &challenges[i]
			}
		}
	}
	return nil
}
