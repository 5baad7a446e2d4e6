package devidp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Enterprise-managed authorization (draft-ietf-oauth-identity-assertion-authz-grant): the company's provider turns a
// person's ID token into an assertion for another authorization server, an ID-JAG, and that server turns the assertion
// into a token. A provider here plays either part, or in two places both.
const (
	typeIDToken = "urn:ietf:params:oauth:token-type:id_token"
	typeIDJAG   = "urn:ietf:params:oauth:token-type:id-jag"
	headIDJAG   = "oauth-id-jag+jwt"

	lifeIDJAG = 5 * time.Minute
)

// App is an authorization server for which a client may get ID-JAGs: what the company's administrator allows.
type App struct {
	Issuer   string   // of the authorization server, the audience of an ID-JAG: required
	ClientID string   // the id of the client there: required
	Scopes   []string // that an ID-JAG may carry; nil means what the person may have
}

// Enterprise is a company's provider whose ID-JAGs are accepted. A person is who has the same sub here.
type Enterprise struct {
	Issuer  string // as its ID-JAGs say iss: required
	JWKSURI string // where its public keys are: required; this machine will do
}

// issueIDJAG answers a token exchange that wants an ID-JAG. The ID token must be this very client's, and the person's
// sign-in must still be good.
func (s *Server) issueIDJAG(c *client, form url.Values) (map[string]any, error) {
	switch {
	case form.Get("subject_token") == "":
		return nil, refuseMissing.of("subject_token")
	case form.Get("subject_token_type") != typeIDToken:
		return nil, refuseTokenType.of(form.Get("subject_token_type"))
	case form.Has("actor_token"):
		return nil, refuseTokenType.of(form.Get("actor_token_type"))
	case len(form["audience"]) != 1:
		return nil, refuseMissing.of("audience")
	}
	u, at, err := s.whoseIDToken(c, form.Get("subject_token"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.Apps, func(a App) bool { return a.Issuer == form.Get("audience") })
	if i < 0 {
		return nil, refuseTarget.of(form.Get("audience"))
	}
	app := c.Apps[i]
	asked, err := scopeList(form.Get("scope"))
	if err != nil {
		return nil, err
	}
	scopes := slices.DeleteFunc(u.may(asked), func(sc string) bool { return app.Scopes != nil && !slices.Contains(app.Scopes, sc) })
	if len(asked) > 0 && len(scopes) == 0 {
		return nil, refuseScope.of(form.Get("scope"))
	}
	now := s.clock()
	claims := map[string]any{"iss": s.base, "sub": u.subject(), "aud": app.Issuer, "client_id": app.ClientID, "jti": opaque(),
		"iat": now.Unix(), "exp": now.Add(lifeIDJAG).Unix(), "auth_time": at.Unix(), "email": u.email}
	out := map[string]any{"issued_token_type": typeIDJAG, "token_type": "N_A", "expires_in": int64(lifeIDJAG / time.Second)}
	if len(scopes) > 0 {
		claims["scope"] = strings.Join(scopes, " ")
		out["scope"] = claims["scope"]
	}
	switch named := form["resource"]; {
	case len(named) > 1:
		return nil, refuseTargets.of()
	case len(named) == 1 && !absoluteURL(named[0]):
		return nil, refuseTarget.of(named[0])
	case len(named) == 1:
		claims["resource"] = named[0]
	}
	out["access_token"], err = s.seal(claims, map[string]any{"typ": headIDJAG}, s.signerFor(target{}, issueOptions{}))
	return out, err
}

// whoseIDToken is the person of an ID token of ours that c got, and when the person signed in.
func (s *Server) whoseIDToken(c *client, raw string) (*user, time.Time, error) {
	claims, header, err := s.verified(raw)
	if err != nil || header["typ"] != "JWT" || claims["iss"] != s.base {
		return nil, time.Time{}, refuseSubject.of("subject_token")
	}
	if claims["aud"] != c.ID {
		return nil, time.Time{}, refuseForeign.of("subject_token", fmt.Sprint(claims["aud"]))
	}
	exp, _ := claims["exp"].(float64)
	at, _ := claims["auth_time"].(float64)
	signedIn := time.Unix(int64(at), 0)
	i := slices.IndexFunc(s.users, func(u *user) bool { return u.subject() == claims["sub"] })
	switch {
	case i < 0, !s.clock().Before(time.Unix(int64(exp), 0)):
		return nil, time.Time{}, refuseSubject.of("subject_token")
	case s.isDisabled(s.users[i]):
		return nil, time.Time{}, refuseGrantUser.of(s.users[i].id)
	case s.faults.signInsRevoked(s.users[i].id, signedIn):
		return nil, time.Time{}, refuseRevokedUser.of()
	}
	return s.users[i], signedIn, nil
}

// idJAG is what an ID-JAG says.
type idJAG struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Resource string `json:"resource"`
	Scope    string `json:"scope"`
}

