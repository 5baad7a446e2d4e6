package bearer

import (
	"errors"
	"net/http"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Reason is the exact cause of a refusal: stable words for logs, metrics and tests.
type Reason string

const (
	ReasonMissing     Reason = "missing"            // no bearer token in the request
	ReasonRequest     Reason = "malformed_request"  // Authorization is malformed or comes twice
	ReasonElsewhere   Reason = "token_elsewhere"    // a token in the query or in a form
	ReasonMalformed   Reason = "malformed"          // not a token: shape, encoding, JSON, size
	ReasonOpaque      Reason = "opaque"             // not a JWT, and no introspection is configured
	ReasonAlgorithm   Reason = "algorithm"          // alg is none, symmetric, or not this provider's
	ReasonType        Reason = "type"               // an ID token, a refresh token, or bound to a proof
	ReasonIssuer      Reason = "issuer"             // no provider of ours issued it
	ReasonTenant      Reason = "tenant"             // the tenant is not on the allow-list
	ReasonGuest       Reason = "guest"              // guests are denied
	ReasonAudience    Reason = "audience"           // issued for another resource
	ReasonGraph       Reason = "graph_token"        // issued for Microsoft Graph or the like
	ReasonExpired     Reason = "expired"            // exp is past
	ReasonNotYet      Reason = "not_yet_valid"      // nbf or iat lies ahead
	ReasonLifetime    Reason = "lifetime"           // exp is absent or absurdly far ahead
	ReasonKey         Reason = "unknown_key"        // no key with this id signs for the issuer
	ReasonSignature   Reason = "signature"          // the signature is wrong
	ReasonSubject     Reason = "subject"            // the token does not say who it is about
	ReasonPermission  Reason = "no_permission"      // neither scope nor role
	ReasonInactive    Reason = "inactive"           // introspection says so
	ReasonScope       Reason = "insufficient_scope" // a scope is missing for this operation
	ReasonUnavailable Reason = "unavailable"        // the provider cannot be asked; the token may be good
)

// Error is a refusal. Its text is for logs: it names the cause, though never the token. What a stranger may read is
// Status, Code and Description.
type Error struct {
	Reason      Reason
	Status      int           // HTTP status of the answer
	Code        string        // the RFC's error code; empty where no token came (RFC 6750, section 3.1)
	Description string        // one safe sentence
	Provider    string        // the provider whose rules refused it; empty where none was found
	Scopes      []string      // for ReasonScope: all that the operation needs, without prefix
	RetryAfter  time.Duration // for ReasonUnavailable
	Cause       error         // for the log; nil where the reason says it all
}

// Error names the reason and the cause.
func (e *Error) Error() string {
	s := "bearer: " + string(e.Reason)
	if e.Provider != "" {
		s += " (" + e.Provider + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ReasonOf returns the reason of an error of this package, and ReasonUnavailable for any other error: what cannot be
// judged is not let in.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ReasonUnavailable
}

// answers says what strangers hear, for each reason: the one place where reasons become HTTP.
var answers = map[Reason]struct {
	status      int
	code        string
	description string
}{
	ReasonMissing:     {http.StatusUnauthorized, "", "this resource needs a bearer token: sign in with an authorization server that its metadata names"},
	ReasonRequest:     {http.StatusBadRequest, oauth.CodeInvalidRequest, "the request must carry exactly one Authorization header with exactly one bearer token"},
	ReasonElsewhere:   {http.StatusBadRequest, oauth.CodeInvalidRequest, "the token must be in the Authorization header, not in the query or a form"},
	ReasonMalformed:   {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not well formed"},
	ReasonOpaque:      {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not a JWT"},
	ReasonAlgorithm:   {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not signed with an accepted algorithm"},
	ReasonType:        {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not a bearer access token"},
	ReasonIssuer:      {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not from an accepted issuer"},
	ReasonTenant:      {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is from a tenant that is not admitted"},
	ReasonGuest:       {http.StatusUnauthorized, oauth.CodeInvalidToken, "guests are not admitted"},
	ReasonAudience:    {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token was issued for another resource"},
	ReasonGraph:       {http.StatusUnauthorized, oauth.CodeInvalidToken, "this token is for another service of the provider"},
	ReasonExpired:     {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is expired"},
	ReasonNotYet:      {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not valid yet"},
	ReasonLifetime:    {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token has no acceptable expiry"},
	ReasonKey:         {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not signed with a known key"},
	ReasonSignature:   {http.StatusUnauthorized, oauth.CodeInvalidToken, "the signature of the token is wrong"},
	ReasonSubject:     {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token does not say who it is about"},
	ReasonPermission:  {http.StatusForbidden, oauth.CodeInsufficientScope, "the token carries neither a scope nor a role for this resource"},
	ReasonInactive:    {http.StatusUnauthorized, oauth.CodeInvalidToken, "the token is not active"},
	ReasonScope:       {http.StatusForbidden, oauth.CodeInsufficientScope, "the token lacks a scope that this request needs"},
	ReasonUnavailable: {http.StatusServiceUnavailable, oauth.CodeUnavailable, "the token cannot be verified now; try again later"},
}

// refusal makes an Error of reason. A cause must never hold a token.
func refusal(reason Reason, cause error) *Error {
	a := answers[reason]
	return &Error{Reason: reason, Status: a.status, Code: a.code, Description: a.description, Cause: cause}
}

// unavailable is a refusal that blames nobody and says when to come back.
func unavailable(after time.Duration, cause error) *Error {
	e := refusal(ReasonUnavailable, cause)
	e.RetryAfter = max(after, time.Second)
	return e
}
