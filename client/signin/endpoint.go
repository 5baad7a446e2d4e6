package signin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin/dpop"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const (
	maxAnswer    = 1 << 20 // bytes of an answer
	maxLifetime  = 10 * 365 * 24 * time.Hour
	tokenTimeout = 30 * time.Second
)

// grant is what the requests of one sign-in have in common.
//
// The requests are made here and not by x/oauth2, whose device flow does not end with its context while it asks for a
// code, gives up at the first lost packet while it polls, panics on a negative interval, and cannot send resource or
// scope when it refreshes.
type grant struct {
	http         *http.Client
	server       string // the MCP server that the tokens are for
	issuer       string
	tokenURL     string
	revokeURL    string
	methods      []string // token_endpoint_auth_methods_supported
	provider     *idp.Provider
	clientID     string
	proof        Authentication // configured; nil means that the client registered itself, or is public
	clientSecret Secret         // of a client that registered itself
	secretMethod string         // how clientSecret is sent
	remembered   bool           // the client registered itself in an earlier sign-in
	doubtful     bool           // and it cannot be told whether it is still known
	scopes       []string       // asked for; nil means that the parameter is omitted
	resource     string         // empty means that the parameter is omitted
	mayDrop      bool           // resource may be dropped when Entra refuses it
	claims       string         // JSON, of a claims challenge; empty means none
	verifier     Secret         // of PKCE in the device flow; empty means that it is not used
	key          *dpop.Key      // nil means that the tokens are not bound
	nonce        string         // the authorization server's last, for a proof of key
	now          func() time.Time
}

// form is the beginning of every request.
func (g *grant) form(scopes []string) url.Values {
	v := url.Values{"client_id": {g.clientID}}
	if len(scopes) > 0 {
		v.Set("scope", strings.Join(scopes, " "))
	}
	return v
}

// post sends form to endpoint and reads the answer into answer. It adds the resource (C-11) and, where that is allowed,
// asks again without it.
func (g *grant) post(ctx context.Context, endpoint string, form url.Values, answer any) error {
	if g.resource != "" {
		form.Set("resource", g.resource)
	}
	err := g.postProven(ctx, endpoint, form, answer)
	if g.resource == "" || !g.mayDrop || !refusesResource(err) {
		return err
	}
	g.resource = ""
	form.Del("resource")
	return g.postProven(ctx, endpoint, form, answer)
}

// refusesResource reports whether Entra does not take the resource parameter. Its numbers stand in error_codes; the
// text is not read.
func refusesResource(err error) bool {
	var e *Error
	return errors.As(err, &e) && (slices.Contains(e.Codes, 901002) || slices.Contains(e.Codes, 9010010))
}

// postProven sends form once more where the token endpoint asks for a proof of key with its nonce (RFC 9449, section 8).
func (g *grant) postProven(ctx context.Context, endpoint string, form url.Values, answer any) error {
	before := g.nonce
	err := g.postOnce(ctx, endpoint, form, answer)
	var e *Error
	if g.key != nil && errors.As(err, &e) && e.Code == codeUseNonce && g.nonce != before {
		return g.postOnce(ctx, endpoint, form, answer)
	}
	return err
}

const codeUseNonce = "use_dpop_nonce" // RFC 9449, section 8

func (g *grant) postOnce(ctx context.Context, endpoint string, form url.Values, answer any) error {
	form, header := maps.Clone(form), http.Header{}
	proof := g.proof
	if proof == nil && g.clientSecret != "" {
		proof = ClientSecret{Secret: g.clientSecret, Method: g.secretMethod}
	}
	if proof != nil {
		a := &asking{issuer: g.issuer, endpoint: endpoint, tokenURL: g.tokenURL, clientID: g.clientID, methods: g.methods,
			provider: g.provider, now: g.now, form: form, header: header}
		if err := proof.authenticate(ctx, a); err != nil {
			return err
		}
	}
	if g.key != nil && endpoint == g.tokenURL {
		p, err := g.key.Proof(dpop.Request{Method: http.MethodPost, URL: endpoint, Nonce: g.nonce, Now: g.now()})
		if err != nil {
			return err
		}
		header.Set("DPoP", p)
	}
	return g.send(ctx, endpoint, "application/x-www-form-urlencoded", []byte(form.Encode()), header, http.StatusOK, answer)
}

// send posts body to an endpoint of the authorization server, and reads the answer, which has the status want.
func (g *grant) send(ctx context.Context, endpoint, media string, body []byte, header http.Header, want int, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	req.Header = header
	req.Header.Set("Content-Type", media)
	req.Header.Set("Accept", "application/json")
	c := &http.Client{Transport: g.http.Transport, CheckRedirect: noRedirect}
	resp, err := c.Do(req)
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: %w", err)}
	}
	defer resp.Body.Close()
	if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" && len(nonce) <= maxNonce {
		g.nonce = nonce
	}
	return g.read(resp, want, answer)
}

