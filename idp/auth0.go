package idp

// Auth0 is one Auth0 tenant by its domain, such as "example.eu.auth0.com" or a custom domain, without a scheme.
//
// The audience is the API's identifier; give the API the resource's URL as identifier and nothing else is to be set.
// Permissions of role-based access control are read as scopes. Roles and groups stand in claims that an Action names
// itself: add their paths to Claims.
func Auth0(domain string) Provider {
	issuer := "https://" + trimSlash(domain) + "/"
	p := OIDC(issuer)
	p.Name = "auth0"
	p.Issuers[0].Discovery = issuer + ".well-known/openid-configuration"
	p.Algorithms = []string{"RS256", "PS256"} // Auth0 offers HS256 too, which is not for resource servers
	p.TokenTypes = []string{"jwt", "at+jwt"}
	p.AccessTokenClaims = []string{"azp", "client_id", "scope"}
	p.Claims.Scopes = []Path{{"scope"}, {"permissions"}}
	p.Claims.ClientID = []Path{{"azp"}, {"client_id"}}
	p.Claims.AppWhen = []Match{{Path{"sub"}, "{client_id}@clients"}}
	p.RegistersClients = true
	return p
}
