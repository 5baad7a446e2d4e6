package devidp

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// What exists with the Entra character. Two tenants, one API app with the scopes of Options.Scopes, a second API for
// on-behalf-of, and Microsoft Graph. The clients dev-cli, dev-web and dev-service also go by ids as Entra gives them.
const (
	EntraTenant      = "6b2d7482-fa0f-42a3-bd16-ffa7df2814e0"
	EntraDomain      = "dev.example"
	EntraGuestTenant = "55e4386d-ea0d-4879-9908-5f2ce7a4571f" // where the user guest is at home
	EntraGuestDomain = "guests.example"

	EntraAPI           = "576f67e2-e7e9-4ada-892a-b07d3c438e9e" // the API app; its secret is APISecret
	EntraAPIURI        = "api://" + EntraAPI                    // its App ID URI
	EntraDownstream    = "6473e9a1-a177-4a8b-bdec-155e80bccaaa" // an API that the API app may call on behalf of a person
	EntraDownstreamURI = "api://" + EntraDownstream
	EntraGraph         = "00000003-0000-0000-c000-000000000000" // Microsoft Graph, in every tenant
	EntraGraphURI      = "https://graph.microsoft.com"

	EntraCLI     = "40501dc2-70f8-4357-b901-9e44d8c78576" // as ClientCLI
	EntraWeb     = "41caa95e-28a1-4ba7-8ac8-52c78a0e35d5" // as ClientWeb
	EntraService = "09ebe3d5-9334-40df-9d3f-1210d8e7d343" // as ClientService
)

// anyTenant is the tenant of the paths common and organizations: the person decides.
const anyTenant = ""

// api is an application that tokens can be for.
type api struct {
	id      string
	uris    []string // App ID URIs
	version int      // requestedAccessTokenVersion
	scopes  []string
	main    bool // the API app: who may have which of its scopes depends on the person
}

func (a *api) graph() bool { return a.id == EntraGraph }

func apps(o Options) []*api {
	return []*api{
		{id: EntraAPI, uris: append([]string{EntraAPIURI}, o.Resources...), version: orElse(o.AccessTokenVersion, 2), scopes: o.Scopes, main: true},
		{id: EntraDownstream, uris: []string{EntraDownstreamURI}, version: 2, scopes: []string{"data:read"}},
		{id: EntraGraph, uris: []string{EntraGraphURI}, version: 1, scopes: []string{"User.Read", "User.ReadBasic.All", "Mail.Read", "Calendars.Read", "Files.Read"}},
	}
}

func (s *Server) issuerOf(tid string, version int) string {
	if version == 1 {
		return s.base + "/" + tid + "/"
	}
	return s.base + "/" + tid + "/v2.0"
}

// tenantOf reads the tenant of a path: an id, a domain name, common or organizations.
func tenantOf(path string) (tid string, ok bool) {
	switch strings.ToLower(path) {
	case EntraTenant, EntraDomain:
		return EntraTenant, true
	case EntraGuestTenant, EntraGuestDomain:
		return EntraGuestTenant, true
	case "common", "organizations":
		return anyTenant, true
	}
	return "", false
}

func (s *Server) entraRoutes(mux *http.ServeMux) {
	t := s.prefix + "/{tenant}"
	mux.HandleFunc(t+"/v2.0/.well-known/openid-configuration", anyOrigin(s.tenanted(s.serveEntraMetadata)))
	mux.HandleFunc(t+"/.well-known/openid-configuration", anyOrigin(s.tenanted(s.serveEntraMetadata)))
	mux.HandleFunc(t+"/discovery/v2.0/keys", anyOrigin(s.tenanted(s.serveEntraKeys)))
	mux.HandleFunc(t+"/discovery/keys", anyOrigin(s.tenanted(s.serveEntraKeys)))
	for _, v := range []string{"/oauth2/v2.0", "/oauth2"} {
		mux.HandleFunc(t+v+"/token", s.localOrigin(s.tenanted(s.serveToken)))
		mux.HandleFunc(t+v+"/devicecode", s.localOrigin(s.tenanted(s.serveDevice)))
		for _, method := range []string{"GET ", "POST "} {
			mux.HandleFunc(method+t+v+"/authorize", s.tenantedPage(s.serveAuthorize))
			mux.HandleFunc(method+t+v+"/logout", s.tenantedPage(s.serveEndSession))
		}
	}
	mux.HandleFunc("GET "+s.prefix+"/error", s.serveErrorPage)
	mux.HandleFunc(s.prefix+"/oidc/userinfo", s.localOrigin(s.serveUserinfo))
	mux.HandleFunc("GET "+s.prefix+"/devicelogin", s.serveDevicePage)
	mux.HandleFunc("POST "+s.prefix+"/devicelogin", s.serveDeviceChoice)
	s.pageRoutes(mux)
}

// tenanted refuses tenants that do not exist.
func (s *Server) tenanted(h http.HandlerFunc) http.HandlerFunc { return s.inTenant(h, s.fail) }

