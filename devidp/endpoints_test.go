package devidp_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
	bearerType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

func TestMetadata(t *testing.T) {
	p := start(t, devidp.Options{})
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		a := get(t, p.URL+path).ok(t)
		for name, want := range map[string]any{"issuer": p.URL, "authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": true,
			"registration_endpoint": p.URL + "/register", "end_session_endpoint": p.URL + "/logout"} {
			if a.json[name] != want {
				t.Errorf("%s: %s is %v, want %v", path, name, a.json[name], want)
			}
		}
		if methods, _ := a.json["code_challenge_methods_supported"].([]any); len(methods) != 1 || methods[0] != "S256" {
			t.Errorf("code_challenge_methods_supported is %v", a.json["code_challenge_methods_supported"])
		}
		if a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: no web page can read it", path)
		}
	}
}

func TestPreflight(t *testing.T) {
	p := start(t, devidp.Options{})
	for path, origin := range map[string]string{"/token": "http://localhost:6274", "/register": "http://127.0.0.1:6274", "/jwks": "*", "/.well-known/openid-configuration": "*"} {
		req, _ := http.NewRequest(http.MethodOptions, p.URL+path, nil)
		req.Header.Set("Origin", strings.ReplaceAll(origin, "*", "https://anywhere.example.org"))
		req.Header.Set("Access-Control-Request-Headers", "mcp-protocol-version")
		a := do(t, req)
		if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "MCP-Protocol-Version") {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

func TestOpaqueTokens(t *testing.T) {
	p := start(t, devidp.Options{Opaque: true})
	tok := signIn(t, cli(p, "openid", "execute"), devidp.UserUser)
	if strings.Count(tok.AccessToken, ".") == 2 {
		t.Fatal("the token is a JWT")
	}
	if !alive(t, p, tok.AccessToken) || alive(t, p, tok.AccessToken+"x") {
		t.Error("introspection is wrong")
	}
	post(t, p.URL+"/revoke", url.Values{"token": {tok.AccessToken}, "client_id": {devidp.ClientCLI}}).ok(t)
	if alive(t, p, tok.AccessToken) {
		t.Error("the token survived its revocation")
	}
}

func TestUserinfoChallenges(t *testing.T) {
	p := start(t, devidp.Options{})
	plain := signIn(t, cli(p, "execute"), devidp.UserUser).AccessToken
	for name, c := range map[string]struct {
		token, challenge string
		status           int
	}{
		"no token":               {"", `Bearer realm="development only"`, 401},
		"a strange token":        {"x", `error="invalid_token"`, 401},
		"a token without openid": {plain, `error="insufficient_scope"`, 403},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			a := get(t, p.URL+"/userinfo", func(r *http.Request) {
				if c.token != "" {
					r.Header.Set("Authorization", "Bearer "+c.token)
				}
			})
			challenge := a.header.Get("WWW-Authenticate")
			if a.status != c.status || !strings.Contains(challenge, c.challenge) || c.token == "" && strings.Contains(challenge, "error") {
				t.Errorf("got %d %s", a.status, challenge)
			}
		})
	}
}

func TestSignOut(t *testing.T) {
	p := start(t, devidp.Options{})
	person := new(devidp.Visitor)
	v := oauth.NewVerifier()
	to, err := person.SignIn(t.Context(), request(p, v, "scope", "openid"), devidp.UserUser)
	if err != nil {
		t.Fatal(err)
	}
	id := redeem(t, p, to.Query().Get("code"), "code_verifier", v).ok(t).str("id_token")
	signedIn := func() bool {
		to, err := person.SignIn(t.Context(), request(p, v, "scope", "openid", "prompt", "none"), "")
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("code") != ""
	}
	back := "post_logout_redirect_uri=" + url.QueryEscape("http://127.0.0.1:9/signed-out")
	t.Run("without an ID token the person is asked, and may stay", func(t *testing.T) {
		if to, err := person.SignIn(t.Context(), p.URL+"/logout?client_id=dev-cli&"+back, "no"); err != nil || to != nil || !signedIn() {
			t.Errorf("sent to %v, %v", to, err)
		}
	})
	t.Run("a forged ID token is refused", func(t *testing.T) {
		refusedPage(t, get(t, p.URL+"/logout?id_token_hint="+id[:len(id)-4]+"AAAA"), 400, "id_token_hint")
	})
	t.Run("an access token is no ID token", func(t *testing.T) {
		refusedPage(t, get(t, p.URL+"/logout?id_token_hint="+signIn(t, cli(p, "execute"), devidp.UserUser).AccessToken), 400, "id_token_hint")
	})
	t.Run("with the ID token the person is signed out and sent back", func(t *testing.T) {
		to, err := person.SignIn(t.Context(), p.URL+"/logout?id_token_hint="+id+"&state=x&"+back, "")
		if err != nil || to == nil || to.String() != "http://127.0.0.1:9/signed-out?state=x" || signedIn() {
			t.Errorf("sent to %v, %v", to, err)
		}
	})
	t.Run("attack 10 the next person gets a session of their own", func(t *testing.T) {
		if _, err := person.SignIn(t.Context(), request(p, v), devidp.UserUser); err != nil {
			t.Fatal(err)
		}
		if _, err := person.SignIn(t.Context(), request(p, v, "scope", "execute openid"), devidp.UserAdmin); err != nil {
			t.Fatal(err)
		}
		to, err := person.SignIn(t.Context(), request(p, v, "prompt", "none"), "")
		if err != nil || to.Query().Get("error") != "consent_required" {
			t.Errorf("admin rides what user agreed to: %v %v", to, err)
		}
	})
}

