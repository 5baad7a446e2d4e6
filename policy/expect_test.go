package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

func TestExpectations(t *testing.T) {
	p := parsed(t, shop)
	list, err := policy.ParseExpectations("e.yaml", []byte(`
identities:
  payer: {issuer: "https://issuer.example.com", tenant: `+home+`, subject: p, kind: person, scopes: ["pay:write"]}
  robot: {issuer: "https://issuer.example.com", subject: r, kind: app, roles: [Tools.Execute]}
expect:
  - {name: small ones pass, identity: payer, tool: pay, arguments: {amount: 5}, decision: allow, rule: payments}
  - {identity: payer, tool: pay, arguments: {amount: 5000}, decision: deny}
  - {identity: payer, tool: pay, arguments: '{"amount": 5000, "amount": 5}', decision: deny, rule: large payments}
  - {identity: robot, resource: "time://current", decision: allow, scopes: ["time:read"]}
  - {identity: nobody, tool: pay, decision: deny, rule: nobody signed in}
  - {identity: payer, tool: get_current_time, decision: needs_scope, scopes: ["time:read"]}
  - {identity: payer, tool: get_current_time, decision: allow}
  - {identity: payer, tool: get_current_time, decision: needs_scope, rule: payments}
  - {identity: payer, tool: get_current_time, decision: needs_scope, scopes: ["time:write"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"", "", "", "", "", "", `expected allow, got needs_scope by "clock"`, `expected the rule "payments", got "clock"`, "expected the scopes time:write, got time:read"}
	if len(list) != len(want) {
		t.Fatalf("%d expectations", len(list))
	}
	for i, e := range list {
		d, difference := e.Check(p)
		if (want[i] == "") != (difference == "") || !strings.HasPrefix(difference, want[i]) || d.Reason == "" {
			t.Errorf("line %d, %s: %q, want %q", e.Line, e.Name, difference, want[i])
		}
	}
	if list[0].Name != "small ones pass" || list[1].Name != "payer calls pay" || list[0].Line != 6 {
		t.Errorf("named %q and %q in line %d", list[0].Name, list[1].Name, list[0].Line)
	}
}

func TestParseExpectationsRefuses(t *testing.T) {
	row := func(rest string) string {
		return "identities:\n  p: {kind: person, issuer: i, subject: s}\nexpect:\n  - {" + rest + "}\n"
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing expected", "expect: []\n", "expects nothing"},
		{"an unknown key", row("identity: p, tool: a, decision: allow, args: {}"), `"args" is no key`},
		{"an unknown identity", row("identity: q, tool: a, decision: allow"), "is none of the identities"},
		{"a tool and a resource", row("identity: p, tool: a, resource: 'b:c', decision: allow"), "one tool or one resource"},
		{"no decision", row("identity: p, tool: a"), "needs identity, tool or resource, and decision"},
		{"a decision there is not", row("identity: p, tool: a, decision: maybe"), "is none of allow, needs_scope, deny"},
		{"arguments that are a list", row("identity: p, tool: a, decision: allow, arguments: [1]"), "arguments is a list"},
		{"an identity of no kind", "identities: {p: {subject: s}}\nexpect:\n  - {identity: p, tool: a, decision: deny}\n", "needs its kind"},
		{"an identity with an unknown field", "identities: {p: {kind: app, group: x}}\nexpect: []\n", `unknown field "group"`},
		{"an identity with a number for a text", "identities: {p: {kind: app, subject: 7}}\nexpect: []\n", "cannot be read"},
		{"an identity named nobody", "identities: {nobody: {kind: app}}\nexpect: []\n", "take another name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := policy.ParseExpectations("e.yaml", []byte(tt.text))
			var faults *policy.Faults
			if list != nil || !errors.As(err, &faults) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseIdentity(t *testing.T) {
	id, err := policy.ParseIdentity("who.json", []byte(`{"kind": "app", "issuer": "https://issuer.example.com", "subject": "7", "groups_overage": true, "expiry": "2030-01-01T00:00:00Z"}`))
	if err != nil || id.Kind != identity.App || id.Subject != "7" || !id.GroupsOverage || id.Expiry.Year() != 2030 {
		t.Errorf("got %+v, %v", id, err)
	}
	for _, text := range []string{"", "[]", "7", `{"kind": "app", "kind": "person"}`, `{"kind": "robot"}`, `{"Kind": "app"} x`} {
		if id, err := policy.ParseIdentity("who.json", []byte(text)); id != nil || err == nil {
			t.Errorf("%s is %+v", text, id)
		}
	}
}

// TestExplain tells what each rule said, up to the one that decided.
func TestExplain(t *testing.T) {
	d, steps := parsed(t, shop).Explain(person("files"), "read_file", []byte(`{"path": "/home/q/x"}`))
	var told []string
	for _, s := range steps {
		if s.Said != "is about something else" {
			told = append(told, fmt.Sprintf("%d %s: %s", s.Line, s.Rule, s.Said))
		}
	}
	if d.Effect != policy.Deny || len(steps) != 8 || strings.Join(told, "; ") != "31 own files: its condition does not hold" {
		t.Errorf("%v after %d steps: %s", d, len(steps), told)
	}
	if _, steps := policy.Open().Explain(nil, "x", nil); steps != nil {
		t.Errorf("the open policy has steps: %v", steps)
	}
}

// FuzzParse: whatever a policy file says, it is refused with faults or decides without a panic, and what is listed is
// what some call could open.
func FuzzParse(f *testing.F) {
	f.Add([]byte(shop), []byte(`{"amount": 5, "path": "/home/p/x"}`))
	f.Add([]byte("rules:\n  - {name: r, tools: ['*'], when: 'arguments.a.b[0] == 1 || size(tool) > 2'}\n"), []byte(`{"a":{"b":[1]}}`))
	f.Add([]byte("implies: {a: [b], b: [a], c: '*'}\napp_roles: {r: [a]}\nrules:\n  - {name: r, tools: [x], scopes: b}\n"), []byte(`[`))
	f.Add([]byte("rules: &a [*a]\n"), []byte(`{"a":1,"A":2}`))
	f.Add([]byte("rules:\n  - <<: {name: r}\n"), []byte("{\"\xff\":1}"))
	callers := []*identity.Identity{nil, person("b", "execute"), app("r", "execute")}
	callers[1].GroupsOverage = true
	f.Fuzz(func(t *testing.T, text, arguments []byte) {
		p, err := policy.Parse("p.yaml", text, nil)
		var faults *policy.Faults
		if err != nil {
			if p != nil || !errors.As(err, &faults) || len(faults.List) == 0 || err.Error() == "" {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, id := range callers {
			for _, operation := range []string{"x", "pay", "read_file", "time://x", ""} {
				d := p.DecideCall(id, operation, arguments)
				if d.Reason == "" || d.Rule == "" {
					t.Fatalf("%+v has no reason or no rule", d)
				}
				if id == nil && d.Effect != policy.Deny {
					t.Fatalf("nobody is answered %+v", d)
				}
				if d.Effect != policy.Deny && !p.Visible(id, operation) {
					t.Fatalf("attack 44 %q is answered %+v but not listed", operation, d)
				}
				if explained, _ := p.Explain(id, operation, arguments); explained.Effect != d.Effect || explained.Rule != d.Rule {
					t.Fatalf("%+v is explained as %+v", d, explained)
				}
			}
		}
	})
}

// FuzzParseExpectations: a file is refused with faults, or every expectation in it can be checked.
func FuzzParseExpectations(f *testing.F) {
	f.Add([]byte("identities:\n  p: {kind: person, subject: s}\nexpect:\n  - {identity: p, tool: a, decision: allow, arguments: {a: 1}}\n"))
	f.Add([]byte("expect:\n  - {identity: nobody, tool: a, decision: deny, arguments: '{'}\n"))
	f.Add([]byte("expect: [{1: 2}]\n"))
	p := parsed(f, shop)
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := policy.ParseExpectations("e.yaml", text)
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d expectations and %v", len(list), err)
		}
		for _, e := range list {
			e.Check(p)
		}
	})
}

func ExampleParse() {
	p, err := policy.Parse("policy.yaml", []byte(`
rules:
  - name: small payments
    tools: [pay]
    kind: person
    scopes: [payments]
    when: arguments.amount <= 100
`), nil)
	if err != nil {
		panic(err)
	}
	payer := &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "7", Scopes: []string{"payments"}}
	for _, arguments := range []string{`{"amount": 20}`, `{"amount": 2000}`, `{}`} {
		d := p.DecideCall(payer, "pay", []byte(arguments))
		fmt.Println(d.Effect, "because", d.Reason)
	}
	// Output:
	// allow because the rule "small payments" allows it
	// deny because no rule opens "pay" to this caller
	// deny because the rule "small payments" could not be answered: it asks for an argument that is not there
}
