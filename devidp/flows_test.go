package devidp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// manner is one character with what a client must be told to use it.
type manner struct {
	name     string
	options  devidp.Options
	client   string // the public client
	scope    string // the API's scope execute
	info     []string
	aud      string // the audience of tokens for scope
	scp      string // the claim that lists scopes
	service  string
	default_ []string
}

func manners() []manner {
	return []manner{
		{"standard", devidp.Options{Resources: []string{"http://127.0.0.1:8000/mcp"}}, devidp.ClientCLI, "execute",
			[]string{"openid", "profile", "email"}, "http://127.0.0.1:8000/mcp", "scope", devidp.ClientService, []string{"execute"}},
		{"entra", devidp.Options{Character: devidp.Entra}, devidp.EntraCLI, devidp.EntraAPIURI + "/execute",
			[]string{"openid", "profile", "email"}, devidp.EntraAPI, "scp", devidp.EntraService, []string{devidp.EntraAPIURI + "/.default"}},
	}
}

func each(t *testing.T, test func(*testing.T, manner)) {
	for _, m := range manners() {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}

func discover(t *testing.T, p *devidp.Running) *oidc.Provider {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// accept verifies an access token with go-oidc as an API does: signature by the key set, issuer, audience, expiry.
func accept(t *testing.T, provider *oidc.Provider, token, audience string) map[string]any {
	t.Helper()
	tok, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := tok.Claims(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCodeFlowPassesGoOIDC(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		p := start(t, m.options)
		provider := discover(t, p)
		c := &oauth2.Config{ClientID: m.client, RedirectURL: callback, Endpoint: provider.Endpoint(), Scopes: append(m.info, "offline_access", m.scope)}
		tok := signIn(t, c, devidp.UserUser, oidc.Nonce("n-1"))
		id, err := provider.Verifier(&oidc.Config{ClientID: m.client}).Verify(t.Context(), tok.Extra("id_token").(string))
		if err != nil {
			t.Fatal(err)
		}
		if id.Nonce != "n-1" {
			t.Errorf("nonce is %q", id.Nonce)
		}
		got := accept(t, provider, tok.AccessToken, m.aud)
		if !slices.Contains(strings.Fields(got[m.scp].(string)), "execute") {
			t.Errorf("%s is %v", m.scp, got[m.scp])
		}

		tok.Expiry = time.Now().Add(-time.Hour)
		fresh, err := c.TokenSource(t.Context(), tok).Token()
		if err != nil {
			t.Fatal(err)
		}
		if fresh.RefreshToken == tok.RefreshToken || fresh.AccessToken == tok.AccessToken {
			t.Error("refreshing gave an old token")
		}
		accept(t, provider, fresh.AccessToken, m.aud)
	})
}

func TestUserinfoPassesGoOIDC(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		p := start(t, m.options)
		provider := discover(t, p)
		c := &oauth2.Config{ClientID: m.client, RedirectURL: callback, Endpoint: provider.Endpoint(), Scopes: m.info}
		info, err := provider.UserInfo(t.Context(), c.TokenSource(t.Context(), signIn(t, c, devidp.UserReader)))
		if err != nil {
			t.Fatal(err)
		}
		if info.Subject == "" || info.Email != "reader@"+devidp.EntraDomain {
			t.Errorf("userinfo says %+v", info)
		}
	})
}

func TestStandardIDTokenIsBoundToTheAccessToken(t *testing.T) {
	p := start(t, devidp.Options{})
	provider := discover(t, p)
	tok := signIn(t, cli(p, "openid", "profile", "execute", "time:read"), devidp.UserUser)
	id, err := provider.Verifier(&oidc.Config{ClientID: devidp.ClientCLI}).Verify(t.Context(), tok.Extra("id_token").(string))
	if err != nil {
		t.Fatal(err)
	}
	if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
		t.Error(err)
	}
	if h := header(t, tok.AccessToken); h.ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("RFC 9068: typ is %v", h.ExtraHeaders["typ"])
	}
	if got := claims(t, tok.AccessToken); got["scope"] != "openid profile execute" || got["client_id"] != devidp.ClientCLI || got["sub"] != id.Subject {
		t.Errorf("claims are %v: time:read is not for this user", got)
	}
}

func TestTokensSignedWithES256PassGoOIDC(t *testing.T) {
	p := start(t, devidp.Options{Algorithm: "ES256"})
	c := cli(p, "openid")
	tok := signIn(t, c, devidp.UserUser)
	if _, err := discover(t, p).Verifier(&oidc.Config{ClientID: devidp.ClientCLI}).Verify(t.Context(), tok.Extra("id_token").(string)); err != nil {
		t.Fatal(err)
	}
	if alg := header(t, tok.AccessToken).Algorithm; alg != "ES256" {
		t.Errorf("alg is %s", alg)
	}
}

