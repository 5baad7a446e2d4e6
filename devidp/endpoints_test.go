package devidp_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
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

func TestTokenEndpointRefuses(t *testing.T) {
	p := start(t, devidp.Options{})
	service := withBasic(devidp.ClientService, devidp.ServiceSecret)
	cc := url.Values{"grant_type": {"client_credentials"}}
	to := p.URL + "/token"
	for name, c := range map[string]struct {
		answer answer
		status int
		code   string
	}{
		"a GET":                       {get(t, to+"?grant_type=client_credentials"), 405, "invalid_request"},
		"JSON":                        {post(t, to, cc, service, withHeader("Content-Type", "application/json")), 400, "invalid_request"},
		"no grant type":               {post(t, to, url.Values{}, service), 400, "invalid_request"},
		"an unknown grant type":       {post(t, to, url.Values{"grant_type": {"password"}}, service), 400, "unsupported_grant_type"},
		"a parameter twice":           {post(t, to, url.Values{"grant_type": {"client_credentials", "client_credentials"}}, service), 400, "invalid_request"},
		"a body too large":            {post(t, to, url.Values{"grant_type": {strings.Repeat("x", 70<<10)}}, service), 400, "invalid_request"},
		"an unknown client":           {post(t, to, cc, withBasic("nobody", "x")), 401, "invalid_client"},
		"a wrong secret":              {post(t, to, cc, withBasic(devidp.ClientService, "x")), 401, "invalid_client"},
		"an empty secret":             {post(t, to, cc, withBasic(devidp.ClientService, "")), 401, "invalid_client"},
		"no secret":                   {post(t, to, form(url.Values{"client_id": {devidp.ClientService}}, "grant_type", "client_credentials")), 401, "invalid_client"},
		"a secret of a public client": {post(t, to, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, withBasic(devidp.ClientCLI, "x")), 401, "invalid_client"},
		"two secrets":                 {post(t, to, form(url.Values{"client_secret": {"x"}}, "grant_type", "client_credentials"), service), 400, "invalid_request"},
		"a forbidden grant":           {post(t, to, cc, withBasic(devidp.ClientWeb, devidp.WebSecret)), 400, "unauthorized_client"},
		"an unknown scope":            {post(t, to, form(url.Values{"scope": {"everything"}}, "grant_type", "client_credentials"), service), 400, "invalid_scope"},
		"a control character":         {post(t, to, form(url.Values{"scope": {"exe\x00cute"}}, "grant_type", "client_credentials"), service), 400, "invalid_request"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			c.answer.refused(t, c.status, c.code)
			if c.status == 401 && !strings.HasPrefix(c.answer.header.Get("WWW-Authenticate"), "Basic ") {
				t.Error("no challenge (RFC 6749, section 5.2)")
			}
			if c.answer.header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be kept")
			}
		})
	}
}

func TestPrivateKeyJWTRefuses(t *testing.T) {
	now := newClock()
	client, signer := keyed(t, "keyed")
	_, stranger := keyed(t, "stranger")
	p := start(t, devidp.Options{Clients: []devidp.Client{client}, Now: now.Now})
	good := func(jti string) map[string]any {
		return map[string]any{"iss": "keyed", "sub": "keyed", "aud": p.URL, "exp": now.Now().Add(time.Minute).Unix(), "jti": jti}
	}
	ask := func(raw string, pairs ...string) answer {
		return post(t, p.URL+"/token", form(url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {bearerType}, "client_assertion": {raw}}, pairs...))
	}
	once := assertion(t, signer, good("once"))
	ask(once).ok(t)
	t.Run("attack 37 the same assertion again is refused", func(t *testing.T) { ask(once).refused(t, 401, "invalid_client") })
	for name, change := range map[string]map[string]any{
		"another audience":        {"aud": "https://other.example.org"},
		"no audience":             {"aud": nil},
		"no expiry":               {"exp": nil},
		"an expired assertion":    {"exp": now.Now().Add(-time.Second).Unix()},
		"a distant expiry":        {"exp": now.Now().Add(48 * time.Hour).Unix()},
		"one not yet valid":       {"nbf": now.Now().Add(time.Hour).Unix()},
		"no jti":                  {"jti": nil},
		"another subject":         {"sub": devidp.ClientService},
		"no issuer":               {"iss": nil, "sub": nil},
		"a client without a key":  {"iss": devidp.ClientService, "sub": devidp.ClientService},
		"a client that is public": {"iss": devidp.ClientCLI, "sub": devidp.ClientCLI},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			c := good(name)
			for k, v := range change {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			ask(assertion(t, signer, c)).refused(t, 401, "invalid_client")
		})
	}
	t.Run("another key is refused", func(t *testing.T) { ask(assertion(t, stranger, good("s"))).refused(t, 401, "invalid_client") })
	t.Run("alg none is refused", func(t *testing.T) {
		ask("eyJhbGciOiJub25lIn0.eyJpc3MiOiJrZXllZCJ9.").refused(t, 401, "invalid_client")
	})
	t.Run("another type is refused", func(t *testing.T) {
		ask(assertion(t, signer, good("t")), "client_assertion_type", "x").refused(t, 401, "invalid_client")
	})
	t.Run("another client_id is refused", func(t *testing.T) {
		ask(assertion(t, signer, good("u")), "client_id", devidp.ClientCLI).refused(t, 401, "invalid_client")
	})
	t.Run("an assertion and a secret are refused", func(t *testing.T) {
		ask(assertion(t, signer, good("v")), "client_secret", "x").refused(t, 400, "invalid_request")
	})
	t.Run("a client with a key cannot use a secret", func(t *testing.T) {
		post(t, p.URL+"/token", url.Values{"grant_type": {"client_credentials"}}, withBasic("keyed", "x")).refused(t, 401, "invalid_client")
	})
}

