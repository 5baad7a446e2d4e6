package policy

import "strings"

// pattern names operations: a name, or a name with * for any run of characters, none included. Everything else stands
// for itself, and is compared exactly.
type pattern struct {
	parts    []string // what stands between the stars
	resource bool     // it names resources, by their URI; else tools
}

func newPattern(text string, resource bool) pattern {
	return pattern{parts: strings.Split(text, "*"), resource: resource}
}

// fits reports whether the pattern names the operation. Its work is bounded by the product of the lengths.
func (p pattern) fits(operation string) bool {
	last := len(p.parts) - 1
	if last == 0 {
		return p.parts[0] == operation
	}
	rest, found := strings.CutPrefix(operation, p.parts[0])
	if !found {
		return false
	}
	for _, part := range p.parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, p.parts[last])
}

// isResource tells the URI of a resource from the name of a tool: a URI has a colon behind its scheme, and a tool's name
// has none.
func isResource(operation string) bool { return strings.Contains(operation, ":") }
