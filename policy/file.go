package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// MaxFile is how many bytes a policy file may have.
const MaxFile = 256 << 10

const (
	maxRules = 1000
	maxText  = 1024 // bytes of one name, scope, role and so on
)

// Fault is one thing wrong with a policy file.
type Fault struct {
	Name         string // of the file
	Line, Column int    // both from 1; 0 where the file as a whole is meant
	Problem      string
}

// Error says where, then what.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.Name + " " + f.Problem
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.Name, f.Line, f.Column, f.Problem)
}

// Faults is everything wrong with a policy file, from top to bottom. It is never empty.
type Faults struct{ List []Fault }

// Error lists the faults, one to a line.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Parse reads a policy file. Name is what faults call it. Known are the tools and resources there are, so that a rule
// about one that is not there is a fault; nil means that this is not checked. The error is always a [*Faults].
//
// The policy of a file stands alone: [Rules] and their defaults have no part in it. docs/reference/policy.md describes
// the file.
func Parse(name string, body []byte, known []string) (*Policy, error) {
	f := &file{Faults: Faults{}, name: name, known: known, book: &book{openers: map[string]opener{}}}
	if root := f.document(body); root != nil {
		f.read(root)
	}
	if len(f.List) > 0 {
		slices.SortStableFunc(f.List, func(a, b Fault) int { return a.Line - b.Line })
		return nil, &f.Faults
	}
	f.finish()
	return &Policy{book: f.book}, nil
}

// file reads one policy file.
type file struct {
	Faults
	name    string
	known   []string
	book    *book
	implies map[string][]string
	roles   map[string][]string // application role to scopes
}

func (f *file) fault(n *yaml.Node, problem string, args ...any) {
	at := Fault{Name: f.name, Problem: fmt.Sprintf(problem, args...)}
	if n != nil {
		at.Line, at.Column = n.Line, n.Column
	}
	f.List = append(f.List, at)
}

// document reads the YAML, and refuses what makes a file mean something else than it shows.
func (f *file) document(body []byte) *yaml.Node {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	switch {
	case len(body) > MaxFile:
		f.fault(nil, "is larger than %d KiB", MaxFile>>10)
		return nil
	case !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0:
		f.fault(nil, "is not UTF-8 text")
		return nil
	}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		f.fault(nil, "is empty; a policy that denies everything says rules: []")
		return nil
	case err != nil:
		f.fault(nil, "is no YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil
	case !errors.Is(decoder.Decode(&more), io.EOF):
		f.fault(nil, "has more than one document; leave --- out")
		return nil
	}
	return doc.Content[0]
}

func (f *file) read(root *yaml.Node) {
	var rules *yaml.Node
	f.pairs(root, "a policy", []string{"implies", "app_roles", "rules"}, func(key string, value *yaml.Node) {
		switch key {
		case "implies":
			f.implies = f.scopeLists(value, "implies", true)
		case "app_roles":
			f.roles = f.scopeLists(value, "app_roles", false)
		case "rules":
			rules = value
		}
	})
	switch {
	case root.Kind != yaml.MappingNode:
	case rules == nil:
		f.fault(root, "has no rules; a policy that denies everything says rules: []")
	case rules.Kind != yaml.SequenceNode:
		f.fault(rules, "rules is %s; write one rule to an item", shape(rules))
	case len(rules.Content) > maxRules:
		f.fault(rules, "has more than %d rules", maxRules)
	default:
		first := map[string]int{}
		for _, n := range rules.Content {
			r := f.rule(n)
			if line := first[r.name]; r.name != "" && line > 0 {
				f.fault(n, "a second rule named %q; the first is in line %d", r.name, line)
			}
			first[r.name] = n.Line
			f.book.rules = append(f.book.rules, &r)
		}
	}
}