func TestFaults(t *testing.T) {
	p := start(t, devidp.Options{})
	discover(t, p)
	verify := func(tok string) error {
		_, err := oidc.NewVerifier(p.Issuer(), oidc.NewRemoteKeySet(t.Context(), p.URL+"/jwks"), &oidc.Config{ClientID: p.URL}).Verify(t.Context(), tok)
		return err
	}
	mint := func() string {
		tok, err := p.MintToken(devidp.TokenRequest{User: devidp.UserUser, Scopes: []string{"execute"}})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	f := p.Faults()
	t.Run("after a roll old and new tokens verify", func(t *testing.T) {
		old := mint()
		f.RollKeys()
		fresh := mint()
		if header(t, old).KeyID == header(t, fresh).KeyID {
			t.Error("the key is the same")
		}
		if err := verify(old); err != nil {
			t.Error(err)
		}
		if err := verify(fresh); err != nil {
			t.Error(err)
		}
		if !alive(t, p, old) {
			t.Error("introspection calls the old one dead")
		}
	})
	t.Run("after the harsher roll old tokens are worthless", func(t *testing.T) {
		old := mint()
		f.ReplaceKeys()
		if verify(old) == nil || verify(mint()) != nil || alive(t, p, old) {
			t.Error("the old key lives on, or the new one does not")
		}
	})
	t.Run("down answers 503, and up again works", func(t *testing.T) {
		f.SetDown(true)
		get(t, p.URL+"/jwks").refused(t, 503, "temporarily_unavailable")
		f.SetDown(false)
		get(t, p.URL+"/jwks").ok(t)
	})
	t.Run("unreachable answers nothing", func(t *testing.T) {
		f.SetUnreachable(true)
		if res, err := http.Get(p.URL + "/jwks"); err == nil {
			t.Errorf("got %d", res.StatusCode)
		}
		f.SetUnreachable(false)
		get(t, p.URL+"/jwks").ok(t)
	})
	t.Run("tokens can live seconds", func(t *testing.T) {
		f.SetTokenLifetime(3 * time.Second)
		defer f.SetTokenLifetime(0)
		a := post(t, p.URL+"/token", url.Values{"grant_type": {"client_credentials"}}, withBasic(devidp.ClientService, devidp.ServiceSecret)).ok(t)
		c := claims(t, a.str("access_token"))
		if a.json["expires_in"] != 3.0 || c["exp"].(float64)-c["iat"].(float64) != 3 {
			t.Errorf("got %s with %v", a.body, c)
		}
	})
	t.Run("the clock can be skewed", func(t *testing.T) {
		f.SetClockSkew(-2 * time.Hour)
		defer f.SetClockSkew(0)
		if verify(mint()) == nil {
			t.Error("a token of two hours ago verifies")
		}
		resp, err := http.Get(p.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if date, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(date) < time.Hour {
			t.Errorf("the Date is %q", resp.Header.Get("Date"))
		}
	})
	t.Run("an answer can be slow", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, err := devidp.New(devidp.Options{Issuer: "http://127.0.0.1:9000"})
			if err != nil {
				t.Fatal(err)
			}
			s.Faults().SetDelay(time.Hour)
			began := time.Now()
			through(t, s, http.MethodGet, "http://127.0.0.1:9000/.well-known/openid-configuration").ok(t)
			if waited := time.Since(began); waited != time.Hour {
				t.Errorf("it came after %s", waited)
			}
		})
	})
	t.Run("sign-ins can be revoked", func(t *testing.T) {
		c := cli(p, "execute")
		tok := signIn(t, c, devidp.UserUser)
		f.RevokeSignIns(devidp.UserUser)
		refresh(t, p, tok.RefreshToken).refused(t, 400, "invalid_grant")
	})
	t.Run("requests are counted", func(t *testing.T) {
		keys, tokens := f.JWKSFetches(), f.TokenRequests()
		get(t, p.URL+"/jwks")
		post(t, p.URL+"/token", url.Values{})
		if f.JWKSFetches() != keys+1 || f.TokenRequests() != tokens+1 || f.Counts()["discovery"] != 1 {
			t.Errorf("counts are %v", f.Counts())
		}
	})
}

