// Package idp describes identity providers as data: who issues, where the keys stand, how the claims are spelled.
//
// A preset is a value, so a caller may change a field before using it. The package verifies no token and keeps no
// state; bearer reads a [Provider] on the serving side, the sign-in flows read it on the calling side.
//
//	what a provider is          Provider, Issuer, Claims    idp.go
//	Microsoft Entra ID          Entra, EntraIn              entra.go
//	Keycloak, Auth0, Okta       Keycloak, Auth0, Okta       keycloak.go auth0.go okta.go
//	Google                      Google                      google.go
//	any other, and development  OIDC, Dev                   oidc.go dev.go
//	a preset from an issuer     Recognize                   recognize.go
//	finding the endpoints       Discover                    discover.go
package idp

import (
	"strings"
)

// TenantPlaceholder stands in an issuer for the tenant that a token names in its tenant claim. Microsoft spells it
// so in the metadata that serves several tenants.
const TenantPlaceholder = "{tenantid}"

// AnyTenant in [Provider.Tenants] admits every tenant that the provider signs for. It must be asked for by name.
const AnyTenant = "*"

// Provider is one identity provider. The zero value accepts nothing; start from a preset such as [Entra] or [OIDC]
// and change fields. A Provider is read-only once it is in use, so it may be shared between goroutines.
type Provider struct {
	// Name is the preset's name, such as "entra". It is for logs and for the identity that a token gives.
	Name string
	// Issuers are the accepted values of iss, each with the place of its keys.
	Issuers []Issuer
	// AuthorizationServers are the issuer identifiers to publish in protected resource metadata (RFC 9728, section 2).
	AuthorizationServers []string
	// Algorithms are the accepted values of alg. Only asymmetric ones are ever accepted.
	Algorithms []string
	// TokenTypes are the accepted values of the typ header, lower case and without "application/". The empty string
	// admits a token without typ.
	TokenTypes []string
	// AccessTokenClaims tells access tokens from ID tokens where typ does not: a token whose typ is not "at+jwt"
	// must carry at least one of these claims. Nil means that typ says enough.
	AccessTokenClaims []string
	// IDTokenClaims are claims that only ID tokens carry; their presence refuses the token.
	IDTokenClaims []string
	// TypeClaim is a claim that names the kind of token, such as Keycloak's typ; empty means there is none. Where it
	// is set, the claim must be present and be AccessTokenType.
	TypeClaim       string
	AccessTokenType string

	// Audience are the values of aud that this provider's tokens may carry. Nil means the guard's own setting.
	Audience []string
	// AudienceApart reports that the provider does not write the resource's URL into aud, so that the audience must be
	// configured apart from it.
	AudienceApart bool
	// ForeignAudiences maps audiences of other well-known services to their names, so that a token for one of them is
	// refused with advice.
	ForeignAudiences map[string]string

	// MultiTenant reports that the metadata may name any tenant by [TenantPlaceholder]. Tenants must then be set.
	MultiTenant bool
	// Tenants is the allow-list of the tenant claim. Nil admits what the issuer admits; [AnyTenant] admits all.
	Tenants []string
	// DeniedTenants are refused even where Tenants admits them.
	DeniedTenants []string
	// Guests says whether people whose home is another tenant or provider are admitted.
	Guests GuestPolicy

	// Claims is how the token spells what an identity holds.
	Claims Claims
	// NeedsPermission refuses tokens that carry neither a scope nor a role.
	NeedsPermission bool

	// OpaqueTokens reports that access tokens are no JWTs for third parties to read. JWTs are then refused.
	OpaqueTokens bool
	// TokenInfo is the URL that describes an opaque token without client credentials, as Google's tokeninfo does.
	// Empty means there is none.
	TokenInfo string

	// OmitsPKCEMetadata reports that PKCE with S256 works although code_challenge_methods_supported is absent from
	// the metadata.
	OmitsPKCEMetadata bool
	// RefreshesOnline reports that refresh tokens come without offline_access, and that asking for it makes a session which
	// the provider's own sign-out does not reach.
	RefreshesOnline bool
	// RegistersClients reports that clients can register themselves: by RFC 7591 or by a client ID metadata document.
	RegistersClients bool
	// RefusesResource reports that the provider answers the resource parameter of RFC 8707 with an error unless it
	// equals an identifier registered there.
	RefusesResource bool
	// Device is how the device flow differs from RFC 8628.
	Device DeviceFlow
}

