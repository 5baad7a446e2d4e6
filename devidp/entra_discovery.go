package devidp

import (
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// entraMetadata is the discovery document as Entra writes it: without code_challenge_methods_supported, though S256
// works, and without a registration, revocation or introspection endpoint, as it has none.
type entraMetadata struct {
	oauth.ServerMetadata
	HTTPLogoutSupported bool   `json:"http_logout_supported"`
	TenantRegionScope   string `json:"tenant_region_scope"`
	CloudInstanceName   string `json:"cloud_instance_name"`
	CloudGraphHostName  string `json:"cloud_graph_host_name"`
	GraphHost           string `json:"msgraph_host"`
}

// serveEntraMetadata answers at the appended well-known path, with v2.0 before it and without. For common and
// organizations the issuer is a template. With appid the key set is the one of that app.
func (s *Server) serveEntraMetadata(w http.ResponseWriter, r *http.Request) {
	s.faults.count("discovery")
	tid, _ := tenantOf(r.PathValue("tenant"))
	version, oauth2, keys := 2, "/oauth2/v2.0", "/discovery/v2.0/keys"
	if firstVersion(r) {
		version, oauth2, keys = 1, "/oauth2", "/discovery/keys"
	}
	issuer, path := tid, tid
	if tid == anyTenant {
		issuer, path = "{tenantid}", r.PathValue("tenant")
	}
	if app := r.URL.Query().Get("appid"); s.apiNamed(app) != nil {
		keys += "?appid=" + app
	}
	at, no := s.base+"/"+path, false
	writeDocument(w, entraMetadata{
		ServerMetadata: oauth.ServerMetadata{
			Issuer:                            s.issuerOf(issuer, version),
			AuthorizationEndpoint:             at + oauth2 + "/authorize",
			TokenEndpoint:                     at + oauth2 + "/token",
			DeviceAuthorizationEndpoint:       at + oauth2 + "/devicecode",
			EndSessionEndpoint:                at + oauth2 + "/logout",
			UserinfoEndpoint:                  s.base + "/oidc/userinfo",
			JWKSURI:                           at + keys,
			ScopesSupported:                   oidcScopes,
			ResponseTypesSupported:            []string{"code"},
			ResponseModesSupported:            []string{"query", "fragment"},
			SubjectTypesSupported:             []string{"pairwise"},
			IDTokenSigningAlgValuesSupported:  []string{"RS256"},
			TokenEndpointAuthMethodsSupported: []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
			ClaimsSupported:                   []string{"sub", "iss", "aud", "exp", "iat", "nonce", "name", "ver", "preferred_username", "email", "oid", "tid"},
			RequestURIParameterSupported:      &no,
		},
		HTTPLogoutSupported: true, TenantRegionScope: "EU", CloudInstanceName: "development.invalid",
		CloudGraphHostName: "graph.windows.net", GraphHost: "graph.microsoft.com",
	})
}

// entraKey is a key as Entra's v2.0 key set shows it: with a certificate, and bound to an issuer.
type entraKey struct {
	Kty    string   `json:"kty"`
	Use    string   `json:"use"`
	Kid    string   `json:"kid"`
	X5t    string   `json:"x5t"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X5c    []string `json:"x5c"`
	Issuer string   `json:"issuer,omitempty"`
}

// serveEntraKeys answers with the key set of a tenant. The one of common also shows a key that may sign for one foreign
// issuer only, as Entra's shows keys for personal accounts.
func (s *Server) serveEntraKeys(w http.ResponseWriter, r *http.Request) {
	s.faults.count("jwks")
	tid, _ := tenantOf(r.PathValue("tenant"))
	keys, err := s.keys.published(jose.RS256)
	if err == nil && s.opts.AppSigningKey && r.URL.Query().Get("appid") == EntraAPI {
		var own []*signingKey
		own, err = s.appKeys.published(jose.RS256)
		keys = append(own, keys...)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	set := struct {
		Keys []entraKey `json:"keys"`
	}{Keys: []entraKey{}}
	issuer := s.issuerOf(tid, 2)
	if tid == anyTenant {
		issuer = s.issuerOf("{tenantid}", 2)
		foreign, err := s.keys.foreignKey()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		set.Keys = append(set.Keys, entraKeyOf(foreign, s.issuerOf(personalTenant, 2)))
	}
	for _, k := range keys {
		if k.alg == jose.RS256 {
			set.Keys = append(set.Keys, entraKeyOf(k, issuer))
		}
	}
	if firstVersion(r) {
		for i := range set.Keys {
			set.Keys[i].Issuer = "" // only the v2.0 set binds keys
		}
	}
	writeDocument(w, set)
}

// personalTenant is the tenant that Entra keeps for personal accounts.
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

func entraKeyOf(k *signingKey, issuer string) entraKey {
	public := k.private.Public().(*rsa.PublicKey)
	return entraKey{Kty: "RSA", Use: "sig", Kid: k.x5t, X5t: k.x5t, N: b64(public.N.Bytes()), E: b64(big.NewInt(int64(public.E)).Bytes()),
		X5c: []string{base64.StdEncoding.EncodeToString(k.cert)}, Issuer: issuer}
}
