package devidp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	execute = devidp.EntraAPIURI + "/execute"
	graphMe = "User.Read"
	oboType = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

func startEntra(t *testing.T, o devidp.Options) *devidp.Running {
	t.Helper()
	o.Character = devidp.Entra
	return start(t, o)
}

// at is an address below a tenant.
func at(p *devidp.Running, tenant, path string) string { return p.URL + "/" + tenant + path }

// entraCLI is the public client in a tenant.
func entraCLI(p *devidp.Running, tenant string, scopes ...string) *oauth2.Config {
	return &oauth2.Config{ClientID: devidp.EntraCLI, RedirectURL: "http://localhost:7777", Scopes: scopes, Endpoint: oauth2.Endpoint{
		AuthURL: at(p, tenant, "/oauth2/v2.0/authorize"), TokenURL: at(p, tenant, "/oauth2/v2.0/token"),
		DeviceAuthURL: at(p, tenant, "/oauth2/v2.0/devicecode"), AuthStyle: oauth2.AuthStyleInParams}}
}

// aadsts checks an answer in Entra's words: status, error, number, and the ids that go with it.
func (a answer) aadsts(t *testing.T, status int, code string, number int) {
	t.Helper()
	a.refused(t, status, code)
	numbers, _ := a.json["error_codes"].([]any)
	if len(numbers) != 1 || numbers[0] != float64(number) || !strings.HasPrefix(a.str("error_description"), fmt.Sprintf("AADSTS%d: ", number)) {
		t.Errorf("want AADSTS%d, got %s", number, a.body)
	}
	if a.str("trace_id") == "" || a.str("correlation_id") == "" || a.str("timestamp") == "" || !strings.Contains(a.str("error_description"), "Trace ID: "+a.str("trace_id")+" Correlation ID: "+a.str("correlation_id")) {
		t.Errorf("the ids are missing: %s", a.body)
	}
}

// entraToken posts to the token endpoint of the home tenant.
func entraToken(t *testing.T, p *devidp.Running, pairs ...string) answer {
	t.Helper()
	return post(t, at(p, devidp.EntraTenant, "/oauth2/v2.0/token"), form(url.Values{}, pairs...))
}

// entraCode signs in and returns an unredeemed code and its verifier.
func entraCode(t *testing.T, c *oauth2.Config, user string, opts ...oauth2.AuthCodeOption) (code, verifier string) {
	t.Helper()
	verifier = oauth2.GenerateVerifier()
	to := visit(t, c.AuthCodeURL("s", append(opts, oauth2.S256ChallengeOption(verifier))...), user)
	if to.Query().Get("code") == "" {
		t.Fatalf("no code in %s", to)
	}
	return to.Query().Get("code"), verifier
}

func redeemEntra(t *testing.T, p *devidp.Running, c *oauth2.Config, code, verifier string, pairs ...string) answer {
	t.Helper()
	return entraToken(t, p, append([]string{"grant_type", "authorization_code", "client_id", c.ClientID, "code", code, "code_verifier", verifier, "redirect_uri", c.RedirectURL}, pairs...)...)
}

// refusal is what the client is told at its redirect URI.
func refusal(t *testing.T, authURL string) url.Values {
	t.Helper()
	a := get(t, authURL)
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther {
		t.Fatalf("got %d %s", a.status, problem(a))
	}
	return to.Query()
}

func entraAuthURL(p *devidp.Running, tenant, scope string, pairs ...string) string {
	q := form(url.Values{"client_id": {devidp.EntraCLI}, "redirect_uri": {"http://localhost:7777"}, "response_type": {"code"}, "scope": {scope},
		"code_challenge": {oauth.ChallengeS256(oauth.NewVerifier())}, "code_challenge_method": {"S256"}}, pairs...)
	return at(p, tenant, "/oauth2/v2.0/authorize?") + q.Encode()
}

