package devidp

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// serveIntrospect tells an authenticated client about a token of its own, or one that it receives as an API (RFC
// 7662, section 2). About every other token it says the same as about none.
func (s *Server) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	s.faults.count("introspect")
	form, err := posted(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, err := s.confidential(r, form)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	token := form.Get("token")
	if token == "" {
		s.fail(w, r, refuseMissing.of("token"))
		return
	}
	if record, ok := s.active(token); ok && (record.client == c.ID || c.receives(record.audience)) {
		writeSecret(w, http.StatusOK, record.introspection())
		return
	}
	if g, ok := s.activeRefresh(token); ok && g.client.ID == c.ID {
		writeSecret(w, http.StatusOK, map[string]any{"active": true, "client_id": g.client.ID, "iss": s.base,
			"sub": g.user.subject(), "scope": strings.Join(g.scopes, " ")})
		return
	}
	writeSecret(w, http.StatusOK, map[string]any{"active": false})
}

func (t *issued) introspection() map[string]any {
	out := maps.Clone(t.claims)
	out["active"], out["token_type"] = true, "Bearer"
	if t.user != nil {
		out["username"] = t.user.email
	}
	return out
}

// active finds an access token that is good now: given out by this provider, not expired, not revoked, its person not
// disabled, and its key, where it is signed, not replaced.
func (s *Server) active(token string) (*issued, bool) {
	s.mu.Lock()
	record, ok := s.tokens.get(hashed(token), s.now())
	good := ok && !record.revoked && s.goodFor(record.grant, refuseTokenGiven) == nil && s.clock().Before(record.expires)
	s.mu.Unlock()
	if !good {
		return nil, false
	}
	if !strings.HasPrefix(token, "opaque.") {
		if _, _, err := s.verified(token); err != nil {
			return nil, false
		}
	}
	return record, true
}

// activeRefresh finds the grant of a refresh token that is good now.
func (s *Server) activeRefresh(token string) (*grant, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, generation, ok := s.findGrant(token)
	return g, ok && (generation == g.generation || s.entra()) && s.goodFor(g, refuseRefresh) == nil
}

func hasScope(scopes []string, scope string) bool { return slices.Contains(scopes, scope) }
