package devidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// serveToken is the one door for every grant (RFC 6749, section 3.2).
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.faults.count("token")
	answer, err := s.token(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeSecret(w, http.StatusOK, answer)
}

func (s *Server) token(r *http.Request) (map[string]any, error) {
	form, err := posted(r)
	if err != nil {
		return nil, err
	}
	kind := form.Get("grant_type")
	if kind == "" {
		return nil, refuseMissing.of("grant_type")
	}
	redeem, ok := map[string]func(*http.Request, *client, url.Values) (map[string]any, error){
		grantCode: s.redeemCode, grantRefresh: s.redeemRefresh, grantService: s.redeemService, grantDevice: s.redeemDevice,
		grantExchange: s.redeemExchange, grantBearer: s.redeemBearer,
	}[kind]
	if !ok || kind == grantExchange && s.entra() {
		return nil, refuseGrantUnknown.of(kind)
	}
	if kind == grantBearer && !s.entra() && !isIDJAG(form.Get("assertion")) {
		return s.redeemWorkload(r, form) // the assertion is the client's proof, too
	}
	c, err := s.authenticate(r, form)
	if err != nil {
		return nil, err
	}
	if !c.uses(kind) {
		return nil, refuseGrantForbidden.of(kind)
	}
	return redeem(r, c, form)
}

// redeemBearer answers grant_type=jwt-bearer for a client that has proved itself: Entra's on-behalf-of, else an ID-JAG.
func (s *Server) redeemBearer(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if s.entra() {
		return s.redeemOnBehalf(r, c, form)
	}
	return s.redeemIDJAG(r, c, form)
}

// answer makes the tokens of g for t. An ID token comes with the scope openid; a refresh token comes when the client
// may use one, and with the Entra character only when offline_access was granted.
func (s *Server) answer(g *grant, t target, o issueOptions, refresh string) (map[string]any, error) {
	access, life, err := s.issue(g, t, o)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int64(life / time.Second)}
	if len(t.said) > 0 {
		out["scope"] = strings.Join(t.said, " ")
	}
	if s.entra() {
		out["ext_expires_in"] = out["expires_in"]
	}
	if refresh != "" {
		out["refresh_token"] = refresh
	}
	if g.user != nil && t.openid {
		if out["id_token"], err = s.idToken(g, t, access); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// refreshable reports whether g comes with a refresh token.
func (s *Server) refreshable(g *grant) bool {
	return g.user != nil && g.client.uses(grantRefresh) && (!s.entra() || slices.Contains(g.scopes, "offline_access"))
}

// lifetime is how long the next access token for t lives.
func (s *Server) lifetime(t target) time.Duration {
	if life := s.faults.lifetime(); life > 0 {
		return life
	}
	if s.opts.TokenLifetime > 0 {
		return s.opts.TokenLifetime
	}
	if s.entra() {
		return entraLifetime(t.capable)
	}
	return time.Hour
}

// goodFor refuses a grant that was revoked, or whose person can no longer sign in.
func (s *Server) goodFor(g *grant, dead refusal) error {
	if g.parent != nil {
		if err := s.goodFor(g.parent, dead); err != nil {
			return err
		}
	}
	switch {
	case g.revoked:
		return dead.of()
	case g.user != nil && s.isDisabled(g.user):
		return refuseGrantUser.of(g.user.id)
	case g.user != nil && s.faults.signInsRevoked(g.user.id, g.authTime):
		return refuseRevokedUser.of()
	}
	return nil
}

func (s *Server) isDisabled(u *user) bool { return s.faults.isDisabled(u) }

// target works out what a token of g is for, from the scope and resource parameters of a token request. Where strict
// is set a scope beyond the granted ones is refused (RFC 6749, section 6), else it is left out.
func (s *Server) target(r *http.Request, g *grant, form url.Values, strict bool) (target, error) {
	if s.entra() {
		return s.entraTarget(r, g, form, strict)
	}
	t := target{scopes: g.scopes}
	if asked, err := scopeList(form.Get("scope")); err != nil {
		return t, err
	} else if len(asked) > 0 {
		t.scopes = nil
		for _, sc := range asked {
			if slices.Contains(g.scopes, sc) {
				t.scopes = append(t.scopes, sc)
			} else if strict {
				return t, refusal{code: "invalid_scope", text: refuseScopeWide.text}.of(sc)
			}
		}
	}
	if g.user != nil {
		t.scopes = s.grantable(t.scopes, g.client, g.user)
	}
	if len(t.scopes) == 0 && len(g.scopes) > 0 {
		return t, refuseScope.of(form.Get("scope"))
	}
	t.said, t.openid = t.scopes, slices.Contains(t.scopes, "openid")
	var err error
	t.audience, err = s.audience(g.resources, form["resource"])
	return t, err
}

// audience chooses what a token is for among the resources that were granted (RFC 8707, section 2.2). Where none was
// granted, only the provider's own may be named.
func (s *Server) audience(granted, asked []string) ([]string, error) {
	for _, res := range asked {
		allowed := slices.Contains(granted, res)
		if len(granted) == 0 {
			allowed = res == s.opts.Audience || slices.Contains(s.opts.Resources, res)
		}
		if !allowed {
			return nil, refuseTarget.of(res)
		}
	}
	switch {
	case len(asked) == 1:
		return asked, nil
	case len(asked) > 1 || len(granted) > 1:
		return nil, refuseTargets.of()
	case len(granted) == 1:
		return granted, nil
	}
	return []string{s.opts.Audience}, nil
}

// checkResources refuses resources that this provider issues no tokens for.
func (s *Server) checkResources(asked []string) error {
	for _, res := range asked {
		if !absoluteURL(res) || len(s.opts.Resources) > 0 && !slices.Contains(s.opts.Resources, res) {
			return refuseTarget.of(res)
		}
	}
	return nil
}

// grantable is what of scopes both the client and the person may have. OpenID Connect's own are everybody's.
func (s *Server) grantable(scopes []string, c *client, u *user) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(sc string) bool {
		if slices.Contains(oidcScopes, sc) {
			return false
		}
		one := []string{sc}
		return !slices.Contains(s.opts.Scopes, sc) || len(c.may(one)) == 0 || u != nil && len(u.may(one)) == 0
	})
}
