package devidp

import (
	"net/http"
	"net/url"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const codeLife = 2 * time.Minute // RFC 6749, section 4.1.2 recommends at most ten

// code is an authorization code that was given out. A used one is remembered until it expires, to notice its reuse.
type code struct {
	grant       *grant
	redirectURI string
	challenge   string // empty: the client, a confidential one, sent none
	used        bool
}

// redeemCode answers grant_type=authorization_code (RFC 6749, section 4.1.3; RFC 7636, section 4.6).
func (s *Server) redeemCode(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if form.Get("code") == "" {
		return nil, refuseMissing.of("code")
	}
	s.mu.Lock()
	g, t, err := s.takeCode(r, c, form)
	var refresh string
	if err == nil && s.refreshable(g) {
		refresh = s.keepGrant(g)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.answer(g, t, issueOptions{}, refresh)
}

// takeCode checks a code and uses it up, in one step. A second use revokes everything the first gave (RFC 6749,
// section 4.1.2). A wrong verifier, redirect URI or scope uses it up too. s.mu is held.
func (s *Server) takeCode(r *http.Request, c *client, form url.Values) (*grant, target, error) {
	var none target
	k, ok := s.codes.get(form.Get("code"), s.now())
	if !ok || k.grant.client.ID != c.ID {
		return nil, none, refuseCode.of()
	}
	if k.used {
		k.grant.revoked = true
		s.log.WarnContext(r.Context(), "authorization code used twice: its tokens are revoked", "client", c.ID)
		return nil, none, refuseCodeUsed.of()
	}
	k.used = true
	verifier := form.Get("code_verifier")
	switch {
	case k.redirectURI != form.Get("redirect_uri"):
		return nil, none, refuseCodeURI.of(form.Get("redirect_uri"))
	case k.challenge == "" && verifier != "": // RFC 9700, section 2.1.1: no downgrade by leaving out the challenge
		return nil, none, refuseVerifier.of()
	case k.challenge != "" && !oauth.VerifyS256(k.challenge, verifier):
		return nil, none, refuseVerifier.of()
	}
	if err := s.goodFor(k.grant, refuseCode); err != nil {
		return nil, none, err
	}
	t, err := s.target(r, k.grant, form, false)
	return k.grant, t, err
}
