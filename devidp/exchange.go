package devidp

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token" // RFC 8693, section 3
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
)

// redeemExchange answers a token exchange (RFC 8693): an API that received a person's token gets one for the next API,
// with itself as the actor. Scopes and lifetime never grow.
func (s *Server) redeemExchange(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if c.public() {
		return nil, refuseClientProof.of()
	}
	if form.Get("requested_token_type") == typeIDJAG {
		return s.issueIDJAG(c, form)
	}
	subject, err := s.subjectToken(form, "subject_token", true)
	if err != nil {
		return nil, err
	}
	if subject.client != c.ID && !c.receives(subject.audience) {
		return nil, refuseForeign.of("subject_token", strings.Join(subject.audience, " "))
	}
	actor, err := s.actor(c, form)
	if err != nil {
		return nil, err
	}
	if want := form.Get("requested_token_type"); want != "" && want != typeAccessToken && want != typeJWT {
		return nil, refuseTokenType.of(want)
	}
	t, err := s.exchangeTarget(subject, form)
	if err != nil {
		return nil, err
	}
	if earlier, ok := subject.claims["act"]; ok { // RFC 8693, section 4.1: earlier actors stand inside
		actor["act"] = earlier
	}
	g := exchanged(subject.grant, c)
	s.mu.Lock()
	revoked := subject.revoked || subject.grant.revoked
	s.mu.Unlock()
	if revoked {
		return nil, refuseSubject.of("subject_token")
	}
	answer, err := s.answer(g, t, issueOptions{limit: subject.expires, claims: map[string]any{"act": actor},
		sealed: form.Get("requested_token_type") == typeJWT}, "")
	if err != nil {
		return nil, err
	}
	answer["issued_token_type"] = orElse(form.Get("requested_token_type"), typeAccessToken)
	return answer, nil
}

// exchanged is the grant of a token that client c got with a token of g. It ends with g.
func exchanged(g *grant, c *client) *grant {
	return &grant{id: opaque(), client: c, user: g.user, tenant: g.tenant, authTime: g.authTime, parent: g}
}

// subjectToken reads an access token of ours from the form.
func (s *Server) subjectToken(form url.Values, name string, required bool) (*issued, error) {
	token, kind := form.Get(name), form.Get(name+"_type")
	switch {
	case token == "" && kind == "" && !required:
		return nil, nil
	case token == "":
		return nil, refuseMissing.of(name)
	case kind == "":
		return nil, refuseMissing.of(name + "_type")
	case kind != typeAccessToken && kind != typeJWT:
		return nil, refuseTokenType.of(kind)
	}
	record, ok := s.active(token)
	if !ok {
		return nil, refuseSubject.of(name)
	}
	return record, nil
}

// actor is who acts: the client itself, or who its actor token, which must be the client's own, speaks of.
func (s *Server) actor(c *client, form url.Values) (map[string]any, error) {
	record, err := s.subjectToken(form, "actor_token", false)
	if err != nil {
		return nil, err
	}
	if record == nil {
		return map[string]any{"sub": c.ID}, nil
	}
	if record.client != c.ID {
		return nil, refuseActor.of()
	}
	actor := map[string]any{"sub": record.claims["sub"]}
	maps.DeleteFunc(actor, func(_ string, v any) bool { return v == nil })
	return actor, nil
}

// exchangeTarget works out what the exchanged token is for. A scope that the subject token lacks is refused.
func (s *Server) exchangeTarget(subject *issued, form url.Values) (target, error) {
	var t target
	asked, err := scopeList(form.Get("scope"))
	if err != nil {
		return t, err
	}
	t.scopes = slices.DeleteFunc(slices.Clone(subject.scopes), func(sc string) bool { return slices.Contains(oidcScopes, sc) })
	for _, sc := range asked {
		if !slices.Contains(t.scopes, sc) {
			return t, refusal{code: "invalid_scope", text: refuseScopeWide.text}.of(sc)
		}
	}
	if len(asked) > 0 {
		t.scopes = asked
	}
	t.said = t.scopes
	named := slices.Concat(form["resource"], form["audience"])
	if err := s.checkResources(named); err != nil {
		return t, err
	}
	t.audience, err = s.audience(named, named)
	return t, err
}
