package devidp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// refusal is one reason to say no, in the words of both characters. In the texts {0} and {1} stand for details.
type refusal struct {
	status int // 0 means 400
	code   string
	text   string

	aadsts     int    // with the Entra character: the number; 0 means that there is none
	entraCode  string // empty means code
	entraText  string // empty means text
	entraState int    // the status; 0 means status
}

// refused is a refusal that happened.
type refused struct {
	refusal
	details []string
	cause   error
	extra   map[string]any
}

func (r refusal) of(details ...string) *refused { return &refused{refusal: r, details: details} }

func (r refusal) because(cause error, details ...string) *refused {
	return &refused{refusal: r, details: details, cause: cause}
}

func (r *refused) with(extra map[string]any) *refused {
	r.extra = extra
	return r
}

func (r *refused) Error() string { return r.oauth().Error() }
func (r *refused) Unwrap() error { return r.cause }

func (r *refused) fill(text string) string {
	for i, d := range r.details {
		if len(d) > 200 {
			d = d[:200]
		}
		text = strings.ReplaceAll(text, "{"+string(rune('0'+i))+"}", strings.ToValidUTF8(d, "?"))
	}
	return text
}

// oauth says it as the RFCs do.
func (r *refused) oauth() *oauth.Error {
	return &oauth.Error{Status: orElse(r.status, http.StatusBadRequest), Code: r.code, Description: r.fill(r.text), Cause: r.cause}
}

// said is err in the words of the provider's character, for the wire.
func (s *Server) said(r *http.Request, err error) *oauth.Error {
	var no *refused
	if !errors.As(err, &no) {
		var already *oauth.Error
		if errors.As(err, &already) {
			return already
		}
		no = refuseInternal.because(err)
	}
	if s.entra() {
		return s.entraError(r, no)
	}
	return no.oauth()
}

