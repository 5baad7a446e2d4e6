// Package policy decides who may call which tool.
//
// It is pure: a decision depends on the identity, the name of the operation and the rules, and on nothing else. It
// reads no token, keeps no state, logs nothing and asks nobody. An operation is a tool by its name or a resource by
// its URI.
//
//	Rules       which scopes each operation needs, as data    rules.go
//	Decide      the decision, with its reason                 policy.go
//	Parse       a policy file, with rules of many kinds       file.go
//	DecideCall  what the file says to a call                  book.go
//	when        conditions in CEL, bounded                    when.go
//	arguments   the arguments as a condition sees them        arguments.go
//	Check       expected decisions, and whether they come     expect.go
//
// A person's token must carry the scopes of the operation, or the broad scope that implies them all. A program that
// calls in its own name often has no scopes: Microsoft Entra ID gives it application roles instead. For such an
// identity (identity.App) a role with the scope's name counts as the scope, and so does each of Rules.AppRoles as the
// broad scope. A person's roles never stand in for a scope: the scope says what the person let the program do.
package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// Effect is what a decision says.
type Effect int

// The zero Effect denies, so that a decision nobody made opens nothing.
const (
	Deny       Effect = iota // the caller may not, and no scope would change it
	NeedsScope               // the caller may, once the token carries Decision.Scopes
	Allow                    // the caller may
)

// String returns "deny", "needs_scope" or "allow".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case NeedsScope:
		return "needs_scope"
	default:
		return "deny"
	}
}

// ownRules are the names of what decides besides a rule of a policy file.
var ownRules = []string{"open", "broad scope", "scopes", "app role", "nobody signed in", "no rule", "unknown"}

// Decision is the answer to one question, with its reason. The zero Decision denies.
type Decision struct {
	Effect Effect
	// Reason is one safe sentence for logs and for the error_description of a challenge: it names scopes and the
	// operation, never the caller.
	Reason string
	// Rule names what decided: a rule of the policy file, or one of "open", "broad scope", "scopes", "app role", "nobody
	// signed in", "no rule".
	Rule string
	// Scopes are all scopes the operation needs, held or not, so that one challenge asks for everything at once.
	Scopes []string
}

// Policy decides. It does not change once made, so it may be shared between goroutines. The zero Policy and a nil
// *Policy deny everything.
type Policy struct {
	book     *book // of a policy file; then the rest is empty
	open     bool
	scopes   map[string][]string
	broad    string
	appRoles []string

	// What most decisions say, said once.
	broadScopes []string
	broadReason string
}

// New returns the policy of rules. It refuses rules that could not be meant: an empty name, an operation without
// scopes, a scope that RFC 6749, section 3.3 does not allow.
func New(rules Rules) (*Policy, error) {
	if err := rules.check(); err != nil {
		return nil, err
	}
	p := &Policy{scopes: maps.Clone(rules.Scopes), broad: rules.Broad, appRoles: slices.Clone(rules.AppRoles)}
	for name, scopes := range p.scopes {
		p.scopes[name] = slices.Clone(scopes)
	}
	if p.broad != "" {
		p.broadScopes = []string{p.broad}
		p.broadReason = fmt.Sprintf("the token carries %q, which opens everything", p.broad)
	}
	return p, nil
}

// Open returns the policy of a server without sign-in: it allows everyone everything, nobody included.
func Open() *Policy { return &Policy{open: true} }

// IsOpen reports whether the policy asks for no sign-in at all.
func (p *Policy) IsOpen() bool { return p != nil && p.open }

// Scopes returns the scopes the operation needs, or nil when no scope opens it: in a policy file, those of the first rule
// that allows it to somebody. The caller must not change them.
func (p *Policy) Scopes(operation string) []string {
	if p == nil || p.open {
		return nil
	}
	if p.book != nil {
		return p.book.scopesOf(operation)
	}
	if scopes, ok := p.scopes[operation]; ok {
		return scopes
	}
	return p.broadScopes
}

// AllScopes returns every scope the policy knows, sorted, each once. The open policy knows none.
func (p *Policy) AllScopes() []string {
	switch {
	case p == nil || p.open:
		return nil
	case p.book != nil:
		return slices.Clone(p.book.scopes)
	}
	return Rules{Scopes: p.scopes, Broad: p.broad}.AllScopes()
}

// Decide says whether id may call operation, the name of a tool or the URI of a resource, without arguments. An operation
// that [Rules] do not list needs the broad scope; one that no rule of a policy file names is denied. A nil id is somebody
// who did not sign in.
func (p *Policy) Decide(id *identity.Identity, operation string) Decision {
	if p == nil {
		return Decision{Reason: "there is no policy", Rule: "no rule"}
	}
	if p.open {
		return Decision{Effect: Allow, Reason: "the server runs without sign-in", Rule: "open"}
	}
	scopes := p.Scopes(operation)
	if id == nil {
		return Decision{Reason: "nobody is signed in", Rule: "nobody signed in", Scopes: scopes}
	}
	if p.book != nil {
		return p.book.decide(&question{id: id, operation: operation}, nil)
	}
	if len(scopes) == 0 {
		return Decision{Reason: fmt.Sprintf("no rule opens %q", operation), Rule: "no rule"}
	}
	if p.broad != "" && holds(id, p.broad) {
		return Decision{Effect: Allow, Reason: p.broadReason, Rule: "broad scope", Scopes: scopes}
	}
	if !slices.ContainsFunc(scopes, func(s string) bool { return !holds(id, s) }) {
		return Decision{Effect: Allow, Reason: "the token carries the scopes of the operation", Rule: "scopes", Scopes: scopes}
	}
	if id.Kind == identity.App {
		if i := slices.IndexFunc(p.appRoles, id.HasRole); i >= 0 {
			return Decision{Effect: Allow, Reason: fmt.Sprintf("the program has the application role %q", p.appRoles[i]), Rule: "app role", Scopes: scopes}
		}
	}
	return Decision{Effect: NeedsScope, Reason: fmt.Sprintf("%s needs the scope %s", operation, strings.Join(scopes, " ")), Rule: "scopes", Scopes: scopes}
}

// holds reports whether the token carries scope: as a scope, or for a program also as an application role.
func holds(id *identity.Identity, scope string) bool {
	return id.HasScope(scope) || id.Kind == identity.App && id.HasRole(scope)
}
