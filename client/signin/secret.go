package signin

import (
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
