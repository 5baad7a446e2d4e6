package bearer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func TestEachRuleIsAskedApart(t *testing.T) {
	i := newIssuer(t)
	with := func(c claimSet) string { return sign(t, i.good().with(c), signer{}) }
	for _, row := range []struct {
		name    string
		token   string
		refuses []bearer.Rule
	}{
		{"a good token keeps all", with(nil), nil},
		{"an expired one breaks one", with(claimSet{"exp": now.Add(-time.Hour).Unix(), "nbf": nil, "iat": nil}), []bearer.Rule{bearer.RuleExpiry}},
		{"one from the future breaks one", with(claimSet{"nbf": now.Add(time.Hour).Unix()}), []bearer.Rule{bearer.RuleNotBefore}},
		{"one without an end breaks one", with(claimSet{"exp": nil}), []bearer.Rule{bearer.RuleLifetime}},
		{"one for another resource breaks one", with(claimSet{"aud": "https://other.example.com"}), []bearer.Rule{bearer.RuleAudience}},
		{"three faults are three rules", with(claimSet{"aud": "https://other.example.com", "exp": now.Add(-time.Hour).Unix(), "nonce": "n", "iat": nil, "nbf": nil, "sub": ""}),
			[]bearer.Rule{bearer.RuleAudience, bearer.RuleExpiry, bearer.RuleSubject}},
		{"another issuer's token breaks one, and its signature is not asked", with(claimSet{"iss": "https://other.example.com"}), []bearer.Rule{bearer.RuleIssuer}},
		{"a signature of nobody", sign(t, i.good(), signer{key: rsaKeys()[1]}), []bearer.Rule{bearer.RuleSignature}},
		{"an ID token", sign(t, i.good().with(claimSet{"nonce": "n", "scope": nil, "client_id": nil}), signer{header: map[jose.HeaderKey]any{"typ": "JWT"}}), []bearer.Rule{bearer.RuleUse}},
		{"an opaque token", "tGzv3JOkF0XG5Qx2TlKWIA", []bearer.Rule{bearer.RuleAsked}},
		{"no token", "hello world", []bearer.Rule{bearer.RuleShape}},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := guardFor(t, i, nil).Explain(context.Background(), row.token)
			var got []bearer.Rule
			for _, r := range x.Rules {
				if r.Verdict == bearer.Refuses {
					got = append(got, r.Rule)
				}
				if strings.Contains(r.Saw+r.Wants, row.token) {
					t.Errorf("it shows the token: %+v", r)
				}
			}
			if !equal(got, row.refuses) || (x.Refusal == nil) != (row.refuses == nil) {
				t.Errorf("refused by %q, want %q; verdict %v", got, row.refuses, x.Refusal)
			}
		})
	}
}

