package idp

// Google is Google's sign-in. Its access tokens are opaque to third parties, so each is described by Google's tokeninfo
// endpoint; aud is the OAuth client that asked for the token, which is therefore the audience to configure. A token
// that another client obtained is refused, and an ID token is refused as such.
//
// Google knows no scopes of one's own and registers no clients: to offer such a server to any MCP client, an
// authorization server of one's own must stand before it.
func Google() Provider {
	p := OIDC("https://accounts.google.com")
	p.Name = "google"
	p.Issuers[0].Discovery = "https://accounts.google.com/.well-known/openid-configuration"
	p.Algorithms = []string{"RS256"}
	p.AudienceApart = true
	p.OpaqueTokens = true
	p.TokenInfo = "https://oauth2.googleapis.com/tokeninfo"
	p.Claims.Scopes = []Path{{"scope"}}
	p.Claims.Roles, p.Claims.Groups = nil, nil
	p.Claims.ClientID = []Path{{"azp"}}
	p.RefusesResource = true
	p.Device = DeviceFlow{OmitsCompleteURI: true}
	return p
}
