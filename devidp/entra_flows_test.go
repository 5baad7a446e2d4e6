package devidp_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestEntra10_ResourceParameter(t *testing.T) {
	const mcp = "http://127.0.0.1:8000/mcp"
	p := startEntra(t, devidp.Options{Resources: []string{mcp}})
	q := refusal(t, entraAuthURL(p, devidp.EntraTenant, execute, "resource", "http://127.0.0.1:9999/mcp", "state", "x"))
	if q.Get("error") != "invalid_target" || !strings.HasPrefix(q.Get("error_description"), "AADSTS9010010: ") || q.Get("state") != "x" || q.Has("iss") {
		t.Errorf("another resource gives %v", q)
	}
	if q := refusal(t, entraAuthURL(p, devidp.EntraTenant, graphMe, "resource", mcp)); q.Get("error") != "invalid_target" {
		t.Errorf("a resource beside Graph's scope gives %v", q)
	}
	c := entraCLI(p, devidp.EntraTenant, execute, "offline_access")
	for _, good := range []string{mcp, devidp.EntraAPIURI} { // an App ID URI of the scopes' own app
		tok := signIn(t, c, devidp.UserUser, oauth2.SetAuthURLParam("resource", good))
		if aud := claims(t, tok.AccessToken)["aud"]; aud != devidp.EntraAPI {
			t.Errorf("aud is %v", aud)
		}
		entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", tok.RefreshToken, "resource", "http://127.0.0.1:9999/mcp").aadsts(t, 400, "invalid_target", 9010010)
		entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", tok.RefreshToken, "resource", good).ok(t)
	}
	code, v := entraCode(t, c, devidp.UserUser)
	redeemEntra(t, p, c, code, v, "resource", "http://127.0.0.1:9999/mcp").aadsts(t, 400, "invalid_target", 9010010)

	p.Faults().SetResourceRefused(true) // before March 2026
	if q := refusal(t, entraAuthURL(p, devidp.EntraTenant, execute, "resource", devidp.EntraAPIURI)); q.Get("error") != "invalid_request" || !strings.HasPrefix(q.Get("error_description"), "AADSTS901002: ") {
		t.Errorf("before March 2026 any resource gives %v", q)
	}
}

func TestEntra11_AppIDURIs(t *testing.T) {
	const mcp = "http://127.0.0.1:8000/mcp"
	p := startEntra(t, devidp.Options{Resources: []string{mcp}})
	for _, scope := range []string{devidp.EntraAPIURI + "/execute", devidp.EntraAPI + "/execute", mcp + "/execute"} {
		if got := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, scope), devidp.UserUser).AccessToken); got["scp"] != "execute" || got["aud"] != devidp.EntraAPI {
			t.Errorf("%s: scp %v, aud %v", scope, got["scp"], got["aud"])
		}
	}
	q := refusal(t, entraAuthURL(p, devidp.EntraTenant, "api://other/execute"))
	if q.Get("error") != "invalid_resource" || !strings.HasPrefix(q.Get("error_description"), "AADSTS500011: The resource principal named api://other ") {
		t.Errorf("an unknown URI gives %v", q)
	}
}

func TestEntra12_DiscoveryIsEntras(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	tid := devidp.EntraTenant
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/" + tid + "/v2.0",
		"/.well-known/openid-configuration/" + tid + "/v2.0", "/" + tid + "/v2.0/.well-known/oauth-authorization-server", "/register", "/" + tid + "/oauth2/v2.0/register", "/revoke", "/introspect"} {
		if a := get(t, p.URL+path); a.status != 404 {
			t.Errorf("%s answers %d", path, a.status)
		}
	}
	for path, issuer := range map[string]string{
		"/" + tid + "/v2.0/.well-known/openid-configuration":                "/" + tid + "/v2.0",
		"/" + devidp.EntraDomain + "/v2.0/.well-known/openid-configuration": "/" + tid + "/v2.0",
		"/" + tid + "/.well-known/openid-configuration":                     "/" + tid + "/",
	} {
		a := get(t, p.URL+path).ok(t)
		if a.str("issuer") != p.URL+issuer {
			t.Errorf("%s: issuer is %s", path, a.str("issuer"))
		}
		for _, name := range []string{"code_challenge_methods_supported", "registration_endpoint", "revocation_endpoint", "introspection_endpoint", "authorization_response_iss_parameter_supported", "client_id_metadata_document_supported"} {
			if a.json[name] != nil {
				t.Errorf("%s: %s is %v", path, name, a.json[name])
			}
		}
		if a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: no web page can read it", path)
		}
	}
	get(t, at(p, "nobody.example", "/v2.0/.well-known/openid-configuration")).aadsts(t, 400, "invalid_tenant", 90002)
	signIn(t, entraCLI(p, tid, execute), devidp.UserUser) // S256 works though nothing says so
	refusedPage(t, get(t, entraAuthURL(p, tid, execute, "client_id", "https://example.org/client.json")), 400, "AADSTS700016")
}