func TestDeviceFlowPassesOAuth2(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		m.options.DeviceInterval = time.Second
		p := start(t, m.options)
		provider := discover(t, p)
		c := &oauth2.Config{ClientID: m.client, Endpoint: provider.Endpoint(), Scopes: []string{"openid", "offline_access", m.scope}}
		da, err := c.DeviceAuth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := new(devidp.Visitor).ApproveDevice(t.Context(), da.VerificationURI, strings.ToLower(da.UserCode), devidp.UserUser); err != nil {
			t.Fatal(err)
		}
		tok, err := c.DeviceAccessToken(t.Context(), da)
		if err != nil {
			t.Fatal(err)
		}
		accept(t, provider, tok.AccessToken, m.aud)
		if tok.RefreshToken == "" || tok.Extra("id_token") == nil {
			t.Error("offline_access and openid gave no refresh token or no ID token")
		}
	})
}

func TestClientCredentialsPassOAuth2(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		p := start(t, m.options)
		provider := discover(t, p)
		for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
			c := clientcredentials.Config{ClientID: m.service, ClientSecret: devidp.ServiceSecret, TokenURL: provider.Endpoint().TokenURL, Scopes: m.default_, AuthStyle: style}
			tok, err := c.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := accept(t, provider, tok.AccessToken, m.aud)
			if roles, _ := got["roles"].([]any); len(roles) != 1 || roles[0] != devidp.RoleApp {
				t.Errorf("roles are %v", got["roles"])
			}
			if tok.RefreshToken != "" {
				t.Error("an app got a refresh token")
			}
		}
	})
}

// keyed is a client with a key, and what signs its assertions.
func keyed(t *testing.T, id string) (devidp.Client, jose.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1"}}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return devidp.Client{ID: id, JWKS: jwks, Grants: []string{"client_credentials"}, Roles: []string{devidp.RoleApp}}, signer
}

func assertion(t *testing.T, signer jose.Signer, c map[string]any) string {
	t.Helper()
	raw, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPrivateKeyJWTPassesOAuth2(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		client, signer := keyed(t, "keyed-service")
		if m.name == "entra" {
			client, signer = certified(t, "keyed-service", "x5t#S256")
		}
		m.options.Clients = []devidp.Client{client}
		p := start(t, m.options)
		provider := discover(t, p)
		c := clientcredentials.Config{ClientID: client.ID, TokenURL: provider.Endpoint().TokenURL, Scopes: m.default_, AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{
				"client_assertion_type": {bearerType},
				"client_assertion": {assertion(t, signer, map[string]any{"iss": client.ID, "sub": client.ID, "aud": provider.Endpoint().TokenURL,
					"exp": time.Now().Add(time.Minute).Unix(), "jti": "one"})}}}
		tok, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := accept(t, provider, tok.AccessToken, m.aud)
		if m.name == "entra" && got["azpacr"] != "2" {
			t.Errorf("azpacr is %v, want 2: a certificate", got["azpacr"])
		}
	})
}

func TestExchangePassesOAuth2(t *testing.T) {
	const next = "http://127.0.0.1:9999/next"
	p := start(t, devidp.Options{})
	tok := signIn(t, cli(p, "openid", "execute", "time:read"), devidp.UserAdmin, oauth2.SetAuthURLParam("resource", "http://127.0.0.1:8000/mcp"))
	c := clientcredentials.Config{ClientID: devidp.ClientAPI, ClientSecret: devidp.APISecret, TokenURL: p.URL + "/token", Scopes: []string{"time:read"},
		EndpointParams: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {tok.AccessToken},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {next}}}
	got, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cl := accept(t, discover(t, p), got.AccessToken, next)
	if cl["scope"] != "time:read" || cl["sub"] != claims(t, tok.AccessToken)["sub"] {
		t.Errorf("claims are %v", cl)
	}
	if act, _ := cl["act"].(map[string]any); act["sub"] != devidp.ClientAPI {
		t.Errorf("act is %v", cl["act"])
	}
	if got.Extra("issued_token_type") != "urn:ietf:params:oauth:token-type:access_token" {
		t.Errorf("issued_token_type is %v", got.Extra("issued_token_type"))
	}
}

func TestIssuerMayHaveAPath(t *testing.T) {
	const base = "http://127.0.0.1:9000/idp"
	s, err := devidp.New(devidp.Options{Issuer: base})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/idp/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/idp", "/.well-known/openid-configuration/idp"} {
		a := through(t, s, http.MethodGet, base[:len(base)-len("/idp")]+path)
		if a.str("issuer") != base || a.str("token_endpoint") != base+"/token" {
			t.Errorf("%s says %s", path, a.body)
		}
	}
}
