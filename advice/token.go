package advice

// tokens are the reasons for which a server refuses a token, in the words of package bearer.
var tokens = map[string]entry{
	"malformed":          {cause: "it is no well-formed token", cure: "copy the whole token, without line ends or quotes"},
	"opaque":             {cause: "it is opaque, and the server has nobody to ask about it", cure: "have the provider issue JWTs for this audience, or set provider.introspection.url"},
	"algorithm":          {cause: "it is signed in a way that is never accepted", cure: "have the provider sign with RS256, ES256 or another asymmetric algorithm"},
	"type":               {cause: "it is no access token", cure: "send the access_token of the sign-in, not the id_token or the refresh_token", next: SignIn},
	"issuer":             {cause: "another provider issued it", cure: "compare iss with provider.kind and provider.issuer, letter for letter; at Entra also its ver with requestedAccessTokenVersion in the API's manifest"},
	"tenant":             {cause: "its tenant is not let in", cure: "add the tenant to provider.tenants, or sign in with an account of the right one"},
	"guest":              {cause: "guests are not let in", cure: "set provider.guests to allow, or sign in with an account of the tenant"},
	"audience":           {cause: "it was issued for another resource", cure: "ask for a token for this server, or set provider.audience to what the provider writes into aud"},
	"graph_token":        {cause: "it is for another service of the provider", cure: "ask for a scope of the API, such as api://<app>/<scope>; a scope without a resource before it means Graph", next: SignIn},
	"expired":            {cause: "it has expired", next: SignIn},
	"not_yet_valid":      {cause: "it is not valid yet", cure: "set the clocks of the server and of the provider by a time service (NTP); tokens.leeway bears small differences"},
	"lifetime":           {cause: "it has no end, or one that is absurdly far", cure: "have the provider issue tokens with an exp of hours"},
	"unknown_key":        {cause: "it is signed with a key that the provider does not publish", cure: "sign in again; if that does not help, the token is from another provider or environment", next: SignIn},
	"signature":          {cause: "its signature is wrong", cure: "copy the whole token; if it is whole, somebody changed it"},
	"subject":            {cause: "it does not say who it is about", cure: "have the provider write sub, and at Entra oid and tid"},
	"no_permission":      {cause: "it carries neither a scope nor a role", cure: "ask for a scope of the API, or assign the caller a role"},
	"inactive":           {cause: "its issuer says that it is not active: over, revoked, or of another client", next: SignIn},
	"insufficient_scope": {cause: "it lacks a scope", next: MoreScope},
	"unavailable":        {cause: "the provider cannot be asked", next: Again},
}

// ForToken says what mends a token that a server refuses. reason is one of package bearer's words.
func ForToken(reason string) (Advice, bool) {
	e, known := tokens[reason]
	return e.advice(Refusal{}), known
}