// tenantedPage refuses them on a page.
func (s *Server) tenantedPage(h http.HandlerFunc) http.HandlerFunc { return s.inTenant(h, s.failPage) }

func (s *Server) inTenant(h http.HandlerFunc, fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := tenantOf(r.PathValue("tenant")); !ok {
			fail(w, r, refuseTenant.of(r.PathValue("tenant")))
			return
		}
		h(w, r)
	}
}

// firstVersion reports whether r came to an endpoint without v2.0 in its path.
func firstVersion(r *http.Request) bool { return !strings.Contains(r.URL.Path, "/v2.0/") }

// entraAudiences are the names under which a client assertion may address the provider.
func (s *Server) entraAudiences(r *http.Request) []string {
	tid, _ := tenantOf(r.PathValue("tenant"))
	if tid == anyTenant {
		return nil
	}
	return []string{s.issuerOf(tid, 2), s.base + "/" + tid + "/oauth2/v2.0/token"}
}

// entraAdmit decides in which tenant u signs in, and what of the scopes asked for remains. Where scopes of an API were
// asked for and none remains the person is refused, as a token for Microsoft Graph would be no use.
func (s *Server) entraAdmit(u *user, path string, c *client, asked []string) (string, []string, error) {
	tid, _ := tenantOf(path)
	switch {
	case tid == anyTenant:
		tid = u.home
	case tid != u.home && tid != EntraTenant:
		return "", nil, refuseOtherTenant.of(u.email, tid, c.ID)
	}
	var kept []string
	wanted, left := 0, 0
	for _, raw := range asked {
		a, err := s.readScope(raw)
		if err != nil {
			return "", nil, err
		}
		if a.api != nil {
			wanted++
			if len(a.granted(c, u)) == 0 {
				continue
			}
			left++
		}
		kept = append(kept, raw)
	}
	if wanted > 0 && left == 0 {
		return "", nil, refuseNoScope.of(u.id, strings.Join(asked, " "))
	}
	return tid, kept, nil
}

// oidOf is the person's object id in a tenant: a guest has one in each.
func (u *user) oidOf(tid string) string {
	if tid == EntraGuestTenant && u.homeOID != "" {
		return u.homeOID
	}
	return u.oid
}

// pairwise is the sub under which one application knows a person.
func pairwise(u *user, tenant, app string) string {
	return hashed("sub\x00" + u.oidOf(tenant) + "\x00" + app)
}

// guid makes a stable id of a name.
func guid(name string) string {
	h := []byte(hashed("guid\x00" + name))
	b, _ := base64.RawURLEncoding.DecodeString(string(h))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func newGUID() string { return guid(opaque()) }

// entraLifetime is 60 to 90 minutes at random, and 20 to 28 hours for a client that handles claims challenges
// (access-tokens, continuous access evaluation).
func entraLifetime(capable bool) time.Duration {
	least, spread := time.Hour, 30*time.Minute
	if capable {
		least, spread = 20*time.Hour, 8*time.Hour
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(spread/time.Second)+1))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return least + time.Duration(n.Int64())*time.Second
}

// entraDeviceAnswer is the device flow's answer as Entra gives it: without verification_uri_complete, and with a
// message to show (v2-oauth2-device-code).
func (s *Server) entraDeviceAnswer(answer map[string]any, d *device) {
	delete(answer, "verification_uri_complete")
	page := s.base + "/devicelogin"
	answer["verification_uri"] = page
	answer["message"] = "To sign in, use a web browser to open the page " + page + " and enter the code " + d.userCode + " to authenticate."
}

// entraAskable reads the scopes of a device request.
func (s *Server) entraAskable(r *http.Request, form url.Values, _ *client) ([]string, error) {
	raw, err := s.rawScopes(r, form)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, refuseMissing.of("scope")
	}
	return raw, s.checkAsked(r, form, raw)
}

// readEntraRequest completes an authorization request.
func (s *Server) readEntraRequest(r *http.Request, form url.Values, in *interaction) error {
	var err error
	if in.scopes, err = s.entraAskable(r, form, in.client); err != nil {
		return err
	}
	in.version1 = firstVersion(r)
	in.capable, in.stepped, err = readClaimsParameter(form.Get("claims"))
	return err
}

// rawScopes reads which scopes are asked for. The endpoints without v2.0 name a resource instead.
func (s *Server) rawScopes(r *http.Request, form url.Values) ([]string, error) {
	raw, err := scopeList(form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if !firstVersion(r) {
		return raw, nil
	}
	named := form["resource"]
	if len(named) == 0 && len(raw) == 0 && form.Get("grant_type") != "" {
		return nil, nil
	}
	if len(named) != 1 {
		return nil, refuseMissing.of("resource")
	}
	raw = slices.DeleteFunc(raw, func(sc string) bool { return !slices.Contains(oidcScopes, sc) })
	return append(raw, named[0]+"/.default", "openid", "offline_access"), nil
}
