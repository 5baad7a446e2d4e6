package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ErrNoRevocation means that the authorization server has no way to end a sign-in before its tokens do.
var ErrNoRevocation = errors.New("signin: no revocation")

// Revoke ends a sign-in at the authorization server (RFC 7009): its refresh token, and with that all that stems from it,
// or else its access token. hc lends its Transport; nil means http.DefaultTransport.
//
// The error wraps [ErrNoRevocation] when the authorization server offers none.
func Revoke(ctx context.Context, s State, hc *http.Client) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.RevocationEndpoint == "" {
		return fmt.Errorf("%w: %s names no revocation_endpoint", ErrNoRevocation, s.Issuer)
	}
	form := url.Values{"client_id": {s.ClientID}, "token": {string(s.Refresh)}, "token_type_hint": {"refresh_token"}}
	if s.Refresh == "" {
		form.Set("token", string(s.Access))
		form.Set("token_type_hint", "access_token")
	}
	if s.ClientSecret != "" {
		form.Set("client_secret", string(s.ClientSecret))
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.RevocationEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := &http.Client{CheckRedirect: noRedirect}
	if hc != nil {
		c.Transport = hc.Transport
	}
	resp, err := c.Do(req)
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: %w", err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &unreachableError{fmt.Errorf("signin: read the answer of %s: %w", s.Issuer, err)}
	}
	if resp.StatusCode == http.StatusOK {
		return nil // RFC 7009, section 2.2: whatever the body says, and for a token that is not known, too
	}
	return (&grant{issuer: s.Issuer}).read(resp, body, new(struct{}))
}