// pairs calls each for every key of a mapping that may stand there.
func (f *file) pairs(n *yaml.Node, what string, keys []string, each func(key string, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		f.fault(n, "%s is %s; write keys", what, shape(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		switch {
		case at.Kind != yaml.ScalarNode || at.ShortTag() != "!!str" || at.Anchor != "" || len(at.Value) > maxText:
			f.fault(at, "a key of %s is %s; write a name", what, shape(at))
		case first[at.Value] > 0:
			f.fault(at, "%q stands twice; the first is in line %d", at.Value, first[at.Value])
		case keys != nil && !slices.Contains(keys, at.Value):
			f.fault(at, "%q is no key of %s; the keys are %s", at.Value, what, strings.Join(keys, ", "))
		default:
			first[at.Value] = at.Line
			each(at.Value, value)
		}
	}
}

// scopeLists reads a mapping of names to scopes. With stars, "*" may stand for every scope.
func (f *file) scopeLists(n *yaml.Node, what string, stars bool) map[string][]string {
	lists := map[string][]string{}
	f.pairs(n, what, nil, func(key string, value *yaml.Node) {
		if stars && !isScope(key) {
			f.fault(value, "%q is no scope", key)
		}
		lists[key] = f.texts(value, what+" "+key, func(s string) string {
			if s == everything {
				if stars {
					return ""
				}
				return `does not take "*"; name the scope that implies every other`
			}
			return scopeProblem(s)
		})
	})
	return lists
}

var ruleKeys = []string{"name", "effect", "tools", "resources", "scopes", "kind", "issuers", "tenants", "clients", "roles", "groups", "when"}

func (f *file) rule(n *yaml.Node) rule {
	r := rule{line: n.Line}
	var scopes *yaml.Node
	f.pairs(n, "a rule", ruleKeys, func(key string, value *yaml.Node) {
		switch key {
		case "name":
			r.name = f.text(value, key, nameProblem)
		case "effect":
			r.deny = f.text(value, key, oneOf("allow", "deny")) == "deny"
		case "tools", "resources":
			r.tools = append(r.tools, f.patterns(value, key)...)
		case "scopes":
			scopes, r.scopes = value, f.texts(value, key, scopeProblem)
		case "kind":
			r.kind = identity.Kind(f.text(value, key, oneOf(string(identity.Person), string(identity.App))))
		case "issuers":
			r.issuers = f.texts(value, key, nil)
		case "tenants":
			r.tenants = f.texts(value, key, nil)
		case "clients":
			r.clients = f.texts(value, key, nil)
		case "roles":
			r.roles = f.texts(value, key, nil)
		case "groups":
			r.groups = f.texts(value, key, nil)
		case "when":
			r.when = f.condition(value)
		}
	})
	if n.Kind != yaml.MappingNode {
		return r
	}
	has := func(key string) bool {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return true
			}
		}
		return false
	}
	if !has("name") {
		f.fault(n, "a rule has no name; decisions are told by it")
	}
	if !has("tools") && !has("resources") {
		f.fault(n, `a rule is about nothing; name tools or resources ("*" for all)`)
	}
	if r.deny && scopes != nil {
		f.fault(scopes, "a rule that denies takes no scopes: a caller would get round it by leaving one out")
	}
	return r
}

func (f *file) patterns(n *yaml.Node, key string) []pattern {
	resource := key == "resources"
	var list []pattern
	for _, text := range f.texts(n, key, func(s string) string {
		switch {
		case s == everything:
			return ""
		case resource && !isResource(s):
			return `is no URI of a resource, which has a colon, such as "time://*"`
		case !resource && isResource(s):
			return "is the URI of a resource; name it under resources"
		}
		return f.missing(newPattern(s, resource))
	}) {
		list = append(list, newPattern(text, resource))
	}
	return list
}

// missing says that there is nothing the pattern names.
func (f *file) missing(p pattern) string {
	if f.known == nil || slices.ContainsFunc(f.known, p.fits) {
		return ""
	}
	kind := "tools"
	if p.resource {
		kind = "resources"
	}
	var there []string
	for _, k := range f.known {
		if isResource(k) == p.resource {
			there = append(there, k)
		}
	}
	return fmt.Sprintf("names nothing that is there; the %s are %s", kind, strings.Join(there, ", "))
}

func (f *file) condition(n *yaml.Node) *condition {
	text := f.text(n, "when", nil)
	if text == "" {
		return nil
	}
	c, faults := compile(text)
	for _, fault := range faults {
		at := *n
		at.Line += fault.line
		if n.Style == yaml.LiteralStyle || n.Style == yaml.FoldedStyle {
			at.Line++
		}
		f.fault(&at, "when: %s", fault.problem)
	}
	return c
}

// text reads one text. Check says what is wrong with it, or nothing.
func (f *file) text(n *yaml.Node, key string, check func(string) string) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Anchor != "":
		f.fault(n, "%s is %s; write a text", key, shape(n))
	case strings.TrimSpace(n.Value) == "":
		f.fault(n, "%s is empty; leave it out, or say what it is", key)
	case key != "when" && len(n.Value) > maxText:
		f.fault(n, "%s is longer than %d bytes", key, maxText)
	default:
		if check != nil {
			if problem := check(n.Value); problem != "" {
				f.fault(n, "%s: %q %s", key, n.Value, problem)
			}
		}
		return n.Value
	}
	return ""
}

