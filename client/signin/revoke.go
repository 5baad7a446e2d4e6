package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
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
	g := &grant{http: hc, issuer: s.Issuer, tokenURL: s.TokenEndpoint, clientID: s.ClientID, clientSecret: s.ClientSecret,
		secretMethod: s.SecretMethod, now: time.Now}
	if hc == nil {
		g.http = http.DefaultClient
	}
	// RFC 7009, section 2.2: 200 means done, whatever the body says, and for a token that is not known, too.
	return g.postOnce(ctx, s.RevocationEndpoint, form, nil)
}
