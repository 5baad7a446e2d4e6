package devidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// redeemOnBehalf answers Entra's on-behalf-of flow (v2-oauth2-on-behalf-of-flow): an API that received a person's token
// gets one for the next API. The assertion must be for that very app, and about a person.
func (s *Server) redeemOnBehalf(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	switch {
	case c.public():
		return nil, refuseClientProof.of()
	case form.Get("requested_token_use") != "on_behalf_of":
		return nil, refuseTokenUse.of()
	case form.Get("assertion") == "":
		return nil, refuseMissing.of("assertion")
	case form.Get("scope") == "" && !firstVersion(r):
		return nil, refuseMissing.of("scope")
	}
	given, ok := s.active(form.Get("assertion"))
	if !ok {
		return nil, refuseSubject.of("assertion")
	}
	own := s.apiNamed(c.ID)
	if own == nil || !slices.ContainsFunc(given.audience, func(a string) bool { return s.apiNamed(a) == own }) {
		return nil, refuseForeign.of("assertion", strings.Join(given.audience, " "))
	}
	if given.user == nil {
		return nil, refuseAppAssertion.of(c.ID)
	}
	raw, err := s.rawScopes(r, form)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	g := &grant{id: opaque(), client: c, user: given.user, tenant: given.grant.tenant, scopes: raw,
		authTime: given.grant.authTime, stepped: given.grant.stepped, device: given.grant.device}
	s.mu.Unlock()
	t, err := s.entraTarget(r, g, form, false)
	if err != nil {
		return nil, err
	}
	if s.faults.needsStepUp(g.user.id) && !g.stepped {
		return nil, refuseInteraction.of(t.api.id).with(map[string]any{"suberror": "basic_action", "claims": stepUpClaims()})
	}
	var refresh string
	if s.refreshable(g) {
		s.mu.Lock()
		refresh = s.keepGrant(g)
		s.mu.Unlock()
	}
	return s.answer(g, t, issueOptions{}, refresh)
}
