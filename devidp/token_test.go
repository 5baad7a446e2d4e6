package devidp_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

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