func TestEntra13_DefaultScopeAndOfflineAccess(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	q := refusal(t, entraAuthURL(p, devidp.EntraTenant, devidp.EntraAPIURI+"/.default "+execute))
	if q.Get("error") != "invalid_scope" || !strings.HasPrefix(q.Get("error_description"), "AADSTS70011: ") {
		t.Errorf(".default beside a named scope gives %v", q)
	}
	all := signIn(t, entraCLI(p, devidp.EntraTenant, devidp.EntraAPIURI+"/.default", "openid"), devidp.UserAdmin)
	if got := claims(t, all.AccessToken)["scp"]; got != "execute time:read time:convert" {
		t.Errorf(".default gives %v", got)
	}
	if all.RefreshToken != "" {
		t.Error("a refresh token came without offline_access")
	}
	if signIn(t, entraCLI(p, devidp.EntraTenant, execute, "offline_access"), devidp.UserUser).RefreshToken == "" {
		t.Error("offline_access gave no refresh token")
	}
	service := func(pairs ...string) answer {
		return entraToken(t, p, append([]string{"grant_type", "client_credentials", "client_id", devidp.EntraService, "client_secret", devidp.ServiceSecret}, pairs...)...)
	}
	service("scope", execute).aadsts(t, 400, "invalid_scope", 1002012)
	service("scope", "openid").aadsts(t, 400, "invalid_scope", 1002012)
	service().aadsts(t, 400, "invalid_request", 900144)
	post(t, at(p, "common", "/oauth2/v2.0/token"), url.Values{"grant_type": {"client_credentials"}, "client_id": {devidp.EntraService}, "client_secret": {devidp.ServiceSecret},
		"scope": {devidp.EntraAPIURI + "/.default"}}).aadsts(t, 400, "invalid_request", 50059)
}

func TestEntra14_OneResourcePerToken(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	c := entraCLI(p, devidp.EntraTenant, execute, graphMe, "offline_access") // consent may be asked for both at once
	both := execute + " " + graphMe
	code, v := entraCode(t, c, devidp.UserUser)
	redeemEntra(t, p, c, code, v, "scope", both).aadsts(t, 400, "invalid_scope", 28000)
	code, v = entraCode(t, c, devidp.UserUser)
	redeemEntra(t, p, c, code, v).aadsts(t, 400, "invalid_request", 28003)
	code, v = entraCode(t, c, devidp.UserUser)
	a := redeemEntra(t, p, c, code, v, "scope", execute).ok(t)
	if a.str("scope") != execute {
		t.Errorf("scope is %q", a.str("scope"))
	}
	again := func(pairs ...string) answer {
		return entraToken(t, p, append([]string{"grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", a.str("refresh_token")}, pairs...)...)
	}
	again("scope", both).aadsts(t, 400, "invalid_request", 700022)
	again().aadsts(t, 400, "invalid_request", 28003)
	graph := again("scope", graphMe).ok(t) // one refresh token is good for each
	if got := claims(t, graph.str("access_token"))["aud"]; got != devidp.EntraGraphURI {
		t.Errorf("aud is %v", got)
	}
	self := entraCLI(p, devidp.EntraTenant, execute)
	self.ClientID, self.ClientSecret = devidp.EntraAPI, devidp.APISecret
	code, v = entraCode(t, self, devidp.UserUser)
	redeemEntra(t, p, self, code, v, "client_secret", devidp.APISecret).aadsts(t, 400, "invalid_request", 90009)
	self.Scopes = []string{devidp.EntraAPI + "/execute", "offline_access"}
	own := signIn(t, self, devidp.UserUser)
	entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraAPI, "client_secret", devidp.APISecret, "refresh_token", own.RefreshToken).aadsts(t, 400, "invalid_request", 90009)
}