func TestRFC8707Resources(t *testing.T) {
	const one, two = "http://127.0.0.1:8000/mcp", "http://127.0.0.1:8001/mcp"
	p := start(t, devidp.Options{Resources: []string{one, two}})
	v := oauth.NewVerifier()
	aud := func(a answer) any { return claims(t, a.ok(t).str("access_token"))["aud"] }
	t.Run("the named resource is the audience, also after a refresh", func(t *testing.T) {
		a := redeem(t, p, codeOf(t, p, request(p, v, "resource", two)), "code_verifier", v)
		if aud(a) != two || aud(refresh(t, p, a.str("refresh_token"))) != two || aud(refresh(t, p, a.str("refresh_token"), "resource", two)) != two {
			t.Error("the audience is another")
		}
	})
	t.Run("a resource that was not granted is refused at the token endpoint", func(t *testing.T) {
		redeem(t, p, codeOf(t, p, request(p, v, "resource", two)), "code_verifier", v, "resource", one).refused(t, 400, "invalid_target")
	})
	t.Run("an unknown resource is refused", func(t *testing.T) {
		refusedRedirect(t, p, get(t, request(p, v, "resource", one+"/")), "invalid_target")
		refusedRedirect(t, p, get(t, request(p, v, "resource", "not a url")), "invalid_target")
	})
	t.Run("of two granted ones the token request names one", func(t *testing.T) {
		both := request(p, v, "resource", one) + "&resource=" + url.QueryEscape(two)
		if a := redeem(t, p, codeOf(t, p, both), "code_verifier", v, "resource", two); aud(a) != two {
			t.Error("the audience is another")
		}
		redeem(t, p, codeOf(t, p, both), "code_verifier", v).refused(t, 400, "invalid_target")
	})
	t.Run("without a resource the audience is the configured one", func(t *testing.T) {
		q := start(t, devidp.Options{Audience: "my-api"})
		if got := aud(redeem(t, q, codeOf(t, q, request(q, v)), "code_verifier", v)); got != "my-api" {
			t.Errorf("aud is %v", got)
		}
	})
	t.Run("where no resource is configured any absolute URL will do, and nothing else", func(t *testing.T) {
		q := start(t, devidp.Options{})
		if got := aud(redeem(t, q, codeOf(t, q, request(q, v, "resource", "https://any.example.org/mcp")), "code_verifier", v)); got != "https://any.example.org/mcp" {
			t.Errorf("aud is %v", got)
		}
		for _, bad := range []string{"urn:x", "//x", "https://a.example.org/#f", "https://u@a.example.org/"} {
			refusedRedirect(t, q, get(t, request(q, v, "resource", bad)), "invalid_target")
		}
	})
}