// Microsoft page: access-tokens. The API's manifest chooses the version, whatever endpoint is asked.
func TestEntra01_TheAPIChoosesTheTokenVersion(t *testing.T) {
	for version, want := range map[int]string{0: "2.0", 1: "1.0", 2: "2.0"} {
		p := startEntra(t, devidp.Options{AccessTokenVersion: version})
		tok := signIn(t, entraCLI(p, devidp.EntraTenant, execute, "openid"), devidp.UserUser)
		if got := claims(t, tok.AccessToken)["ver"]; got != want {
			t.Errorf("version %d at the v2.0 endpoint gives ver %v", version, got)
		}
		if got := claims(t, tok.Extra("id_token").(string))["ver"]; got != "2.0" {
			t.Errorf("the ID token follows the endpoint, yet ver is %v", got)
		}
		c := entraCLI(p, devidp.EntraTenant)
		c.Endpoint.AuthURL, c.Endpoint.TokenURL = at(p, devidp.EntraTenant, "/oauth2/authorize"), at(p, devidp.EntraTenant, "/oauth2/token")
		tok = signIn(t, c, devidp.UserUser, oauth2.SetAuthURLParam("resource", devidp.EntraAPIURI))
		if got := claims(t, tok.AccessToken)["ver"]; got != want {
			t.Errorf("version %d at the endpoint without v2.0 gives ver %v", version, got)
		}
		if got := claims(t, tok.Extra("id_token").(string))["ver"]; got != "1.0" {
			t.Errorf("the ID token of the endpoint without v2.0 has ver %v", got)
		}
	}
}

// Microsoft page: access-tokens. v1 ends with a slash, v2 with v2.0; each verifies with the metadata of its version.
func TestEntra02_IssuerFollowsTheVersion(t *testing.T) {
	for version, issuer := range map[int]string{1: "/" + devidp.EntraTenant + "/", 2: "/" + devidp.EntraTenant + "/v2.0"} {
		p := startEntra(t, devidp.Options{AccessTokenVersion: version})
		provider, err := oidc.NewProvider(t.Context(), p.URL+issuer)
		if err != nil {
			t.Fatal(err)
		}
		tok := signIn(t, entraCLI(p, devidp.EntraTenant, devidp.EntraAPI+"/execute"), devidp.UserUser)
		if got := accept(t, provider, tok.AccessToken, devidp.EntraAPI); got["iss"] != p.URL+issuer {
			t.Errorf("version %d: iss is %v", version, got["iss"])
		}
	}
}

// Microsoft page: access-token-claims-reference. v2: always the client id; v1: as the client asked.
func TestEntra03_Audience(t *testing.T) {
	p1, p2 := startEntra(t, devidp.Options{AccessTokenVersion: 1}), startEntra(t, devidp.Options{AccessTokenVersion: 2})
	for scope, v1 := range map[string]string{devidp.EntraAPIURI + "/execute": devidp.EntraAPIURI, devidp.EntraAPI + "/execute": devidp.EntraAPI} {
		if got := claims(t, signIn(t, entraCLI(p1, devidp.EntraTenant, scope), devidp.UserUser).AccessToken)["aud"]; got != v1 {
			t.Errorf("v1, %s: aud is %v", scope, got)
		}
		if got := claims(t, signIn(t, entraCLI(p2, devidp.EntraTenant, scope), devidp.UserUser).AccessToken)["aud"]; got != devidp.EntraAPI {
			t.Errorf("v2, %s: aud is %v", scope, got)
		}
	}
}

// Microsoft page: access-token-claims-reference.
func TestEntra04_ClaimNamesDiffer(t *testing.T) {
	both := map[string]any{"tid": devidp.EntraTenant, "name": "Uma User", "scp": "execute"}
	for version, c := range map[int]struct {
		has   map[string]any
		lacks []string
	}{
		1: {map[string]any{"appid": devidp.EntraWeb, "appidacr": "1", "unique_name": "user@" + devidp.EntraDomain, "upn": "user@" + devidp.EntraDomain}, []string{"azp", "azpacr", "preferred_username"}},
		2: {map[string]any{"azp": devidp.EntraWeb, "azpacr": "1", "preferred_username": "user@" + devidp.EntraDomain}, []string{"appid", "appidacr", "unique_name", "upn"}},
	} {
		p := startEntra(t, devidp.Options{AccessTokenVersion: version})
		web := entraCLI(p, devidp.EntraTenant, execute)
		web.ClientID, web.ClientSecret = devidp.EntraWeb, devidp.WebSecret
		got := claims(t, signIn(t, web, devidp.UserUser).AccessToken)
		for name, want := range both {
			c.has[name] = want
		}
		for name, want := range c.has {
			if got[name] != want {
				t.Errorf("v%d: %s is %v, want %v", version, name, got[name], want)
			}
		}
		for _, name := range c.lacks {
			if got[name] != nil {
				t.Errorf("v%d: %s is %v", version, name, got[name])
			}
		}
		public := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser).AccessToken)
		if acr := map[int]string{1: "appidacr", 2: "azpacr"}[version]; public[acr] != "0" {
			t.Errorf("v%d: %s of a public client is %v", version, acr, public[acr])
		}
	}
}

