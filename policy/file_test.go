package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// parsed returns the policy of a file that must be right.
func parsed(t testing.TB, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shop is a policy with a rule of each sort.
const shop = `
implies:
  execute: ["*"]
  pay:write: [pay:read]
app_roles:
  Tools.Execute: [execute]
rules:
  - name: nobody deletes
    effect: deny
    tools: [delete_*]
    when: '!("Owner" in identity.roles)'
  - name: large payments
    effect: deny
    tools: [pay]
    when: arguments.amount > 1000
  - name: clock
    tools: [get_current_time, time_*]
    resources: ["time://*"]
    scopes: [time:read]
  - name: payments
    tools: [pay]
    kind: person
    tenants: [6ba7b810-9dad-11d1-80b4-00c04fd430c8]
    scopes: [pay:read, pay:write]
  - name: accounting
    tools: [books]
    groups: [g-accounting]
  - name: auditors
    tools: [books]
    roles: [Auditor]
  - name: own files
    tools: [read_file]
    when: arguments.path.startsWith("/home/" + identity.subject + "/")
    scopes: [files]
  - name: deletions
    tools: [delete_*]
    scopes: [files]
`

const home = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

func with(id *identity.Identity, change func(*identity.Identity)) *identity.Identity {
	change(id)
	return id
}

func TestDecideCall(t *testing.T) {
	p := parsed(t, shop)
	payer := func(scopes ...string) *identity.Identity {
		return with(person(scopes...), func(id *identity.Identity) { id.Tenant = home })
	}
	overflowing := func(roles ...string) *identity.Identity {
		return with(person("execute"), func(id *identity.Identity) { id.GroupsOverage, id.Roles = true, roles })
	}
	for _, row := range []struct {
		name      string
		id        *identity.Identity
		operation string
		arguments string
		effect    policy.Effect
		rule      string
		scopes    string
		visible   bool
	}{
		{"a scope opens its tool", person("time:read"), "get_current_time", "", policy.Allow, "clock", "time:read", true},
		{"a pattern opens what it names", person("time:read"), "time_zones", "{}", policy.Allow, "clock", "time:read", true},
		{"a pattern opens resources by their URI", person("time:read"), "time://current", "", policy.Allow, "clock", "time:read", true},
		{"a pattern of tools opens no resource", person("time:read"), "time_:x", "", policy.Deny, "no rule", "", false},
		{"attack 44 what no rule names is denied", person("execute"), "other", "", policy.Deny, "no rule", "", false},
		{"RS-14 a scope that implies all satisfies", person("execute"), "get_current_time", "", policy.Allow, "clock", "time:read", true},
		{"RS-13 the challenge names all scopes of the rule, held or not", payer("pay:read"), "pay", `{"amount": 5}`, policy.NeedsScope, "payments", "pay:read pay:write", true},
		{"RS-14 a scope that implies another satisfies both", payer("pay:write"), "pay", `{"amount": 5}`, policy.Allow, "payments", "pay:read pay:write", true},
		{"a rule that denies wins over those below it", payer("pay:write"), "pay", `{"amount": 5000}`, policy.Deny, "large payments", "", true},
		{"a rule for other tenants does not hold", person("pay:write"), "pay", `{"amount": 5}`, policy.Deny, "no rule", "", false},
		{"a rule for people is not for programs", with(app("pay:write"), func(id *identity.Identity) { id.Tenant = home }), "pay", `{"amount": 5}`, policy.Deny, "no rule", "", false},
		{"a program's role stands for the scope the file says", app("Tools.Execute"), "get_current_time", "", policy.Allow, "clock", "time:read", true},
		{"a program's role with the scope's name counts as the scope", app("time:read"), "get_current_time", "", policy.Allow, "clock", "time:read", true},
		{"a person's role stands for no scope", with(person(), func(id *identity.Identity) { id.Roles = []string{"Tools.Execute", "time:read"} }), "get_current_time", "", policy.NeedsScope, "clock", "time:read", true},
		{"attack 54 a condition on an argument that is not there denies", payer("pay:write"), "pay", "{}", policy.Deny, "large payments", "", true},
		{"attack 54 a condition on an argument of another type denies", payer("pay:write"), "pay", `{"amount": "5"}`, policy.Deny, "large payments", "", true},
		{"attack 54 arguments that are no object deny", payer("pay:write"), "pay", `[5]`, policy.Deny, "large payments", "", true},
		{"attack 41 arguments with a key twice deny", payer("pay:write"), "pay", `{"amount": 5000, "amount": 5}`, policy.Deny, "large payments", "", true},
		{"attack 41 arguments whose keys differ by case deny", payer("pay:write"), "pay", `{"amount": 5, "Amount": 5000}`, policy.Deny, "large payments", "", true},
		{"attack 43 arguments with something behind them deny", payer("pay:write"), "pay", `{"amount": 5} {}`, policy.Deny, "large payments", "", true},
		{"a whole number beyond 64 bits denies", payer("pay:write"), "pay", `{"amount": 9223372036854775808}`, policy.Deny, "large payments", "", true},
		{"a broken number is compared with whole ones", payer("pay:write"), "pay", `{"amount": 1000.5}`, policy.Deny, "large payments", "", true},
		{"attack 28 groups that hold the one named open", with(person(), func(id *identity.Identity) { id.Groups = []string{"g-accounting"} }), "books", "", policy.Allow, "accounting", "", true},
		{"attack 28 no groups are not all groups", person(), "books", "", policy.Deny, "no rule", "", false},
		{"attack 28 Entra 22 groups that do not fit into the token deny", overflowing(), "books", "", policy.Deny, "accounting", "", false},
		{"attack 28 Entra 22 also where a rule below would allow", overflowing("Auditor"), "books", "", policy.Deny, "accounting", "", false},
		{"a role opens what a group did not", with(person(), func(id *identity.Identity) { id.Roles = []string{"Auditor"} }), "books", "", policy.Allow, "auditors", "", true},
		{"a condition joins caller and arguments", person("files"), "read_file", `{"path": "/home/p/x"}`, policy.Allow, "own files", "files", true},
		{"a condition that does not hold denies and asks for no scope", person(), "read_file", `{"path": "/home/q/x"}`, policy.Deny, "no rule", "", true},
		{"a condition that holds asks for the scope", person(), "read_file", `{"path": "/home/p/x"}`, policy.NeedsScope, "own files", "files", true},
		{"a rule that denies hides what its condition decides without arguments", person("files"), "delete_all", "", policy.Deny, "nobody deletes", "", false},
		{"and is passed over where it does not hold", with(person("files"), func(id *identity.Identity) { id.Roles = []string{"Owner"} }), "delete_all", "", policy.Allow, "deletions", "files", true},
		{"nobody signed in is denied", nil, "get_current_time", "", policy.Deny, "nobody signed in", "time:read", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := p.DecideCall(row.id, row.operation, json.RawMessage(row.arguments))
			if d.Effect != row.effect || d.Rule != row.rule || strings.Join(d.Scopes, " ") != row.scopes {
				t.Errorf("got %v by %q with %q (%s), want %v by %q with %q", d.Effect, d.Rule, d.Scopes, d.Reason, row.effect, row.rule, row.scopes)
			}
			if d.Reason == "" {
				t.Error("the decision has no reason")
			}
			if got := p.Visible(row.id, row.operation); got != row.visible {
				t.Errorf("visible %t, want %t", got, row.visible)
			}
			if explained, _ := p.Explain(row.id, row.operation, json.RawMessage(row.arguments)); explained.Effect != d.Effect || explained.Rule != d.Rule || explained.Reason != d.Reason {
				t.Errorf("explained as %+v, decided %+v", explained, d)
			}
		})
	}
}

