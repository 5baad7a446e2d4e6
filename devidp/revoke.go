package devidp

import "net/http"

// serveRevoke ends a token of the client that asks (RFC 7009). A refresh token takes its whole family along. About a
// token of another client, or none, it says 200 as well and does nothing.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	s.faults.count("revoke")
	form, err := posted(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, err := s.authenticate(r, form) // a public client is known by its id, and by having the token
	if err != nil {
		s.fail(w, r, err)
		return
	}
	token := form.Get("token")
	if token == "" {
		s.fail(w, r, refuseMissing.of("token"))
		return
	}
	s.mu.Lock()
	if record, ok := s.tokens.get(hashed(token), s.now()); ok && record.client == c.ID {
		record.revoked = true
	}
	if g, _, ok := s.findGrant(token); ok && g.client.ID == c.ID {
		g.revoked = true
	}
	s.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}