// Microsoft page: claims-validation. Persons have scp, apps have roles, and idtyp tells them apart.
func TestEntra05_ScopesForPersonsRolesForApps(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	app := claims(t, entraToken(t, p, "grant_type", "client_credentials", "client_id", devidp.EntraService, "client_secret", devidp.ServiceSecret,
		"scope", devidp.EntraAPIURI+"/.default").ok(t).str("access_token"))
	if roles, _ := app["roles"].([]any); app["scp"] != nil || len(roles) != 1 || roles[0] != devidp.RoleApp || app["idtyp"] != "app" || app["sub"] != app["oid"] || app["name"] != nil {
		t.Errorf("the app's claims are %v", app)
	}
	person := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute, devidp.EntraAPIURI+"/time:read"), devidp.UserAdmin).AccessToken)
	if person["scp"] != "execute time:read" || person["idtyp"] != "user" {
		t.Errorf("the person's claims are %v", person)
	}
	neither := claims(t, entraToken(t, p, "grant_type", "client_credentials", "client_id", devidp.EntraAPI, "client_secret", devidp.APISecret,
		"scope", devidp.EntraDownstream+"/.default").ok(t).str("access_token"))
	if neither["scp"] != nil || neither["roles"] != nil {
		t.Errorf("an app without roles has %v", neither)
	}
}

// Microsoft page: claims-validation. tid and oid name a person everywhere; sub is pairwise.
func TestEntra06_SubjectIsPairwise(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	cli := signIn(t, entraCLI(p, devidp.EntraTenant, execute, "openid"), devidp.UserUser)
	web := entraCLI(p, devidp.EntraTenant, execute, "openid")
	web.ClientID, web.ClientSecret = devidp.EntraWeb, devidp.WebSecret
	a, b := claims(t, cli.Extra("id_token").(string)), claims(t, signIn(t, web, devidp.UserUser).Extra("id_token").(string))
	if a["sub"] == b["sub"] || a["oid"] != b["oid"] || a["tid"] != b["tid"] {
		t.Errorf("sub %v and %v, oid %v and %v", a["sub"], b["sub"], a["oid"], b["oid"])
	}
	if c := claims(t, cli.AccessToken); c["oid"] != a["oid"] || c["sub"] == a["sub"] {
		t.Errorf("the access token has oid %v and sub %v", c["oid"], c["sub"])
	}
	other := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserAdmin).AccessToken)
	if other["oid"] == a["oid"] {
		t.Error("two persons share an oid")
	}
}

