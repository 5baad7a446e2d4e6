package devidp

import (
	"fmt"
	"html"
	"strings"
)

// markup is HTML that stands in this program. A constant becomes one by itself, a string only by a conversion, and none
// is converted: what comes from outside gets onto a page through [sheet.put] alone, escaped.
type markup string

// sheet is a page that is being written. It is no html/template: where a template can run, the linker keeps every exported
// method of the whole program, a third of its size, because a template finds them by name.
type sheet struct{ b strings.Builder }

// put writes m with a value for each {}. A {} stands in text or in a quoted attribute that holds no script, style or
// foreign address: there escaping is all that a value needs. A count that is wrong is a fault of this program.
func (s *sheet) put(m markup, values ...string) {
	rest := string(m)
	for _, v := range values {
		before, after, found := strings.Cut(rest, "{}")
		if !found {
			panic(fmt.Sprintf("devidp: %d values for %q", len(values), m))
		}
		s.b.WriteString(before)
		s.b.WriteString(html.EscapeString(v))
		rest = after
	}
	if len(values) > 0 && strings.Contains(rest, "{}") {
		panic(fmt.Sprintf("devidp: %d values for %q", len(values), m))
	}
	s.b.WriteString(rest)
}

// putIf is put for a value that may be missing: without it nothing is written.
func (s *sheet) putIf(m markup, value string) {
	if value != "" {
		s.put(m, value)
	}
}
