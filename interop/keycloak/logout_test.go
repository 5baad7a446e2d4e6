//go:build unix

package keycloak_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

// A logout ends the session: its refresh token is dead at once, and Keycloak's own word for the access token is that it
// is no longer active. The access token speaks for itself, though, and no server that verifies signatures hears of the
// logout: it stays good until its end. The provider's page says so.
func TestLogout(t *testing.T) {
	w := keycloak(t)
	granted := w.byDevice(t, "person", "openid execute")
	w.server.allows(t, granted.AccessToken, "get_current_time")
	if !w.active(t, granted.AccessToken) {
		t.Fatal("Keycloak calls the token inactive before the logout")
	}
	refreshed, err := w.refresh(t, granted.RefreshToken)
	if err != nil {
		t.Fatalf("the refresh before the logout: %v", err)
	}
	w.server.allows(t, refreshed.AccessToken, "get_current_time")

	w.logout(t, refreshed.RefreshToken)
	t.Run("the refresh token is refused", func(t *testing.T) {
		_, err := w.refresh(t, refreshed.RefreshToken)
		ended(t, "after the logout the refresh token", err)
	})
	t.Run("Keycloak calls the access token inactive", func(t *testing.T) {
		if w.active(t, refreshed.AccessToken) {
			t.Error("it is active")
		}
	})
	t.Run("the access token is accepted until its end, and not beyond", func(t *testing.T) {
		w.server.allows(t, refreshed.AccessToken, "get_current_time")
		id := w.identity(t, refreshed.AccessToken)
		if left := time.Until(id.Expiry); left > 5*time.Minute {
			t.Errorf("it lives for %v more, and Keycloak's default is five minutes", left)
		}
		later := w.verifier(t, func(c *bearer.Config) {
			c.Leeway, c.Now = -1, func() time.Time { return id.Expiry }
		})
		if _, err := later.Verify(within(t), refreshed.AccessToken); bearer.ReasonOf(err) != bearer.ReasonExpired {
			t.Errorf("at its end: %v, want expired", err)
		}
	})
}

// What a client got with offline_access is meant to outlive the person's logout. It ends when the consent is taken back,
// or when an administrator signs the person out everywhere. The provider's page says so.
func TestOfflineAccessOutlivesTheLogout(t *testing.T) {
	w := keycloak(t)
	b := newBrowser(t)
	online := w.byDeviceWith(t, b, "person", "openid execute")
	offline := w.byDeviceWith(t, b, "person", "openid execute offline_access")
	of := "/users/" + w.identity(t, online.AccessToken).Subject

	b.open(w.Issuer + "/protocol/openid-connect/logout?" + url.Values{"id_token_hint": {online.IDToken}}.Encode())
	_, err := w.refresh(t, online.RefreshToken)
	ended(t, "after the person's logout the refresh token", err)
	offline, err = w.refresh(t, offline.RefreshToken)
	if err != nil {
		t.Fatalf("after the person's logout the offline token: %v", err)
	}
	w.server.allows(t, offline.AccessToken, "get_current_time")

	if _, err := w.admin(within(t), http.MethodDelete, of+"/consents/mcp-client", nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.refresh(t, offline.RefreshToken)
	ended(t, "after the consent was taken back the offline token", err)

	offline = w.byDevice(t, "person", "openid execute offline_access")
	granted := time.Now().Unix()
	eventually(t, "a second passes, since Keycloak counts in them", func() bool { return time.Now().Unix() > granted })
	if _, err := w.admin(within(t), http.MethodPost, of+"/logout", nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.refresh(t, offline.RefreshToken)
	ended(t, "after an administrator signed the person out everywhere the offline token", err)
}

// ended fails the test unless a refresh was refused since its token is good no more.
func ended(t *testing.T, what string, err error) {
	t.Helper()
	var e *refused
	if !errors.As(err, &e) || e.Code != "invalid_grant" {
		t.Errorf("%s: got %v, want invalid_grant", what, err)
	}
}

func (r *realm) refresh(t *testing.T, token string) (*answer, error) {
	t.Helper()
	a, err := r.ask(within(t), r.Name, "token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"mcp-client"}, "refresh_token": {token}})
	if err == nil {
		r.keep(a)
	}
	return a, err
}

func (r *realm) logout(t *testing.T, refreshToken string) {
	t.Helper()
	if _, err := r.ask(within(t), r.Name, "logout", url.Values{"client_id": {"mcp-client"}, "refresh_token": {refreshToken}}); err != nil {
		t.Fatal(err)
	}
}

// active is Keycloak's own word for a token (RFC 7662), which it gives only to a client that stands in the audience.
func (r *realm) active(t *testing.T, token string) bool {
	t.Helper()
	a, err := r.ask(within(t), r.Name, "token/introspect", url.Values{
		"client_id": {r.Audience}, "client_secret": {r.secrets[r.Audience]}, "token": {token},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Active == nil {
		t.Fatal("the answer does not say whether it is active")
	}
	return *a.Active
}
