package devidp_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestAttack07CodeReuse(t *testing.T) {
	now := newClock()
	p := start(t, devidp.Options{Now: now.Now})
	v := oauth.NewVerifier()
	t.Run("reuse is refused and kills the family", func(t *testing.T) {
		code := codeOf(t, p, request(p, v))
		first := redeem(t, p, code, "code_verifier", v).ok(t)
		if !alive(t, p, first.str("access_token")) {
			t.Fatal("the token is dead before its time")
		}
		redeem(t, p, code, "code_verifier", v).refused(t, 400, "invalid_grant")
		if alive(t, p, first.str("access_token")) {
			t.Error("the access token survived")
		}
		refresh(t, p, first.str("refresh_token")).refused(t, 400, "invalid_grant")
	})
	t.Run("another client's code is refused, and stays good for its own", func(t *testing.T) {
		code := codeOf(t, p, request(p, v))
		redeem(t, p, code, "code_verifier", v, "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret).refused(t, 400, "invalid_grant")
		redeem(t, p, code, "code_verifier", v).ok(t)
	})
	t.Run("another redirect URI is refused", func(t *testing.T) {
		redeem(t, p, codeOf(t, p, request(p, v)), "code_verifier", v, "redirect_uri", "http://127.0.0.1:7778/callback").refused(t, 400, "invalid_grant")
	})
	t.Run("no redirect URI is refused", func(t *testing.T) {
		redeem(t, p, codeOf(t, p, request(p, v)), "code_verifier", v, "redirect_uri", "").refused(t, 400, "invalid_grant")
	})
	t.Run("an expired code is refused", func(t *testing.T) {
		code := codeOf(t, p, request(p, v))
		now.advance(3 * time.Minute)
		redeem(t, p, code, "code_verifier", v).refused(t, 400, "invalid_grant")
	})
	t.Run("one of many parallel redemptions wins, and loses what it won", func(t *testing.T) {
		code := codeOf(t, p, request(p, v))
		var mu sync.Mutex
		won := 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if redeem(t, p, code, "code_verifier", v).status == 200 {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d redemptions won", won)
		}
	})
}

func TestAttack32OthersTokens(t *testing.T) {
	p := start(t, devidp.Options{})
	tok := signIn(t, cli(p, "execute"), devidp.UserUser)
	introspect := func(id, secret, token string) answer {
		return post(t, p.URL+"/introspect", url.Values{"token": {token}}, withBasic(id, secret))
	}
	t.Run("introspection without authentication is refused", func(t *testing.T) {
		post(t, p.URL+"/introspect", url.Values{"token": {tok.AccessToken}, "client_id": {devidp.ClientCLI}}).refused(t, 401, "invalid_client")
	})
	t.Run("another client's access token looks inactive", func(t *testing.T) {
		if a := introspect(devidp.ClientService, devidp.ServiceSecret, tok.AccessToken).ok(t); a.body != "{\"active\":false}\n" {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("another client's refresh token looks inactive, to an API too", func(t *testing.T) {
		for id, secret := range map[string]string{devidp.ClientService: devidp.ServiceSecret, devidp.ClientAPI: devidp.APISecret} {
			if a := introspect(id, secret, tok.RefreshToken).ok(t); a.body != "{\"active\":false}\n" {
				t.Errorf("%s got %s", id, a.body)
			}
		}
	})
	t.Run("the API that receives the token sees it", func(t *testing.T) {
		a := introspect(devidp.ClientAPI, devidp.APISecret, tok.AccessToken).ok(t)
		if a.json["active"] != true || a.str("client_id") != devidp.ClientCLI || a.str("scope") != "execute" || a.str("iss") != p.URL {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("revoking another client's token does nothing", func(t *testing.T) {
		for _, token := range []string{tok.AccessToken, tok.RefreshToken} {
			if a := post(t, p.URL+"/revoke", url.Values{"token": {token}}, withBasic(devidp.ClientWeb, devidp.WebSecret)); a.status != 200 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		}
		if !alive(t, p, tok.AccessToken) {
			t.Error("the token is dead")
		}
	})
	t.Run("revoking without a known client is refused", func(t *testing.T) {
		post(t, p.URL+"/revoke", url.Values{"token": {tok.AccessToken}}, withBasic(devidp.ClientWeb, "wrong")).refused(t, 401, "invalid_client")
		post(t, p.URL+"/revoke", url.Values{"token": {tok.AccessToken}, "client_id": {"nobody"}}).refused(t, 401, "invalid_client")
	})
	t.Run("revoking one's own refresh token ends the family", func(t *testing.T) {
		post(t, p.URL+"/revoke", url.Values{"token": {tok.RefreshToken}, "client_id": {devidp.ClientCLI}}).ok(t)
		if alive(t, p, tok.AccessToken) {
			t.Error("the access token survived")
		}
		refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
	})
}

func TestAttack33DisabledUser(t *testing.T) {
	p := start(t, devidp.Options{})
	tok := signIn(t, cli(p, "openid", "execute"), devidp.UserUser)
	p.Faults().SetDisabled(devidp.UserUser, true)
	refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
	if alive(t, p, tok.AccessToken) {
		t.Error("introspection calls the token active")
	}
	a := get(t, p.URL+"/userinfo", withHeader("Authorization", "Bearer "+tok.AccessToken))
	if a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("userinfo answers %d %v", a.status, a.header)
	}
	if _, err := new(devidp.Visitor).SignIn(t.Context(), request(p, oauth.NewVerifier()), devidp.UserUser); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("signing in gives %v", err)
	}
	p.Faults().SetDisabled(devidp.UserUser, false)
	refresh(t, p, tok.RefreshToken).ok(t)
}

func TestAttack34RefreshRace(t *testing.T) {
	now := newClock()
	p := start(t, devidp.Options{Now: now.Now, RefreshGrace: 5 * time.Second})
	login := func() *oauth2.Token { return signIn(t, cli(p, "execute"), devidp.UserUser) }
	t.Run("parallel refreshes all get the one successor", func(t *testing.T) {
		tok := login()
		var mu sync.Mutex
		successors, access := map[string]bool{}, map[string]bool{}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				a := refresh(t, p, tok.RefreshToken)
				mu.Lock()
				defer mu.Unlock()
				if a.status != 200 {
					t.Errorf("got %d %s", a.status, a.body)
				}
				successors[a.str("refresh_token")], access[a.str("access_token")] = true, true
			})
		}
		wg.Wait()
		if len(successors) != 1 || successors[tok.RefreshToken] || len(access) != 10 {
			t.Errorf("%d successors, %d access tokens", len(successors), len(access))
		}
	})
	t.Run("a replay after the grace kills the family", func(t *testing.T) {
		tok := login()
		next := refresh(t, p, tok.RefreshToken).ok(t)
		now.advance(6 * time.Second)
		refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
		refresh(t, p, next.str("refresh_token")).refused(t, 400, "invalid_grant")
		if alive(t, p, next.str("access_token")) {
			t.Error("the access token survived")
		}
	})
	t.Run("a token two generations old kills the family at once", func(t *testing.T) {
		tok := login()
		next := refresh(t, p, refresh(t, p, tok.RefreshToken).ok(t).str("refresh_token")).ok(t)
		refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
		refresh(t, p, next.str("refresh_token")).refused(t, 400, "invalid_grant")
	})
	t.Run("another client's use is refused and harms nobody", func(t *testing.T) {
		tok := login()
		refresh(t, p, tok.RefreshToken, "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret).refused(t, 400, "invalid_grant")
		refresh(t, p, tok.RefreshToken).ok(t)
	})
	t.Run("a forged generation is refused and harms nobody", func(t *testing.T) {
		tok := login()
		parts := strings.Split(tok.RefreshToken, ".")
		parts[2] = "7"
		refresh(t, p, strings.Join(parts, ".")).refused(t, 400, "invalid_grant")
		refresh(t, p, tok.RefreshToken).ok(t)
	})
	t.Run("without a grace the second of two is a replay", func(t *testing.T) {
		p := start(t, devidp.Options{RefreshGrace: -1})
		tok := signIn(t, cli(p, "execute"), devidp.UserUser)
		refresh(t, p, tok.RefreshToken).ok(t)
		refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
	})
}
