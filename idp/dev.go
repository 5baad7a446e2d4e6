package idp

// Dev is the development identity provider at issuer, in its standard character: RFC 9068 access tokens and nothing
// else, clients that register themselves. In its other character use [EntraIn] with its addresses.
func Dev(issuer string) Provider {
	p := OIDC(issuer)
	p.Name = "dev"
	p.TokenTypes = []string{"at+jwt"}
	p.RegistersClients = true
	return p
}