func TestEntra15_Lifetimes(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	seen := map[float64]bool{}
	for range 6 {
		a := entraToken(t, p, "grant_type", "client_credentials", "client_id", devidp.EntraService, "client_secret", devidp.ServiceSecret, "scope", devidp.EntraAPIURI+"/.default").ok(t)
		life, _ := a.json["expires_in"].(float64)
		c := claims(t, a.str("access_token"))
		if life < 3600 || life > 5400 || c["exp"].(float64)-c["iat"].(float64) != life || a.json["ext_expires_in"] != life {
			t.Errorf("it lives %v s", life)
		}
		seen[life] = true
	}
	if len(seen) == 1 {
		t.Error("six lifetimes are the same")
	}
	tok := signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser, oauth2.SetAuthURLParam("claims", `{"access_token":{"xms_cc":{"values":["cp1"]}}}`))
	if life := time.Until(tok.Expiry); life < 19*time.Hour || life > 28*time.Hour {
		t.Errorf("in a CAE session it lives %s", life)
	}
}

func TestEntra16_ClaimsChallenge(t *testing.T) {
	now := newClock()
	p := startEntra(t, devidp.Options{Now: now.Now})
	c := entraCLI(p, devidp.EntraTenant, graphMe, "openid", "offline_access")
	capability := oauth2.SetAuthURLParam("claims", `{"access_token":{"xms_cc":{"values":["cp1"]}}}`)
	info := func(token string) answer {
		return get(t, p.URL+"/oidc/userinfo", withHeader("Authorization", "Bearer "+token))
	}
	capable, simple := signIn(t, c, devidp.UserUser, capability), signIn(t, c, devidp.UserUser)
	if cc, _ := claims(t, capable.AccessToken)["xms_cc"].([]any); len(cc) != 1 || cc[0] != "cp1" || claims(t, simple.AccessToken)["xms_cc"] != nil {
		t.Errorf("xms_cc is %v", cc)
	}
	info(capable.AccessToken).ok(t)
	p.Faults().RevokeSignIns(devidp.UserUser)
	now.advance(2 * time.Second)
	info(simple.AccessToken).ok(t) // a client that cannot be challenged keeps its token
	a := info(capable.AccessToken)
	m := regexp.MustCompile(`^Bearer realm="", authorization_uri="([^"]+)", error="insufficient_claims", claims="([^"]+)"$`).FindStringSubmatch(a.header.Get("WWW-Authenticate"))
	if a.status != 401 || m == nil || m[1] != p.URL+"/common/oauth2/v2.0/authorize" {
		t.Fatalf("got %d %v", a.status, a.header)
	}
	raw, err := base64.StdEncoding.DecodeString(m[2])
	if err != nil {
		t.Fatal(err)
	}
	var asked struct {
		AccessToken struct {
			NBF struct {
				Essential bool
				Value     string
			}
			Capabilities any `json:"xms_cc,omitempty"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &asked); err != nil || !asked.AccessToken.NBF.Essential || asked.AccessToken.NBF.Value == "" {
		t.Fatalf("claims are %s: %v", raw, err)
	}
	entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", capable.RefreshToken).aadsts(t, 400, "invalid_grant", 50173)
	merged := strings.Replace(string(raw), `"access_token":{`, `"access_token":{"xms_cc":{"values":["cp1"]},`, 1)
	info(signIn(t, c, devidp.UserUser, oauth2.SetAuthURLParam("claims", merged)).AccessToken).ok(t)
	if q := refusal(t, entraAuthURL(p, devidp.EntraTenant, graphMe, "claims", "{")); q.Get("error") != "invalid_request" {
		t.Errorf("claims that are no JSON give %v", q)
	}
}

func TestEntra17_OnBehalfOf(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	inbound := signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser).AccessToken
	ask := func(token string, pairs ...string) answer {
		return entraToken(t, p, append([]string{"grant_type", oboType, "client_id", devidp.EntraAPI, "client_secret", devidp.APISecret, "assertion", token,
			"scope", devidp.EntraDownstreamURI + "/.default offline_access", "requested_token_use", "on_behalf_of"}, pairs...)...)
	}
	a := ask(inbound).ok(t)
	c := accept(t, discover(t, p), a.str("access_token"), devidp.EntraDownstream)
	if c["oid"] != claims(t, inbound)["oid"] || c["azp"] != devidp.EntraAPI || c["scp"] != "data:read" || a.str("refresh_token") == "" {
		t.Errorf("claims are %v", c)
	}
	ask(inbound, "requested_token_use", "").aadsts(t, 400, "invalid_request", 900144)
	ask(inbound, "assertion", "").aadsts(t, 400, "invalid_request", 900144)
	ask(inbound, "client_secret", "wrong").aadsts(t, 401, "invalid_client", 7000215)
	ask(signIn(t, entraCLI(p, devidp.EntraTenant, graphMe), devidp.UserUser).AccessToken).aadsts(t, 400, "invalid_grant", 500131)
	ask(a.str("access_token")).aadsts(t, 400, "invalid_grant", 500131)
	ask(mustMint(t, p, devidp.TokenRequest{})).aadsts(t, 400, "invalid_grant", 7000114)
	ask(mustMint(t, p, devidp.TokenRequest{User: devidp.UserUser, Lifetime: -time.Minute})).aadsts(t, 400, "invalid_grant", 500133)
	ask("x.y.z").aadsts(t, 400, "invalid_grant", 500133)
	ask(inbound, "client_id", devidp.EntraWeb, "client_secret", devidp.WebSecret).aadsts(t, 401, "invalid_client", 7000218)

	p.Faults().SetStepUp(devidp.UserUser, true)
	no := ask(inbound)
	no.aadsts(t, 400, "interaction_required", 50079)
	if no.str("suberror") == "" || !json.Valid([]byte(no.str("claims"))) {
		t.Fatalf("got %s", no.body)
	}
	stepped := signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser, oauth2.SetAuthURLParam("claims", no.str("claims")))
	ask(stepped.AccessToken).ok(t)
	ask(inbound).aadsts(t, 400, "interaction_required", 50079)
}

func TestEntra18_DeviceFlow(t *testing.T) {
	now := newClock()
	p := startEntra(t, devidp.Options{Now: now.Now})
	begin := func(pairs ...string) answer {
		return post(t, at(p, devidp.EntraTenant, "/oauth2/v2.0/devicecode"), form(url.Values{"client_id": {devidp.EntraCLI}, "scope": {execute + " offline_access"}}, pairs...))
	}
	check := func(code string, pairs ...string) answer {
		return entraToken(t, p, append([]string{"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", devidp.EntraCLI, "device_code", code}, pairs...)...)
	}
	a := begin().ok(t)
	if a.json["verification_uri_complete"] != nil || a.json["expires_in"] != 900.0 || a.str("verification_uri") != p.URL+"/devicelogin" ||
		!strings.Contains(a.str("message"), a.str("user_code")) || len(a.str("user_code")) != 9 {
		t.Errorf("got %s", a.body)
	}
	check(a.str("device_code")).aadsts(t, 400, "authorization_pending", 70016)
	check(a.str("device_code")).refused(t, 400, "slow_down")
	if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err != nil {
		t.Fatal(err)
	}
	check(a.str("device_code")).ok(t)
	check(a.str("device_code")).refused(t, 400, "bad_verification_code")
	check("nonsense").refused(t, 400, "bad_verification_code")

	b := begin()
	if err := new(devidp.Visitor).ApproveDevice(t.Context(), b.str("verification_uri"), b.str("user_code"), devidp.Cancel); err != nil {
		t.Fatal(err)
	}
	check(b.str("device_code")).refused(t, 400, "authorization_declined")

	late := begin()
	now.advance(15 * time.Minute)
	check(late.str("device_code")).aadsts(t, 400, "expired_token", 70020)

	web := begin("client_id", devidp.EntraWeb).ok(t) // an app without "Allow public client flows" learns it from the token endpoint
	check(web.str("device_code"), "client_id", devidp.EntraWeb).aadsts(t, 401, "invalid_client", 7000218)
	begin("scope", "").aadsts(t, 400, "invalid_request", 900144)
}

func TestEntra19_DeviceFlowBlocked(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	begin := func() answer {
		return post(t, at(p, devidp.EntraTenant, "/oauth2/v2.0/devicecode"), url.Values{"client_id": {devidp.EntraCLI}, "scope": {execute + " offline_access"}}).ok(t)
	}
	check := func(a answer) answer {
		return entraToken(t, p, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", devidp.EntraCLI, "device_code", a.str("device_code"))
	}
	first := begin()
	if err := p.ApproveDevice(first.str("user_code"), devidp.UserUser); err != nil {
		t.Fatal(err)
	}
	byDevice := check(first).ok(t)
	byBrowser := signIn(t, entraCLI(p, devidp.EntraTenant, execute, "offline_access"), devidp.UserUser)
	renew := func(token string) answer {
		return entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", token, "scope", execute)
	}
	p.Faults().SetDeviceFlowBlocked(true)
	second := begin()
	if err := new(devidp.Visitor).ApproveDevice(t.Context(), second.str("verification_uri"), second.str("user_code"), devidp.UserUser); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("the page says %v", err)
	}
	check(second).aadsts(t, 400, "invalid_grant", 53003)
	renew(byDevice.str("refresh_token")).aadsts(t, 400, "invalid_grant", 53003)
	renew(byBrowser.RefreshToken).ok(t)
	signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserUser)
	p.Faults().SetDeviceFlowBlocked(false)
	renew(byDevice.str("refresh_token")).ok(t)
}

func TestEntra20_ErrorsInMicrosoftsWords(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	const id = "11111111-2222-3333-4444-555555555555"
	a := post(t, at(p, devidp.EntraTenant, "/oauth2/v2.0/token"), url.Values{"grant_type": {"password"}, "client_id": {devidp.EntraCLI}}, withHeader("client-request-id", id))
	a.aadsts(t, 400, "unsupported_grant_type", 70003)
	if a.str("correlation_id") != id || a.str("error_uri") != p.URL+"/error?code=70003" {
		t.Errorf("got %s", a.body)
	}
	entraToken(t, p, "grant_type", "client_credentials", "client_id", "nobody", "client_secret", "x").aadsts(t, 400, "unauthorized_client", 700016)
	entraToken(t, p, "grant_type", "client_credentials", "client_id", devidp.EntraService, "client_secret", "x").aadsts(t, 401, "invalid_client", 7000215)
	entraToken(t, p, "grant_type", "client_credentials", "client_id", devidp.EntraService).aadsts(t, 401, "invalid_client", 7000218)
	entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "client_secret", "x").aadsts(t, 401, "invalid_client", 700025)
	entraToken(t, p).aadsts(t, 400, "invalid_request", 900144)
	c := entraCLI(p, devidp.EntraTenant, execute, "offline_access")
	code, v := entraCode(t, c, devidp.UserUser)
	tok := redeemEntra(t, p, c, code, v).ok(t)
	redeemEntra(t, p, c, code, v).aadsts(t, 400, "invalid_grant", 54005)
	entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", tok.str("refresh_token")).aadsts(t, 400, "invalid_grant", 700082)
	code, _ = entraCode(t, c, devidp.UserUser)
	redeemEntra(t, p, c, code, oauth.NewVerifier()).aadsts(t, 400, "invalid_grant", 501481)
	refusedPage(t, get(t, entraAuthURL(p, devidp.EntraTenant, execute, "redirect_uri", "https://evil.example.org/")), 400, "AADSTS50011")
	if _, err := new(devidp.Visitor).SignIn(t.Context(), entraAuthURL(p, devidp.EntraTenant, execute), devidp.UserDisabled); err == nil || !strings.Contains(err.Error(), "AADSTS50057") {
		t.Errorf("a disabled account gets %v", err)
	}
	if _, err := new(devidp.Visitor).SignIn(t.Context(), entraAuthURL(p, devidp.EntraTenant, execute), devidp.UserReader); err == nil || !strings.Contains(err.Error(), "AADSTS65001") {
		t.Errorf("a person without the scope gets %v", err)
	}
	q := refusal(t, entraAuthURL(p, devidp.EntraTenant, execute, "prompt", "none"))
	if q.Get("error") != "login_required" || !strings.HasPrefix(q.Get("error_description"), "AADSTS50058: ") {
		t.Errorf("prompt=none gives %v", q)
	}
}

func TestEntraParallelRefresh(t *testing.T) {
	p := startEntra(t, devidp.Options{})
	tok := signIn(t, entraCLI(p, devidp.EntraTenant, execute, "offline_access"), devidp.UserUser)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a := entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.EntraCLI, "refresh_token", tok.RefreshToken, "claims", `{"access_token":{"xms_cc":{"values":["cp1"]}}}`)
			if a.status != 200 || claims(t, a.str("access_token"))["xms_cc"] == nil {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
}

func TestEntraRefreshTokensStayGood(t *testing.T) {
	p := startEntra(t, devidp.Options{RefreshGrace: -1})
	c := entraCLI(p, devidp.EntraTenant, execute, "offline_access")
	c.ClientID = devidp.ClientCLI
	tok := signIn(t, c, devidp.UserUser)
	for range 3 {
		a := entraToken(t, p, "grant_type", "refresh_token", "client_id", devidp.ClientCLI, "refresh_token", tok.RefreshToken).ok(t)
		if a.str("refresh_token") == tok.RefreshToken {
			t.Error("no fresh one came")
		}
	}
	if roles, _ := claims(t, signIn(t, entraCLI(p, devidp.EntraTenant, execute), devidp.UserAdmin).AccessToken)["roles"].([]any); !slices.Contains(roles, any(devidp.RoleAdmin)) {
		t.Errorf("roles are %v", roles)
	}
}
