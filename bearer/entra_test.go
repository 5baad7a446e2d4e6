package bearer_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const (
	otherTenant = "99999999-2222-3333-4444-555555555555"
	personal    = "9188040d-6c67-4c5b-b112-36a304b66dad"
	appID       = "aaaaaaaa-0000-0000-0000-00000000000a"
	appURI      = "api://" + appID
)

// entra is a tenant at a server of our own: Login and STS are the same host. Its metadata names tenant for single-tenant
// addresses and the placeholder for the others; its version 2 keys name their issuer, its version 1 keys do not.
type entra struct {
	*issuer
	v2Keys []map[string]any
	v1Keys []map[string]any
}

func newEntra(t testing.TB) *entra {
	t.Helper()
	e := &entra{issuer: newIssuer(t)}
	key := rsaKeys()[0].Public()
	e.v2Keys = []map[string]any{public("k1", key, map[string]any{"issuer": e.URL + "/{tenantid}/v2.0"})}
	e.v1Keys = []map[string]any{public("k1", key, nil)}
	document := func(issuer, keys string) string {
		return `{"issuer":"` + issuer + `","jwks_uri":"` + e.URL + keys + `"}`
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(document(e.URL+"/"+named(r)+"/v2.0", "/keys2")))
	})
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(document(e.URL+"/"+named(r)+"/", "/keys1")))
	})
	mux.HandleFunc("GET /keys2", func(w http.ResponseWriter, r *http.Request) { writeKeys(w, e.v2Keys) })
	mux.HandleFunc("GET /keys1", func(w http.ResponseWriter, r *http.Request) { writeKeys(w, e.v1Keys) })
	e.Config.Handler = mux
	return e
}

// named is the tenant that a document names for the one in the address.
func named(r *http.Request) string {
	switch asked := r.PathValue("tenant"); asked {
	case "common", "organizations":
		return "{tenantid}"
	case "example.com":
		return tenant
	case "consumers":
		return personal
	default:
		return asked
	}
}

func (e *entra) provider(tenant string) idp.Provider {
	return idp.EntraIn(idp.EntraCloud{Login: e.URL, STS: e.URL}, tenant)
}

