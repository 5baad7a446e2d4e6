package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// What one condition may be and may cost. A condition that reaches a bound denies.
const (
	maxCondition = 4 << 10                // bytes of its text
	maxDepth     = 64                     // brackets within brackets
	maxCost      = 100_000                // CEL's cost units: about as many comparisons
	maxTime      = 250 * time.Millisecond // for one that goes through lists; its cost ends it sooner on any idle machine
	maxRegexp    = 1000                   // instructions of a pattern made from arguments
)

// fields are what a condition may ask about the caller. Name, username and email are not among them: people and
// administrators can change those.
var fields = []string{"issuer", "tenant", "subject", "object_id", "kind", "client_id", "scopes", "roles", "groups", "groups_overage", "guest"}

// environment declares what a condition may speak of. Each field of identity is a variable of its own, so that a
// misspelt one does not compile and identity cannot be passed around as a whole.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(maxCondition),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.Variable("identity.issuer", cel.StringType),
		cel.Variable("identity.tenant", cel.StringType),
		cel.Variable("identity.subject", cel.StringType),
		cel.Variable("identity.object_id", cel.StringType),
		cel.Variable("identity.kind", cel.StringType),
		cel.Variable("identity.client_id", cel.StringType),
		cel.Variable("identity.scopes", cel.ListType(cel.StringType)),
		cel.Variable("identity.roles", cel.ListType(cel.StringType)),
		cel.Variable("identity.groups", cel.ListType(cel.StringType)),
		cel.Variable("identity.groups_overage", cel.BoolType),
		cel.Variable("identity.guest", cel.BoolType),
		cel.Variable("arguments", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("tool", cel.StringType),
	)
})

// condition is a compiled CEL expression. It may be shared between goroutines.
type condition struct {
	program cel.Program
	loops   bool // it goes through lists, so its time depends on them
}

// conditionFault is a place in an expression, counted from its first line, and what is wrong there.
type conditionFault struct {
	line    int // 0 is the first
	problem string
}

var mutable = regexp.MustCompile(`\bidentity\.(email|name|username)\b`)

// compile reads an expression that must answer true or false.
func compile(text string) (*condition, []conditionFault) {
	if len(text) > maxCondition {
		return nil, []conditionFault{{0, fmt.Sprintf("is longer than %d bytes", maxCondition)}}
	}
	if field := mutable.FindString(text); field != "" {
		return nil, []conditionFault{{0, field + " is for showing only, since people and administrators can change it; use identity.issuer with identity.subject, or identity.tenant with identity.object_id"}}
	}
	env, err := environment()
	if err != nil {
		return nil, []conditionFault{{0, err.Error()}}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		var faults []conditionFault
		for _, e := range issues.Errors() {
			problem := strings.TrimSuffix(strings.ReplaceAll(e.Message, " (in container '')", ""), "\n")
			if strings.Contains(problem, "undeclared reference to 'identity") && !strings.Contains(problem, "did you mean") {
				problem += "; identity has " + strings.Join(fields, ", ")
			}
			faults = append(faults, conditionFault{max(0, e.Location.Line()-1), problem})
		}
		return nil, faults
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, []conditionFault{{0, fmt.Sprintf("answers %s, not true or false; compare it with something", cel.FormatCELType(checked.OutputType()))}}
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, []conditionFault{{0, err.Error()}}
	}
	c := &condition{program: program}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		c.loops = c.loops || e.Kind() == ast.ComprehensionKind
	}))
	return c, nil
}

// truth is what a condition answers.
type truth int

const (
	no truth = iota
	yes
	failed  // it could not be answered
	depends // it cannot be answered before the arguments are known
)

// holds evaluates the condition. The error says why it failed, without a value of the caller's.
func (c *condition) holds(q *question) (t truth, err error) {
	defer func() {
		if v := recover(); v != nil {
			t, err = failed, fmt.Errorf("it panicked")
		}
	}()
	q.asked = false
	answer, err := c.eval(q)
	switch {
	case err != nil && q.asked && q.listing:
		return depends, nil
	case err != nil:
		return failed, safe(err)
	case answer == types.True:
		return yes, nil
	case answer == types.False:
		return no, nil
	}
	return failed, fmt.Errorf("it answered neither true nor false")
}

func (c *condition) eval(q *question) (any, error) {
	if !c.loops {
		answer, _, err := c.program.Eval(q)
		return answer, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	answer, _, err := c.program.ContextEval(ctx, q)
	return answer, err
}

// safe keeps of an evaluation error what holds no value of the call: a key or a text of the arguments stays out of logs.
func safe(err error) error {
	text := err.Error()
	for _, known := range []struct{ part, say string }{
		{overage, overage},
		{badArguments, badArguments},
		{"cost limit", "it costs too much"},
		{"interrupted", "it takes too long"},
		{"no such key", "it asks for an argument that is not there"},
		{"no such overload", "it compares values of different types"},
		{"division by zero", "it divides by zero"},
		{"out of bounds", "it asks for an element that is not there"},
	} {
		if strings.Contains(text, known.part) {
			return fmt.Errorf("%s", known.say)
		}
	}
	return fmt.Errorf("it cannot be evaluated")
}

const (
	overage      = "the groups of the caller are not in the token, because there are too many"
	badArguments = "the arguments are not one JSON object that a rule can read"
)

var (
	errOverage   = types.NewErr("%s", overage)
	errArguments = types.NewErr("%s", badArguments)
	errLater     = types.NewErr("the arguments are not known yet")
)

// question is one question to the policy: who asks for what. It is the activation of the conditions.
type question struct {
	id        *identity.Identity
	operation string
	arguments json.RawMessage
	listing   bool // the arguments are not known yet

	asked  bool // a condition looked at the arguments
	parsed any  // the arguments, once a condition asked for them
}

// ResolveName answers a condition's variable. It is part of [cel.Activation].
func (q *question) ResolveName(name string) (any, bool) {
	switch name {
	case "identity.issuer":
		return types.String(q.id.Issuer), true
	case "identity.tenant":
		return types.String(q.id.Tenant), true
	case "identity.subject":
		return types.String(q.id.Subject), true
	case "identity.object_id":
		return types.String(q.id.ObjectID), true
	case "identity.kind":
		return types.String(q.id.Kind), true
	case "identity.client_id":
		return types.String(q.id.ClientID), true
	case "identity.scopes":
		return types.NewStringList(types.DefaultTypeAdapter, q.id.Scopes), true
	case "identity.roles":
		return types.NewStringList(types.DefaultTypeAdapter, q.id.Roles), true
	case "identity.groups":
		if q.id.GroupsOverage {
			return errOverage, true
		}
		return types.NewStringList(types.DefaultTypeAdapter, q.id.Groups), true
	case "identity.groups_overage":
		return types.Bool(q.id.GroupsOverage), true
	case "identity.guest":
		return types.Bool(q.id.Guest), true
	case "tool":
		return types.String(q.operation), true
	case "arguments":
		return q.args(), true
	}
	return nil, false
}

// Parent is part of [cel.Activation].
func (q *question) Parent() cel.Activation { return nil }

func (q *question) args() any {
	q.asked = true
	if q.listing {
		return errLater
	}
	if q.parsed == nil {
		if object, err := parseArguments(q.arguments); err != nil {
			q.parsed = errArguments
		} else {
			q.parsed = types.NewStringInterfaceMap(types.DefaultTypeAdapter, object)
		}
	}
	return q.parsed
}
