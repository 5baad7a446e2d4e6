package telemetry

import (
	"fmt"
	"log/slog"
)

const hidden = "…"

// Secret is a token, a code, a verifier or a client secret: a text that prints as "…" in every way Go prints, also as
// JSON; only as the key of a map does encoding/json show it. Convert it with string(s) where it is used. The zero value
// is the empty text, and prints as "…" too.
type Secret string

// String returns "…".
func (Secret) String() string { return hidden }

// GoString returns "…".
func (Secret) GoString() string { return hidden }

// Format prints "…" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// LogValue returns "…".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON returns "…" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText returns "…".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