// texts reads a list of texts, of which one alone may stand without being a list. An empty list is a fault: it never
// means any.
func (f *file) texts(n *yaml.Node, key string, check func(string) string) []string {
	if n.Kind == yaml.ScalarNode {
		if text := f.text(n, key, check); text != "" {
			return []string{text}
		}
		return []string{}
	}
	list := []string{}
	switch {
	case n.Kind != yaml.SequenceNode || n.Anchor != "":
		f.fault(n, "%s is %s; write a list of texts", key, shape(n))
	case len(n.Content) == 0:
		f.fault(n, "%s is empty, which is not any; leave it out for any", key)
	}
	for _, item := range n.Content {
		if n.Kind != yaml.SequenceNode {
			break
		}
		if text := f.text(item, key, check); slices.Contains(list, text) && text != "" {
			f.fault(item, "%s names %q twice", key, text)
		} else {
			list = append(list, text)
		}
	}
	return list
}

// finish works out what every decision would work out again: which scopes and roles open what, and which rules are about
// each operation there is.
func (f *file) finish() {
	b := f.book
	all := map[string]bool{}
	for scope, implied := range f.implies {
		all[scope] = true
		for _, s := range implied {
			all[s] = s != everything
		}
	}
	for _, scopes := range f.roles {
		for _, s := range scopes {
			all[s] = true
		}
	}
	for _, r := range b.rules {
		for _, s := range r.scopes {
			all[s] = true
		}
	}
	delete(all, everything)
	b.scopes = slices.Sorted(maps.Keys(all))
	b.about = map[string][]*rule{}
	for _, operation := range f.known {
		b.about[operation] = b.of(operation)
	}
	open := f.openersOf()
	for _, r := range b.rules {
		r.reason = fmt.Sprintf("the rule %q allows it", r.name)
		if r.deny {
			r.reason = fmt.Sprintf("the rule %q denies it", r.name)
		}
		for _, s := range r.scopes {
			if _, known := b.openers[s]; !known {
				b.openers[s] = open(s)
			}
		}
	}
}

// openersOf returns what finds an opener: the scope itself, whatever implies it over any number of steps, and the roles that
// stand for one of these.
func (f *file) openersOf() func(scope string) opener {
	impliers, forRole := map[string][]string{}, map[string][]string{}
	for _, by := range slices.Sorted(maps.Keys(f.implies)) {
		for _, scope := range f.implies[by] {
			impliers[scope] = append(impliers[scope], by)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(f.roles)) {
		for _, scope := range f.roles[role] {
			forRole[scope] = append(forRole[scope], role)
		}
	}
	return func(scope string) opener {
		o := opener{scopes: []string{scope}}
		seen := map[string]bool{scope: true}
		add := func(scopes []string) {
			for _, s := range scopes {
				if !seen[s] {
					seen[s] = true
					o.scopes = append(o.scopes, s)
				}
			}
		}
		add(impliers[everything])
		for i := 0; i < len(o.scopes); i++ {
			add(impliers[o.scopes[i]])
			for _, role := range forRole[o.scopes[i]] {
				if !slices.Contains(o.roles, role) {
					o.roles = append(o.roles, role)
				}
			}
		}
		return o
	}
}

func scopeProblem(s string) string {
	switch {
	case !isScope(s):
		return `is no scope; a scope has no space, no " and no \ in it`
	case s == "offline_access": // RS-7
		return "is between client and provider, never a server's to ask for"
	}
	return ""
}

func nameProblem(s string) string {
	if len(s) > 64 {
		return "is longer than 64 bytes"
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f || c > 0x7e {
			return "has a letter beyond printable ASCII in it"
		}
	}
	if slices.Contains(ownRules, s) {
		return "is what decisions without a rule are told by; take another name"
	}
	return ""
}

func oneOf(words ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(words, s) {
			return ""
		}
		return "is none of " + strings.Join(words, ", ")
	}
}

// shape says what a node is, for a person.
func shape(n *yaml.Node) string {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return "an anchor or a reference to one, which a policy does not use"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "empty"
	case n.ShortTag() == "!!str":
		return "a text"
	}
	return fmt.Sprintf("%q, which YAML does not take for a text; put it in quotes", n.Value)
}
