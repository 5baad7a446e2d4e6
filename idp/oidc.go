package idp

// OIDC is any OpenID provider or OAuth authorization server that publishes metadata and signs JWT access tokens. The
// issuer is its identifier, byte for byte as in its metadata.
//
// Tokens of RFC 9068 (typ "at+jwt") are accepted, and plain JWTs that carry what an access token carries and an ID
// token does not.
func OIDC(issuer string) Provider {
	return Provider{
		Name:                 "oidc",
		Issuers:              []Issuer{{Name: issuer}},
		AuthorizationServers: []string{issuer},
		Algorithms:           asymmetric(),
		TokenTypes:           []string{"", "jwt", "at+jwt"},
		AccessTokenClaims:    []string{"scope", "scp", "client_id", "cid"},
		IDTokenClaims:        []string{"nonce", "at_hash", "c_hash"},
		Claims: Claims{
			Scopes:   []Path{{"scope"}, {"scp"}},
			Roles:    []Path{{"roles"}},
			Groups:   []Path{{"groups"}},
			ClientID: []Path{{"client_id"}, {"azp"}, {"cid"}},
			Name:     []Path{{"name"}},
			Username: []Path{{"preferred_username"}},
			Email:    []Path{{"email"}},
			TokenID:  []Path{{"jti"}},
			// RFC 9068, section 2.2: without a resource owner, sub identifies the client.
			AppWhen: []Match{{Path{"sub"}, "{client_id}"}},
		},
	}
}
