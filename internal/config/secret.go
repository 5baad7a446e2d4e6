package config

import (
	"fmt"
	"log/slog"
)

// Secret is a value that no log, error or page may show: it prints as "…" in every way Go prints. Convert it with
// string(s) where it is used.
type Secret string

const hidden = "…"

// String returns "…".
func (Secret) String() string { return hidden }

// GoString returns "…".
func (Secret) GoString() string { return hidden }

// LogValue returns "…".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText returns "…".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Format prints "…" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }
