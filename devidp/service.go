package devidp

import (
	"net/http"
	"net/url"
	"slices"
)

// redeemService answers grant_type=client_credentials (RFC 6749, section 4.4): the client acts for itself, and gets no
// refresh token.
func (s *Server) redeemService(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if c.public() {
		return nil, refuseClientProof.of()
	}
	g := &grant{id: opaque(), client: c, authTime: s.clock()}
	if s.entra() {
		t, err := s.entraServiceTarget(r, g, form)
		if err != nil {
			return nil, err
		}
		return s.answer(g, t, issueOptions{}, "")
	}
	asked, err := scopeList(form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		asked = s.opts.Scopes
	}
	scopes := slices.DeleteFunc(s.grantable(asked, c, nil), func(sc string) bool { return slices.Contains(oidcScopes, sc) })
	if len(scopes) == 0 {
		return nil, refuseScope.of(form.Get("scope"))
	}
	if err := s.checkResources(form["resource"]); err != nil {
		return nil, err
	}
	audience, err := s.audience(form["resource"], form["resource"])
	if err != nil {
		return nil, err
	}
	return s.answer(g, target{audience: audience, scopes: scopes, said: scopes}, issueOptions{}, "")
}
