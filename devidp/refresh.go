package devidp

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// refreshLife is how long a refresh token waits for its use; each use starts it anew.
const refreshLife = 14 * 24 * time.Hour

// refreshToken is the token of g's current generation. It can be made again from g, so that two requests that raced
// get the same one; nobody else can make one.
func (s *Server) refreshToken(g *grant) string {
	name := g.id + "." + strconv.FormatUint(uint64(g.generation), 10)
	return "rt." + name + "." + s.mac("refresh", name)
}

func (s *Server) mac(kind, text string) string {
	m := hmac.New(sha256.New, s.secret[:])
	fmt.Fprintf(m, "%s\x00%s", kind, text)
	return b64(m.Sum(nil))
}

// keepGrant remembers g for refreshing and returns its refresh token. s.mu is held.
func (s *Server) keepGrant(g *grant) string {
	now := s.now()
	s.grants.put(g.id, g, now.Add(refreshLife), now)
	return s.refreshToken(g)
}

// findGrant returns the grant of a refresh token and the token's generation. s.mu is held.
func (s *Server) findGrant(token string) (*grant, uint32, bool) {
	rest, ok := strings.CutPrefix(token, "rt.")
	end := strings.LastIndexByte(rest, '.')
	if !ok || end < 0 || !hmac.Equal([]byte(s.mac("refresh", rest[:end])), []byte(rest[end+1:])) {
		return nil, 0, false
	}
	id, number, _ := strings.Cut(rest[:end], ".")
	n, err := strconv.ParseUint(number, 10, 32)
	g, known := s.grants.get(id, s.now())
	return g, uint32(n), known && err == nil
}

// redeemRefresh answers grant_type=refresh_token (RFC 6749, section 6).
func (s *Server) redeemRefresh(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if form.Get("refresh_token") == "" {
		return nil, refuseMissing.of("refresh_token")
	}
	s.mu.Lock()
	g, t, err := s.rotate(r, c, form)
	var refresh string
	if err == nil {
		refresh = s.keepGrant(g)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.answer(g, t, issueOptions{}, refresh)
}

// rotate checks a refresh token and moves its family on. The token before the current one is answered for a short
// grace, with the same successor, because requests race; every other replay ends the family (RFC 9700, section
// 4.14.2). Entra does neither: its refresh tokens stay good after use. s.mu is held.
func (s *Server) rotate(r *http.Request, c *client, form url.Values) (*grant, target, error) {
	var none target
	g, generation, ok := s.findGrant(form.Get("refresh_token"))
	if !ok || g.client.ID != c.ID {
		return nil, none, refuseRefresh.of()
	}
	if err := s.goodFor(g, refuseRefresh); err != nil {
		return nil, none, err
	}
	now := s.now()
	raced := generation+1 == g.generation && s.opts.RefreshGrace > 0 && now.Sub(g.rotated) <= s.opts.RefreshGrace
	if generation != g.generation && !raced && !s.entra() {
		g.revoked = true
		s.log.WarnContext(r.Context(), "refresh token used twice: its family is revoked", "client", c.ID)
		return nil, none, refuseRefreshUsed.of()
	}
	t, err := s.target(r, g, form, true)
	if err != nil {
		return nil, none, err
	}
	if generation == g.generation {
		g.generation++
		g.rotated = now
	}
	return g, t, nil
}
