package oauth

// claims are what the members of tokens mean: those of RFC 7519, RFC 9068 and OpenID Connect, and those that providers
// add.
var claims = map[string]string{
	// RFC 7519, section 4.1
	"iss": "who issued it",
	"sub": "who it is about, as the issuer counts",
	"aud": "who it is for",
	"exp": "when it ends",
	"nbf": "when it begins",
	"iat": "when it was issued",
	"jti": "its number",

	// RFC 9068, section 2.2; RFC 8693, section 4; RFC 7800; RFC 9449
	"scope":     "what it permits",
	"client_id": "the program it was given to",
	"auth_time": "when the person signed in",
	"acr":       "how strong the sign-in was",
	"amr":       "how the person signed in",
	"act":       "who acts for the subject",
	"may_act":   "who may act for the subject",
	"cnf":       "the key it is bound to",
	"roles":     "roles of the caller",
	"groups":    "groups of the caller",

	// OpenID Connect Core, sections 2 and 5.1
	"nonce":              "ties an ID token to its request",
	"at_hash":            "fingerprint of the access token beside it",
	"c_hash":             "fingerprint of the code beside it",
	"azp":                "the program it was given to",
	"sid":                "the session at the provider",
	"name":               "a name to show",
	"given_name":         "a name to show",
	"family_name":        "a name to show",
	"preferred_username": "a name to show, which may change",
	"email":              "an address to show, which may change",
	"email_verified":     "whether the provider checked the address",

	// Microsoft Entra ID
	"aio":                 "internal to Entra",
	"rh":                  "internal to Entra",
	"xms_ftd":             "internal to Entra",
	"appid":               "the program it was given to",
	"appidacr":            "how the program proved itself: 0 not at all, 1 by secret, 2 by certificate",
	"azpacr":              "how the program proved itself: 0 not at all, 1 by secret, 2 by certificate",
	"acct":                "0 member, 1 guest",
	"hasgroups":           "the groups did not fit",
	"_claim_names":        "claims that did not fit, and where they are",
	"_claim_sources":      "where the claims are that did not fit",
	"idp":                 "where the person's home is",
	"idtyp":               "app for a program, user for a person",
	"ipaddr":              "where the person signed in from",
	"oid":                 "the caller's object id, the same for all applications",
	"scp":                 "what it permits",
	"tid":                 "the tenant",
	"unique_name":         "a name to show, which may change",
	"upn":                 "a name to show, which may change",
	"uti":                 "its number in Entra's sign-in log",
	"ver":                 "the version of the format",
	"wids":                "directory roles of the caller",
	"xms_cc":              "what the program can do: cp1 means claims challenges",
	"xms_tcdt":            "when the tenant was made",
	"onprem_sid":          "the caller in the local directory",
	"in_corp":             "whether the person was in the corporate network",
	"pwd_exp":             "when the password ends",
	"login_hint":          "what to sign in with next time",
	"platf":               "the kind of device",
	"deviceid":            "the device",
	"tenant_region_scope": "where the tenant is",

	// Keycloak, Okta, Auth0, Cognito, Google
	"typ":             "the kind of token",
	"realm_access":    "roles in the realm",
	"resource_access": "roles at clients",
	"session_state":   "the session at the provider",
	"allowed-origins": "web origins of the client",
	"cid":             "the program it was given to",
	"uid":             "the person's id",
	"permissions":     "what it permits",
	"gty":             "the grant it came from",
	"org_id":          "the organization",
	"token_use":       "the kind of token",
	"hd":              "the Google Workspace domain",
}

// ClaimMeaning says in a few words what a claim means, or nothing for one that is not known.
func ClaimMeaning(name string) string { return claims[name] }

// IsTimeClaim reports whether a claim is a number of seconds since 1970.
func IsTimeClaim(name string) bool {
	switch name {
	case "exp", "nbf", "iat", "auth_time", "xms_tcdt":
		return true
	}
	return false
}
