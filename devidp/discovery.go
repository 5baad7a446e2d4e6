package devidp

import (
	"net/http"
	"slices"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// oidcScopes are OpenID Connect's own.
var oidcScopes = []string{"openid", "profile", "email", "offline_access"}

// metadata is what the standard provider says of itself (RFC 8414; OpenID Connect Discovery 1.0). No parameter of a
// request enters it.
func (s *Server) metadata() oauth.ServerMetadata {
	no := false
	return oauth.ServerMetadata{
		Issuer:                            s.base,
		AuthorizationEndpoint:             s.base + "/authorize",
		TokenEndpoint:                     s.base + "/token",
		JWKSURI:                           s.base + "/jwks",
		RegistrationEndpoint:              s.base + "/register",
		DeviceAuthorizationEndpoint:       s.base + "/device_authorization",
		RevocationEndpoint:                s.base + "/revoke",
		IntrospectionEndpoint:             s.base + "/introspect",
		UserinfoEndpoint:                  s.base + "/userinfo",
		EndSessionEndpoint:                s.base + "/logout",
		ScopesSupported:                   append(slices.Clone(oidcScopes), s.opts.Scopes...),
		ResponseTypesSupported:            []string{"code"},
		ResponseModesSupported:            []string{"query", "fragment"},
		GrantTypesSupported:               []string{grantCode, grantRefresh, grantService, grantDevice, grantExchange, grantBearer},
		SubjectTypesSupported:             []string{"public"},
		ClaimsSupported:                   []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "given_name", "family_name", "preferred_username", "email", "email_verified", "roles", "groups"},
		IDTokenSigningAlgValuesSupported:  []string{s.opts.Algorithm},
		TokenEndpointAuthMethodsSupported: []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		TokenEndpointAuthSigningAlgs:      assertionAlgorithms(),
		CodeChallengeMethodsSupported:     []string{"S256"},
		IssParameterSupported:             true,
		ClientIDMetadataDocumentSupported: true,
		RequestURIParameterSupported:      &no,
	}
}

// metadataPaths are where the document stands: RFC 8414 inserts the well-known path, OpenID Connect appends it.
func (s *Server) metadataPaths() []string {
	paths := []string{s.prefix + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + s.prefix}
	if s.prefix != "" {
		paths = append(paths, "/.well-known/openid-configuration"+s.prefix)
	}
	return paths
}

func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	s.faults.count("discovery")
	writeDocument(w, s.metadata())
}
