package client

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// UnauthorizedError is a 401 that no sign-in could mend: nobody can sign in, or the server refuses the very token it
// asked for.
type UnauthorizedError struct {
	Server    string
	Challenge *oauth.Challenge // nil when the server sent none for bearer tokens
	Refused   bool             // a token was sent and refused
}

// Error says whether a token is missing or was refused, in the server's words where it gave some.
func (e *UnauthorizedError) Error() string {
	if !e.Refused {
		return "client: " + e.Server + " asks to sign in"
	}
	return "client: " + e.Server + " refuses the token" + inWords(e.Challenge)
}

// Is reports that an UnauthorizedError is an [ErrSignInNeeded].
func (e *UnauthorizedError) Is(target error) bool { return target == ErrSignInNeeded }

// ScopeError is a 403 insufficient_scope (RFC 6750, section 3.1): the token is good, but it lacks scopes.
type ScopeError struct {
	Server    string
	Challenge *oauth.Challenge // never nil; its Scopes name all that the operation needs
}

// Error names the scopes that the operation needs.
func (e *ScopeError) Error() string {
	s := "client: " + e.Server + " asks for more scope"
	if len(e.Challenge.Scopes) > 0 {
		s += fmt.Sprintf(" (%s)", strings.Join(e.Challenge.Scopes, " "))
	}
	return s + inWords(e.Challenge)
}

// StatusError is the HTTP status of a place where a document should be, when it says neither that there is one nor that
// there is none: 503 of a server that is down.
type StatusError struct{ Status int }

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("HTTP %d", e.Status) }

// AnswerError is an answer over HTTP that no MCP server gives: a page, or the status of what stands in its place.
type AnswerError struct {
	Server    string
	Status    int
	MediaType string // without parameters, on one line; may be empty
}

// Error says what was answered.
func (e *AnswerError) Error() string {
	switch {
	case e.Status >= 500:
		return fmt.Sprintf("client: %s answers HTTP %d", e.Server, e.Status)
	case e.Status >= 300:
		return fmt.Sprintf("client: %s does not answer as an MCP server: HTTP %d", e.Server, e.Status)
	case e.MediaType == "":
		return fmt.Sprintf("client: %s is no MCP server: it answers with nothing", e.Server)
	}
	return fmt.Sprintf("client: %s is no MCP server: it answers with %s", e.Server, e.MediaType)
}

// Unwrap returns the status as a [*StatusError].
func (e *AnswerError) Unwrap() error { return &StatusError{Status: e.Status} }

// ResourceError is metadata of another resource than the one that is called (C-25).
type ResourceError struct {
	Named  string // by the metadata, on one line
	Called string
}

// Error names both.
func (e *ResourceError) Error() string {
	return fmt.Sprintf("it speaks for %s, not for %s", e.Named, e.Called)
}

// RedirectError is a redirect that was not followed, since a token must not travel along.
type RedirectError struct {
	From, To string
}

// Error names both ends.
func (e *RedirectError) Error() string {
	return fmt.Sprintf("client: %s redirects to %s: call that URL instead if you trust it", e.From, e.To)
}

// ServerError is an error that the server answered a request with, in the words of JSON-RPC.
type ServerError struct {
	Doing   string // what was asked for, such as: call "reverse_tool"
	Code    int64
	Message string
	Data    json.RawMessage // more about it; may be nil
}

// Error quotes the server.
func (e *ServerError) Error() string {
	return fmt.Sprintf("client: %s: the server says: %s (%d)", e.Doing, quote(e.Message), e.Code)
}

// refusal marks an error of ours on its way through the protocol layer.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// inWords quotes what a challenge says went wrong.
func inWords(c *oauth.Challenge) string {
	switch {
	case c == nil || c.Error == "":
		return ""
	case c.ErrorDescription == "":
		return fmt.Sprintf(": %s", quote(c.Error))
	}
	return fmt.Sprintf(": %s: %s", quote(c.Error), quote(c.ErrorDescription))
}

// maxQuoted bounds the words of a stranger inside an error.
const maxQuoted = 300

// quote makes a stranger's words safe to print: bounded, and without control characters.
func quote(s string) string {
	if len(s) > maxQuoted {
		s = strings.ToValidUTF8(s[:maxQuoted], "") + "…"
	}
	quoted := fmt.Sprintf("%+q", s)
	if quoted == `"`+s+`"` {
		return s
	}
	return quoted
}
