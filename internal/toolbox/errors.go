package toolbox

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors of a call that did not happen or did not end well. Each face translates them once. Their texts are safe for
// strangers.
var (
	// ErrDraining says that the server is going down: the call was not begun, or was cancelled for it.
	ErrDraining = errors.New("the server is shutting down")
	// ErrBusy says that too many calls run already.
	ErrBusy = errors.New("too many calls are running; try again when one has ended")
	// ErrTimeout says that the call took longer than a call may.
	ErrTimeout = errors.New("the call took longer than the server lets a call run")
	// ErrCancelled says that the caller gave up.
	ErrCancelled = errors.New("the call was cancelled")
	// ErrTooLarge says that the result is larger than results may be. The call was made.
	ErrTooLarge = errors.New("the result is larger than this server answers with; ask for less")
	// ErrNotRecorded says that the record of the call cannot be kept. Its text says whether the call was made.
	ErrNotRecorded = errors.New("the audit trail is unavailable")
)

// UnknownError says that there is no such tool or resource, or that the caller may not know of it.
type UnknownError struct {
	Kind string // "tool", "resource" or "prompt"
	Name string // as asked for, at most 128 bytes of it
	Near string // the nearest name the caller may know, or empty
	// Listed reports that the caller may know of it, and that it is the arguments the policy does not let pass.
	Listed bool
}

// Error names what was asked for, and what may have been meant.
func (e *UnknownError) Error() string {
	if e.Listed {
		return fmt.Sprintf("the policy does not let you call the %s %q with these arguments", e.Kind, clip(e.Name, 128))
	}
	s := fmt.Sprintf("unknown %s %q", e.Kind, clip(e.Name, 128))
	if e.Near != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Near)
	}
	return s
}

// ScopeError says that the caller's token carries too little scope.
type ScopeError struct {
	Name   string
	Scopes []string // all scopes of the operation, held or not
	Reason string
}

// Error gives the reason.
func (e *ScopeError) Error() string { return e.Reason }

// Problem is one thing wrong with the arguments of a call.
type Problem struct {
	Field   string // the argument's name, or empty for the arguments as a whole
	Message string // what is wrong, without the field's name
}

// ArgumentsError says that the arguments do not fit the tool's input schema.
type ArgumentsError struct {
	Tool     string
	Problems []Problem // never empty
}

// Error lists the problems, each with its field.
func (e *ArgumentsError) Error() string {
	said := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		said[i] = p.Message
		if p.Field != "" {
			said[i] = fmt.Sprintf("%q %s", p.Field, p.Message)
		}
	}
	return fmt.Sprintf("the arguments of %s are not right: %s", e.Tool, strings.Join(said, "; "))
}

// FailedError says that the tool itself failed. Strangers get the request id, the log gets the cause.
type FailedError struct {
	Tool      string
	RequestID string
	Cause     error
}

// Error says which tool failed and under which request id the cause is found; it does not say the cause.
func (e *FailedError) Error() string {
	return fmt.Sprintf("%s failed inside the server; the request id is %s", e.Tool, e.RequestID)
}

// Unwrap returns the cause.
func (e *FailedError) Unwrap() error { return e.Cause }

// clip shortens s to at most n bytes, at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
