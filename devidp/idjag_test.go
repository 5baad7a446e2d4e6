package devidp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

const (
	idJAGType   = "urn:ietf:params:oauth:token-type:id-jag"
	idTokenType = "urn:ietf:params:oauth:token-type:id_token"
	protected   = "http://127.0.0.1:8000/mcp"
)

// company is a provider of a company, an authorization server that trusts it, and an ID token of a person.
type company struct {
	idp     *devidp.Running
	as      *httptest.Server
	idToken string
	now     *clock
}

func newCompany(t *testing.T) *company {
	t.Helper()
	co := &company{now: newClock()}
	co.as = httptest.NewUnstartedServer(nil)
	at := "http://" + co.as.Listener.Addr().String() // each of the two knows the other's address
	co.idp = start(t, devidp.Options{Now: co.now.Now, Clients: []devidp.Client{
		{ID: "agent", Secret: "agent-secret", RedirectURIs: []string{callback}, Grants: []string{"authorization_code", exchangeGrant},
			Apps: []devidp.App{{Issuer: at, ClientID: "agent-there", Scopes: []string{"execute", "time:read"}}}},
		{ID: "other", Secret: "other-secret", Grants: []string{exchangeGrant}, Apps: []devidp.App{{Issuer: at, ClientID: "other-there"}}},
	}})
	as, err := devidp.New(devidp.Options{Now: co.now.Now, Issuer: at, Enterprises: []devidp.Enterprise{{Issuer: co.idp.URL, JWKSURI: co.idp.URL + "/jwks"}}, Clients: []devidp.Client{
		{ID: "agent-there", Secret: "agent-there-secret", Grants: []string{bearerGrant}},
		{ID: "other-there", Secret: "other-there-secret", Grants: []string{bearerGrant}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	co.as.Config.Handler = as
	co.as.Start()
	t.Cleanup(co.as.Close)
	c := cli(co.idp, "openid", "profile")
	c.ClientID, c.ClientSecret = "agent", "agent-secret"
	co.idToken, _ = signIn(t, c, devidp.UserAdmin).Extra("id_token").(string)
	return co
}

// issue asks the company's provider for an ID-JAG.
func (co *company) issue(t *testing.T, pairs ...string) answer {
	t.Helper()
	return post(t, co.idp.URL+"/token", form(url.Values{"grant_type": {exchangeGrant}, "client_id": {"agent"}, "client_secret": {"agent-secret"},
		"requested_token_type": {idJAGType}, "subject_token": {co.idToken}, "subject_token_type": {idTokenType}, "audience": {co.as.URL},
		"resource": {protected}, "scope": {"execute"}}, pairs...))
}

// redeem shows an ID-JAG to the authorization server.
func (co *company) redeem(t *testing.T, jag string, pairs ...string) answer {
	t.Helper()
	return post(t, co.as.URL+"/token", form(url.Values{"grant_type": {bearerGrant}, "client_id": {"agent-there"}, "client_secret": {"agent-there-secret"},
		"assertion": {jag}}, pairs...))
}

func TestAnIDJAGBecomesAPersonsToken(t *testing.T) {
	co := newCompany(t)
	given := co.issue(t).ok(t)
	if given.str("issued_token_type") != idJAGType || given.str("token_type") != "N_A" || given.str("scope") != "execute" || given.json["expires_in"] != 300.0 {
		t.Errorf("the answer is %s", given.body)
	}
	jag := given.str("access_token")
	if header(t, jag).ExtraHeaders["typ"] != "oauth-id-jag+jwt" {
		t.Errorf("typ is %v", header(t, jag).ExtraHeaders["typ"])
	}
	said := claims(t, jag)
	if said["iss"] != co.idp.URL || said["aud"] != co.as.URL || said["client_id"] != "agent-there" || said["sub"] != "dev-user-admin" || said["resource"] != protected || said["jti"] == "" {
		t.Errorf("it says %v", said)
	}
	got := co.redeem(t, jag).ok(t)
	if got.str("refresh_token") != "" {
		t.Error("there is a refresh token: the company could not say no any more")
	}
	token := claims(t, got.str("access_token"))
	if token["iss"] != co.as.URL || token["sub"] != "dev-user-admin" || token["client_id"] != "agent-there" || token["aud"] != protected || token["scope"] != "execute" {
		t.Errorf("the token says %v", token)
	}
	t.Run("attack 37 the second time it is refused", func(t *testing.T) { co.redeem(t, jag).refused(t, 400, "invalid_grant") })
	t.Run("it is no access token", func(t *testing.T) {
		get(t, co.as.URL+"/userinfo", withHeader("Authorization", "Bearer "+jag)).refused(t, 401, "invalid_token")
	})
}

func TestACompanysProviderGivesNoIDJAG(t *testing.T) {
	co := newCompany(t)
	foreign := signIn(t, cli(co.idp, "openid"), devidp.UserAdmin)
	other := []string{"client_id", "other", "client_secret", "other-secret"}
	for name, c := range map[string]struct {
		pairs []string
		code  string
	}{
		"attack 37 for an ID token of another client":    {[]string{"subject_token", foreign.Extra("id_token").(string)}, "invalid_request"},
		"attack 37 to a client that steals an ID token":  {other, "invalid_request"},
		"for an access token":                            {[]string{"subject_token", foreign.AccessToken}, "invalid_request"},
		"for an access token that is called an ID token": {[]string{"subject_token", foreign.AccessToken, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"},
		"for nothing": {[]string{"subject_token", ""}, "invalid_request"},
		"for a server that the administrator does not allow": {[]string{"audience", "https://evil.example"}, "invalid_target"},
		"for no server": {[]string{"audience", ""}, "invalid_request"},
		"with a scope that the administrator does not allow": {[]string{"scope", "time:convert"}, "invalid_scope"},
		"to a client without its secret":                     {[]string{"client_secret", "wrong"}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			got := co.issue(t, c.pairs...)
			status := 400
			if c.code == "invalid_client" {
				status = 401
			}
			got.refused(t, status, c.code)
		})
	}
	t.Run("attack 33 to somebody who was disabled", func(t *testing.T) {
		co.idp.Faults().SetDisabled(devidp.UserAdmin, true)
		defer co.idp.Faults().SetDisabled(devidp.UserAdmin, false)
		co.issue(t).refused(t, 400, "invalid_grant")
	})
	t.Run("attack 33 to somebody whose sign-in was revoked", func(t *testing.T) {
		co.idp.Faults().RevokeSignIns(devidp.UserAdmin)
		co.issue(t).refused(t, 400, "invalid_grant")
	})
	t.Run("for an ID token that has expired", func(t *testing.T) {
		co := newCompany(t)
		co.now.advance(2 * time.Hour)
		co.issue(t).refused(t, 400, "invalid_request")
	})
}

func TestAnAuthorizationServerTakesNoOtherIDJAG(t *testing.T) {
	co := newCompany(t)
	keys, _ := keyed(t, "company")
	key := signerOf(t, "oauth-id-jag+jwt")
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(key.set)
	}))
	defer published.Close()
	as := start(t, devidp.Options{Now: co.now.Now, Enterprises: []devidp.Enterprise{{Issuer: "https://company.example", JWKSURI: published.URL}}, Clients: []devidp.Client{
		{ID: "agent", Secret: "agent-secret", Grants: []string{bearerGrant}},
		{ID: "public", Grants: []string{bearerGrant}},
		{ID: "forbidden", Secret: "x", Grants: []string{"client_credentials"}},
		{ID: "keyed", JWKS: keys.JWKS, Grants: []string{bearerGrant}},
	}})
	good := func() map[string]any {
		now := co.now.Now()
		return map[string]any{"iss": "https://company.example", "sub": "dev-user-user", "aud": as.URL, "client_id": "agent", "jti": t.Name(),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "scope": "execute", "resource": protected}
	}
	ask := func(jag string, pairs ...string) answer {
		return post(t, as.URL+"/token", form(url.Values{"grant_type": {bearerGrant}, "client_id": {"agent"}, "client_secret": {"agent-secret"}, "assertion": {jag}}, pairs...))
	}
	now := co.now.Now()
	for name, change := range map[string]map[string]any{
		"attack 37 for another audience":                {"aud": "https://other.example"},
		"attack 37 for two audiences":                   {"aud": []string{as.URL, "https://other.example"}},
		"attack 37 for its own token endpoint":          {"aud": as.URL + "/token"},
		"attack 37 for another client":                  {"client_id": "keyed"},
		"for no client":                                 {"client_id": nil},
		"of another company":                            {"iss": "https://evil.example"},
		"of a company with a slash":                     {"iss": "https://company.example/"},
		"of nobody":                                     {"iss": nil},
		"about nobody":                                  {"sub": nil},
		"about a stranger":                              {"sub": "dev-user-nobody"},
		"attack 33 about somebody who is disabled here": {"sub": "dev-user-disabled"},
		"without a jti":                                 {"jti": nil},
		"without an expiry":                             {"exp": nil},
		"that has expired":                              {"exp": now.Unix()},
		"that is good for days":                         {"exp": now.Add(48 * time.Hour).Unix()},
		"without a time":                                {"iat": nil},
		"of the future":                                 {"iat": now.Add(time.Hour).Unix()},
		"attack 38 with a scope that the person lacks":  {"scope": "time:convert"},
		"without a scope":                               {"scope": nil},
		"for a resource that is none":                   {"resource": "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good()
			for k, v := range change {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			c["jti"] = orRemoved(c["jti"], name)
			code := "invalid_grant"
			if _, about := change["scope"]; about {
				code = "invalid_scope"
			} else if _, about := change["resource"]; about {
				code = "invalid_target"
			}
			ask(assertion(t, key.signer, c)).refused(t, 400, code)
		})
	}
	fresh := func(jti string) map[string]any { c := good(); c["jti"] = jti; return c }
	t.Run("attack 25 of another type", func(t *testing.T) {
		other := signerOf(t, "JWT")
		ask(assertion(t, other.signer, fresh("type"))).refused(t, 400, "invalid_grant")
	})
	t.Run("attack 19 by another key", func(t *testing.T) {
		ask(assertion(t, signerOf(t, "oauth-id-jag+jwt").signer, fresh("key"))).refused(t, 400, "invalid_grant")
	})
	t.Run("attack 38 with more scope than it allows", func(t *testing.T) {
		ask(assertion(t, key.signer, fresh("wide")), "scope", "execute time:read").refused(t, 400, "invalid_scope")
	})
	t.Run("attack 29 for another resource than its own", func(t *testing.T) {
		ask(assertion(t, key.signer, fresh("elsewhere")), "resource", "https://other.example/mcp").refused(t, 400, "invalid_target")
	})
	t.Run("from a public client", func(t *testing.T) {
		ask(assertion(t, key.signer, fresh("public")), "client_id", "public", "client_secret", "").refused(t, 401, "invalid_client")
	})
	t.Run("from a client that may not", func(t *testing.T) {
		ask(assertion(t, key.signer, fresh("forbidden")), "client_id", "forbidden", "client_secret", "x").refused(t, 400, "unauthorized_client")
	})
	t.Run("whose keys are not to be had", func(t *testing.T) {
		published.Close()
		ask(assertion(t, key.signer, fresh("down"))).refused(t, 400, "invalid_grant")
	})
}

func orRemoved(v any, name string) any {
	if v == nil {
		return nil
	}
	return name
}

// signs is a key with what it publishes.
type signs struct {
	signer jose.Signer
	set    []byte
}

// signerOf signs JWTs of one typ.
func signerOf(t *testing.T, typ string) signs {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "c1"}}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "c1"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	return signs{signer, set}
}
