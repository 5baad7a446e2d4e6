package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// everything is what stands in implies for every scope there is.
const everything = "*"

// book is the rules of a policy file, in their order.
type book struct {
	rules   []*rule
	about   map[string][]*rule // by operation, the rules that name it, for the operations that were known
	openers map[string]opener  // by scope, for each scope a rule asks for
	scopes  []string           // all that the file names, sorted
}

// rule is one rule of a policy file. It holds for a call when everything in it does; what is nil asks nothing.
type rule struct {
	name   string
	reason string // of a decision by it
	line   int
	deny   bool
	tools  []pattern // of tools, and of resources

	kind    identity.Kind // empty: any
	issuers []string      // any of these, as with the lists below
	tenants []string
	clients []string
	roles   []string
	groups  []string
	when    *condition

	scopes []string // all of these
}

// opener is what satisfies the demand for one scope.
type opener struct {
	scopes []string // the scope, and those that imply it
	roles  []string // application roles that stand for one of these, for programs
}

// heldBy reports whether the caller's token carries the scope, or one that implies it. A program's application roles
// count too, by the scope's name or as the file says; a person's never do.
func (o opener) heldBy(id *identity.Identity) bool {
	if slices.ContainsFunc(o.scopes, func(s string) bool { return holds(id, s) }) {
		return true
	}
	return id.Kind == identity.App && slices.ContainsFunc(o.roles, id.HasRole)
}

// Step is what one rule of a policy file said to a question.
type Step struct {
	Rule string `json:"rule"`
	Line int    `json:"line"` // where the rule begins in the file
	Said string `json:"said"` // why it holds or does not, in words that name no caller
}

// outcome is what a rule says to a question.
type outcome int

const (
	passes  outcome = iota // it does not hold
	holding                // it holds
	lacking                // it would hold with more scopes
	broken                 // it cannot be answered, which denies
	perhaps                // it depends on the arguments, which are not known yet
)

// decide reads the rules from the top. The first that holds decides. A rule that lacks nothing but scopes is remembered:
// if no rule below it allows the call, the answer is those scopes, since with them it would have been allowed up there. A
// rule that cannot be answered denies in any case.
func (b *book) decide(q *question, trace *[]Step) Decision {
	rules := b.rules
	if trace == nil {
		rules = b.of(q.operation)
	}
	var lacked *rule
	for _, r := range rules {
		o, why := b.ask(r, q)
		if trace != nil {
			*trace = append(*trace, Step{Rule: r.name, Line: r.line, Said: why})
		}
		switch {
		case o == broken:
			return Decision{Reason: fmt.Sprintf("the rule %q could not be answered: %s", r.name, why), Rule: r.name}
		case o == holding && r.deny && lacked == nil:
			return Decision{Reason: r.reason, Rule: r.name}
		case o == holding && r.deny:
			return lacked.needs(q.operation)
		case o == holding:
			return Decision{Effect: Allow, Reason: r.reason, Rule: r.name, Scopes: r.scopes}
		case o == lacking && lacked == nil:
			lacked = r
		}
	}
	if lacked != nil {
		return lacked.needs(q.operation)
	}
	return Decision{Reason: fmt.Sprintf("no rule opens %q to this caller", q.operation), Rule: "no rule"}
}

// needs is the decision that asks for the scopes of the rule, all in one.
func (r *rule) needs(operation string) Decision {
	return Decision{
		Effect: NeedsScope,
		Reason: fmt.Sprintf("%s needs the scope %s", operation, strings.Join(r.scopes, " ")),
		Rule:   r.name, Scopes: r.scopes,
	}
}

// visible reports whether some arguments and some scopes could open the operation to the caller.
func (b *book) visible(q *question) bool {
	lacked := false
	for _, r := range b.of(q.operation) {
		switch o, _ := b.ask(r, q); {
		case o == broken, o == holding && r.deny:
			return lacked
		case o == holding, o == perhaps && !r.deny:
			return true
		case o == lacking:
			lacked = true
		}
	}
	return lacked
}

