package fastmcpauth_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// due are the numbers that server and client must have a row for: what the specifications ask of a resource server and of
// Streamable HTTP, what they ask of a client, and the attacks that reach either. Those of the gateway and of an
// authorization server of our own come with these.
var due = slices.Concat(
	numbers("RS-%d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25),
	numbers("C-%d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25),
	numbers("T-%d", 2, 3, 5, 8, 9, 10, 11, 12, 14, 16, 17, 18, 22),
	numbers("TI-%d", 3, 5),
	numbers("attack %d", 5, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 31, 34, 39, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 59),
)

func numbers(format string, all ...int) []string {
	var list []string
	for _, n := range all {
		list = append(list, fmt.Sprintf(format, n))
	}
	return list
}

// threat is a row of the table: what it is called, where it is withstood, and where that is shown.
var threat = regexp.MustCompile("(?m)^\\| ([A-Z]+-\\d+|attack \\d+) \\|[^|]*\\| `([^`]+)` \\| `([^`]+)` \\|$")

// TestThreatsHaveTests holds the table of SECURITY.md against the house: every number that is due has a row, every row
// can be read, the code stands where it says, and a test of the file it names carries the number: in the name of a test
// or in a text that a test names a row or a failure by. A comment is not enough.
func TestThreatsHaveTests(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| no. |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := threat.FindAllStringSubmatch(table, -1)
	if lines := strings.Count(table, "\n") - 1; len(rows) != lines {
		t.Errorf("the table has %d lines, of which %d can be read", lines, len(rows))
	}
	said := map[string][]string{} // by test file
	found := map[string]bool{}
	for _, m := range rows {
		number, code, test := m[1], m[2], m[3]
		found[number] = true
		if _, err := os.Stat(code); err != nil {
			t.Errorf("%s: %v", number, err)
		}
		if _, known := said[test]; !known {
			said[test] = words(t, test)
		}
		if !slices.ContainsFunc(said[test], spelling(number).MatchString) {
			t.Errorf("%s: no test in %s carries the number", number, test)
		}
	}
	for _, number := range due {
		if !found[number] {
			t.Errorf("the table has no row %s", number)
		}
	}
}

// spelling matches a number in a text, or in the name of a test function.
func spelling(number string) *regexp.Regexp {
	bare := strings.NewReplacer("-", "", " ", "").Replace(number)
	return regexp.MustCompile(`(?i)(\b` + regexp.QuoteMeta(number) + `|^Test(.*_)?` + bare + `)(\D|$)`)
}

// words are what the tests of a file name something by: their own names and every text in them.
func words(t *testing.T, name string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil || !strings.HasSuffix(name, "_test.go") {
		t.Errorf("%s is no file of tests: %v", name, err)
		return nil
	}
	var all []string
	for _, d := range file.Decls {
		f, isFunc := d.(*ast.FuncDecl)
		if !isFunc || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		all = append(all, f.Name.Name)
		ast.Inspect(f, func(n ast.Node) bool {
			if literal, is := n.(*ast.BasicLit); is && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					all = append(all, text)
				}
			}
			return true
		})
	}
	return all
}
