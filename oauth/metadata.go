package oauth

import (
	"fmt"
	"net/url"
	"strings"
)

// ServerMetadata describes an authorization server (RFC 8414) or OpenID provider (OpenID Connect Discovery 1.0).
type ServerMetadata struct {
	Issuer                            string   `json:"issuer"`
	AuthorizationEndpoint             string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint                     string   `json:"token_endpoint,omitempty"`
	JWKSURI                           string   `json:"jwks_uri,omitempty"`
	RegistrationEndpoint              string   `json:"registration_endpoint,omitempty"`
	DeviceAuthorizationEndpoint       string   `json:"device_authorization_endpoint,omitempty"`
	RevocationEndpoint                string   `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint             string   `json:"introspection_endpoint,omitempty"`
	UserinfoEndpoint                  string   `json:"userinfo_endpoint,omitempty"`
	EndSessionEndpoint                string   `json:"end_session_endpoint,omitempty"`
	ScopesSupported                   []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported            []string `json:"response_types_supported,omitempty"`
	ResponseModesSupported            []string `json:"response_modes_supported,omitempty"`
	GrantTypesSupported               []string `json:"grant_types_supported,omitempty"`
	SubjectTypesSupported             []string `json:"subject_types_supported,omitempty"`
	ClaimsSupported                   []string `json:"claims_supported,omitempty"`
	IDTokenSigningAlgValuesSupported  []string `json:"id_token_signing_alg_values_supported,omitempty"`
	TokenEndpointAuthMethodsSupported []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	TokenEndpointAuthSigningAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	CodeChallengeMethodsSupported     []string `json:"code_challenge_methods_supported,omitempty"`
	IssParameterSupported             bool     `json:"authorization_response_iss_parameter_supported,omitempty"` // RFC 9207
	ClientIDMetadataDocumentSupported bool     `json:"client_id_metadata_document_supported,omitempty"`          // CIMD
	RequestURIParameterSupported      *bool    `json:"request_uri_parameter_supported,omitempty"`
	DPoPSigningAlgValuesSupported     []string `json:"dpop_signing_alg_values_supported,omitempty"` // RFC 9449, section 5.1
}

// ResourceMetadata describes a protected resource (RFC 9728, section 2).
type ResourceMetadata struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers"`
	JWKSURI                string   `json:"jwks_uri,omitempty"`
	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported,omitempty"`
	ResourceName           string   `json:"resource_name,omitempty"`
	ResourceDocumentation  string   `json:"resource_documentation,omitempty"`

	DPoPSigningAlgValuesSupported []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundAccessTokensRequired bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

const resourceWellKnown = "/.well-known/oauth-protected-resource"

// ResourceMetadataURL is where the metadata of resource stands: the well-known path inserted between the host and the
// resource's own path and query, both as they are written (RFC 9728, section 3.1). A slash at the end of the path is
// left out, as clients in the field do. resource must be an absolute http or https URL without user and fragment.
func ResourceMetadataURL(resource string) (string, error) {
	u, err := absolute(resource)
	if err != nil {
		return "", err
	}
	place := u.Scheme + "://" + u.Host + resourceWellKnown + strings.TrimSuffix(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		place += "?" + u.RawQuery
	}
	return place, nil
}

// ServerMetadataURLs lists where the metadata of issuer may stand, in the order in which a client tries them
// (MCP 2026-07-28, authorization server metadata discovery; C-3). An issuer has no query (RFC 8414, section 2).
func ServerMetadataURLs(issuer string) ([]string, error) {
	u, err := absolute(issuer)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("oauth: issuer %q has a query", issuer)
	}
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	urls := []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
	}
	if path != "" {
		urls = append(urls, origin+path+"/.well-known/openid-configuration")
	}
	return urls, nil
}

func absolute(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("oauth: %q is not a URL", raw)
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Contains(raw, "#") || u.User != nil {
		return nil, fmt.Errorf("oauth: %q is not an absolute http or https URL without user and fragment", raw)
	}
	return u, nil
}
