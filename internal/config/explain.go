package config

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is one setting as [Settings.Explain] tells it.
type Row struct {
	Key    string `json:"key"`    // such as provider.kind
	Value  string `json:"value"`  // as one would type it; "…" for a secret that is set, empty for nothing
	Origin string `json:"origin"` // "default", "flag --addr", "environment FASTMCP_AUTH_ADDR", ".env:3 NAME", "file:line"
}

// Explain returns each setting of the command, with its value and where that came from, in the order of the reference
// page. Secrets are "…".
func (s *Settings) Explain() []Row {
	return append([]Row(nil), s.rows...)
}

// Print writes what Explain returns: as one JSON array, or as aligned columns for people.
func (s *Settings) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return WriteJSON(w, s.rows)
	}
	return WriteText(w, s.rows)
}

func (l *loader) rows() []Row {
	rows := []Row{}
	for i := range table {
		d := &table[i]
		if !d.usedBy(l.src.Command) {
			continue
		}
		where := l.origins[d.key]
		rows = append(rows, Row{Key: d.key, Value: format(d, where.value), Origin: where.origin})
	}
	if slices.Contains([]string{Call, Agent, Show}, l.src.Command) {
		rows = append(rows, l.serverRows()...)
	}
	return rows
}

// WriteText prints rows as aligned columns: key, value, origin. A value that is empty prints as "-".
func WriteText(w io.Writer, rows []Row) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		value := r.Value
		if value == "" {
			value = "-"
		}
		if _, err := io.WriteString(columns, strings.Join([]string{r.Key, value, r.Origin}, "\t")+"\n"); err != nil {
			return err
		}
	}
	return columns.Flush()
}

// WriteJSON prints rows as one JSON array.
func WriteJSON(w io.Writer, rows []Row) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(rows)
}

// IsDefault reports that nobody said the setting with this key.
func (s *Settings) IsDefault(key string) bool {
	return slices.ContainsFunc(s.rows, func(r Row) bool { return r.Key == key && r.Origin == fromDefault })
}

// OriginOf says where the setting with this key came from, such as "flag --client-id"; empty for a key that the command
// does not use.
func (s *Settings) OriginOf(key string) string {
	for _, r := range s.rows {
		if r.Key == key {
			return r.Origin
		}
	}
	return ""
}

// fromCI is where no_input comes from on a machine that builds and tests.
const fromCI = "environment CI"

// InCI reports that nobody may be asked because CI says so, and not because a person did.
func (s *Settings) InCI() bool { return s.OriginOf("no_input") == fromCI }

// EnvName is the name of the setting with this key in the environment.
func EnvName(key string) string { return (&setting{key: key}).env() }
