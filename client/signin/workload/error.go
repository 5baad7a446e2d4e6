package workload

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// Error says why a platform gave no token. It wraps [signin.ErrProof], and quotes nothing that the platform sent.
type Error struct {
	Platform string // who should have given one, such as "GitHub Actions"
	Status   int    // of an answer that was no; 0 means that there was none, or none that could be read
	Cure     string // what mends it; may be empty
	Err      error  // what went wrong; nil with a Status
}

// Error names the platform and what went wrong.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("workload: %s answers HTTP %d", e.Platform, e.Status)
	}
	return fmt.Sprintf("workload: %s: %s", e.Platform, strings.ReplaceAll(e.Err.Error(), "\n", " "))
}

// Unwrap returns what went wrong, and that there is no proof.
func (e *Error) Unwrap() []error { return []error{e.Err, signin.ErrProof} }

// checked refuses what cannot be a token.
func checked(token string) (signin.Secret, error) {
	token = strings.TrimSpace(token)
	switch {
	case token == "":
		return "", errors.New("it is empty")
	case len(token) > maxToken || strings.ContainsAny(token, " \t\r\n\x00"):
		return "", errors.New("it is no token")
	}
	return signin.Secret(token), nil
}
