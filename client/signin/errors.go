package signin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

var (
	// ErrNeeded means that no token can be had without signing in again: the refresh token is dead, or there is none.
	ErrNeeded = errors.New("signin: sign-in needed")
	// ErrDeclined means that the person said no.
	ErrDeclined = errors.New("signin: declined")
	// ErrExpired means that the code ran out before anybody entered it: ask for another.
	ErrExpired = errors.New("signin: the code expired")
	// ErrCodeUnknown means that the authorization server does not know the device code it gave.
	ErrCodeUnknown = errors.New("signin: the code is not known")
	// ErrNoDeviceFlow means that the authorization server does not offer the device flow.
	ErrNoDeviceFlow = errors.New("signin: no device flow")
	// ErrCannotNarrow means that a token with fewer scopes cannot be had from this source.
	ErrCannotNarrow = errors.New("signin: cannot narrow")
	// ErrClientIDNeeded means that no client id is known at the authorization server.
	ErrClientIDNeeded = errors.New("signin: client id needed")
	// ErrNoPKCE means that the authorization server does not say that it protects codes by PKCE with S256 (C-13).
	ErrNoPKCE = errors.New("signin: no PKCE")
	// ErrForged means that an answer did not come from the authorization server that was asked (C-15, C-16).
	ErrForged = errors.New("signin: the answer is not from the authorization server that was asked")
	// ErrOtherIssuer means that the server names another authorization server than the one that a token may go to.
	ErrOtherIssuer = errors.New("signin: another authorization server")

	// ErrProof means that a client has no proof that it could show: its certificate is over, or its platform gives it no token.
	ErrProof = errors.New("signin: no proof of the client")

	// ErrForeignScope means that the server asks for a token with which it could act as the person elsewhere.
	ErrForeignScope = errors.New("signin: a scope of somebody else's API")

	errOtherSignIn = errors.New("signin: what is kept belongs to another sign-in")
)

// Error is a refusal of an authorization server (RFC 6749, section 5.2), in its words. It wraps [ErrDeclined],
// [ErrExpired], [ErrCodeUnknown] or [ErrNeeded] where that is what the code means.
type Error struct {
	Issuer        string
	Status        int    // the HTTP status
	Code          string // such as "access_denied"; Entra says "authorization_declined"
	Description   string // one line, bounded; may be empty
	Codes         []int  // Entra's error_codes, for advice only
	TraceID       string // Entra's, for its support
	CorrelationID string // Entra's, for its support

	kind error
}

// Error joins issuer, code, description and the ids that the provider's support asks for.
func (e *Error) Error() string {
	s := fmt.Sprintf("signin: %s answers %s", e.Issuer, e.Code)
	if e.Code == "" {
		s = fmt.Sprintf("signin: %s answers HTTP %d", e.Issuer, e.Status)
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.CorrelationID != "" || e.TraceID != "" {
		s += fmt.Sprintf(" (correlation %s, trace %s)", e.CorrelationID, e.TraceID)
	}
	return s
}

// Unwrap returns what the code means, or nil.
func (e *Error) Unwrap() error { return e.kind }

// meaning translates a code. Entra has names of its own for the device flow.
func meaning(code string) error {
	switch code {
	case oauth.CodeAccessDenied, "authorization_declined":
		return ErrDeclined
	case oauth.CodeExpiredToken:
		return ErrExpired
	case "bad_verification_code":
		return ErrCodeUnknown
	case oauth.CodeInvalidGrant, "interaction_required", "login_required", "consent_required":
		return ErrNeeded
	}
	return nil
}

const maxLine = 400

// entraTail is how Entra ends a description.
var entraTail = regexp.MustCompile(`(?s)\s+Trace ID: ([0-9A-Fa-f-]{36})\s+Correlation ID: ([0-9A-Fa-f-]{36})\s+Timestamp: .*$`)

// described makes a description one bounded line, and takes Entra's ids off its end: they are told apart from the words.
func described(s string) (text, trace, correlation string) {
	if m := entraTail.FindStringSubmatch(s); m != nil {
		s, trace, correlation = strings.TrimSuffix(s, m[0]), m[1], m[2]
	}
	return line(s), trace, correlation
}

// line makes a stranger's words one bounded line without control characters.
func line(s string) string {
	if len(s) > maxLine {
		s = s[:maxLine] + "…"
	}
	return plain(s)
}

// plain makes a stranger's words one line without control characters.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)
	}), " ")
}
