package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Verify says who presents token, or why it is refused: the error is always an [*Error]. It checks that a provider of
// ours issued the token, for this resource, to somebody, and that it is valid now; not what they may do. The identity
// is shared with other calls and must not be changed. Verify waits for the provider at most five seconds, and only
// for keys or introspection that it does not have.
func (g *Guard) Verify(ctx context.Context, token string) (*identity.Identity, error) {
	sum := fingerprint(token)
	now := g.now()
	if caller := g.cache.get(sum, now); caller != nil {
		return caller.Identity(), nil
	}
	id, err := g.verify(ctx, token, sum, now)
	if err != nil {
		return nil, err
	}
	return id, nil
}

// fingerprint is the SHA-256 of a token. Tokens of the usual length are not copied to the heap for it.
func fingerprint(token string) [sha256.Size]byte {
	var usual [2048]byte
	if len(token) > len(usual) {
		return sha256.Sum256([]byte(token))
	}
	return sha256.Sum256(usual[:copy(usual[:], token)])
}

func (g *Guard) verify(ctx context.Context, raw string, sum [32]byte, now time.Time) (*identity.Identity, *Error) {
	if len(raw) > g.cfg.MaxTokenBytes {
		return nil, refusal(ReasonMalformed, fmt.Errorf("%d bytes", len(raw)))
	}
	t, err := parseToken(raw)
	if errors.Is(err, errNotJWT) {
		return g.describe(ctx, raw, sum)
	}
	if err != nil {
		return nil, err.(*Error)
	}
	p, s, refused := g.origin(t)
	if refused == nil {
		refused = g.check(p, t.claims, now)
	}
	if refused == nil {
		refused = g.kind(p, t)
	}
	if refused != nil {
		return nil, by(p, refused)
	}
	key, refused := s.verify(ctx, t)
	if refused != nil {
		return nil, by(p, refused)
	}
	return g.accept(p, t, key, sum)
}

// accept reads the identity of a token whose signature was verified, and remembers it.
func (g *Guard) accept(p *provider, t *token, key *signingKey, sum [32]byte) (*identity.Identity, *Error) {
	audience, _ := t.claims.audience()
	id, refused := t.claims.identity(p, p.Claims, t.claims.text("iss"), common(p.audience, audience))
	if refused != nil {
		return nil, by(p, refused)
	}
	id.Expiry, _, _ = t.claims.time("exp")
	// Remembered no longer than keys are believed: a key that the provider withdrew is found out also where the same
	// token comes again and again, and nobody calls Run.
	until := g.now().Add(g.cfg.KeyRefresh)
	if id.Expiry.Before(until) {
		until = id.Expiry
	}
	g.cache.put(sum, id, until, key)
	return id, nil
}

func by(p *provider, e *Error) *Error {
	if p != nil {
		e.Provider = p.Name
	}
	return e
}

// origin finds the provider that claims the token's issuer, and checks what the issuer decides: algorithm, version and
// tenant.
func (g *Guard) origin(t *token) (*provider, *source, *Error) {
	iss, tenantErr := t.claims.plain("iss")
	if tenantErr != nil || iss == "" {
		return nil, nil, refusal(ReasonIssuer, errors.New("no iss"))
	}
	refused, found := refusal(ReasonIssuer, fmt.Errorf("iss %.200q", iss)), (*provider)(nil)
	for _, p := range g.providers {
		tenant := t.claims.text(p.Claims.Tenant...)
		for i, issuer := range p.Issuers {
			if !issuer.Accepts(iss, tenant) {
				continue
			}
			switch found = p; {
			case p.OpaqueTokens:
				refused = refusal(ReasonType, errors.New("this provider's access tokens are no JWTs"))
			case issuer.Version != "" && t.claims.text("ver") != issuer.Version:
				refused = refusal(ReasonIssuer, fmt.Errorf("iss %.200q is for version %s", iss, issuer.Version))
			case !p.admits(tenant):
				refused = refusal(ReasonTenant, fmt.Errorf("tenant %.40q", tenant))
			case !slices.Contains(p.Algorithms, t.alg):
				refused = refusal(ReasonAlgorithm, fmt.Errorf("alg %q", t.alg))
			default:
				return p, p.sources[i], nil
			}
		}
	}
	return found, nil, refused
}

// admits reports whether the allow-list has the tenant.
func (p *provider) admits(tenant string) bool {
	if slices.Contains(p.DeniedTenants, tenant) {
		return false
	}
	return len(p.Tenants) == 0 || slices.Contains(p.Tenants, tenant) || slices.Contains(p.Tenants, idp.AnyTenant)
}

// check looks at audience and times, of a token or of an introspection answer.
func (g *Guard) check(p *provider, c claims, now time.Time) *Error {
	audience, err := c.audience()
	if err != nil {
		return refusal(ReasonAudience, err)
	}
	if len(common(p.audience, audience)) == 0 {
		return g.foreign(p, audience)
	}
	return g.times(c, now)
}