// Microsoft page: access-tokens. The issuer of common is a template, and each key says which issuer it may sign for.
func TestEntra07_SeveralTenants(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	for _, tenant := range []string{"common", "organizations"} {
		if got := get(t, at(p, tenant, "/v2.0/.well-known/openid-configuration")).ok(t).str("issuer"); got != p.URL+"/{tenantid}/v2.0" {
			t.Errorf("%s: issuer is %s", tenant, got)
		}
	}
	for user, tid := range map[string]string{devidp.UserUser: devidp.EntraTenant, devidp.UserGuest: devidp.EntraGuestTenant} {
		c := claims(t, signIn(t, entraCLI(p, "common", execute), user).AccessToken)
		if c["tid"] != tid || c["iss"] != p.URL+"/"+tid+"/v2.0" || c["idp"] != nil {
			t.Errorf("%s through common: %v", user, c)
		}
	}
	issuers := func(tenant, version string) map[string]string {
		got := map[string]string{}
		for _, k := range get(t, at(p, tenant, "/discovery"+version+"/keys")).ok(t).json["keys"].([]any) {
			key := k.(map[string]any)
			issuer, _ := key["issuer"].(string)
			got[key["kid"].(string)] = issuer
			if key["x5t"] != key["kid"] || len(key["x5c"].([]any)) != 1 {
				t.Errorf("the key is %v", key)
			}
		}
		return got
	}
	own := issuers(devidp.EntraTenant, "/v2.0")
	if len(own) != 1 {
		t.Fatalf("the tenant has the keys %v", own)
	}
	common := issuers("common", "/v2.0")
	if len(common) != 2 {
		t.Fatalf("common has the keys %v", common)
	}
	foreign, err := p.MintToken(devidp.TokenRequest{User: devidp.UserUser, ForeignKey: true})
	if err != nil {
		t.Fatal(err)
	}
	for kid, issuer := range common {
		want := p.URL + "/{tenantid}/v2.0"
		if kid == header(t, foreign).KeyID {
			want = p.URL + "/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"
		}
		if issuer != want || own[kid] != "" && own[kid] != p.URL+"/"+devidp.EntraTenant+"/v2.0" {
			t.Errorf("the key %s may sign for %s, and in the tenant for %s", kid, issuer, own[kid])
		}
	}
	for kid, issuer := range issuers("common", "") {
		if issuer != "" {
			t.Errorf("without v2.0 the key %s is bound to %s", kid, issuer)
		}
	}
	if _, err := new(devidp.Visitor).SignIn(t.Context(), entraAuthURL(p, devidp.EntraGuestTenant, execute), devidp.UserUser); err == nil || !strings.Contains(err.Error(), "AADSTS50020") {
		t.Errorf("a person of another tenant gets %v", err)
	}
	if h := header(t, foreign); h.KeyID == header(t, mustMint(t, p, devidp.TokenRequest{User: devidp.UserUser})).KeyID {
		t.Error("the foreign key is the tenant's own")
	}
}

func mustMint(t *testing.T, p *devidp.Running, r devidp.TokenRequest) string {
	t.Helper()
	tok, err := p.MintToken(r)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Microsoft page: signing-key-rollover. Keys roll at any time; keys of an app need ?appid=.
func TestEntra08_KeysRoll(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	provider := discover(t, p)
	old := signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser).AccessToken
	p.Faults().RollKeys()
	fresh := signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser).AccessToken
	accept(t, provider, old, devidp.EntraAPI)
	accept(t, provider, fresh, devidp.EntraAPI)
	if header(t, old).KeyID == header(t, fresh).KeyID {
		t.Error("the key is the same")
	}

	q := startEntra(t, devidp.Options{AppSigningKey: true})
	own := signIn(t, entraCLI(q, devidp.EntraTenant, execute), devidp.UserUser).AccessToken
	if _, err := discover(t, q).Verifier(&oidc.Config{ClientID: devidp.EntraAPI}).Verify(t.Context(), own); err == nil {
		t.Error("a token signed by the app's own key verifies with the tenant's keys")
	}
	keys := get(t, at(q, devidp.EntraTenant, "/v2.0/.well-known/openid-configuration?appid="+devidp.EntraAPI)).ok(t).str("jwks_uri")
	if !strings.HasSuffix(keys, "?appid="+devidp.EntraAPI) {
		t.Fatalf("jwks_uri is %s", keys)
	}
	set := oidc.NewRemoteKeySet(t.Context(), keys)
	if _, err := oidc.NewVerifier(q.Issuer(), set, &oidc.Config{ClientID: devidp.EntraAPI}).Verify(t.Context(), own); err != nil {
		t.Error(err)
	}
}

