package devidp

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// grant is what a person, or an app for itself, allowed a client. Every code and token of it lives and dies with it:
// it is the family that the reuse of a code or of a refresh token ends (RFC 9700, section 4.14.2).
type grant struct {
	id        string
	client    *client
	user      *user  // nil: the client acts for itself
	tenant    string // with the Entra character: where the person signed in
	scopes    []string
	resources []string // named in the authorization request (RFC 8707)
	authTime  time.Time
	nonce     string
	parent    *grant // for an exchanged token: the grant of the token that was exchanged
	device    bool   // by the device flow
	capable   bool   // the client said that it handles claims challenges (Entra)
	stepped   bool   // the person answered a claims challenge (Entra)
	version1  bool   // by Entra's endpoints without v2.0

	generation uint32 // of the refresh token that is current
	rotated    time.Time
	revoked    bool
}

// target is what one access token is for.
type target struct {
	audience []string
	scopes   []string // in the token
	said     []string // in the answer's scope member
	api      *api     // with the Entra character
	capable  bool     // the client handles claims challenges (Entra)
	stepped  bool     // the person answered a claims challenge (Entra)
	openid   bool     // an ID token goes with it
	asked    string   // with the Entra character: how the API was named
}

// issued is an access token that was given out.
type issued struct {
	grant    *grant // never nil
	client   string // who got it
	user     *user
	audience []string
	scopes   []string
	claims   map[string]any
	expires  time.Time // by the provider's own clock, skewed or not
	revoked  bool
}

// TokenRequest describes a token that [Server.MintToken] makes for a test.
type TokenRequest struct {
	User     string         // who the token is about; empty means an app's token for itself
	Client   string         // empty means ClientCLI, and ClientService where there is no user
	Audience []string       // empty means the provider's usual one
	Scopes   []string       // exactly these; nobody is asked whether the user may have them
	Lifetime time.Duration  // 0 means the provider's usual one; a negative one makes an expired token
	Claims   map[string]any // laid over the claims; a nil value removes one
	Header   map[string]any // laid over the header's members, except alg and kid

	Algorithm  string // "RS256", "ES256"; empty means the provider's usual one
	Tenant     string // with the Entra character; empty means the user's or EntraTenant
	Version    int    // with the Entra character: 1 or 2; 0 means the API app's
	ForeignKey bool   // with the Entra character: signed by the key that is published, yet bound to another issuer
}

// MintToken makes an access token without anybody signing in, for tests. It is good at every endpoint as if it had
// been issued. It returns an error when the user or client is unknown.
func (s *Server) MintToken(r TokenRequest) (string, error) {
	if r.Client == "" {
		r.Client = ClientCLI
		if r.User == "" {
			r.Client = ClientService
		}
	}
	c, ok := s.clientNamed(r.Client)
	if !ok {
		return "", refuseClientUnknown.of(r.Client)
	}
	g := &grant{id: opaque(), client: c, scopes: r.Scopes, authTime: s.clock(), tenant: orElse(r.Tenant, EntraTenant)}
	if r.User != "" {
		if g.user = s.userNamed(r.User); g.user == nil {
			return "", refuseUserUnknown.of(r.User)
		}
	}
	t := target{scopes: r.Scopes, said: r.Scopes}
	if s.entra() {
		t.api = s.apis[0]
		if r.Version != 0 {
			other := *t.api
			other.version = r.Version
			t.api = &other
		}
		t.asked, t.audience = t.api.id, []string{t.api.id}
	}
	if !s.entra() {
		t.audience = []string{s.opts.Audience}
	}
	token, _, err := s.issue(g, t, issueOptions{lifetime: r.Lifetime, claims: r.Claims, header: r.Header,
		alg: r.Algorithm, foreign: r.ForeignKey, audience: r.Audience, sealed: true})
	return token, err
}

type issueOptions struct {
	lifetime time.Duration
	limit    time.Time // the token ends no later; zero means no such limit
	claims   map[string]any
	header   map[string]any
	audience []string
	alg      string
	foreign  bool
	sealed   bool // a JWT even where tokens are opaque
}

// issue makes an access token for t and remembers it. It returns the token and how long it lives.
func (s *Server) issue(g *grant, t target, o issueOptions) (string, time.Duration, error) {
	now := s.clock()
	life := o.lifetime
	if life == 0 {
		life = s.lifetime(t)
	}
	if !o.limit.IsZero() && now.Add(life).After(o.limit) {
		life = o.limit.Sub(now)
	}
	exp := now.Add(life)
	var claims, header map[string]any
	if s.entra() {
		claims, header = s.entraClaims(g, t, now, exp)
	} else {
		claims, header = s.claims(g, t, now, exp)
	}
	if len(o.audience) > 0 {
		claims["aud"] = oneOrMany(o.audience)
	}
	overlay(claims, o.claims)
	overlay(header, o.header)
	id := opaque()
	if s.entra() {
		claims["uti"] = orElse(claims["uti"], any(id))
	} else if _, removed := o.claims["jti"]; !removed {
		claims["jti"] = id
	}
	record := &issued{grant: g, client: g.client.ID, user: g.user, audience: t.audience, scopes: t.scopes, claims: claims, expires: exp}
	if len(o.audience) > 0 {
		record.audience = o.audience
	}
	if s.opts.Opaque && !s.entra() && !o.sealed {
		token := "opaque." + id
		s.remember(token, record)
		return token, life, nil
	}
	token, err := s.seal(claims, header, s.signerFor(t, o))
	if err != nil {
		return "", 0, err
	}
	s.remember(token, record)
	return token, life, nil
}