func TestScopes(t *testing.T) {
	p := start(t, devidp.Options{})
	v := oauth.NewVerifier()
	t.Run("a person who may have nothing of it is told so on the page, and may choose again", func(t *testing.T) {
		_, err := new(devidp.Visitor).SignIn(t.Context(), request(p, v, "scope", "execute"), devidp.UserReader)
		if err == nil || !strings.Contains(err.Error(), "may not have any of: execute") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("unknown scopes alone are refused", func(t *testing.T) {
		refusedRedirect(t, p, get(t, request(p, v, "scope", "everything")), "invalid_scope")
	})
	t.Run("no scope means all that the person may have", func(t *testing.T) {
		to := visit(t, request(p, v, "scope", ""), devidp.UserAdmin)
		a := redeem(t, p, to.Query().Get("code"), "code_verifier", v).ok(t)
		if a.str("scope") != "execute time:read time:convert" {
			t.Errorf("scope is %q", a.str("scope"))
		}
	})
	t.Run("a refresh may ask for less, gets it, and the next one may have all again", func(t *testing.T) {
		tok := signIn(t, cli(p, "execute", "time:read"), devidp.UserAdmin)
		less := refresh(t, p, tok.RefreshToken, "scope", "time:read").ok(t)
		if less.str("scope") != "time:read" || claims(t, less.str("access_token"))["scope"] != "time:read" {
			t.Errorf("got %s", less.body)
		}
		if all := refresh(t, p, less.str("refresh_token")).ok(t); all.str("scope") != "execute time:read" {
			t.Errorf("got %s", all.body)
		}
	})
	t.Run("a refresh that asks for more is refused, and costs nothing", func(t *testing.T) {
		tok := signIn(t, cli(p, "time:read"), devidp.UserAdmin)
		refresh(t, p, tok.RefreshToken, "scope", "time:read execute").refused(t, 400, "invalid_scope")
		refresh(t, p, tok.RefreshToken).ok(t)
	})
	t.Run("cancelling tells the client", func(t *testing.T) {
		q := visit(t, request(p, v), devidp.Cancel).Query()
		if q.Get("error") != "access_denied" || q.Get("state") != "s-1" || q.Get("iss") != p.URL {
			t.Errorf("the client is told %v", q)
		}
	})
	t.Run("the roles of admin are in the token", func(t *testing.T) {
		if roles, _ := claims(t, signIn(t, cli(p, "execute"), devidp.UserAdmin).AccessToken)["roles"].([]any); !slices.Contains(roles, any(devidp.RoleAdmin)) {
			t.Errorf("roles are %v", roles)
		}
	})
}

func TestExchangeRefuses(t *testing.T) {
	now := newClock()
	api := devidp.Client{ID: "billing", Secret: "billing-secret", Grants: []string{exchangeGrant}, Audiences: []string{"http://127.0.0.1:1/billing"}}
	p := start(t, devidp.Options{Clients: []devidp.Client{api}, Now: now.Now})
	mint := func(r devidp.TokenRequest) string {
		t.Helper()
		tok, err := p.MintToken(r)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	person := devidp.TokenRequest{User: devidp.UserUser, Audience: api.Audiences, Scopes: []string{"execute"}}
	ask := func(subject string, pairs ...string) answer {
		return post(t, p.URL+"/token", form(url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject}, "subject_token_type": {accessType}, "resource": {"http://127.0.0.1:2/next"}}, pairs...),
			withBasic("billing", "billing-secret"))
	}
	t.Run("its own audience's token is exchanged", func(t *testing.T) {
		a := ask(mint(person)).ok(t)
		if a.json["refresh_token"] != nil || a.str("issued_token_type") != accessType {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("attack 35 a token for another audience is refused", func(t *testing.T) {
		other := person
		other.Audience = []string{"http://127.0.0.1:1/other"}
		ask(mint(other)).refused(t, 400, "invalid_request")
	})
	t.Run("attack 35 an expired token is refused", func(t *testing.T) {
		old := person
		old.Lifetime = -time.Second
		ask(mint(old)).refused(t, 400, "invalid_request")
	})
	t.Run("attack 35 a revoked token is refused", func(t *testing.T) {
		tok := mint(person)
		post(t, p.URL+"/revoke", url.Values{"token": {tok}, "client_id": {devidp.ClientCLI}}).ok(t)
		ask(tok).refused(t, 400, "invalid_request")
	})
	t.Run("attack 35 a token of nobody is refused", func(t *testing.T) { ask("x.y.z").refused(t, 400, "invalid_request") })
	t.Run("attack 36 another client's actor token is refused", func(t *testing.T) {
		actor := mint(devidp.TokenRequest{Client: devidp.ClientService})
		ask(mint(person), "actor_token", actor, "actor_token_type", accessType).refused(t, 400, "invalid_request")
	})
	t.Run("attack 38 the scope cannot grow", func(t *testing.T) {
		ask(mint(person), "scope", "execute time:read").refused(t, 400, "invalid_scope")
	})
	t.Run("the exchanged token ends with the first", func(t *testing.T) {
		short := person
		short.Lifetime = 30 * time.Second
		tok := mint(short)
		a := ask(tok).ok(t)
		if life, _ := a.json["expires_in"].(float64); life > 30 {
			t.Errorf("it lives %v s", life)
		}
		if !alive(t, p, a.str("access_token")) {
			t.Error("it is dead")
		}
		p.Faults().SetDisabled(devidp.UserUser, true)
		if alive(t, p, a.str("access_token")) {
			t.Error("it outlived its person")
		}
		p.Faults().SetDisabled(devidp.UserUser, false)
	})
	t.Run("a public client is refused", func(t *testing.T) {
		post(t, p.URL+"/token", url.Values{"grant_type": {exchangeGrant}, "client_id": {devidp.ClientCLI}}).refused(t, 400, "unauthorized_client")
	})
	t.Run("the actors before stand inside", func(t *testing.T) {
		first := ask(mint(person), "resource", "http://127.0.0.1:1/billing").ok(t).str("access_token")
		act, _ := claims(t, ask(first).ok(t).str("access_token"))["act"].(map[string]any)
		if inner, _ := act["act"].(map[string]any); act["sub"] != "billing" || inner["sub"] != "billing" {
			t.Errorf("act is %v", act)
		}
	})
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