const maxNonce = 1024 // bytes of a nonce

// noRedirect keeps codes and tokens at the endpoint they were meant for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// read takes an answer apart: the status that is wanted with JSON is an answer, an "error" is a refusal, and anything
// else is neither.
func (g *grant) read(resp *http.Response, want int, answer any) error {
	if answer == nil && resp.StatusCode == want {
		return nil // the caller wants nothing of it
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: read the answer of %s: %w", g.issuer, err)}
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("signin: the answer of %s is larger than %d bytes", g.issuer, maxAnswer)
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := media == "application/json"
	var refused refusal
	if isJSON && json.Unmarshal(body, &refused) != nil {
		refused.Error = "" // an answer is read again, with its error, below
	}
	if refused.Error != "" || resp.StatusCode != want && resp.StatusCode != http.StatusOK {
		return refused.by(g.issuer, resp.StatusCode)
	}
	if !isJSON {
		return fmt.Errorf("signin: %s answers %q, not application/json", g.issuer, line(media))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		// The cause may quote the answer, and with it a token.
		return fmt.Errorf("signin: the answer of %s is not the JSON it should be", g.issuer)
	}
	return nil
}

// refusal is an error answer (RFC 6749, section 5.2), with what Entra adds.
type refusal struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	Claims        string `json:"claims"`
}

func (r *refusal) by(issuer string, status int) *Error {
	text, trace, correlation := described(r.Description)
	return &Error{
		Issuer:        issuer,
		Status:        status,
		Code:          line(r.Error),
		Description:   text,
		Codes:         r.Codes,
		TraceID:       cmp.Or(line(r.TraceID), trace),
		CorrelationID: cmp.Or(line(r.CorrelationID), correlation),
		kind:          meaning(r.Error),
	}
}

// unreachableError is a request that got no answer: it may be tried again.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// temporary reports whether the same request may succeed later.
func temporary(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Status >= 500 || e.Status == http.StatusTooManyRequests
	}
	var u *unreachableError
	return errors.As(err, &u)
}

// tokenAnswer is a token response (RFC 6749, section 5.1).
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    seconds `json:"expires_in"`
	RefreshIn    seconds `json:"refresh_in"` // Entra's advice when to refresh
	RefreshToken string  `json:"refresh_token"`
	Scope        *string `json:"scope"` // absent means: as asked for
	IDToken      string  `json:"id_token"`
}

// token asks the token endpoint, and accepts tokens of the type that was asked for only.
func (g *grant) token(ctx context.Context, form url.Values) (*tokenAnswer, error) {
	var a tokenAnswer
	if err := g.post(ctx, g.tokenURL, form, &a); err != nil {
		return nil, err
	}
	switch {
	case !isB64Token(a.AccessToken):
		return nil, fmt.Errorf("signin: the answer of %s holds no usable access_token", g.issuer)
	case !strings.EqualFold(a.TokenType, g.tokenType()):
		// RFC 6749, section 7.1: a token of a type one does not know must not be used. A token that is not bound although
		// that was asked for would be good for whoever finds it.
		return nil, fmt.Errorf("signin: %s gives a token of type %q, not %s", g.issuer, line(a.TokenType), g.tokenType())
	}
	return &a, nil
}

// tokenType is the type of token that is asked for.
func (g *grant) tokenType() string {
	if g.key != nil {
		return tokenDPoP
	}
	return tokenBearer
}

// isB64Token reports whether s can stand in an Authorization header (RFC 6750, section 2.1).
func isB64Token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/=", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// seconds is a whole number of seconds. Entra's first version writes it as a string.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	if n == "" { // null, or an empty string
		return nil
	}
	i, err := n.Int64()
	if err != nil || i < 0 {
		return errors.New("not a number of seconds")
	}
	*s = seconds(min(time.Duration(min(i, int64(maxLifetime/time.Second)))*time.Second, maxLifetime))
	return nil
}

const maxPage = 8 << 10 // bytes of an address that a person opens

// checkPage parses a page that a person is asked to open (C-23): https, or http on this machine when the authorization
// server is there too.
func (g *grant) checkPage(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || len(raw) > maxPage || plain(raw) != raw {
		return fmt.Errorf("signin: %s names %q as its page, which is no address to open", g.issuer, line(raw))
	}
	if u.Scheme == "https" {
		return nil
	}
	if u.Scheme == "http" && isLoopback(u.Hostname()) && strings.HasPrefix(g.issuer, "http:") {
		return nil // an http issuer is on this machine: discovery accepts no other
	}
	return fmt.Errorf("signin: %s names %q as its page, which is not https", g.issuer, line(raw))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
