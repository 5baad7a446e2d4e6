package signin

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
	"slices"
	"strings"
	"time"
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
	clientID     string
	clientSecret Secret   // of a client that registered itself
	scopes       []string // asked for; nil means that the parameter is omitted
	resource     string   // empty means that the parameter is omitted
	mayDrop      bool     // resource may be dropped when Entra refuses it
	verifier     Secret   // of PKCE in the device flow; empty means that it is not used
	dpopKey      Secret   // a private JWK; empty means that the tokens are not bound
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
	err := g.postOnce(ctx, endpoint, form, answer)
	if g.resource == "" || !g.mayDrop || !refusesResource(err) {
		return err
	}
	g.resource = ""
	form.Del("resource")
	return g.postOnce(ctx, endpoint, form, answer)
}

// refusesResource reports whether Entra does not take the resource parameter. Its numbers stand in error_codes; the
// text is not read.
func refusesResource(err error) bool {
	var e *Error
	return errors.As(err, &e) && (slices.Contains(e.Codes, 901002) || slices.Contains(e.Codes, 9010010))
}

func (g *grant) postOnce(ctx context.Context, endpoint string, form url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	c := &http.Client{Transport: g.http.Transport, CheckRedirect: noRedirect}
	resp, err := c.Do(req)
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: %w", err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: read the answer of %s: %w", g.issuer, err)}
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("signin: the answer of %s is larger than %d bytes", g.issuer, maxAnswer)
	}
	return g.read(resp, body, answer)
}

// noRedirect keeps codes and tokens at the endpoint they were meant for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// read takes an answer apart: 200 with JSON is an answer, an "error" is a refusal, and anything else is neither.
func (g *grant) read(resp *http.Response, body []byte, answer any) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := media == "application/json"
	var refusal struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
	}
	if isJSON && json.Unmarshal(body, &refusal) != nil {
		refusal.Error = "" // a 200 is read again, with its error, below
	}
	if refusal.Error != "" || resp.StatusCode != http.StatusOK {
		return &Error{
			Issuer:        g.issuer,
			Status:        resp.StatusCode,
			Code:          line(refusal.Error),
			Description:   line(refusal.Description),
			Codes:         refusal.Codes,
			TraceID:       line(refusal.TraceID),
			CorrelationID: line(refusal.CorrelationID),
			kind:          meaning(refusal.Error),
		}
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

// token asks the token endpoint, and accepts bearer tokens only.
func (g *grant) token(ctx context.Context, form url.Values) (*tokenAnswer, error) {
	var a tokenAnswer
	if err := g.post(ctx, g.tokenURL, form, &a); err != nil {
		return nil, err
	}
	switch {
	case !isB64Token(a.AccessToken):
		return nil, fmt.Errorf("signin: the answer of %s holds no usable access_token", g.issuer)
	case !strings.EqualFold(a.TokenType, "Bearer"):
		// RFC 6749, section 7.1: a token of a type one does not know must not be used.
		return nil, fmt.Errorf("signin: %s gives a token of type %q, not Bearer", g.issuer, line(a.TokenType))
	}
	return &a, nil
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

// checkPage parses a page that a person is asked to open (C-23): https, or http on this machine when the authorization
// server is there too.
func (g *grant) checkPage(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || len(raw) > 2000 || line(raw) != raw {
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
