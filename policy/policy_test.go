package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

func person(scopes ...string) *identity.Identity {
	return &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "p", Scopes: scopes}
}

func app(roles ...string) *identity.Identity {
	return &identity.Identity{Kind: identity.App, Issuer: "https://issuer.example.com", Subject: "a", Roles: roles}
}

func TestDecide(t *testing.T) {
	defaults, err := policy.New(policy.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	several, err := policy.New(policy.Rules{Scopes: map[string][]string{"pay": {"pay:read", "pay:write"}}})
	if err != nil {
		t.Fatal(err)
	}
	withRole := person()
	withRole.Roles = []string{"Tools.Admin", "execute"}
	ofNoKind := app("execute")
	ofNoKind.Kind = ""
	scopedApp := app()
	scopedApp.Scopes = []string{"time:read"}

	for _, row := range []struct {
		name      string
		policy    *policy.Policy
		id        *identity.Identity
		operation string
		effect    policy.Effect
		rule      string
		scopes    string
	}{
		{"RS-14 the broad scope opens a tool without a rule", defaults, person("execute"), "reverse_tool", policy.Allow, "broad scope", "execute"},
		{"RS-14 the broad scope implies time:read", defaults, person("execute"), "get_current_time", policy.Allow, "broad scope", "time:read"},
		{"RS-14 the broad scope implies time:convert", defaults, person("execute"), "convert_time", policy.Allow, "broad scope", "time:convert"},
		{"RS-14 the broad scope opens a resource", defaults, person("execute"), "time://timezones", policy.Allow, "broad scope", "time:read"},
		{"time:read opens the clock", defaults, person("time:read"), "get_current_time", policy.Allow, "scopes", "time:read"},
		{"time:read opens the first resource", defaults, person("time:read"), "time://current", policy.Allow, "scopes", "time:read"},
		{"time:read opens the second resource", defaults, person("time:read"), "time://timezones", policy.Allow, "scopes", "time:read"},
		{"time:read does not open the conversion", defaults, person("time:read"), "convert_time", policy.NeedsScope, "scopes", "time:convert"},
		{"a narrow scope does not open a tool without a rule", defaults, person("time:read", "time:convert"), "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"a scope is compared exactly", defaults, person("Execute", "execute2", "exec"), "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"RS-13 the decision names all scopes, held or not", several, person("pay:read"), "pay", policy.NeedsScope, "scopes", "pay:read pay:write"},
		{"all scopes of an operation together open it", several, person("pay:write", "pay:read"), "pay", policy.Allow, "scopes", "pay:read pay:write"},
		{"without a broad scope an unlisted tool stays shut", several, person("execute", "pay:read"), "other", policy.Deny, "no rule", ""},
		{"without a broad scope an empty scope opens nothing", several, person(""), "other", policy.Deny, "no rule", ""},
		{"nobody signed in is denied", defaults, nil, "get_current_time", policy.Deny, "nobody signed in", "time:read"},
		{"a program's role with the scope's name counts as the scope", defaults, app("execute"), "reverse_tool", policy.Allow, "broad scope", "execute"},
		{"a program's role with a narrow scope's name opens the narrow tool", defaults, app("time:convert"), "convert_time", policy.Allow, "scopes", "time:convert"},
		{"a program's role with a narrow scope's name opens no other", defaults, app("time:convert"), "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"a program with a configured role is let in", defaults, app("Tools.Execute"), "reverse_tool", policy.Allow, "app role", "execute"},
		{"a program with an unknown role is not", defaults, app("Tools.Other"), "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"a program may carry scopes too", defaults, scopedApp, "time://current", policy.Allow, "scopes", "time:read"},
		{"a person's role never stands in for a scope", defaults, withRole, "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"an identity of no known kind has no role that counts", defaults, ofNoKind, "reverse_tool", policy.NeedsScope, "scopes", "execute"},
		{"the open policy lets nobody in particular in", policy.Open(), nil, "reverse_tool", policy.Allow, "open", ""},
		{"attack 54 the zero policy denies", &policy.Policy{}, person("execute"), "reverse_tool", policy.Deny, "no rule", ""},
		{"attack 54 no policy denies", nil, person("execute"), "reverse_tool", policy.Deny, "no rule", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := row.policy.Decide(row.id, row.operation)
			if d.Effect != row.effect || d.Rule != row.rule || strings.Join(d.Scopes, " ") != row.scopes {
				t.Errorf("got %v by %q with scopes %q, want %v by %q with %q", d.Effect, d.Rule, d.Scopes, row.effect, row.rule, row.scopes)
			}
			if d.Reason == "" {
				t.Error("the decision has no reason")
			}
		})
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	if d := (policy.Decision{}); d.Effect != policy.Deny {
		t.Errorf("the zero decision is %v", d.Effect)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		name  string
		rules policy.Rules
		want  string
	}{
		{"an operation without a scope", policy.Rules{Scopes: map[string][]string{"pay": nil}}, `"pay" has no scope`},
		{"an operation without a name", policy.Rules{Scopes: map[string][]string{"": {"a"}}}, "without a name"},
		{"a scope with a space", policy.Rules{Scopes: map[string][]string{"pay": {"a b"}}}, `"a b"`},
		{"a broad scope with a quote", policy.Rules{Broad: `a"b`}, "broad scope"},
		{"an empty application role", policy.Rules{AppRoles: []string{""}}, "application role"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			if _, err := policy.New(row.rules); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want an error with %q", err, row.want)
			}
		})
	}
	t.Run("all faults are reported at once", func(t *testing.T) {
		_, err := policy.New(policy.Rules{Broad: " ", AppRoles: []string{""}, Scopes: map[string][]string{"x": nil}})
		if n := strings.Count(err.Error(), "policy: "); n != 3 {
			t.Errorf("got %d faults in %v", n, err)
		}
	})
}

func TestChangingTheRulesLaterChangesNothing(t *testing.T) {
	rules := policy.DefaultRules()
	p, err := policy.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	rules.Scopes["convert_time"][0] = "time:read"
	rules.Scopes["reverse_tool"] = []string{"time:read"}
	for _, operation := range []string{"convert_time", "reverse_tool"} {
		if d := p.Decide(person("time:read"), operation); d.Effect != policy.NeedsScope {
			t.Errorf("%s: %v", operation, d.Effect)
		}
	}
}

func TestAllScopes(t *testing.T) {
	if got := policy.DefaultRules().AllScopes(); !slices.Equal(got, []string{"execute", "time:convert", "time:read"}) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkDecide(b *testing.B) {
	p, err := policy.New(policy.DefaultRules())
	if err != nil {
		b.Fatal(err)
	}
	id := person("openid", "profile", "time:read")
	for b.Loop() {
		p.Decide(id, "time://current")
	}
}

func Example() {
	p, err := policy.New(policy.DefaultRules())
	if err != nil {
		panic(err)
	}
	reader := &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "7", Scopes: []string{"time:read"}}
	for _, tool := range []string{"get_current_time", "reverse_tool"} {
		d := p.Decide(reader, tool)
		fmt.Println(tool, d.Effect, d.Scopes)
	}
	// Output:
	// get_current_time allow [time:read]
	// reverse_tool needs_scope [execute]
}