// Microsoft page: scopes-oidc. A scope without resource means Graph, whose tokens nobody else can check.
func TestEntra09_GraphTokens(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	for _, scopes := range [][]string{{"openid", "profile"}, {graphMe}, {devidp.EntraGraphURI + "/" + graphMe}} {
		tok := signIn(t, entraCLI(p, devidp.EntraTenant, scopes...), devidp.UserUser)
		c := claims(t, tok.AccessToken)
		if c["aud"] != devidp.EntraGraphURI || c["ver"] != "1.0" || header(t, tok.AccessToken).Nonce == "" {
			t.Errorf("%v: aud %v, ver %v, header %v", scopes, c["aud"], c["ver"], header(t, tok.AccessToken))
		}
		v1, err := oidc.NewProvider(t.Context(), at(p, devidp.EntraTenant, "/"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v1.Verifier(&oidc.Config{ClientID: devidp.EntraGraphURI}).Verify(t.Context(), tok.AccessToken); err == nil || !strings.Contains(err.Error(), "signature") {
			t.Errorf("%v: verifying gives %v", scopes, err)
		}
	}
	q := refusal(t, entraAuthURL(p, devidp.EntraTenant, "execute"))
	if q.Get("error") != "invalid_client" || !strings.HasPrefix(q.Get("error_description"), "AADSTS650053: ") || !strings.Contains(q.Get("error_description"), devidp.EntraGraph) {
		t.Errorf("an API's scope without its resource gives %v", q)
	}
}

// Threads: anthropics/claude-code#73460, microsoft/azure-devops-mcp#1511, PrefectHQ/fastmcp#4839.
// Microsoft page: identifier-uri-restrictions. api://{appId} always names the API; a URI that is none of its does not.
// Thread: modelcontextprotocol/typescript-sdk#832.
// Microsoft page: scopes-oidc, v2-oauth2-client-creds-grant-flow.
// Threads: Earlybyte/aad_oauth#328, AzureAD/microsoft-authentication-library-for-python#125, open-webui/open-webui#22357.
// Microsoft page: access-tokens. 60 to 90 minutes at random; 20 to 28 hours in CAE sessions.
// Microsoft page: claims-challenge. Only clients that say so (xms_cc with cp1) are challenged.
// Microsoft page: v2-oauth2-on-behalf-of-flow.
// Microsoft page: v2-oauth2-device-code.
// Microsoft page: concept-authentication-flows. The block follows refresh tokens that stem from the device flow.
// Microsoft page: reference-error-codes. Errors carry numbers and ids, and echo the caller's correlation id.
// Refreshing in parallel, with claims that change what the tokens say, is safe.
// Microsoft page: access-token-claims-reference, groups overage claim.
func TestEntra22_GroupsOverage(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	groups := func(user, scope string) (list any, names any, sources any) {
		c := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, scope), user).AccessToken)
		return c["groups"], c["_claim_names"], c["_claim_sources"]
	}
	if list, names, sources := groups(devidp.UserAdmin, execute); list != nil || fmt.Sprint(names) != "map[groups:src1]" || !strings.Contains(fmt.Sprint(sources), "getMemberObjects") {
		t.Errorf("overage is told as %v %v %v", list, names, sources)
	}
	if list, names, _ := groups(devidp.UserUser, execute); names != nil || len(list.([]any)) != 1 {
		t.Errorf("one group is told as %v %v", list, names)
	}
	if list, names, _ := groups(devidp.UserReader, devidp.EntraAPIURI+"/time:read"); list != nil || names != nil {
		t.Errorf("no group is told as %v %v", list, names)
	}
}

// Microsoft page: access-token-claims-reference, idp.
func TestEntra23_Guests(t *testing.T) {
	p := startEntra(t, devidp.Options{AccessTokenVersion: 1})
	c := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserGuest).AccessToken)
	if c["tid"] != devidp.EntraTenant || c["idp"] != p.URL+"/"+devidp.EntraGuestTenant+"/" || c["idp"] == c["iss"] || c["upn"] != nil {
		t.Errorf("the guest's claims are %v", c)
	}
	home := claims(t, signIn(t, entraCLI(p, devidp.EntraGuestTenant, execute), devidp.UserGuest).AccessToken)
	if home["tid"] != devidp.EntraGuestTenant || home["idp"] != nil || home["oid"] == c["oid"] || home["upn"] == nil {
		t.Errorf("at home the guest's claims are %v", home)
	}
	member := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser).AccessToken)
	if member["idp"] != nil {
		t.Errorf("a member's idp is %v", member["idp"])
	}
}

// Entra's refresh tokens are replaced, yet the old ones stay good (refresh-tokens), and names of known clients work too.
