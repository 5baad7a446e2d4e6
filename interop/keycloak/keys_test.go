//go:build unix

package keycloak_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

// Keys roll in a realm of its own, which the other tests do not see.
func TestKeysRoll(t *testing.T) {
	w := keycloak(t)
	ctx := within(t)
	r, err := w.realmWithServer(ctx, "rolling")
	if err != nil {
		t.Fatal(err)
	}
	first := r.programToken(t, "program", "execute")
	r.server.allows(t, first, "get_current_time")
	original := r.keyProvider(t, keyID(t, first))

	r.addKey(t, 200)
	second := r.programToken(t, "program", "execute")
	if keyID(t, second) == keyID(t, first) {
		t.Fatal("Keycloak still signs with the first key")
	}
	t.Run("a token of a key that the server has never seen is accepted at once", func(t *testing.T) {
		r.server.allows(t, second, "get_current_time")
	})
	t.Run("a token of the key before is accepted as long as Keycloak publishes that key", func(t *testing.T) {
		r.server.allows(t, first, "get_current_time")
	})

	refreshing := r.verifier(t, func(c *bearer.Config) { c.KeyRefresh = time.Second })
	go refreshing.Run(ctx)
	if _, err := refreshing.Verify(ctx, first); err != nil {
		t.Fatal(err)
	}
	r.disableKey(t, original)
	third := r.addKey(t, 300)
	t.Run("a token of a key that Keycloak withdrew is refused once the keys were fetched again, which a newer key causes", func(t *testing.T) {
		r.server.allows(t, third, "get_current_time")
		r.server.refuses(t, first, bearer.ReasonKey, keyID(t, first))
		r.server.allows(t, second, "get_current_time")
	})
	t.Run("a token of a key that Keycloak withdrew is refused once the keys are as old as the server lets them grow", func(t *testing.T) {
		eventually(t, "the token is refused", func() bool {
			_, err := refreshing.Verify(ctx, first)
			return bearer.ReasonOf(err) == bearer.ReasonKey && err != nil
		})
	})
	t.Run("a token of another realm of the same Keycloak is refused", func(t *testing.T) {
		w.server.refuses(t, third, bearer.ReasonIssuer, r.Issuer)
		r.server.refuses(t, w.programToken(t, "program", "execute"), bearer.ReasonIssuer, w.Issuer)
	})
}

// keyID is the kid of a token's header.
func keyID(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(text, &header); err != nil || header.Kid == "" {
		t.Fatalf("the header is %s: %v", text, err)
	}
	return header.Kid
}

// keyProvider is the id of the component that holds the key.
func (r *realm) keyProvider(t *testing.T, kid string) string {
	t.Helper()
	var all struct {
		Keys []struct{ Kid, ProviderID string }
	}
	if _, err := r.admin(within(t), http.MethodGet, "/keys", nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, k := range all.Keys {
		if k.Kid == kid {
			return k.ProviderID
		}
	}
	t.Fatalf("no key %s in %+v", kid, all)
	return ""
}

// addKey lets Keycloak make a key that goes before the others, and returns a token that is signed with it.
func (r *realm) addKey(t *testing.T, priority int) string {
	t.Helper()
	var own struct{ ID string }
	if _, err := r.admin(within(t), http.MethodGet, "", nil, &own); err != nil {
		t.Fatal(err)
	}
	name := "rsa-" + strconv.Itoa(priority)
	id, err := r.admin(within(t), http.MethodPost, "/components", map[string]any{
		"name": name, "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider", "parentId": own.ID,
		"config": map[string][]string{"priority": {strconv.Itoa(priority)}, "algorithm": {"RS256"}, "keySize": {"2048"}, "enabled": {"true"}, "active": {"true"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token := r.programToken(t, "program", "execute")
	if got := r.keyProvider(t, keyID(t, token)); got != id {
		t.Fatalf("Keycloak signs with the key of %s, not with the new one of %s", got, id)
	}
	return token
}

// disableKey withdraws a key: Keycloak signs with it no more, and publishes it no more.
func (r *realm) disableKey(t *testing.T, component string) {
	t.Helper()
	var c map[string]any
	if _, err := r.admin(within(t), http.MethodGet, "/components/"+component, nil, &c); err != nil {
		t.Fatal(err)
	}
	config := c["config"].(map[string]any)
	config["enabled"], config["active"] = []string{"false"}, []string{"false"}
	if _, err := r.admin(within(t), http.MethodPut, "/components/"+component, c, nil); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("it never came to pass that %s", what)
		}
	}
}
