package devidp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523, section 2.2

// maxAssertionLife bounds how far ahead a client assertion may end, and so how long its jti is remembered.
const maxAssertionLife = time.Hour

// authenticate finds the client of a request and checks its proof: none, a secret in the header or in the form, or a
// signed assertion. A request with two proofs is refused (RFC 6749, section 2.3).
func (s *Server) authenticate(r *http.Request, form url.Values) (*client, error) {
	id, secret, basic := r.BasicAuth()
	if !basic && r.Header.Get("Authorization") != "" {
		return nil, refuseClientProof.of()
	}
	if basic {
		var err1, err2 error
		id, err1 = url.QueryUnescape(id) // RFC 6749, section 2.3.1: both are form-encoded first
		secret, err2 = url.QueryUnescape(secret)
		if err1 != nil || err2 != nil {
			return nil, refuseMalformed.of("the Authorization header cannot be read")
		}
		if named := form.Get("client_id"); named != "" && named != id {
			return nil, refuseTwoProofs.of()
		}
	}
	inForm, assertion := form.Has("client_secret"), form.Has("client_assertion") || form.Has("client_assertion_type")
	if basic && inForm || basic && assertion || inForm && assertion {
		return nil, refuseTwoProofs.of()
	}
	switch {
	case assertion:
		return s.byAssertion(r, form)
	case !basic:
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	if id == "" {
		return nil, refuseMissing.of("client_id")
	}
	c, err := s.resolveClient(r.Context(), id)
	if err != nil {
		return nil, err
	}
	switch {
	case !basic && !inForm && c.public():
		return c, nil
	case !basic && !inForm:
		return nil, refuseClientProof.of()
	case c.public():
		return nil, refuseClientPublic.of()
	case c.method == "private_key_jwt" || c.method == "client_secret_basic" && !basic || c.method == "client_secret_post" && basic:
		return nil, refuseClientMethod.of()
	case !sameSecret(secret, c.Secret):
		return nil, refuseClientSecret.of(c.ID)
	}
	return c, nil
}

// confidential is authenticate for endpoints that a public client must not use.
func (s *Server) confidential(r *http.Request, form url.Values) (*client, error) {
	c, err := s.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	if c.public() {
		return nil, refuseClientProof.of()
	}
	return c, nil
}

func sameSecret(given, known string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(known))
	return known != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func assertionAlgorithms() []string { return []string{"RS256", "PS256", "ES256"} }

// byAssertion authenticates a client by private_key_jwt (RFC 7523, section 3): everything cheap first, then the
// signature, then the jti, which counts once.
func (s *Server) byAssertion(r *http.Request, form url.Values) (*client, error) {
	if form.Get("client_assertion_type") != assertionType {
		return nil, refuseAssertion.of("client_assertion_type is not jwt-bearer")
	}
	token, claims, err := readAssertion(form.Get("client_assertion"))
	if err != nil {
		return nil, err
	}
	if known, ok := s.clientNamed(form.Get("client_id")); ok && len(known.federated) > 0 && claims.Issuer != claims.Subject {
		return s.byFederation(r, form, token, claims)
	}
	if claims.Issuer == "" || claims.Issuer != claims.Subject {
		return nil, refuseAssertion.of("iss and sub are not the client id")
	}
	if id := form.Get("client_id"); id != "" && id != claims.Issuer {
		return nil, refuseAssertion.of("iss is not client_id")
	}
	if !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(s.assertionAudiences(r), a) }) {
		return nil, refuseAssertion.of("aud is not this provider")
	}
	if err := s.inTime(claims); err != nil {
		return nil, err
	}
	if claims.ID == "" || len(claims.ID) > 500 {
		return nil, refuseAssertion.of("jti is missing, or too long")
	}
	c, err := s.resolveClient(r.Context(), claims.Issuer)
	if err != nil {
		return nil, err
	}
	keys, err := s.clientKeys(r.Context(), c)
	if err != nil {
		return nil, err
	}
	if s.entra() {
		if keys, err = s.certified(token, keys); err != nil {
			return nil, err
		}
	}
	if !signedByOne(token, keys) {
		return nil, refuseAssertion.of("no key of the client has signed it")
	}
	return c, s.firstUse(c.ID+"\x00"+claims.ID, claims.Expiry.Time().Sub(s.clock()))
}

// readAssertion reads a JWT that somebody signed, and checks nothing of what it says.
func readAssertion(raw string) (*jwt.JSONWebToken, jwt.Claims, error) {
	var claims jwt.Claims
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256})
	if err != nil || len(token.Headers) != 1 {
		return nil, claims, refuseAssertion.because(err, "it is not a JWT signed with RS256, PS256 or ES256")
	}
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil, claims, refuseAssertion.because(err, "its claims cannot be read")
	}
	return token, claims, nil
}

// inTime refuses an assertion whose time has not come or is over, and one that would be good for long.
func (s *Server) inTime(claims jwt.Claims) error {
	now := s.clock()
	switch {
	case claims.Expiry == nil || claims.Expiry.Time().After(now.Add(maxAssertionLife)):
		return refuseAssertion.of("exp is missing, or more than an hour ahead")
	case !now.Before(claims.Expiry.Time()) || claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(time.Minute)) ||
		claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(time.Minute)):
		return refuseAssertionTime.of()
	}
	return nil
}

// assertionAudiences are the names under which a client may address this provider: the issuer, the token endpoint and
// the endpoint it calls (RFC 7523, section 3, point 3).
func (s *Server) assertionAudiences(r *http.Request) []string {
	own := s.base + r.URL.EscapedPath()[len(s.prefix):]
	if s.entra() {
		return append(s.entraAudiences(r), own)
	}
	return []string{s.base, s.base + "/token", own}
}

// signedByOne tries the key that the header names, or each one when it names none.
func signedByOne(token *jwt.JSONWebToken, keys *jose.JSONWebKeySet) bool {
	head := token.Headers[0]
	for _, k := range keys.Keys {
		if head.KeyID != "" && k.KeyID != "" && k.KeyID != head.KeyID || k.Algorithm != "" && k.Algorithm != head.Algorithm {
			continue
		}
		var ignored map[string]json.RawMessage
		if token.Claims(k.Key, &ignored) == nil {
			return true
		}
	}
	return false
}

// firstUse remembers the jti of an assertion until it expires, and refuses it the second time. When there is no room
// it refuses too: forgetting one would let it be played again.
func (s *Server) firstUse(jti string, left time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if _, seen := s.assertions.get(jti, now); seen {
		return refuseAssertion.of("its jti was used before")
	}
	if s.assertions.full(now) {
		return refuseAssertion.of("too many assertions at once")
	}
	s.assertions.put(jti, struct{}{}, now.Add(left), now)
	return nil
}
