package fastmcpauth_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThreatsHaveTests holds the table of SECURITY.md against the house: the code stands where a row says, and the test
// file carries the row's number.
func TestThreatsHaveTests(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| (RS-\\d+|T-\\d+|attack \\d+) \\|[^|]*\\| `([^`]+)` \\| `([^`]+)` \\|$")
	var numbers []string
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		number, code, test := m[1], m[2], m[3]
		numbers = append(numbers, number)
		if _, err := os.Stat(code); err != nil {
			t.Errorf("%s: %v", number, err)
		}
		text, err := os.ReadFile(test)
		if err != nil {
			t.Errorf("%s: %v", number, err)
			continue
		}
		bare := strings.NewReplacer("-", "", " ", "").Replace(number)
		spelled := regexp.MustCompile(`(?i)\b(` + regexp.QuoteMeta(number) + `|Test` + bare + `)(\D|$)`)
		if !spelled.Match(text) {
			t.Errorf("%s: no test in %s carries the number", number, test)
		}
	}
	for _, must := range []string{"RS-1", "RS-19", "T-2", "T-12", "attack 19", "attack 56"} {
		if !slices.Contains(numbers, must) {
			t.Errorf("the table has no row %s", must)
		}
	}
}