// fail answers a program with err, and logs what was not the stranger's fault.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := s.said(r, err)
	if e.Code == oauth.CodeServerError {
		s.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	} else {
		s.log.DebugContext(r.Context(), "request refused", "path", r.URL.Path, "code", e.Code, "reason", e.Description)
	}
	if e.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="development only"`) // RFC 6749, section 5.2
	}
	oauth.WriteError(w, e)
}

// What the provider refuses. The numbers are from Microsoft's page reference-error-codes, and where that page is
// silent from public threads that quote the answer.
var (
	refuseInternal    = refusal{status: 500, code: oauth.CodeServerError, text: "the provider could not answer", aadsts: 90033}
	refuseDown        = refusal{status: 503, code: oauth.CodeUnavailable, text: "the provider is down, as a test asked", aadsts: 90033, entraText: "A transient error has occurred. Please try again."}
	refuseMalformed   = refusal{code: oauth.CodeInvalidRequest, text: "the request is malformed: {0}", aadsts: 9002313, entraText: "Invalid request. Request is malformed or invalid: {0}."}
	refuseMissing     = refusal{code: oauth.CodeInvalidRequest, text: "the parameter {0} is missing", aadsts: 900144, entraText: "The request body must contain the following parameter: '{0}'."}
	refuseOrigin      = refusal{status: 403, code: oauth.CodeInvalidRequest, text: "this web origin may not call the provider", aadsts: 9002326, entraText: "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type or 'Native' client-type with origin registered in AllowedOriginForNativeAppCorsRequestInOAuthToken allow list."}
	refuseUserUnknown = refusal{code: oauth.CodeInvalidRequest, text: "there is no development user {0}", aadsts: 50034, entraText: "The user account {0} does not exist in the directory."}

	refuseClientUnknown     = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client {0} is not known", aadsts: 700016, entraCode: oauth.CodeUnauthorizedClient, entraState: 400, entraText: "Application with identifier '{0}' was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."}
	refuseClientProof       = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client must authenticate", aadsts: 7000218, entraText: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}
	refuseClientSecret      = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client's secret is wrong", aadsts: 7000215, entraText: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'."}
	refuseClientPublic      = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client is public and has no secret", aadsts: 700025, entraText: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."}
	refuseClientMethod      = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client is registered for another way to authenticate", aadsts: 700027, entraText: "Client assertion failed signature validation."}
	refuseAssertion         = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client assertion is not acceptable: {0}", aadsts: 700027, entraText: "The certificate with identifier used to sign the client assertion is not registered on application, or the assertion is not valid: {0}."}
	refuseAssertionTime     = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client assertion is not within its valid time", aadsts: 700024, entraText: "Client assertion is not within its valid time range."}
	refuseFederatedIssuer   = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client assertion is not acceptable: the client knows no platform {0}", aadsts: 700211, entraText: "No matching federated identity record found for presented assertion issuer '{0}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."}
	refuseFederatedSubject  = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client assertion is not acceptable: sub {0} is another workload", aadsts: 700213, entraText: "No matching federated identity record found for presented assertion subject '{0}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."}
	refuseFederatedAudience = refusal{status: 401, code: oauth.CodeInvalidClient, text: "the client assertion is not acceptable: it is made out to {0}", aadsts: 700212, entraText: "No matching federated identity record found for presented assertion audience '{0}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."}
	refuseGrantAssertion    = refusal{code: oauth.CodeInvalidGrant, text: "the assertion is not acceptable: {0}", aadsts: 50013}
	refuseTwoProofs         = refusal{code: oauth.CodeInvalidRequest, text: "the client authenticates in more than one way", aadsts: 9002313}
	refuseGrantUnknown      = refusal{code: oauth.CodeUnsupportedGrantType, text: "the grant type {0} is not supported", aadsts: 70003, entraText: "The app requested an unsupported grant type '{0}'."}
	refuseGrantForbidden    = refusal{code: oauth.CodeUnauthorizedClient, text: "the client may not use the grant type {0}", aadsts: 7000218, entraCode: oauth.CodeInvalidClient, entraState: 401, entraText: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."}

	refuseRedirect     = refusal{code: oauth.CodeInvalidRequest, text: "the redirect URI {0} is not registered for this client", aadsts: 50011, entraText: "The redirect URI '{0}' specified in the request does not match the redirect URIs configured for the application '{1}'."}
	refuseResponseType = refusal{code: "unsupported_response_type", text: "only response_type=code is supported", aadsts: 700054, entraText: "response_type '{0}' is not enabled for the application."}
	refuseResponseMode = refusal{code: oauth.CodeInvalidRequest, text: "the response mode {0} is not supported", aadsts: 70007, entraText: "'{0}' is not a supported value of response_mode."}
	refuseRequestObj   = refusal{code: "request_not_supported", text: "request objects are not supported", aadsts: 90015}
	refuseRequestURI   = refusal{code: "request_uri_not_supported", text: "request URIs are not supported", aadsts: 90015}
	refusePKCE         = refusal{code: oauth.CodeInvalidRequest, text: "a public client must send code_challenge", aadsts: 9002325, entraText: "Proof Key for Code Exchange is required for cross-origin authorization code redemption."}
	refusePKCEPlain    = refusal{code: oauth.CodeInvalidRequest, text: "code_challenge_method must be S256", aadsts: 501491, entraText: "Invalid size or method of Code_Challenge parameter."}
	refuseVerifier     = refusal{code: oauth.CodeInvalidGrant, text: "the code verifier does not belong to the code", aadsts: 501481, entraText: "The Code_Verifier does not match the code_challenge supplied in the authorization request."}
	refuseLogin        = refusal{code: "login_required", text: "nobody is signed in", aadsts: 50058, entraText: "A silent sign-in request was sent but no user is signed in."}
	refuseConsent      = refusal{code: "consent_required", text: "the person has not agreed to this client yet", aadsts: 65001, entraText: "The user or administrator has not consented to use the application with ID '{0}'. Send an interactive authorization request for this user and resource."}
	refuseDeclined     = refusal{code: oauth.CodeAccessDenied, text: "the person said no", aadsts: 65004, entraText: "User declined to consent to access the app."}

	refuseScope     = refusal{code: oauth.CodeInvalidScope, text: "none of the scopes asked for can be granted: {0}", aadsts: 70011, entraText: "The provided value for the input parameter 'scope' is not valid. The scope {0} is not valid."}
	refuseScopeWide = refusal{code: oauth.CodeInvalidScope, text: "the scope {0} was not granted", aadsts: 65001, entraCode: oauth.CodeInvalidGrant, entraText: "The user or administrator has not consented to use the application with the scope '{0}'. Send an interactive authorization request for this user and resource."}
	refuseTarget    = refusal{code: oauth.CodeInvalidTarget, text: "the resource {0} is not one this provider issues tokens for", aadsts: 500011, entraCode: "invalid_resource", entraText: "The resource principal named {0} was not found in the tenant named {1}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."}
	refuseTargets   = refusal{code: oauth.CodeInvalidTarget, text: "name one of the granted resources", aadsts: 28000}
	refuseNoScope   = refusal{status: 403, code: oauth.CodeAccessDenied, text: "{0} may not have any of: {1}", aadsts: 65001, entraText: "The user or administrator has not consented: the development user {0} may not have any of: {1}."}
	refuseDisabled  = refusal{status: 403, code: oauth.CodeAccessDenied, text: "the account {0} is disabled", aadsts: 50057, entraText: "The user account is disabled."}

	refuseCode        = refusal{code: oauth.CodeInvalidGrant, text: "the code is not valid: unknown, expired, or for another client", aadsts: 70000, entraText: "The provided authorization code is invalid, expired, or was issued to another client."}
	refuseCodeUsed    = refusal{code: oauth.CodeInvalidGrant, text: "the code was used before; every token of it is revoked", aadsts: 54005, entraText: "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."}
	refuseCodeURI     = refusal{code: oauth.CodeInvalidGrant, text: "redirect_uri is not the one of the authorization request", aadsts: 500112, entraText: "The reply address '{0}' does not match the reply address provided when requesting Authorization code."}
	refuseRefresh     = refusal{code: oauth.CodeInvalidGrant, text: "the refresh token is not valid: unknown, expired, revoked, or for another client", aadsts: 700082, entraText: "The refresh token has expired due to inactivity, was revoked, or was issued to another client."}
	refuseRefreshUsed = refusal{code: oauth.CodeInvalidGrant, text: "the refresh token was used before; every token of its family is revoked", aadsts: 70000, entraText: "Provided grant is invalid or malformed."}
	refuseGrantUser   = refusal{code: oauth.CodeInvalidGrant, text: "the account {0} is disabled", aadsts: 50057, entraText: "The user account is disabled."}
	refuseRevokedUser = refusal{code: oauth.CodeInvalidGrant, text: "the person's sign-ins were revoked", aadsts: 50173, entraText: "The provided grant has expired due to it being revoked, a fresh auth token is needed."}

	refusePending    = refusal{code: oauth.CodeAuthorizationPending, text: "the person has not decided yet", aadsts: 70016, entraText: "OAuth 2.0 device flow error. Authorization is pending. Continue polling."}
	refuseSlowDown   = refusal{code: oauth.CodeSlowDown, text: "poll more slowly: the interval grew by 5 seconds", aadsts: 50196, entraText: "The server detected a polling loop. Poll more slowly."}
	refuseDeviceEnd  = refusal{code: oauth.CodeExpiredToken, text: "the device code has expired", aadsts: 70020, entraText: "The provided value for the input parameter 'device_code' is not valid. This device code has expired."}
	refuseDeviceNo   = refusal{code: oauth.CodeAccessDenied, text: "the person said no", aadsts: 70022, entraCode: "authorization_declined", entraText: "The end user denied the authorization request."}
	refuseDeviceCode = refusal{code: oauth.CodeInvalidGrant, text: "the device code is not valid: unknown, used, or for another client", aadsts: 70018, entraCode: "bad_verification_code", entraText: "The device code was not recognized."}
	refuseUserCode   = refusal{status: 404, code: oauth.CodeInvalidRequest, text: "no device waits with this code; it may have expired or been used", aadsts: 70018, entraText: "That code didn't work. Check the code and try again."}
	refuseGuessing   = refusal{status: 429, code: oauth.CodeAccessDenied, text: "too many wrong codes; wait a minute", aadsts: 50053, entraText: "Too many wrong codes. Wait a minute."}

	refuseSubject    = refusal{code: oauth.CodeInvalidRequest, text: "the {0} is not an active token of this provider", aadsts: 500133, entraCode: oauth.CodeInvalidGrant, entraText: "Assertion is not within its valid time range, or is not a token of this provider."} // RFC 8693, section 2.2.2
	refuseForeign    = refusal{code: oauth.CodeInvalidRequest, text: "the {0} was issued for another audience than this client", aadsts: 500131, entraCode: oauth.CodeInvalidGrant, entraText: "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{1}'."}
	refuseActor      = refusal{code: oauth.CodeInvalidRequest, text: "the actor token does not belong to this client", aadsts: 50013}
	refuseTokenType  = refusal{code: oauth.CodeInvalidRequest, text: "the token type {0} is not supported", aadsts: 9002313}
	refuseTokenGiven = refusal{status: 401, code: oauth.CodeInvalidToken, text: "the access token is not valid here"}
	refuseTokenScope = refusal{status: 403, code: oauth.CodeInsufficientScope, text: "the access token lacks the scope openid"}
	refuseForm       = refusal{status: 403, code: oauth.CodeInvalidRequest, text: "the form does not belong to this browser, or was used already: start the sign-in again", aadsts: 90014}
	refuseDocument   = refusal{code: oauth.CodeInvalidClient, text: "the client document {0} is not acceptable: {1}", aadsts: 700016}
	refuseSignOutURI = refusal{code: oauth.CodeInvalidRequest, text: "the post_logout_redirect_uri is not registered for this client", aadsts: 50011}
	refuseHint       = refusal{code: oauth.CodeInvalidRequest, text: "the id_token_hint is not an ID token of this provider", aadsts: 9002313}
)
