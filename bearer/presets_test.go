package bearer_test

import (
	"net/http"
	"slices"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// at moves a preset to a provider of our own: the spelling stays, the addresses change.
func at(i *issuer, p idp.Provider) idp.Provider {
	p.Issuers = []idp.Issuer{{Name: i.URL}}
	p.AuthorizationServers = []string{i.URL}
	return p
}

func TestPresets(t *testing.T) {
	i := newIssuer(t)
	common := claimSet{"iss": i.URL, "aud": resource, "sub": "alice", "iat": now.Unix(), "exp": now.Unix() + 3600}
	keycloak := common.with(claimSet{"typ": "Bearer", "azp": "cli", "scope": "openid execute", "preferred_username": "alice",
		"realm_access": claimSet{"roles": []string{"user"}}, "resource_access": claimSet{resource: claimSet{"roles": []string{"caller"}}, "other": claimSet{"roles": []string{"admin"}}}})
	auth0 := common.with(claimSet{"azp": "cli", "scope": "openid execute", "permissions": []string{"execute", "time:read"}})
	okta := common.with(claimSet{"cid": "cli", "uid": "00u1", "scp": []string{"execute"}, "sub": "alice@example.com", "ver": 1})
	for _, row := range []struct {
		name     string
		provider idp.Provider
		typ      any
		claims   claimSet
		reason   bearer.Reason
		look     func(*identity.Identity) bool
	}{
		{"Keycloak: roles of the realm and of this resource, not of others", idp.Keycloak(i.URL, "r"), "JWT", keycloak, "", func(id *identity.Identity) bool {
			return slices.Equal(id.Roles, []string{"user", "caller"}) && id.ClientID == "cli" && id.HasScope("execute") && id.Kind == identity.Person
		}},
		{"Keycloak: an access token with a nonce is accepted", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"nonce": "n"}), "", nil},
		{"Keycloak: attack 25 an ID token is refused", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"typ": "ID"}), bearer.ReasonType, nil},
		{"Keycloak: attack 25 a refresh token is refused", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"typ": "Refresh"}), bearer.ReasonType, nil},
		{"Keycloak: attack 25 a token that does not say is refused", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"typ": nil}), bearer.ReasonType, nil},
		{"Keycloak: a service account is an app", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"client_id": "cli", "preferred_username": "service-account-cli"}), "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"Keycloak: a person with a service account's name is a person", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"preferred_username": "service-account-cli"}), "", func(id *identity.Identity) bool { return id.Kind == identity.Person }},
		{"Auth0: scopes and permissions are one list", idp.Auth0("x"), "JWT", auth0, "", func(id *identity.Identity) bool {
			return slices.Equal(id.Scopes, []string{"openid", "execute", "time:read"}) && id.Kind == identity.Person
		}},
		{"Auth0: scope as a list is read", idp.Auth0("x"), "at+jwt", auth0.with(claimSet{"scope": []string{"a", "b"}, "permissions": nil}), "", func(id *identity.Identity) bool { return slices.Equal(id.Scopes, []string{"a", "b"}) }},
		{"a tab parts no scopes (RFC 6749, section 3.3)", idp.Keycloak(i.URL, "r"), "JWT", keycloak.with(claimSet{"scope": "x\texecute"}), "", func(id *identity.Identity) bool { return !id.HasScope("execute") }},
		{"Auth0: client credentials are an app", idp.Auth0("x"), "JWT", auth0.with(claimSet{"sub": "cli@clients", "gty": "client-credentials"}), "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"Auth0: the audience in a list beside userinfo is accepted", idp.Auth0("x"), "JWT", auth0.with(claimSet{"aud": []string{resource, i.URL + "/userinfo"}}), "", nil},
		{"Okta: scp as a list, uid as the object", idp.Okta("x", ""), nil, okta, "", func(id *identity.Identity) bool {
			return id.HasScope("execute") && id.ObjectID == "00u1" && id.ClientID == "cli" && id.Kind == identity.Person
		}},
		{"Okta: client credentials are an app", idp.Okta("x", ""), nil, okta.with(claimSet{"sub": "cli", "uid": nil}), "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"Okta: attack 25 an ID token names no client and is refused", idp.Okta("x", ""), nil, okta.with(claimSet{"cid": nil}), bearer.ReasonType, nil},
		{"Google: attack 25 an ID token is refused", idp.Google(), "JWT", common.with(claimSet{"aud": resource, "azp": "cli"}), bearer.ReasonType, nil},
		{"Dev: RFC 9068 is accepted", idp.Dev(i.URL), "at+jwt", i.good(), "", nil},
		{"Dev: attack 25 nothing else is", idp.Dev(i.URL), "JWT", i.good(), bearer.ReasonType, nil},
		{"OIDC: a program's token names the client as its subject", idp.OIDC(i.URL), "at+jwt", i.good().with(claimSet{"sub": "cli"}), "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"OIDC: roles of another JSON kind are refused", idp.OIDC(i.URL), "at+jwt", i.good().with(claimSet{"roles": 7}), bearer.ReasonMalformed, nil},
		{"OIDC: a single role as a text is one role", idp.OIDC(i.URL), "at+jwt", i.good().with(claimSet{"roles": "two words"}), "", func(id *identity.Identity) bool { return slices.Equal(id.Roles, []string{"two words"}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := at(i, row.provider)
			p.Audience = []string{resource}
			g := guardFor(t, i, func(c *bearer.Config) { c.Providers = []idp.Provider{p} })
			token := sign(t, row.claims, signer{header: map[jose.HeaderKey]any{"typ": row.typ}})
			if row.reason != "" {
				refused(t, g, token, row.reason)
				resp, _ := call(g, request(token))
				expect(t, resp, http.StatusUnauthorized, "invalid_token")
				return
			}
			id, err := g.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if row.look != nil && !row.look(id) {
				t.Errorf("%+v", id)
			}
		})
	}
}
