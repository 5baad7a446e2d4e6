package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// nobody names the caller who did not sign in, among the identities of expectations.
const nobody = "nobody"

// Expectation is a question to a policy and the answer it should give.
type Expectation struct {
	Name      string // what a report calls it
	Line      int    // where it stands in its file
	Identity  *identity.Identity
	Operation string
	Arguments json.RawMessage
	Effect    Effect
	Rule      string   // empty: whichever
	Scopes    []string // nil: whichever
}

// Check asks p, and says how the decision differs from what is expected, or nothing.
func (e *Expectation) Check(p *Policy) (d Decision, difference string) {
	d = p.DecideCall(e.Identity, e.Operation, e.Arguments)
	switch {
	case d.Effect != e.Effect:
		return d, fmt.Sprintf("expected %s, got %s by %q: %s", e.Effect, d.Effect, d.Rule, d.Reason)
	case e.Rule != "" && d.Rule != e.Rule:
		return d, fmt.Sprintf("expected the rule %q, got %q: %s", e.Rule, d.Rule, d.Reason)
	case e.Scopes != nil && !slices.Equal(slices.Sorted(slices.Values(e.Scopes)), slices.Sorted(slices.Values(d.Scopes))):
		return d, fmt.Sprintf("expected the scopes %s, got %s", strings.Join(e.Scopes, " "), strings.Join(d.Scopes, " "))
	}
	return d, ""
}

// ParseExpectations reads a file of expected decisions. Name is what faults call it. The error is always a [*Faults].
// docs/reference/policy.md describes the file.
func ParseExpectations(name string, body []byte) ([]Expectation, error) {
	f := &file{name: name}
	var list []Expectation
	if root := f.document(body); root != nil {
		list = f.expectations(root)
	}
	if len(f.List) > 0 {
		slices.SortStableFunc(f.List, func(a, b Fault) int { return a.Line - b.Line })
		return nil, &f.Faults
	}
	return list, nil
}

// ParseIdentity reads one identity, as JSON or YAML with the names that package identity gives its fields. Name is what
// faults call the file. The error is always a [*Faults].
func ParseIdentity(name string, body []byte) (*identity.Identity, error) {
	f := &file{name: name}
	var id *identity.Identity
	if root := f.document(body); root != nil {
		id = f.identity(root)
	}
	if len(f.List) > 0 {
		return nil, &f.Faults
	}
	return id, nil
}

// identity reads a mapping of the fields of an identity.
func (f *file) identity(n *yaml.Node) *identity.Identity {
	raw, err := asJSON(n)
	if err != nil || raw[0] != '{' {
		f.fault(n, "an identity is %s that cannot be read; write its fields", shape(n))
		return nil
	}
	id := &identity.Identity{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(id); err != nil {
		f.fault(n, "an identity cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
		return nil
	}
	if id.Kind != identity.Person && id.Kind != identity.App {
		f.fault(n, "an identity needs its kind: person or app")
	}
	return id
}

// asJSON is what a node says, as JSON.
func asJSON(n *yaml.Node) (json.RawMessage, error) {
	var value any
	if err := n.Decode(&value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func (f *file) expectations(root *yaml.Node) []Expectation {
	callers := map[string]*identity.Identity{nobody: nil}
	var rows *yaml.Node
	f.pairs(root, "a file of expectations", []string{"identities", "expect"}, func(key string, value *yaml.Node) {
		if key == "expect" {
			rows = value
			return
		}
		f.pairs(value, "identities", nil, func(name string, value *yaml.Node) {
			if name == nobody {
				f.fault(value, "%q is who did not sign in; take another name", nobody)
				return
			}
			callers[name] = f.identity(value)
		})
	})
	var list []Expectation
	switch {
	case root.Kind != yaml.MappingNode:
	case rows == nil || rows.Kind != yaml.SequenceNode || len(rows.Content) == 0:
		f.fault(root, "expects nothing; write a list under expect")
	default:
		for _, n := range rows.Content {
			list = append(list, f.expectation(n, callers))
		}
	}
	return list
}

func (f *file) expectation(n *yaml.Node, callers map[string]*identity.Identity) Expectation {
	e := Expectation{Line: n.Line}
	var who, decision string
	f.pairs(n, "an expectation", []string{"name", "identity", "tool", "resource", "arguments", "decision", "rule", "scopes"}, func(key string, value *yaml.Node) {
		switch key {
		case "name":
			e.Name = f.text(value, key, nil)
		case "identity":
			who = f.text(value, key, func(s string) string {
				if _, known := callers[s]; !known {
					return "is none of the identities, nor nobody"
				}
				return ""
			})
			e.Identity = callers[who]
		case "tool", "resource":
			if e.Operation != "" {
				f.fault(value, "an expectation is about one tool or one resource")
			}
			e.Operation = f.text(value, key, nil)
		case "arguments":
			e.Arguments = f.arguments(value)
		case "decision":
			decision = f.text(value, key, oneOf(Allow.String(), NeedsScope.String(), Deny.String()))
			e.Effect = map[string]Effect{Allow.String(): Allow, NeedsScope.String(): NeedsScope}[decision]
		case "rule":
			e.Rule = f.text(value, key, nil)
		case "scopes":
			e.Scopes = f.texts(value, key, scopeProblem)
		}
	})
	if n.Kind == yaml.MappingNode && (who == "" || e.Operation == "" || decision == "") {
		f.fault(n, "an expectation needs identity, tool or resource, and decision")
	}
	if e.Name == "" {
		e.Name = fmt.Sprintf("%s calls %s", who, e.Operation)
	}
	return e
}

// arguments reads a mapping, or a text of JSON that goes as it is.
func (f *file) arguments(n *yaml.Node) json.RawMessage {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return json.RawMessage(n.Value)
	}
	raw, err := asJSON(n)
	if err != nil || n.Kind != yaml.MappingNode {
		f.fault(n, "arguments is %s; write a mapping, or a text of JSON", shape(n))
	}
	return raw
}
