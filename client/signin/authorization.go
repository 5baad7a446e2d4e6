package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Grant types (RFC 7591, section 2).
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// authorization is one authorization request, and all that its answer is held against: it is good for one answer.
type authorization struct {
	grant       *grant
	endpoint    string
	redirectURI string
	state       string
	verifier    Secret // of PKCE
	issuer      string // C-14: recorded with state and verifier
	sendsIssuer bool   // C-15: the authorization server says that it names itself in its answers
	away        bool   // its page is on another site than itself, so it must
}

// newAuthorization refuses an authorization server that does not say that it protects codes by PKCE (C-13), unless it is
// known to do so all the same.
func newAuthorization(g *grant, r *Request, redirectURI string) (*authorization, error) {
	m := &r.Authorization
	switch {
	case m.AuthorizationEndpoint == "":
		return nil, fmt.Errorf("signin: %s names no authorization_endpoint", g.issuer)
	case !slices.Contains(m.CodeChallengeMethodsSupported, "S256") &&
		(len(m.CodeChallengeMethodsSupported) > 0 || !g.provider.OmitsPKCEMetadata):
		return nil, fmt.Errorf("%w: %s does not list S256 in code_challenge_methods_supported", ErrNoPKCE, g.issuer)
	}
	return &authorization{grant: g, endpoint: m.AuthorizationEndpoint, redirectURI: redirectURI, state: rand.Text(),
		verifier: Secret(oauth.NewVerifier()), issuer: g.issuer, sendsIssuer: m.IssParameterSupported,
		away: g.isAway(m.AuthorizationEndpoint)}, nil
}

// url is the page on which the person signs in (RFC 6749, section 4.1.1).
func (a *authorization) url() (string, error) {
	u, err := url.Parse(a.endpoint)
	if err != nil {
		return "", fmt.Errorf("signin: %w", err)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", fmt.Errorf("signin: the authorization endpoint of %s: %w", a.issuer, err)
	}
	g := a.grant
	q.Set("response_type", "code")
	q.Set("client_id", g.clientID)
	q.Set("redirect_uri", a.redirectURI)
	q.Set("state", a.state)
	q.Set("code_challenge", oauth.ChallengeS256(string(a.verifier)))
	q.Set("code_challenge_method", "S256")
	if len(g.scopes) > 0 {
		q.Set("scope", strings.Join(g.scopes, " "))
	}
	if g.resource != "" {
		q.Set("resource", g.resource) // C-11
	}
	if g.claims != "" {
		q.Set("claims", g.claims)
	}
	if g.key != nil {
		q.Set("dpop_jkt", g.key.Thumbprint()) // RFC 9449, section 10: the code is bound, too
	}
	u.RawQuery = q.Encode()
	return u.String(), g.checkPage(u.String())
}

// maxQuery bounds the answer of an authorization server.
const maxQuery = 64 << 10

// belongs reports whether query carries the state of a (C-16), once. It is asked before anything else of an answer.
func (a *authorization) belongs(query url.Values) bool {
	states := query["state"]
	return len(states) == 1 && subtle.ConstantTimeCompare([]byte(states[0]), []byte(a.state)) == 1
}

// code takes the code out of an answer (RFC 6749, section 4.1.2), or says why there is none.
func (a *authorization) code(query url.Values) (Secret, error) {
	if !a.belongs(query) {
		return "", fmt.Errorf("%w: its state is not the one that was sent", ErrForged)
	}
	for _, name := range []string{"code", "error", "error_description", "iss"} {
		if len(query[name]) > 1 {
			return "", fmt.Errorf("%w: it names %s twice", ErrForged, name)
		}
	}
	if err := a.checkIssuer(query); err != nil {
		return "", err
	}
	if code := query.Get("error"); code != "" {
		return "", refusedAtPage(a.issuer, code, query.Get("error_description"))
	}
	code := query.Get("code")
	if code == "" {
		return "", fmt.Errorf("signin: the answer of %s holds neither code nor error", a.issuer)
	}
	return Secret(code), nil
}

// checkIssuer holds an answer, a refusal too, to RFC 9207 (C-15): where the authorization server says that it names
// itself it must, and where its page is away; and whoever is named must be exactly the one that was asked.
func (a *authorization) checkIssuer(query url.Values) error {
	iss := query.Get("iss")
	switch {
	case query.Has("iss") && iss != a.issuer:
		return fmt.Errorf("%w: it comes from %q, not from %s", ErrForged, line(iss), a.issuer)
	case !query.Has("iss") && a.sendsIssuer:
		return fmt.Errorf("%w: %s says that it names itself in its answers, and this one names nobody", ErrForged, a.issuer)
	case !query.Has("iss") && a.away:
		return fmt.Errorf("%w: the page is on another site than %s, and the answer names nobody", ErrForged, a.issuer)
	}
	return nil
}

// aadsts finds Entra's number in the text of a refusal that came by redirect: there is no error_codes there.
var aadsts = regexp.MustCompile(`^AADSTS(\d{1,9}):`)

// refusedAtPage is a refusal that came by redirect (RFC 6749, section 4.1.2.1).
func refusedAtPage(issuer, code, description string) *Error {
	e := &Error{Issuer: issuer, Code: line(code), kind: meaning(code)}
	e.Description, e.TraceID, e.CorrelationID = described(description)
	if m := aadsts.FindStringSubmatch(description); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			e.Codes = []int{n}
		}
	}
	return e
}

// redeem turns a code into tokens (RFC 6749, section 4.1.3). The scope goes along because Entra wants it (AADSTS28003).
func (a *authorization) redeem(ctx context.Context, code Secret) (*Tokens, error) {
	g := a.grant
	form := g.form(g.scopes)
	form.Set("grant_type", grantCode)
	form.Set("code", string(code))
	form.Set("redirect_uri", a.redirectURI)
	form.Set("code_verifier", string(a.verifier))
	answer, err := g.token(ctx, form)
	if err != nil {
		return nil, err
	}
	return newTokens(g, answer)
}

// withoutResource lets another authorization follow one that Entra refused for its resource parameter.
func (g *grant) withoutResource(err error) bool {
	if g.resource == "" || !g.mayDrop || !refusesResource(err) {
		return false
	}
	g.resource = ""
	return true
}
