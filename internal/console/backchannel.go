package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// backchannel ends sessions because the provider says so (OpenID Connect Back-Channel Logout 1.0).
func (h *Handler) backchannel(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := r.ParseForm()
	if err == nil {
		err = h.loggedOut(r.Context(), r.PostForm.Get("logout_token"))
	}
	if err != nil {
		h.o.Logger.WarnContext(r.Context(), "a logout of the provider was refused", "cause", err)
		h.o.Refuse(w, r, http.StatusBadRequest, "invalid_request", "the logout token is not one of the provider for this client")
		return
	}
	w.WriteHeader(http.StatusOK)
}

// logoutToken is what the provider says (section 2.4).
type logoutToken struct {
	Issuer  string                     `json:"iss"`
	Subject string                     `json:"sub"`
	Session string                     `json:"sid"`
	Tenant  string                     `json:"tid"`
	ID      string                     `json:"jti"`
	Issued  int64                      `json:"iat"`
	Nonce   *string                    `json:"nonce"`
	Events  map[string]json.RawMessage `json:"events"`
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func (h *Handler) loggedOut(ctx context.Context, raw string) error {
	at, err := h.origin.endpoints(ctx)
	if err != nil {
		return err
	}
	verified, err := oidc.NewVerifier(at.Issuer, at.keys, &oidc.Config{ClientID: h.o.Provider.ClientID, SkipIssuerCheck: true, SkipExpiryCheck: true, Now: h.o.Now,
		SupportedSigningAlgs: signingAlgorithms}).Verify(oidc.ClientContext(ctx, h.o.HTTPClient), raw)
	if err != nil {
		return err
	}
	var t logoutToken
	if err := verified.Claims(&t); err != nil {
		return errors.New("its claims cannot be read")
	}
	_, isLogout := t.Events[logoutEvent]
	age := h.o.Now().Sub(time.Unix(t.Issued, 0))
	switch {
	case !h.origin.names(at, t.Issuer, t.Tenant):
		return fmt.Errorf("it is from %q", clip(t.Issuer))
	case !isLogout || t.Nonce != nil: // a nonce would be an ID token's
		return errors.New("it is no logout token")
	case t.Subject == "" && t.Session == "" || t.ID == "" || len(t.ID) > 200:
		return errors.New("it names neither a person nor a session, or has no id")
	case age > 5*time.Minute || age < -time.Minute:
		return errors.New("it is too old, or from the future")
	}
	seen := "logout/" + digest(t.Issuer+"\x00"+t.ID)
	if _, err := h.o.Store.Put(ctx, seen, nil, store.Write{TTL: 10 * time.Minute, Create: true}); err != nil {
		return fmt.Errorf("it was seen before, or cannot be kept: %w", err)
	}
	whose := "sub\x00" + t.Subject
	if t.Session != "" {
		whose = "sid\x00" + t.Session
	}
	if err := h.endAll(ctx, providerLog(t.Issuer, whose)); err != nil {
		return errors.Join(err, h.o.Store.Delete(ctx, seen)) // the provider tries again, and must be heard
	}
	return nil
}
