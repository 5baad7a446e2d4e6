package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Error codes that more than one room speaks of.
const (
	CodeInvalidRequest       = "invalid_request"        // RFC 6749, section 5.2
	CodeInvalidClient        = "invalid_client"         // RFC 6749, section 5.2
	CodeInvalidGrant         = "invalid_grant"          // RFC 6749, section 5.2
	CodeUnauthorizedClient   = "unauthorized_client"    // RFC 6749, section 5.2
	CodeUnsupportedGrantType = "unsupported_grant_type" // RFC 6749, section 5.2
	CodeInvalidScope         = "invalid_scope"          // RFC 6749, section 5.2
	CodeAccessDenied         = "access_denied"          // RFC 6749, section 4.1.2.1
	CodeServerError          = "server_error"           // RFC 6749, section 4.1.2.1
	CodeUnavailable          = "temporarily_unavailable"
	CodeInvalidToken         = "invalid_token"         // RFC 6750, section 3.1
	CodeInsufficientScope    = "insufficient_scope"    // RFC 6750, section 3.1
	CodeInvalidTarget        = "invalid_target"        // RFC 8707, section 2
	CodeAuthorizationPending = "authorization_pending" // RFC 8628, section 3.5
	CodeSlowDown             = "slow_down"             // RFC 8628, section 3.5
	CodeExpiredToken         = "expired_token"         // RFC 8628, section 3.5
)

// Error is an OAuth error as it stands on the wire, with the cause that only the log may see.
type Error struct {
	Status      int    // HTTP status; 0 means 400
	Code        string // the RFC's code, such as "invalid_grant"
	Description string // one safe sentence for strangers: no token, no internal name
	URI         string // a page about the error, or empty
	Cause       error  // for the log; never sent
	// Extra holds further members of the answer, such as Entra's error_codes and trace_id; nil means none.
	Extra map[string]any
}

// Error joins code, description and cause. It is for logs, not for strangers.
func (e *Error) Error() string {
	s := "oauth: " + e.Code
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WriteError answers err as RFC 6749, section 5.2 asks: JSON, not cacheable. An error that holds no *Error is answered
// as server_error with status 500 and without its text.
func WriteError(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Status: http.StatusInternalServerError, Code: CodeServerError, Description: "the server could not answer"}
	}
	body := map[string]any{}
	for k, v := range e.Extra {
		body[k] = v
	}
	body["error"] = e.Code
	if e.Description != "" {
		body["error_description"] = e.Description
	}
	if e.URI != "" {
		body["error_uri"] = e.URI
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
