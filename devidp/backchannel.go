package devidp

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// logoutEvent is what makes a token a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTimeout is how long one client may take to hear of a sign-out.
const logoutTimeout = 5 * time.Second

// tellClients says to every client with a place for it that the person of se signed out, and waits for the answers. Entra
// tells nobody.
func (s *Server) tellClients(ctx context.Context, se *session) {
	if s.entra() {
		return
	}
	s.mu.Lock()
	var told []*client
	for _, c := range s.clients {
		if c.BackchannelLogoutURI != "" {
			told = append(told, c)
		}
	}
	s.mu.Unlock()
	for _, c := range told {
		if err := s.tellClient(ctx, c, s.subjectOf(se, c)); err != nil {
			s.log.Warn("client did not hear of a sign-out", "client", c.ID, "cause", err)
		}
	}
}

func (s *Server) tellClient(ctx context.Context, c *client, subject string) error {
	now := s.clock()
	token, err := s.seal(map[string]any{
		"iss": s.base, "sub": subject, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": opaque(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}, map[string]any{"typ": "logout+jwt"}, s.signerFor(target{}, issueOptions{}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	form := url.Values{"logout_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