func (e *entra) guard(t testing.TB, change func(*idp.Provider)) *bearer.Guard {
	t.Helper()
	p := e.provider(tenant)
	if change != nil {
		change(&p)
	}
	g, err := bearer.New(bearer.Config{Resource: resource, Providers: []idp.Provider{p}, Audience: []string{appID, appURI},
		Scopes: []string{"execute"}, ScopePrefix: appURI + "/", Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (e *entra) v2() claimSet {
	return claimSet{
		"ver": "2.0", "iss": e.URL + "/" + tenant + "/v2.0", "aud": appID, "tid": tenant, "oid": "0id-alice", "sub": "pairwise",
		"azp": "client-id", "azpacr": "0", "scp": "execute time:read", "name": "Alice", "preferred_username": "alice@example.com", "uti": "u-1",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(75 * 60e9).Unix(),
	}
}

func (e *entra) v1() claimSet {
	return claimSet{
		"ver": "1.0", "iss": e.URL + "/" + tenant + "/", "aud": appURI, "tid": tenant, "oid": "0id-alice", "sub": "pairwise",
		"appid": "client-id", "appidacr": "0", "scp": "execute", "name": "Alice", "unique_name": "alice@example.com",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(75 * 60e9).Unix(),
	}
}

func (e *entra) app() claimSet {
	return e.v2().with(claimSet{"idtyp": "app", "scp": nil, "roles": []string{"Tools.Admin"}, "oid": "0id-service", "sub": "0id-service", "name": nil, "preferred_username": nil})
}

func jwt(t testing.TB, c claimSet) string {
	return sign(t, c, signer{header: map[jose.HeaderKey]any{"typ": "JWT"}})
}

func TestEntraTokens(t *testing.T) {
	e := newEntra(t)
	for _, row := range []struct {
		name   string
		claims claimSet
		change func(*idp.Provider)
		reason bearer.Reason
		look   func(*identity.Identity) bool
	}{
		{"Entra 1 a token of version 2 is accepted", e.v2(), nil, "", func(id *identity.Identity) bool {
			return id.Tenant == tenant && id.ObjectID == "0id-alice" && id.Subject == "pairwise" && id.ClientID == "client-id" &&
				id.Name == "Alice" && id.Username == "alice@example.com" && id.TokenID == "u-1" && id.Kind == identity.Person && id.HasScope("time:read")
		}},
		{"Entra 1 Entra 4 a token of version 1 is accepted", e.v1(), nil, "", func(id *identity.Identity) bool {
			return id.ClientID == "client-id" && id.Username == "alice@example.com" && id.Kind == identity.Person && id.Issuer == e.URL+"/"+tenant+"/"
		}},
		{"Entra 2 the issuer of version 1 with ver 2.0 is refused", e.v1().with(claimSet{"ver": "2.0"}), nil, bearer.ReasonIssuer, nil},
		{"Entra 2 the issuer of version 2 with ver 1.0 is refused", e.v2().with(claimSet{"ver": "1.0"}), nil, bearer.ReasonIssuer, nil},
		{"Entra 2 a token without ver is refused", e.v2().with(claimSet{"ver": nil}), nil, bearer.ReasonIssuer, nil},
		{"Entra 2 the issuer of version 1 without its slash is refused", e.v1().with(claimSet{"iss": e.URL + "/" + tenant}), nil, bearer.ReasonIssuer, nil},
		{"Entra 3 the App ID URI as audience is accepted", e.v2().with(claimSet{"aud": appURI}), nil, "", nil},
		{"Entra 3 another app's id as audience is refused", e.v2().with(claimSet{"aud": "aaaaaaaa-0000-0000-0000-00000000000b"}), nil, bearer.ReasonAudience, nil},
		{"Entra 3 the resource's URL as audience is refused", e.v2().with(claimSet{"aud": resource}), nil, bearer.ReasonAudience, nil},
		{"Entra 5 a token of an app with a role is accepted", e.app(), nil, "", func(id *identity.Identity) bool {
			return id.Kind == identity.App && id.HasRole("Tools.Admin") && len(id.Scopes) == 0
		}},
		{"Entra 5 without idtyp, roles and no scope mean an app", e.app().with(claimSet{"idtyp": nil}), nil, "", func(id *identity.Identity) bool { return id.Kind == identity.App }},
		{"Entra 5 with idtyp user it is a person, also without a scope", e.app().with(claimSet{"idtyp": "user"}), nil, "", func(id *identity.Identity) bool { return id.Kind == identity.Person }},
		{"Entra 5 a token with neither scope nor role is refused", e.v2().with(claimSet{"scp": nil}), nil, bearer.ReasonPermission, nil},
		{"Entra 5 an empty scp and empty roles are neither", e.v2().with(claimSet{"scp": "", "roles": []string{}}), nil, bearer.ReasonPermission, nil},
		{"Entra 5 attack 25 an ID token with roles is refused, since it names no client", e.app().with(claimSet{"idtyp": nil, "azp": nil}), nil, bearer.ReasonType, nil},
		{"attack 25 an ID token with a nonce is refused", e.v2().with(claimSet{"nonce": "n"}), nil, bearer.ReasonType, nil},
		{"Entra 6 a token without oid is refused", e.v2().with(claimSet{"oid": nil}), nil, bearer.ReasonSubject, nil},
		{"Entra 6 a token without tid is refused", e.v2().with(claimSet{"tid": nil}), nil, bearer.ReasonIssuer, nil},
		{"Entra 7 attack 21 another tenant is refused", e.v2().with(claimSet{"tid": otherTenant, "iss": e.URL + "/" + otherTenant + "/v2.0"}), nil, bearer.ReasonTenant, nil},
		{"Entra 7 attack 21 a tid that differs from the issuer's is refused", e.v2().with(claimSet{"tid": otherTenant}), nil, bearer.ReasonIssuer, nil},
		{"Entra 7 attack 21 a tid that is no GUID is refused", e.v2().with(claimSet{"tid": "common", "iss": e.URL + "/common/v2.0"}), nil, bearer.ReasonIssuer, nil},
		{"Entra 7 attack 21 the template itself as issuer is refused", e.v2().with(claimSet{"tid": "{tenantid}", "iss": e.URL + "/{tenantid}/v2.0"}), nil, bearer.ReasonIssuer, nil},
		{"Entra 7 attack 21 a tid with a path in it is refused", e.v2().with(claimSet{"tid": tenant + "/x", "iss": e.URL + "/" + tenant + "/x/v2.0"}), nil, bearer.ReasonIssuer, nil},
		{"Entra 15 a token of 28 hours is accepted", e.v2().with(claimSet{"exp": now.Unix() + 28*3600}), nil, "", nil},
		{"Entra 22 groups are read", e.v2().with(claimSet{"groups": []string{"g1", "g2"}}), nil, "", func(id *identity.Identity) bool {
			return slices.Equal(id.Groups, []string{"g1", "g2"}) && !id.GroupsOverage
		}},
		{"Entra 22 attack 28 no groups are not an overage", e.v2(), nil, "", func(id *identity.Identity) bool { return id.Groups == nil && !id.GroupsOverage }},
		{"Entra 22 attack 28 an overage is not no groups", e.v2().with(claimSet{"_claim_names": claimSet{"groups": "src1"}, "_claim_sources": claimSet{}}), nil, "", func(id *identity.Identity) bool { return id.Groups == nil && id.GroupsOverage }},
		{"Entra 22 attack 28 hasgroups is an overage", e.v2().with(claimSet{"hasgroups": true}), nil, "", func(id *identity.Identity) bool { return id.GroupsOverage }},
		{"Entra 22 attack 28 groups beside an overage are not the groups", e.v2().with(claimSet{"groups": []string{"g1"}, "_claim_names": claimSet{"groups": "src1"}}), nil, "", func(id *identity.Identity) bool { return id.Groups == nil && id.GroupsOverage }},
		{"attack 28 groups of another JSON kind are refused", e.v2().with(claimSet{"groups": claimSet{"g": 1}}), nil, bearer.ReasonMalformed, nil},
		{"Entra 23 a guest is marked", e.v2().with(claimSet{"idp": "https://sts.windows.net/" + otherTenant + "/"}), nil, "", func(id *identity.Identity) bool { return id.Guest }},
		{"Entra 23 a guest by acct is marked", e.v2().with(claimSet{"acct": 1}), nil, "", func(id *identity.Identity) bool { return id.Guest }},
		{"Entra 23 a member by acct is none", e.v2().with(claimSet{"acct": 0}), nil, "", func(id *identity.Identity) bool { return !id.Guest }},
		{"Entra 23 an idp of the own tenant in the other version's spelling is no guest", e.v2().with(claimSet{"idp": e.URL + "/" + tenant + "/"}), nil, "", func(id *identity.Identity) bool { return !id.Guest }},
		{"Entra 23 an idp of another JSON kind counts as a guest", e.v2().with(claimSet{"idp": 7}), nil, "", func(id *identity.Identity) bool { return id.Guest }},
		{"Entra 23 guests are refused where they are denied", e.v2().with(claimSet{"idp": "live.com"}), func(p *idp.Provider) { p.Guests = idp.GuestsDenied }, bearer.ReasonGuest, nil},
		{"Entra 23 members are accepted where guests are denied", e.v2(), func(p *idp.Provider) { p.Guests = idp.GuestsDenied }, "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := e.guard(t, row.change)
			agrees(t, g, jwt(t, row.claims), row.reason)
			if row.reason != "" {
				refused(t, g, jwt(t, row.claims), row.reason)
				return
			}
			id, err := g.Verify(context.Background(), jwt(t, row.claims))
			if err != nil {
				t.Fatal(err)
			}
			if row.look != nil && !row.look(id) {
				t.Errorf("%+v", id)
			}
		})
	}
	t.Run("Entra 5 the refusal of a token with neither is 403 and says what to ask for", func(t *testing.T) {
		resp, _ := call(e.guard(t, nil), request(jwt(t, e.v2().with(claimSet{"scp": nil}))))
		if c := expect(t, resp, http.StatusForbidden, "insufficient_scope"); !slices.Equal(c.Scopes, []string{appURI + "/execute"}) {
			t.Errorf("scope %q", c.Scopes)
		}
	})
	t.Run("Entra 6 the caller's key is tenant and object, not names", func(t *testing.T) {
		g := e.guard(t, nil)
		a, _ := g.Verify(context.Background(), jwt(t, e.v2()))
		b, _ := g.Verify(context.Background(), jwt(t, e.v2().with(claimSet{"preferred_username": "admin@example.com", "name": "Admin", "email": "admin@example.com"})))
		if a == nil || b == nil || a.Key() != b.Key() {
			t.Errorf("%+v and %+v", a, b)
		}
	})
}

func TestEntra9_GraphTokensGetAdvice(t *testing.T) {
	e := newEntra(t)
	for _, token := range []string{
		jwt(t, e.v1().with(claimSet{"aud": "https://graph.microsoft.com"})),
		jwt(t, e.v1().with(claimSet{"aud": "00000003-0000-0000-c000-000000000000"})),
		sign(t, e.v1(), signer{header: map[jose.HeaderKey]any{"typ": "JWT", "nonce": "n"}}),
	} {
		g := e.guard(t, nil)
		agrees(t, g, token, bearer.ReasonGraph)
		refused(t, g, token, bearer.ReasonGraph)
		resp, _ := call(g, request(token))
		c := expect(t, resp, http.StatusUnauthorized, "invalid_token")
		if want := "this token is for Microsoft Graph; ask for scope " + appURI + "/execute"; c.ErrorDescription != want {
			t.Errorf("%q, want %q", c.ErrorDescription, want)
		}
	}
}

func TestEntra7_ManyTenants(t *testing.T) {
	e := newEntra(t)
	of := func(tid string) string {
		return jwt(t, e.v2().with(claimSet{"tid": tid, "iss": e.URL + "/" + tid + "/v2.0"}))
	}
	v1of := func(tid string) string {
		return jwt(t, e.v1().with(claimSet{"tid": tid, "iss": e.URL + "/" + tid + "/"}))
	}
	many := func(asked string, tenants ...string) *bearer.Guard {
		return e.guard(t, func(p *idp.Provider) { *p = e.provider(asked); p.Tenants = append(p.Tenants, tenants...) })
	}
	t.Run("Entra 7 tenants on the allow-list are accepted in both versions", func(t *testing.T) {
		g := many("organizations", tenant, otherTenant)
		for _, token := range []string{of(tenant), of(otherTenant), v1of(tenant), v1of(otherTenant)} {
			accepted(t, g, token)
		}
	})
	t.Run("Entra 7 attack 21 a tenant that is not on the list is refused", func(t *testing.T) {
		refused(t, many("organizations", tenant), of(otherTenant), bearer.ReasonTenant)
	})
	t.Run("Entra 7 any tenant must be asked for by name", func(t *testing.T) {
		accepted(t, many("common", idp.AnyTenant), of(otherTenant))
	})
	t.Run("organizations never means personal accounts", func(t *testing.T) {
		refused(t, many("organizations", idp.AnyTenant), of(personal), bearer.ReasonTenant)
		accepted(t, many("common", idp.AnyTenant), of(personal))
	})
	t.Run("consumers means personal accounts alone", func(t *testing.T) {
		g := many("consumers")
		accepted(t, g, of(personal))
		refused(t, g, of(tenant), bearer.ReasonTenant)
	})
	t.Run("Entra 7 attack 22 a key signs only for the issuer it names", func(t *testing.T) {
		e.v2Keys[0]["issuer"] = e.URL + "/" + otherTenant + "/v2.0"
		defer func() { e.v2Keys[0]["issuer"] = e.URL + "/{tenantid}/v2.0" }()
		g := many("organizations", tenant, otherTenant)
		accepted(t, g, of(otherTenant))
		refused(t, g, of(tenant), bearer.ReasonKey)
	})
	t.Run("Entra 7 a tenant's domain means the tenant its metadata names", func(t *testing.T) {
		g := many("example.com")
		accepted(t, g, of(tenant))
		refused(t, g, of(otherTenant), bearer.ReasonIssuer)
	})
	t.Run("Entra 7 metadata for many tenants is refused where one was meant", func(t *testing.T) {
		g := e.guard(t, func(p *idp.Provider) { *p = e.provider("common"); p.MultiTenant = false })
		refused(t, g, of(tenant), bearer.ReasonUnavailable)
	})
}

func TestEntra8_CustomSigningKeys(t *testing.T) {
	e := newEntra(t)
	mux := e.Config.Handler
	var queries []string
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "well-known") {
			queries = append(queries, r.URL.RawQuery)
		}
		mux.ServeHTTP(w, r)
	})
	g := e.guard(t, func(p *idp.Provider) {
		for i := range p.Issuers {
			p.Issuers[i].Discovery += "?appid=" + appID
		}
	})
	accepted(t, g, jwt(t, e.v2()))
	if !slices.Equal(queries, []string{"appid=" + appID}) {
		t.Errorf("metadata asked with %q", queries)
	}
}
