//go:build unix

package keycloak_test

import (
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
		if e, ok := err.(*refused); !ok || e.Code != "invalid_grant" {
			t.Errorf("got %v, want invalid_grant", err)
		}
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

// What a client got with offline_access is meant to outlive the logout: it ends when an administrator, or the person,
// takes the consent back. The provider's page says so.
func TestOfflineAccessOutlivesTheLogout(t *testing.T) {
	w := keycloak(t)
	online := w.byDevice(t, "person", "openid execute")
	offline := w.byDevice(t, "person", "openid execute offline_access")
	of := "/users/" + w.identity(t, online.AccessToken).Subject
	if _, err := w.admin(within(t), http.MethodPost, of+"/logout", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.refresh(t, online.RefreshToken); err == nil {
		t.Error("after the logout the refresh token is still good")
	}
	refreshed, err := w.refresh(t, offline.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	w.server.allows(t, refreshed.AccessToken, "get_current_time")
	if _, err := w.admin(within(t), http.MethodDelete, of+"/consents/mcp-client", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.refresh(t, refreshed.RefreshToken); err == nil {
		t.Error("after the consent was taken back the offline token is still good")
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
