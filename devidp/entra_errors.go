package devidp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// What only the Entra character refuses.
var (
	refuseTenant        = refusal{code: "invalid_tenant", aadsts: 90002, text: "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."}
	refuseNoTenant      = refusal{code: oauth.CodeInvalidRequest, aadsts: 50059, text: "No tenant-identifying information found in either the request or implied by any provided credentials."}
	refuseOtherTenant   = refusal{status: 403, code: oauth.CodeAccessDenied, aadsts: 50020, text: "User account '{0}' does not exist in tenant '{1}' and cannot access the application '{2}' in that tenant. The account needs to be added as an external user in the tenant first."}
	refuseScopeUnknown  = refusal{code: oauth.CodeInvalidClient, aadsts: 650053, text: "The application asked for scope '{0}' that doesn't exist on the resource '{1}'. Contact the app vendor."}
	refuseDefaultMixed  = refusal{code: oauth.CodeInvalidScope, aadsts: 70011, text: "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {0} is not valid. .default scope can't be combined with resource-specific scopes."}
	refuseNotDefault    = refusal{code: oauth.CodeInvalidScope, aadsts: 1002012, text: "The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."}
	refuseScopesMany    = refusal{code: oauth.CodeInvalidScope, aadsts: 28000, text: "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {0} is not valid."}
	refuseScopesSeveral = refusal{code: oauth.CodeInvalidRequest, aadsts: 700022, text: "The provided value for the input parameter scope is not valid because it contains more than one resource. Scope {0} is not valid."}
	refuseScopeEmpty    = refusal{code: oauth.CodeInvalidRequest, aadsts: 28003, text: "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope."}
	refuseSelf          = refusal{code: oauth.CodeInvalidRequest, aadsts: 90009, text: "Application '{0}' is requesting a token for itself. This scenario is supported only if resource is specified using the GUID based App Identifier."}
	refuseResource      = refusal{code: oauth.CodeInvalidRequest, aadsts: 901002, text: "The 'resource' request parameter is not supported."}
	refuseResourceOther = refusal{code: oauth.CodeInvalidTarget, aadsts: 9010010, text: "The resource parameter provided in the request doesn't match with the requested scopes."}
	refuseBlocked       = refusal{code: oauth.CodeInvalidGrant, aadsts: 53003, text: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."}
	refuseInteraction   = refusal{code: "interaction_required", aadsts: 50079, text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in multi-factor authentication to access '{0}'."}
	refuseAppAssertion  = refusal{code: oauth.CodeInvalidGrant, aadsts: 7000114, text: "Application '{0}' is not allowed to make application on-behalf-of calls."}
	refuseTokenUse      = refusal{code: oauth.CodeInvalidRequest, aadsts: 900144, text: "The request body must contain the following parameter: 'requested_token_use'."}
)

// entraError says no in Entra's words (reference-error-codes, "handling error codes in your application"). The
// correlation id is the caller's, when it sent one.
func (s *Server) entraError(r *http.Request, no *refused) *oauth.Error {
	e := no.oauth()
	e.Code = orElse(no.entraCode, no.code)
	e.Status = orElse(no.entraState, e.Status)
	text := no.fill(orElse(no.entraText, no.text))
	trace, correlation, at := newGUID(), correlationID(r), s.clock().UTC().Format("2006-01-02 15:04:05Z")
	e.Extra = map[string]any{"trace_id": trace, "correlation_id": correlation, "timestamp": at}
	if no.aadsts != 0 {
		text = fmt.Sprintf("AADSTS%d: %s", no.aadsts, text)
		e.Extra["error_codes"] = []int{no.aadsts}
		e.URI = fmt.Sprintf("%s/error?code=%d", s.base, no.aadsts)
	}
	e.Description = fmt.Sprintf("%s Trace ID: %s Correlation ID: %s Timestamp: %s", text, trace, correlation, at)
	overlay(e.Extra, no.extra)
	return e
}

// serveErrorPage is where error_uri leads.
func (s *Server) serveErrorPage(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil {
		s.failPage(w, r, refuseMissing.of("code"))
		return
	}
	s.show(w, http.StatusOK, noticePage, page{Title: "Error", Heading: fmt.Sprintf("AADSTS%d", code),
		Lines: []string{"The sentence that came with this number says what was wrong. Branch on the error, never on the number: numbers change."}})
}

// correlationID echoes the header client-request-id where it is a GUID.
func correlationID(r *http.Request) string {
	given := r.Header.Get("client-request-id")
	if len(given) == 36 && strings.Count(given, "-") == 4 && strings.Trim(strings.ToLower(given), "0123456789abcdef-") == "" {
		return given
	}
	return newGUID()
}