// signerFor finds the key for a token of t.
func (s *Server) signerFor(t target, o issueOptions) func() (*signingKey, error) {
	alg := jose.SignatureAlgorithm(orElse(o.alg, s.opts.Algorithm))
	switch {
	case o.foreign:
		return s.keys.foreignKey
	case s.opts.AppSigningKey && t.api != nil && t.api.main:
		return func() (*signingKey, error) { return s.appKeys.signer(jose.RS256) }
	}
	return func() (*signingKey, error) { return s.keys.signer(alg) }
}

func (s *Server) seal(claims, header map[string]any, signer func() (*signingKey, error)) (string, error) {
	key, err := signer()
	if err != nil {
		return "", err
	}
	return s.signedBy(key, header, claims)
}

// signedBy signs claims, and with a nonce in the header as Microsoft Graph's tokens are signed: over the nonce's hash,
// so that only who knows this can check the signature.
func (s *Server) signedBy(key *signingKey, header, claims map[string]any) (string, error) {
	nonce, graph := header["nonce"].(string)
	if !graph || !s.entra() {
		return key.sign(s.kidOf(key), header, claims)
	}
	header = maps.Clone(header)
	header["nonce"] = hashed(nonce)
	token, err := key.sign(s.kidOf(key), header, claims)
	if err != nil {
		return "", err
	}
	head, rest, _ := strings.Cut(token, ".")
	return swapNonce(head, hashed(nonce), nonce) + "." + rest, nil
}

func (s *Server) remember(token string, record *issued) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.tokens.put(hashed(token), record, now.Add(max(record.expires.Sub(s.clock()), 0)+time.Minute), now)
}

// claims are those of RFC 9068, section 2.2, and what the development users are.
func (s *Server) claims(g *grant, t target, now, exp time.Time) (claims, header map[string]any) {
	claims = map[string]any{
		"iss": s.base, "aud": oneOrMany(t.audience), "client_id": g.client.ID,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": exp.Unix(),
	}
	if len(t.scopes) > 0 {
		claims["scope"] = strings.Join(t.scopes, " ")
	}
	if g.user == nil {
		claims["sub"] = g.client.ID // RFC 9068, section 2.2: no resource owner is involved
		if len(g.client.Roles) > 0 {
			claims["roles"] = g.client.Roles
		}
	} else {
		claims["sub"] = g.user.subject()
		claims["auth_time"] = g.authTime.Unix()
		overlay(claims, g.user.profile())
		if len(g.user.roles) > 0 {
			claims["roles"] = g.user.roles
		}
		if len(g.user.groups) > 0 {
			claims["groups"] = g.user.groups
		}
	}
	return claims, map[string]any{"typ": "at+jwt"}
}

// profile is what a person is called (OpenID Connect Core, section 5.1).
func (u *user) profile() map[string]any {
	return map[string]any{"name": u.name, "given_name": u.given, "family_name": u.family, "preferred_username": u.email,
		"email": u.email, "email_verified": true}
}

// idToken makes the ID token of g (OpenID Connect Core, section 2) that goes with access.
func (s *Server) idToken(g *grant, t target, access string) (string, error) {
	now := s.clock()
	if s.entra() {
		return s.seal(s.entraIDClaims(g, now), map[string]any{"typ": "JWT"}, s.signerFor(target{}, issueOptions{}))
	}
	claims := map[string]any{
		"iss": s.base, "sub": g.user.subject(), "aud": g.client.ID, "azp": g.client.ID,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": g.authTime.Unix(), "at_hash": halfHash(access),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	overlay(claims, g.user.released(t.scopes))
	return s.seal(claims, map[string]any{"typ": "JWT"}, s.signerFor(target{}, issueOptions{}))
}

// released is the part of the profile that scopes open (OpenID Connect Core, section 5.4).
func (u *user) released(scopes []string) map[string]any {
	all, out := u.profile(), map[string]any{}
	for name, v := range all {
		scope := "profile"
		if strings.HasPrefix(name, "email") {
			scope = "email"
		}
		if slices.Contains(scopes, scope) {
			out[name] = v
		}
	}
	return out
}

// halfHash is at_hash (OpenID Connect Core, section 3.1.3.6), for algorithms that hash with SHA-256.
func halfHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64(sum[:16])
}

func oneOrMany(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return slices.Clone(values)
}

// overlay lays over upon under; nil removes.
func overlay(under, over map[string]any) {
	for name, v := range over {
		if v == nil {
			delete(under, name)
			continue
		}
		under[name] = v
	}
}
