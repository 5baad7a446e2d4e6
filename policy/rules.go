package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Rules say which scopes open what. The zero Rules open nothing.
type Rules struct {
	// Scopes lists, for a tool's name or a resource's URI, the scopes it needs: all of them. An operation that is not
	// listed needs Broad.
	Scopes map[string][]string
	// Broad is the scope that implies every other one; empty means there is none, and what is not listed stays shut.
	Broad string
	// AppRoles are application roles that count as Broad for a program that calls in its own name; nil means none.
	AppRoles []string
}

// DefaultRules returns the rules of the built-in tools: execute opens all of them, time:read the clock and both
// resources, time:convert the conversion. The caller owns what is returned and may change it before [New].
func DefaultRules() Rules {
	return Rules{
		Scopes: map[string][]string{
			"get_current_time": {"time:read"},
			"time://current":   {"time:read"},
			"time://timezones": {"time:read"},
			"convert_time":     {"time:convert"},
		},
		Broad:    "execute",
		AppRoles: []string{"Tools.Admin", "Tools.Execute"},
	}
}

// AllScopes returns every scope the rules name, sorted, each once: what a server publishes as known to it.
func (r Rules) AllScopes() []string {
	var all []string
	if r.Broad != "" {
		all = append(all, r.Broad)
	}
	for _, scopes := range r.Scopes {
		all = append(all, scopes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// check reports every fault of the rules at once.
func (r Rules) check() error {
	var faults []error
	if r.Broad != "" && !isScope(r.Broad) {
		faults = append(faults, fmt.Errorf("policy: broad scope %q is not a scope", r.Broad))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Scopes)) {
		if name == "" {
			faults = append(faults, errors.New("policy: scopes are given for a tool without a name"))
		}
		if len(r.Scopes[name]) == 0 {
			faults = append(faults, fmt.Errorf("policy: %q has no scope; name one, or leave it out for the broad scope", name))
		}
		for _, scope := range r.Scopes[name] {
			if !isScope(scope) {
				faults = append(faults, fmt.Errorf("policy: %q asks for %q, which is not a scope", name, scope))
			}
		}
	}
	if slices.Contains(r.AppRoles, "") {
		faults = append(faults, errors.New("policy: an application role is empty"))
	}
	return errors.Join(faults...)
}

// isScope reports whether s is one scope-token. RFC 6749, section 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