// foreign refuses a token for another resource; where that is a well-known one, with advice.
func (g *Guard) foreign(p *provider, audience []string) *Error {
	cause := fmt.Errorf("aud %.200q, not %q", audience, p.audience)
	for _, a := range audience {
		service := p.ForeignAudiences[a]
		if service == "" {
			continue
		}
		return g.graph(service, cause)
	}
	return refusal(ReasonAudience, cause)
}

func (g *Guard) graph(service string, cause error) *Error {
	e := refusal(ReasonGraph, cause)
	e.Description = "this token is for " + service + "; ask for " + g.wanted()
	return e
}

// wanted says what to ask for instead: a scope without a resource prefix means Graph to Entra.
func (g *Guard) wanted() string {
	if len(g.scopes) > 0 {
		return "scope " + strings.Join(g.scopes, " ")
	}
	return "a scope of this resource, such as api://<app>/<scope>"
}

func common(accepted, carried []string) []string {
	var both []string
	for _, a := range accepted {
		if slices.Contains(carried, a) {
			both = append(both, a)
		}
	}
	return both
}

func (g *Guard) times(c claims, now time.Time) *Error {
	exp, hasExp, err := c.time("exp")
	if err != nil || !hasExp {
		return refusal(ReasonLifetime, errors.Join(err, errors.New("exp is needed")))
	}
	nbf, hasNbf, nbfErr := c.time("nbf")
	iat, hasIat, iatErr := c.time("iat")
	if err := errors.Join(nbfErr, iatErr); err != nil {
		return refusal(ReasonMalformed, err)
	}
	leeway := g.cfg.Leeway
	switch {
	case !now.Before(exp.Add(leeway)):
		return refusal(ReasonExpired, fmt.Errorf("expired %v ago", now.Sub(exp).Round(time.Second)))
	case hasNbf && now.Add(leeway).Before(nbf):
		return refusal(ReasonNotYet, fmt.Errorf("nbf is %v ahead", nbf.Sub(now).Round(time.Second)))
	case hasIat && now.Add(leeway).Before(iat):
		return refusal(ReasonNotYet, fmt.Errorf("iat is %v ahead", iat.Sub(now).Round(time.Second)))
	case exp.Sub(now) > g.cfg.MaxLifetime+leeway, hasIat && exp.Sub(iat) > g.cfg.MaxLifetime+leeway:
		return refusal(ReasonLifetime, fmt.Errorf("exp is %v ahead, more than %v in all", exp.Sub(now).Round(time.Second), g.cfg.MaxLifetime))
	}
	return nil
}

// kind refuses what is signed by the right issuer but is no access token: ID and refresh tokens, logout tokens, and
// tokens bound to a key or certificate that this request does not prove (RFC 8705, RFC 9449).
func (g *Guard) kind(p *provider, t *token) *Error {
	c := t.claims
	if t.nonce && len(p.ForeignAudiences) > 0 { // signed over a hash of the nonce: nobody but Graph can verify it
		return g.graph("Microsoft Graph", errors.New("a nonce stands in the header"))
	}
	if !slices.Contains(p.TokenTypes, t.typ) {
		return refusal(ReasonType, fmt.Errorf("typ %.40q", t.typ))
	}
	if p.TypeClaim != "" && c.text(p.TypeClaim) != p.AccessTokenType {
		return refusal(ReasonType, fmt.Errorf("claim %s is %.40q", p.TypeClaim, c.text(p.TypeClaim)))
	}
	if other := []string{"id", "refresh", "offline", "logout"}; p.TypeClaim == "" && slices.Contains(other, strings.ToLower(c.text("typ"))) {
		return refusal(ReasonType, fmt.Errorf("claim typ is %.40q", c.text("typ"))) // Keycloak's, without its preset
	}
	if use, has := c["token_use"]; has && use != "access" && use != "access_token" {
		return refusal(ReasonType, errors.New("token_use is not access"))
	}
	if _, bound := c["cnf"]; bound {
		return refusal(ReasonType, errors.New("bound to a proof of possession"))
	}
	if t.typ == "at+jwt" { // RFC 9068, section 2.1
		return nil
	}
	for _, name := range p.IDTokenClaims {
		if _, has := c[name]; has {
			return refusal(ReasonType, fmt.Errorf("claim %s is an ID token's", name))
		}
	}
	if len(p.AccessTokenClaims) > 0 && !slices.ContainsFunc(p.AccessTokenClaims, func(n string) bool { return c[n] != nil }) {
		return refusal(ReasonType, fmt.Errorf("none of the claims %s of an access token", strings.Join(p.AccessTokenClaims, ", ")))
	}
	return nil
}