func TestControl(t *testing.T) {
	const secret = "for this test"
	p := start(t, devidp.Options{Control: secret})
	send := func(body, token string, edit ...func(*http.Request)) answer {
		req, _ := http.NewRequest(http.MethodPost, p.URL+"/control", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		for _, e := range edit {
			e(req)
		}
		return do(t, req)
	}
	if a := send(`{"down":true}`, "wrong"); a.status != 401 {
		t.Errorf("a wrong token gives %d", a.status)
	}
	if a := send(`{"down":true}`, secret, withHeader("Origin", "http://localhost")); a.status != 401 {
		t.Errorf("a browser gives %d", a.status)
	}
	for _, bad := range []string{`{"dwon":true}`, `{"delay":"soon"}`, `{"disable":["nobody"]}`, `x`, `{"approve_device":{"X":"user"}}`} {
		if a := send(bad, secret); a.status != 400 {
			t.Errorf("%s gives %d", bad, a.status)
		}
	}
	if a := send(`{"down":true}`, secret); a.status != 204 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	get(t, p.URL+"/jwks").refused(t, 503, "temporarily_unavailable")
	send(`{"down":false,"token_lifetime":"4s","disable":["user"],"roll_keys":true}`, secret)
	a := post(t, p.URL+"/token", url.Values{"grant_type": {"client_credentials"}}, withBasic(devidp.ClientService, devidp.ServiceSecret)).ok(t)
	if a.json["expires_in"] != 4.0 {
		t.Errorf("got %s", a.body)
	}
	counts := get(t, p.URL+"/control", withHeader("Authorization", "Bearer "+secret)).ok(t)
	if counts.json["token"] != 1.0 {
		t.Errorf("counts are %s", counts.body)
	}
	off := start(t, devidp.Options{})
	if a := get(t, off.URL+"/control", withHeader("Authorization", "Bearer ")); a.status != 404 {
		t.Errorf("without Options.Control it answers %d", a.status)
	}
}

func TestStart(t *testing.T) {
	t.Run("beyond loopback it refuses to listen", func(t *testing.T) {
		for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
			if p, err := devidp.Start(t.Context(), addr, devidp.Options{}); err == nil {
				t.Errorf("%s: it serves on %s", addr, p.URL)
			}
		}
	})
	t.Run("beyond loopback it listens when told to", func(t *testing.T) {
		p, err := devidp.Start(t.Context(), "0.0.0.0:0", devidp.Options{AllowRemote: true})
		if err != nil {
			t.Fatal(err)
		}
		get(t, p.URL+"/jwks").ok(t)
	})
	t.Run("it says that it is for development, and no secret", func(t *testing.T) {
		var log bytes.Buffer
		start(t, devidp.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if !strings.Contains(log.String(), "development only") || strings.Contains(log.String(), "secret") {
			t.Errorf("it logs %s", log.String())
		}
	})
	t.Run("options that cannot be served are named", func(t *testing.T) {
		for field, o := range map[string]devidp.Options{
			"Issuer":             {Issuer: "ftp://x"},
			"Resources":          {Issuer: "http://127.0.0.1", Resources: []string{"x"}},
			"Scopes":             {Issuer: "http://127.0.0.1", Scopes: []string{"a b"}},
			"Algorithm":          {Issuer: "http://127.0.0.1", Algorithm: "HS256"},
			"AccessTokenVersion": {Issuer: "http://127.0.0.1", AccessTokenVersion: 3},
			"DeviceInterval":     {Issuer: "http://127.0.0.1", DeviceInterval: time.Millisecond},
			"client bad":         {Issuer: "http://127.0.0.1", Clients: []devidp.Client{{ID: "bad", RedirectURIs: []string{"http://x.example.org/"}}}},
		} {
			if _, err := devidp.New(o); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

func TestMintToken(t *testing.T) {
	p := start(t, devidp.Options{})
	tok, err := p.MintToken(devidp.TokenRequest{User: devidp.UserReader, Client: devidp.ClientWeb, Audience: []string{"a", "b"}, Scopes: []string{"anything"},
		Lifetime: time.Minute, Claims: map[string]any{"nbf": nil, "extra": 1}, Header: map[string]any{"typ": "JWT"}, Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	c := claims(t, tok)
	if aud, _ := c["aud"].([]any); len(aud) != 2 || c["scope"] != "anything" || c["nbf"] != nil || c["extra"] != 1.0 || c["client_id"] != devidp.ClientWeb || header(t, tok).Algorithm != "ES256" {
		t.Errorf("claims are %v", c)
	}
	for _, bad := range []devidp.TokenRequest{{User: "nobody"}, {Client: "nobody"}, {Algorithm: "HS256"}} {
		if _, err := p.MintToken(bad); err == nil {
			t.Errorf("%+v was minted", bad)
		}
	}
}
