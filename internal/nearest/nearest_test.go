package nearest_test

import (
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

func TestName(t *testing.T) {
	names := []string{"reverse_tool", "random_number_tool", "addr", "a"}
	for asked, want := range map[string]string{
		"reverse_tol":            "reverse_tool",
		"REVERSE_TOOL":           "reverse_tool",
		"revesre_tool":           "reverse_tool",
		"adr":                    "addr",
		"x":                      "",
		"":                       "",
		"something_else":         "",
		strings.Repeat("a", 500): "",
	} {
		if got := nearest.Name(asked, names); got != want {
			t.Errorf("%.20q is nearest to %q, want %q", asked, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3}} {
		if got := nearest.Distance(row.a, row.b); got != row.want {
			t.Errorf("%q and %q are %d apart, want %d", row.a, row.b, got, row.want)
		}
	}
}
