package signin

import (
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a token, code or verifier that prints as "…", however it is printed, logged or encoded. Convert it to a
// string to use it.
type Secret string

const hidden = "…"

// String returns "…".
func (Secret) String() string { return hidden }

// Format prints "…" for every verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// LogValue returns "…".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "…".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes text as it is, but refuses what MarshalText wrote: a hidden secret cannot be read back.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == hidden {
		return errors.New("signin: a hidden secret cannot be read back")
	}
	*s = Secret(text)
	return nil
}