func equal(a, b []bearer.Rule) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Entra 9: a token for Graph, an ID token, a refresh token, an opaque one and garbage are each recognised.
func TestEntra9_TokensAreRecognised(t *testing.T) {
	i, e := newIssuer(t), newEntra(t)
	plain := func(c claimSet) string {
		return sign(t, i.good().with(c), signer{header: map[jose.HeaderKey]any{"typ": "JWT"}})
	}
	for _, row := range []struct {
		name     string
		token    string
		form     bearer.Form
		use      bearer.Use
		provider string
		service  string
		kind     identity.Kind
	}{
		{"RFC 9068", sign(t, i.good(), signer{}), bearer.FormJWT, bearer.UseAccess, "oidc", "", identity.Person},
		{"Entra, version 2", jwt(t, e.v2()), bearer.FormJWT, bearer.UseAccess, "entra", "", identity.Person},
		{"Entra, version 1", jwt(t, e.v1()), bearer.FormJWT, bearer.UseAccess, "entra", "", identity.Person},
		{"Entra, of a program", jwt(t, e.app()), bearer.FormJWT, bearer.UseAccess, "entra", "", identity.App},
		{"Entra, for Graph", jwt(t, e.v1().with(claimSet{"aud": "https://graph.microsoft.com"})), bearer.FormJWT, bearer.UseAccess, "entra", "Microsoft Graph", identity.Person},
		{"Entra, for Graph by the nonce in its header", sign(t, e.v1(), signer{header: map[jose.HeaderKey]any{"nonce": "n"}}), bearer.FormJWT, bearer.UseAccess, "entra", "Microsoft Graph", identity.Person},
		{"Entra's public issuer of version 1", jwt(t, e.v1().with(claimSet{"iss": "https://sts.windows.net/" + tenant + "/"})), bearer.FormJWT, bearer.UseAccess, "entra", "", identity.Person},
		{"an ID token by its nonce", plain(claimSet{"nonce": "n"}), bearer.FormJWT, bearer.UseID, "oidc", "", identity.Person},
		{"Keycloak's ID token", plain(claimSet{"iss": "https://sso.example.com/realms/main", "typ": "ID"}), bearer.FormJWT, bearer.UseID, "keycloak", "", identity.Person},
		{"Keycloak's refresh token", plain(claimSet{"iss": "https://sso.example.com/realms/main", "typ": "Refresh"}), bearer.FormJWT, bearer.UseRefresh, "keycloak", "", identity.Person},
		{"a logout token", sign(t, i.good(), signer{header: map[jose.HeaderKey]any{"typ": "logout+jwt"}}), bearer.FormJWT, bearer.UseLogout, "oidc", "", identity.Person},
		{"a JWT that says nothing of its use", plain(claimSet{"scope": nil, "client_id": nil}), bearer.FormJWT, bearer.UseUnknown, "oidc", "", identity.Person},
		{"an encrypted token", encode(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d", bearer.FormEncrypted, bearer.UseUnknown, "", "", ""},
		{"Google's access token", "ya29.a0AfH6SMBx-lots-of-letters", bearer.FormOpaque, bearer.UseAccess, "google", "", ""},
		{"Entra's refresh token", "0.AXkA-lots-of-letters", bearer.FormOpaque, bearer.UseRefresh, "entra", "", ""},
		{"an opaque token", "tGzv3JOkF0XG5Qx2TlKWIA", bearer.FormOpaque, bearer.UseUnknown, "", "", ""},
		{"three parts that are no JWT", "aaaa.bbbb.cccc.dddd.eeee", bearer.FormOpaque, bearer.UseUnknown, "", "", ""},
		{"a sentence", "this is no token at all", bearer.FormNone, bearer.UseUnknown, "", "", ""},
		{"nothing", "", bearer.FormNone, bearer.UseUnknown, "", "", ""},
		{"a word", "hello", bearer.FormNone, bearer.UseUnknown, "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := bearer.Describe(row.token)
			if d.Form != row.form || d.Use != row.use || d.Provider != row.provider || d.Service != row.service || d.Kind != row.kind {
				t.Errorf("%+v", d)
			}
		})
	}
}

// FuzzDescribe reads what a person pastes.
func FuzzDescribe(f *testing.F) {
	f.Add("ya29.a0AfH6SMBx-lots-of-letters")
	f.Add(encode(`{"alg":"RS256","typ":"JWT"}`) + "." + encode(`{"iss":"https://sts.windows.net/x/","ver":"1.0","aud":["a"],"exp":1e9}`) + ".c2ln")
	f.Fuzz(func(t *testing.T, raw string) {
		d := bearer.Describe(raw)
		if (d.Form == bearer.FormJWT) != (d.Claims != nil) || d.Use == "" {
			t.Errorf("%+v", d)
		}
	})
}

// Every reason to refuse a token has advice, so that explain never ends with a shrug. A request that carries no token, or
// carries it wrongly, is no matter of tokens.
func TestEveryReasonHasAdvice(t *testing.T) {
	for _, reason := range []bearer.Reason{bearer.ReasonMalformed, bearer.ReasonOpaque, bearer.ReasonAlgorithm, bearer.ReasonType, bearer.ReasonIssuer,
		bearer.ReasonTenant, bearer.ReasonGuest, bearer.ReasonAudience, bearer.ReasonGraph, bearer.ReasonExpired, bearer.ReasonNotYet, bearer.ReasonLifetime,
		bearer.ReasonKey, bearer.ReasonSignature, bearer.ReasonSubject, bearer.ReasonPermission, bearer.ReasonInactive, bearer.ReasonScope, bearer.ReasonUnavailable} {
		if a, known := advice.ForToken(string(reason)); !known || a.Cause == "" {
			t.Errorf("%s has no advice", reason)
		}
	}
}
