package advice

import "github.com/fastmcp-auth/fastmcp-auth/oauth"

// Reasons for which a client gives up by itself, as values of Refusal.Code. No server sends them.
const (
	NoClientID   = "client id needed"
	NoPKCE       = "no PKCE"
	Forged       = "forged answer"
	NoDeviceFlow = "no device flow"
)

// codes are the error codes of OAuth and its extensions. Those of Entra that are no OAuth stand here too: they come as
// codes, not as numbers.
var codes = map[string]entry{
	NoClientID:   {cause: "no client id is known for {issuer}, and it registers none by itself", cure: "create a public client at the provider and set its id (client.id)", page: appsPage},
	NoPKCE:       {cause: "{issuer} does not say that it protects codes by PKCE with S256", cure: "have the provider publish code_challenge_methods_supported, or sign in by device code (login --device); where it is Entra behind another address, client.provider entra says so", next: Diagnose},
	Forged:       {cause: "the answer did not come from the authorization server that was asked", cure: "nothing of it was used; if it happens again, something stands between", next: Diagnose},
	NoDeviceFlow: {cause: "{issuer} offers no device flow", next: SignInBrowser},

	// RFC 6749, sections 4.1.2.1 and 5.2
	oauth.CodeInvalidRequest: {cause: "{issuer} cannot make sense of the request", next: Diagnose,
		cure: "see whether the client is registered for this way of signing in, and with this redirect URI"},
	oauth.CodeInvalidClient: {cause: "{issuer} does not know {client}, or its secret is wrong",
		cure: "check the client id that is set for this issuer, and that its secret is the current one; a public client has none"},
	oauth.CodeUnauthorizedClient: {cause: "{client} may not sign in this way at {issuer}",
		cure: "allow the flow for the client at the provider, or sign in another way"},
	oauth.CodeUnsupportedGrantType: {cause: "{issuer} does not offer this way of signing in", next: SignInBrowser},
	"unsupported_response_type":    {cause: "{issuer} does not offer the authorization code flow to {client}", cure: "allow the flow for the client at the provider"},
	oauth.CodeInvalidGrant:         {cause: "what stood for the sign-in, a code or a refresh token, has expired, was used or was revoked", next: SignIn},
	oauth.CodeInvalidScope: {cause: "{issuer} does not give {scopes} to {client}",
		cure: "let the client ask for these scopes at the provider, or have the server ask for scopes that exist"},
	oauth.CodeAccessDenied: {cause: "the person or a rule of {issuer} said no", next: SignIn},
	oauth.CodeServerError:  {cause: "{issuer} has a fault of its own", next: Again},
	oauth.CodeUnavailable:  {cause: "{issuer} cannot answer now", next: Again},

	// RFC 8628
	"authorization_declined":       {cause: "the person said no", next: SignIn},
	oauth.CodeExpiredToken:         {cause: "the code ran out before anybody entered it", next: SignIn},
	"bad_verification_code":        {cause: "{issuer} does not know the device code that it gave", next: SignIn},
	oauth.CodeAuthorizationPending: {cause: "nobody has entered the code yet", next: Again},
	oauth.CodeSlowDown:             {cause: "{issuer} was asked too often", next: Again},

	// OpenID Connect Core, section 3.1.2.6; RFC 9470
	"interaction_required":              {cause: "{issuer} wants the person to do something that cannot be done silently", next: SignIn},
	"login_required":                    {cause: "nobody is signed in at {issuer}", next: SignIn},
	"account_selection_required":        {cause: "{issuer} wants the person to choose an account", next: SignIn},
	"consent_required":                  {cause: "nobody has agreed yet that {client} may ask for {scopes}", next: SignIn, cure: "agree when asked; where people may not, an administrator agrees for all of them"},
	"insufficient_user_authentication":  {cause: "{server} wants a stronger or fresher sign-in", next: SignIn},
	"unmet_authentication_requirements": {cause: "{issuer} cannot sign anybody in as strongly as {server} wants", cure: "set up the second factor that the provider asks for"},
	"insufficient_claims":               {cause: "{server} wants the sign-in to be judged again, by rules that changed meanwhile", next: SignIn},
	"invalid_request_uri":               {cause: "{issuer} does not accept the pushed request", next: Again},
	"request_not_supported":             {cause: "{issuer} does not read request objects", next: Diagnose},
	"registration_not_supported":        {cause: "{issuer} registers no clients", cure: "create a client at the provider and set its id for this issuer"},
	"invalid_redirect_uri":              {cause: "{issuer} does not accept the redirect URI", cure: "allow http://127.0.0.1 and http://localhost, with any port, for native clients (RFC 8252, section 7.3)"},
	"invalid_client_metadata":           {cause: "{issuer} does not accept what the client says of itself", cure: "create a client at the provider and set its id for this issuer"},
	"invalid_software_statement":        {cause: "{issuer} does not accept the software statement", cure: "create a client at the provider and set its id for this issuer"},
	"unapproved_software_statement":     {cause: "{issuer} has not approved this client", cure: "create a client at the provider and set its id for this issuer"},

	// RFC 6750, section 3.1
	oauth.CodeInvalidToken:      {cause: "{server} does not accept the token", next: SignIn, cure: "if it does so again, the server and {issuer} disagree about audience, issuer or time"},
	oauth.CodeInsufficientScope: {cause: "the token is good, but it lacks {scopes}", next: MoreScope},

	// RFC 8707, section 2
	oauth.CodeInvalidTarget: {cause: "{issuer} does not give tokens for {server}",
		cure: "register the server's URL as a resource at the provider, or leave the resource parameter out (resource: omit)"},

	// RFC 9449, section 8
	"invalid_dpop_proof": {cause: "the proof of possession is not accepted", cure: "see that this machine's clock is right", next: Again},
	"use_dpop_nonce":     {cause: "a fresh nonce is asked for in the proof of possession", next: Again},
}

// programs are what some of the codes mean for a program, whose proof is not always a secret and which nobody can sign in.
var programs = map[string]entry{
	oauth.CodeInvalidRequest: {cause: "{issuer} cannot make sense of what the program shows", next: Diagnose,
		cure: "see whether its token is still good and of the kind that this way of signing in takes, and whether {client} may sign in this way"},
	oauth.CodeInvalidClient: {cause: "{issuer} does not know {client}, or does not take its proof",
		cure: "check the client id that is set for this issuer, and that its secret, key or platform is the one that is registered there"},
	oauth.CodeInvalidGrant: {cause: "{issuer} does not take what the program shows for a token: it has ended, was used, or is about somebody who may not sign in",
		next: Diagnose},
	oauth.CodeUnsupportedGrantType: {cause: "{issuer} does not offer this way of signing in", cure: "set client.flow to a way that it offers programs"},
}