// of returns the rules that name the operation, in their order.
func (b *book) of(operation string) []*rule {
	if rules, known := b.about[operation]; known {
		return rules
	}
	var rules []*rule
	for _, r := range b.rules {
		if r.names(operation) {
			rules = append(rules, r)
		}
	}
	return rules
}

// ask asks one rule, what is cheap first. It never stops at groups that are not known before everything else held, so
// that only a question they would decide is denied for them.
func (b *book) ask(r *rule, q *question) (outcome, string) {
	id := q.id
	switch {
	case !r.names(q.operation):
		return passes, "is about something else"
	case r.kind != "" && r.kind != id.Kind:
		return passes, fmt.Sprintf("is for callers of the kind %s", r.kind)
	case r.issuers != nil && !slices.Contains(r.issuers, id.Issuer):
		return passes, "is for other issuers"
	case r.tenants != nil && !slices.Contains(r.tenants, id.Tenant):
		return passes, "is for other tenants"
	case r.clients != nil && !slices.Contains(r.clients, id.ClientID):
		return passes, "is for other clients"
	case r.roles != nil && !slices.ContainsFunc(r.roles, id.HasRole):
		return passes, "is for other roles"
	}
	unknownGroups := r.groups != nil && id.GroupsOverage
	if r.groups != nil && !unknownGroups && !slices.ContainsFunc(r.groups, func(g string) bool { return slices.Contains(id.Groups, g) }) {
		return passes, "is for other groups"
	}
	if r.when != nil {
		switch t, err := r.when.holds(q); t {
		case no:
			return passes, "its condition does not hold"
		case failed:
			return broken, err.Error()
		case depends:
			if unknownGroups {
				return passes, overage
			}
			return perhaps, "its condition depends on the arguments"
		}
	}
	if unknownGroups {
		return broken, overage
	}
	for _, s := range r.scopes {
		if !b.openers[s].heldBy(id) {
			return lacking, "lacks only the scope " + s
		}
	}
	if r.deny {
		return holding, "holds, and denies"
	}
	return holding, "holds, and allows"
}

// scopesOf returns the scopes of the first rule that allows the operation to somebody.
func (b *book) scopesOf(operation string) []string {
	for _, r := range b.of(operation) {
		if !r.deny {
			return r.scopes
		}
	}
	return nil
}

// names reports whether the rule is about the operation.
func (r *rule) names(operation string) bool {
	resource := isResource(operation)
	return slices.ContainsFunc(r.tools, func(p pattern) bool { return p.resource == resource && p.fits(operation) })
}

// DecideCall says whether id may call operation, the name of a tool or the URI of a resource, with these arguments: a
// JSON object, of which nil, nothing and null mean an empty one. A nil id is somebody who did not sign in.
//
// Arguments are read only where a condition asks for them, and what is not one plain JSON object, or has a key twice in
// whatever case, then denies.
func (p *Policy) DecideCall(id *identity.Identity, operation string, arguments json.RawMessage) Decision {
	if p == nil || p.book == nil || id == nil {
		return p.Decide(id, operation)
	}
	return p.book.decide(&question{id: id, operation: operation, arguments: arguments}, nil)
}

// Visible reports whether id could call operation with some arguments, now or with a token of more scopes: whether a
// list shows it. It opens nothing.
func (p *Policy) Visible(id *identity.Identity, operation string) bool {
	if p == nil || p.book == nil || id == nil {
		return p.Decide(id, operation).Effect != Deny
	}
	return p.book.visible(&question{id: id, operation: operation, listing: true})
}

// Explain decides as DecideCall does, and says what each rule of a policy file said on the way, up to the one that
// decided. A policy that was not read from a file has no steps.
func (p *Policy) Explain(id *identity.Identity, operation string, arguments json.RawMessage) (Decision, []Step) {
	if p == nil || p.book == nil || id == nil {
		return p.Decide(id, operation), nil
	}
	steps := []Step{}
	d := p.book.decide(&question{id: id, operation: operation, arguments: arguments}, &steps)
	return d, steps
}