// isIDJAG reports whether a JWT says of itself that it is an ID-JAG.
func isIDJAG(raw string) bool {
	head, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	return err == nil && json.Unmarshal(text, &header) == nil && header.Type == headIDJAG
}

// redeemIDJAG gives a person's token for an ID-JAG. There is no refresh token: whoever wants another asks the company's
// provider again, which may say no by then.
func (s *Server) redeemIDJAG(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if c.public() {
		return nil, refuseClientProof.of()
	}
	said, err := s.acceptIDJAG(r, c, form.Get("assertion"))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.users, func(u *user) bool { return u.subject() == said.Subject })
	if i < 0 {
		return nil, refuseGrantAssertion.of("nobody here has its sub")
	}
	g := &grant{id: opaque(), client: c, user: s.users[i], authTime: s.clock()}
	if err := s.goodFor(g, refuseGrantAssertion); err != nil {
		return nil, err
	}
	t, err := s.idJAGTarget(g, said, form)
	if err != nil {
		return nil, err
	}
	return s.answer(g, t, issueOptions{}, "")
}

// acceptIDJAG checks an ID-JAG: what is cheap first, then the signature, then that it is the first time.
func (s *Server) acceptIDJAG(r *http.Request, c *client, raw string) (*idJAG, error) {
	token, _, err := readAssertion(raw)
	if err != nil {
		return nil, asGrant(err)
	}
	said := &idJAG{}
	if err := token.UnsafeClaimsWithoutVerification(said); err != nil {
		return nil, refuseGrantAssertion.because(err, "its claims cannot be read")
	}
	i := slices.IndexFunc(s.opts.Enterprises, func(e Enterprise) bool { return e.Issuer == said.Issuer })
	now := s.clock()
	switch {
	case i < 0:
		return nil, refuseGrantAssertion.of("iss is no provider that is trusted here")
	case !slices.Equal(said.Audience, jwt.Audience{s.base}):
		return nil, refuseGrantAssertion.of("aud is not this provider alone")
	case said.ClientID != c.ID: // draft, section 4.4.1: the client that presents it is the one that it was made for
		return nil, refuseGrantAssertion.of("client_id is another client")
	case said.Subject == "":
		return nil, refuseGrantAssertion.of("sub is missing")
	case said.ID == "" || len(said.ID) > 500:
		return nil, refuseGrantAssertion.of("jti is missing, or too long")
	case said.IssuedAt == nil:
		return nil, refuseGrantAssertion.of("iat is missing")
	}
	if err := s.inTime(said.Claims); err != nil {
		return nil, asGrant(err)
	}
	keys, err := s.enterpriseKeys(r, s.opts.Enterprises[i])
	if err != nil {
		return nil, err
	}
	if !signedByOne(token, keys) {
		return nil, refuseGrantAssertion.of("no key of its issuer has signed it")
	}
	return said, asGrant(s.firstUse("id-jag\x00"+said.Issuer+"\x00"+said.ID, said.Expiry.Time().Sub(now)))
}

// enterpriseKeys fetches the keys of a company's provider. Its address is configured, and so may be private.
func (s *Server) enterpriseKeys(r *http.Request, e Enterprise) (*jose.JSONWebKeySet, error) {
	body, _, err := s.getBy(r.Context(), s.trusted, e.JWKSURI)
	if err != nil {
		return nil, refuseGrantAssertion.because(err, "the keys of its issuer cannot be fetched")
	}
	keys, err := publicKeys(body)
	if err != nil {
		return nil, refuseGrantAssertion.because(err, "the keys of its issuer cannot be read")
	}
	return keys, nil
}

// idJAGTarget works out what the token is for: never more than the ID-JAG allows, and than the person may have here.
func (s *Server) idJAGTarget(g *grant, said *idJAG, form url.Values) (target, error) {
	var t target
	allowed, err := scopeList(said.Scope)
	if err != nil {
		return t, err
	}
	asked, err := scopeList(form.Get("scope"))
	if err != nil {
		return t, err
	}
	if len(asked) == 0 {
		asked = allowed
	}
	for _, sc := range asked {
		if !slices.Contains(allowed, sc) {
			return t, refuseScopeWide.of(sc)
		}
	}
	t.scopes = slices.DeleteFunc(s.grantable(asked, g.client, g.user), func(sc string) bool { return slices.Contains(oidcScopes, sc) })
	if len(t.scopes) == 0 {
		return t, refuseScope.of(strings.Join(asked, " "))
	}
	t.said = t.scopes
	named := form["resource"]
	if said.Resource != "" {
		if len(named) > 0 && !slices.Equal(named, []string{said.Resource}) {
			return t, refuseTarget.of(named[0])
		}
		named = []string{said.Resource}
	}
	if err := s.checkResources(named); err != nil {
		return t, err
	}
	t.audience, err = s.audience(named, named)
	return t, err
}