// TestAttack28GroupsInConditions: a condition never takes unknown groups for none.
func TestAttack28GroupsInConditions(t *testing.T) {
	for _, row := range []struct {
		when   string
		roles  []string
		effect policy.Effect
	}{
		{`"g" in identity.groups`, nil, policy.Deny},
		{`!("g" in identity.groups)`, nil, policy.Deny},
		{`identity.groups.size() == 0`, nil, policy.Deny},
		{`identity.groups.all(g, g != "x")`, nil, policy.Deny},
		{`identity.groups == []`, nil, policy.Deny},
		{`"Admin" in identity.roles || "g" in identity.groups`, []string{"Admin"}, policy.Allow},
		{`"g" in identity.groups || "Admin" in identity.roles`, []string{"Admin"}, policy.Allow},
		{`"g" in identity.groups || "Admin" in identity.roles`, nil, policy.Deny},
		{`identity.groups_overage || "g" in identity.groups`, nil, policy.Allow},
	} {
		p := parsed(t, "rules:\n  - name: r\n    tools: '*'\n    when: "+quoted(row.when))
		id := with(person(), func(id *identity.Identity) { id.GroupsOverage, id.Roles = true, row.roles })
		d := p.DecideCall(id, "x", nil)
		if d.Effect != row.effect {
			t.Errorf("%s: %v, %s", row.when, d.Effect, d.Reason)
		}
		if d.Effect == policy.Deny && !strings.Contains(d.Reason, "too many") {
			t.Errorf("%s: the reason is %q", row.when, d.Reason)
		}
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestAttack27OnlyStableNamesDecide: what people and administrators can change is no variable of a condition.
func TestAttack27OnlyStableNamesDecide(t *testing.T) {
	for _, field := range []string{"email", "name", "username"} {
		_, err := policy.Parse("p.yaml", []byte("rules:\n  - name: r\n    tools: '*'\n    when: identity."+field+" == 'a@example.com'\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "p.yaml:4:11: when: identity."+field+" is for showing only") {
			t.Errorf("Entra 6 %s: %v", field, err)
		}
	}
	for _, when := range []string{`identity["email"] == "a"`, `identity.email_verified == true`, `has(identity.upn)`, `identity == {}`} {
		if _, err := policy.Parse("p.yaml", []byte("rules:\n  - name: r\n    tools: '*'\n    when: "+quoted(when)), nil); err == nil {
			t.Errorf("%s compiles", when)
		}
	}
	for _, key := range []string{"emails", "email", "users", "names"} {
		if _, err := policy.Parse("p.yaml", []byte("rules:\n  - name: r\n    tools: '*'\n    "+key+": [a@example.com]\n"), nil); err == nil || !strings.Contains(err.Error(), "is no key of a rule") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestAttack54AConditionEnds: one that costs too much denies, soon.
func TestAttack54AConditionEnds(t *testing.T) {
	long := `{"list":[` + strings.Repeat("1,", 5000) + `1], "re": "(a{900}){900}", "text": "aaaa"}`
	for when, reason := range map[string]string{
		`arguments.list.all(a, arguments.list.all(b, arguments.list.all(c, a == b || b == c || a != c)))`: "costs too much",
		`"x".matches(arguments.re)`: "cannot be evaluated",
		`arguments.list.map(a, arguments.list).size() > 0 && arguments.list.all(a, arguments.list.exists(b, b == 2))`: "costs too much",
		`arguments.list[5001] == 1`:        "not there",
		`1 / (arguments.list[0] - 1) == 1`: "divides by zero",
	} {
		p := parsed(t, "rules:\n  - name: r\n    tools: '*'\n    when: "+quoted(when))
		if d := p.DecideCall(person(), "x", json.RawMessage(long)); d.Effect != policy.Deny || !strings.Contains(d.Reason, reason) && !(reason == "costs too much" && strings.Contains(d.Reason, "takes too long")) {
			t.Errorf("%s: %v, %s", when, d.Effect, d.Reason)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	rule := func(lines string) string { return "rules:\n  - name: r\n    tools: [a]\n" + lines }
	for _, row := range []struct{ name, text, want string }{
		{"an empty file", "", "is empty"},
		{"a file of comments", "# nothing\n", "is empty"},
		{"a file without rules", "implies: {a: [b]}\n", "has no rules"},
		{"no YAML", "rules: [", "is no YAML"},
		{"two documents", "rules: []\n---\nrules: []\n", "more than one document"},
		{"an unknown key", rule("    role: [x]\n"), `p.yaml:4:5: "role" is no key of a rule; the keys are name,`},
		{"an unknown section", "rules: []\nrulez: []\n", `"rulez" is no key of a policy`},
		{"a key twice", rule("    roles: [x]\n    roles: [y]\n"), `"roles" stands twice; the first is in line 4`},
		{"a rule without a name", "rules:\n  - tools: [a]\n", "has no name"},
		{"two rules of one name", rule("  - name: r\n    tools: [b]\n"), "a second rule named"},
		{"a rule about nothing", "rules:\n  - name: r\n", "is about nothing"},
		{"attack 28 an empty list", rule("    groups: []\n"), "is empty, which is not any"},
		{"attack 28 a list that was forgotten", rule("    groups:\n"), "groups is empty"},
		{"attack 28 an empty text in a list", rule("    groups: ['']\n"), "groups is empty"},
		{"a kind there is not", rule("    kind: robot\n"), "is none of person, app"},
		{"an effect there is not", rule("    effect: maybe\n"), "is none of allow, deny"},
		{"a rule that denies and asks for scopes", rule("    effect: deny\n    scopes: [x]\n"), "takes no scopes"},
		{"RS-7 a scope between client and provider", rule("    scopes: [offline_access]\n"), "never a server's"},
		{"a scope with a space", rule("    scopes: ['a b']\n"), "is no scope"},
		{"a resource among the tools", rule("    resources: [b]\n"), "is no URI"},
		{"a tool among the resources", "rules:\n  - name: r\n    tools: ['time://x']\n", "name it under resources"},
		{"a condition that does not compile", rule("    when: arguments.x >\n"), "when: Syntax error"},
		{"a condition in a block, by its own line", rule("    when: |\n      true &&\n      identty.kind == 'app'\n"), "p.yaml:6:11: when: undeclared reference to 'identty.kind'"},
		{"a condition on a field there is not", rule("    when: identity.group == 'x'\n"), "(did you mean 'identity.groups'?)"},
		{"a condition on a field that is nowhere near", rule("    when: identity['issuer'] == 'x'\n"), "; identity has issuer, tenant,"},
		{"a condition of another type", rule("    when: arguments.x\n"), "answers dyn, not true or false"},
		{"a condition that compares different types", rule("    when: identity.kind == 1\n"), "no matching overload"},
		{"a number for a text", rule("    roles: [7]\n"), "put it in quotes"},
		{"a reference to another place", "rules:\n  - &r\n    name: r\n    tools: [a]\n  - *r\n", "an anchor or a reference"},
		{"a rule with a name of ours", "rules:\n  - name: no rule\n    tools: [a]\n", "take another name"},
		{"every role for every scope", "app_roles: {x: ['*']}\nrules: []\n", "name the scope"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := policy.Parse("p.yaml", []byte(row.text), nil)
			var faults *policy.Faults
			if p != nil || !errors.As(err, &faults) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseReportsAllFaultsInOrder(t *testing.T) {
	_, err := policy.Parse("p.yaml", []byte("rules:\n  - tools: [a]\n    kind: x\n  - name: b\n    tool: [c]\nx: 1\n"), []string{"a", "b"})
	want := []string{"p.yaml:2:5: a rule has no name", "p.yaml:3:11: kind", "p.yaml:4:5: a rule is about nothing", "p.yaml:5:5: \"tool\"", "p.yaml:6:1: \"x\""}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %s", err)
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i], w) {
			t.Errorf("line %d is %q, want %q…", i, lines[i], w)
		}
	}
}

func TestParseRefusesWhatIsNotThere(t *testing.T) {
	known := []string{"reverse_tool", "time://current"}
	_, err := policy.Parse("p.yaml", []byte("rules:\n  - name: r\n    tools: [revers_tool, 'reverse_*']\n    resources: ['time://*', 'file://*']\n"), known)
	var faults *policy.Faults
	if !errors.As(err, &faults) || len(faults.List) != 2 {
		t.Fatalf("got %v", err)
	}
	if f := faults.List[0]; f.Line != 3 || !strings.Contains(f.Problem, "the tools are reverse_tool") {
		t.Errorf("got %v", f)
	}
}

// BenchmarkDecideCall is the budget of a decision, 5 µs, with a thousand rules about other tools around those that matter.
func BenchmarkDecideCall(b *testing.B) {
	others := strings.Builder{}
	for i := range 990 {
		fmt.Fprintf(&others, "  - {name: other %d, tools: [other_%d_*], scopes: [x]}\n", i, i)
	}
	known := []string{"delete_all", "pay", "get_current_time", "time_zones", "time://current", "books", "read_file"}
	for i := range 990 {
		known = append(known, fmt.Sprintf("other_%d_x", i))
	}
	p, err := policy.Parse("policy.yaml", []byte(shop+others.String()), known)
	if err != nil {
		b.Fatal(err)
	}
	id := with(person("openid", "profile", "pay:write"), func(id *identity.Identity) { id.Tenant = home })
	for _, row := range []struct {
		name, tool, arguments string
		id                    *identity.Identity
	}{
		{"scope", "get_current_time", `{"timezone":"UTC"}`, person("openid", "profile", "time:read")},
		{"condition on arguments", "pay", `{"amount": 12, "currency": "EUR", "to": "DE00"}`, id},
		{"condition on caller and arguments", "read_file", `{"path": "/home/p/x"}`, person("files")},
		{"condition with a list", "delete_all", `{}`, with(person("files"), func(id *identity.Identity) { id.Roles = []string{"Owner"} })},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := p.DecideCall(row.id, row.tool, json.RawMessage(row.arguments)); d.Effect != policy.Allow {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

// TestRS14_ScopesImplyOverSteps: also in circles, and application roles along the way count for programs.
func TestRS14_ScopesImplyOverSteps(t *testing.T) {
	p := parsed(t, "implies: {a: [b], b: [c], c: [a], all: '*'}\napp_roles: {Worker: [b], Boss: [all]}\nrules: [{name: r, tools: x, scopes: c}]\n")
	for _, row := range []struct {
		name   string
		id     *identity.Identity
		effect policy.Effect
	}{
		{"the scope itself", person("c"), policy.Allow},
		{"one step", person("b"), policy.Allow},
		{"two steps", person("a"), policy.Allow},
		{"a scope that implies every other", person("all"), policy.Allow},
		{"another scope", person("d", "C", "al"), policy.NeedsScope},
		{"a program's role for a scope that implies it", app("Worker"), policy.Allow},
		{"a program's role for the scope that implies every other", app("Boss"), policy.Allow},
		{"a program's other role", app("worker"), policy.NeedsScope},
		{"a person's role", with(person(), func(id *identity.Identity) { id.Roles = []string{"Boss", "all"} }), policy.NeedsScope},
	} {
		t.Run("RS-14 "+row.name, func(t *testing.T) {
			if d := p.DecideCall(row.id, "x", nil); d.Effect != row.effect || strings.Join(d.Scopes, " ") != "c" {
				t.Errorf("got %v with %q", d.Effect, d.Scopes)
			}
		})
	}
	if got := strings.Join(p.AllScopes(), " "); got != "a all b c" {
		t.Errorf("all scopes are %s", got)
	}
}

func TestPatterns(t *testing.T) {
	for _, row := range []struct {
		pattern, fits, not string
	}{
		{"time_*", "time_ time_x time_x_y", "time xtime_ Time_x"},
		{"*_tool", "_tool a_tool a_b_tool", "a_tools tool"},
		{"a*b*c", "abc axbxc abbcc abcbc", "ab ac acb xabc abcx"},
		{"a**b", "ab axb", "a b"},
		{"*", "a a/b a.b", "time://x"},
		{"get_x", "get_x", "get_xx get_ Get_x"},
	} {
		p := parsed(t, "rules: [{name: r, tools: '"+row.pattern+"'}]\n")
		for _, name := range strings.Fields(row.fits) {
			if d := p.DecideCall(person(), name, nil); d.Effect != policy.Allow {
				t.Errorf("%s does not fit %s", row.pattern, name)
			}
		}
		for _, name := range strings.Fields(row.not) {
			if d := p.DecideCall(person(), name, nil); d.Effect != policy.Deny {
				t.Errorf("%s fits %s", row.pattern, name)
			}
		}
	}
}

// TestWhatARuleBelowOneThatLacksAScopeChanges: the answer is the scope wherever with it the call would be allowed.
func TestWhatARuleBelowOneThatLacksAScopeChanges(t *testing.T) {
	const first = "rules:\n  - {name: first, tools: x, scopes: a}\n"
	for _, row := range []struct {
		name, below string
		effect      policy.Effect
		rule        string
	}{
		{"nothing below asks for the scope", "", policy.NeedsScope, "first"},
		{"one that allows lets in", "  - {name: second, tools: x, scopes: b}\n", policy.Allow, "second"},
		{"one that lacks a scope too leaves it at the first", "  - {name: second, tools: x, scopes: c}\n", policy.NeedsScope, "first"},
		{"one that denies asks for the scope", "  - {name: second, tools: x, effect: deny}\n", policy.NeedsScope, "first"},
		{"attack 54 one that cannot be answered denies", "  - {name: second, tools: x, when: arguments.a == 1}\n", policy.Deny, "second"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := parsed(t, first+row.below)
			if d := p.DecideCall(person("b"), "x", nil); d.Effect != row.effect || d.Rule != row.rule {
				t.Errorf("got %v by %q", d.Effect, d.Rule)
			}
			if d := p.DecideCall(person("a", "b"), "x", nil); d.Effect != policy.Allow || d.Rule != "first" {
				t.Errorf("with the scope: %v by %q", d.Effect, d.Rule)
			}
			if !p.Visible(person("b"), "x") {
				t.Error("attack 44 it is not listed")
			}
		})
	}
}