// Issuer is one accepted value of iss and where its keys stand.
type Issuer struct {
	// Name is the value of iss, compared byte for byte. It may hold [TenantPlaceholder].
	Name string
	// Discovery is the URL of the metadata document. Empty means that it is found from Name, which then must not
	// hold a placeholder.
	Discovery string
	// JWKS is the URL of the key set. Empty means the jwks_uri of the metadata document; set, no metadata is read.
	JWKS string
	// Version is what the token's ver claim must be. Empty means that ver is not compared.
	Version string
}

// GuestPolicy says whether guests are admitted.
type GuestPolicy string

const (
	GuestsAllowed GuestPolicy = ""     // guests are admitted and marked in their identity
	GuestsDenied  GuestPolicy = "deny" // guests are refused
)

// DeviceFlow holds what a client must expect of a provider's device flow besides RFC 8628.
type DeviceFlow struct {
	// DeclinedCode is the error code for a person's refusal. Empty means "access_denied".
	DeclinedCode string
	// OmitsCompleteURI reports that verification_uri_complete never comes.
	OmitsCompleteURI bool
	// Unsupported reports that there is no device flow for MCP clients.
	Unsupported bool
}

// Path names a claim, outermost member first: {"realm_access", "roles"}. The element "{audience}" stands for each
// accepted audience of the token.
type Path []string

// String joins the members with dots, for messages.
func (p Path) String() string { return strings.Join(p, ".") }

// Claims is the spelling of claims at one provider. Where several paths are given, lists are joined and the first
// present text wins. A nil path means that the provider has no such claim.
type Claims struct {
	Scopes []Path // a text of words, or a list
	Roles  []Path
	Groups []Path

	Tenant   Path
	ObjectID Path
	ClientID []Path
	Name     []Path
	Username []Path
	Email    []Path
	TokenID  []Path

	// NeedsObjectID refuses tokens without Tenant or ObjectID.
	NeedsObjectID bool
	// GroupsOverage reports that _claim_names with a member "groups", or hasgroups, means that the groups did not fit.
	GroupsOverage bool
	// HomeIdP names the claim with the person's home issuer where that differs from iss.
	HomeIdP Path
	// GuestFlag names a claim that is 1 for guests.
	GuestFlag Path

	// AppWhen tells programs from people: all of these must hold for a program.
	AppWhen []Match
	// PersonWhen overrides what AppWithoutScopes would say: all of these must hold for a person. Nil never holds.
	PersonWhen []Match
	// AppWithoutScopes reports that a token without scopes is a program's.
	AppWithoutScopes bool
}

// Match holds when the text at Path is Value. In Value, "{client_id}" stands for the token's client id.
type Match struct {
	Path  Path
	Value string
}

// Accepts reports whether iss is this issuer, for a token that names tenant. A placeholder is filled with tenant only
// where that is a GUID in lower case; then, as without a placeholder, the comparison is exact.
func (i Issuer) Accepts(iss, tenant string) bool {
	if !strings.Contains(i.Name, TenantPlaceholder) {
		return iss != "" && iss == i.Name
	}
	return IsGUID(tenant) && iss == strings.ReplaceAll(i.Name, TenantPlaceholder, tenant)
}

// IsGUID reports whether s is a GUID as Microsoft writes tenant ids: 36 characters, lower case, with hyphens.
func IsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// asymmetric are the signatures that a public key can check and that are in use.
func asymmetric() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// trimSlash drops the slashes at the end of a base URL.
func trimSlash(base string) string { return strings.TrimRight(base, "/") }
