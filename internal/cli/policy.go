package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

const maxStdin = 1 << 20 // bytes of an identity, a token or arguments

func policyCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Ask the policy who may call what",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policyTestCommand(s))
	return cmd
}

// policyTest is one run of policy test.
type policyTest struct {
	streams
	settings *config.Settings
	policy   *policy.Policy

	identity, token, tool, resource, arguments, expect string
	asJSON                                             bool
}

func policyTestCommand(s streams) *cobra.Command {
	t := &policyTest{streams: s}
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Say what the policy decides, and by which rule",
		Long: "Answers whether an identity may call a tool with these arguments, and by which rule; or holds the policy against a file of\n" +
			"expected decisions, and exits with 1 where one differs. The policy is the one that serve would use with the same settings;\n" +
			"--policy-file asks another. A token is verified as serve verifies it, with the configured provider.",
		Example: "  fastmcp-auth policy test --identity who.json --tool pay --args '{\"amount\": 5}'\n" +
			"  fastmcp-auth policy test --token - --tool pay < token\n" +
			"  fastmcp-auth policy test --expect expected.yaml --policy-file policy.yaml",
		Args: usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Show)
	flags := cmd.Flags()
	flags.StringVar(&t.identity, "identity", "", "The caller's identity in a `file`, as JSON or YAML; - reads stdin.")
	flags.StringVar(&t.token, "token", "", "The caller's access token in a `file`, which is verified; - reads stdin.")
	flags.StringVar(&t.tool, "tool", "", "The `name` of the tool that is called.")
	flags.StringVar(&t.resource, "resource", "", "The `URI` of the resource that is read.")
	flags.StringVar(&t.arguments, "args", "", "Arguments of the call, as a `JSON` object.")
	flags.StringVar(&t.expect, "expect", "", "Expected decisions in a `file`; - reads stdin.")
	flags.BoolVar(&t.asJSON, "json", false, "Print one JSON document.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := t.whole(); err != nil {
			return &usageError{err: err}
		}
		if t.settings, err = config.Load(config.Source{Command: config.Show, Flags: flags, Tools: app.ToolNames()}); err != nil {
			return err
		}
		if t.policy, err = app.LoadPolicy(t.settings); err != nil {
			return err
		}
		if t.expect != "" {
			return t.expected()
		}
		return t.ask(cmd)
	}
	return cmd
}

// whole says what is missing from the question, or too much in it.
func (t *policyTest) whole() error {
	given := func(flags ...string) (n int) {
		for _, value := range flags {
			if value != "" {
				n++
			}
		}
		return n
	}
	switch {
	case given(t.identity, t.token, t.expect) != 1:
		return errors.New("who calls? give one of --identity and --token, or --expect with a file of expected decisions")
	case t.expect != "" && given(t.tool, t.resource, t.arguments) > 0:
		return errors.New("--expect names tools and arguments in its file; leave --tool, --resource and --args out")
	case t.expect == "" && given(t.tool, t.resource) != 1:
		return errors.New("what is called? give one of --tool and --resource")
	case t.resource != "" && t.arguments != "":
		return errors.New("a resource is read without arguments; leave --args out")
	case t.arguments != "" && !json.Valid([]byte(t.arguments)):
		return errors.New("--args is no JSON; write an object, such as '{\"amount\": 5}'")
	}
	return nil
}

// verdict is the answer to one question, as JSON.
type verdict struct {
	Operation string        `json:"operation"`
	Decision  string        `json:"decision"`
	Rule      string        `json:"rule"`
	Reason    string        `json:"reason"`
	Scopes    []string      `json:"scopes,omitempty"`
	Listed    bool          `json:"listed"`
	Steps     []policy.Step `json:"steps,omitempty"`
}

// ask answers one question.
func (t *policyTest) ask(cmd *cobra.Command) error {
	id, err := t.caller(cmd)
	if err != nil {
		return err
	}
	v := verdict{Operation: t.tool + t.resource}
	d, steps := t.policy.Explain(id, v.Operation, json.RawMessage(t.arguments))
	v.Decision, v.Rule, v.Reason, v.Scopes, v.Steps = d.Effect.String(), d.Rule, d.Reason, d.Scopes, steps
	v.Listed = t.policy.Visible(id, v.Operation)
	if t.asJSON {
		return printJSON(t.out, v)
	}
	fmt.Fprintf(t.out, "%s by %q: %s\n", v.Decision, v.Rule, v.Reason)
	if d.Effect == policy.NeedsScope {
		fmt.Fprintf(t.out, "scopes to ask for: %s\n", strings.Join(d.Scopes, " "))
	}
	fmt.Fprintf(t.out, "in lists: %s\n", map[bool]string{true: "shown", false: "hidden"}[v.Listed])
	for _, step := range steps {
		fmt.Fprintf(t.out, "  line %d, %q: %s\n", step.Line, step.Rule, step.Said)
	}
	return nil
}

// caller reads who calls: from an identity, or from a token that the configured provider stands for.
func (t *policyTest) caller(cmd *cobra.Command) (*identity.Identity, error) {
	if t.identity != "" {
		name, body, err := t.read(t.identity)
		if err != nil {
			return nil, err
		}
		return policy.ParseIdentity(name, body)
	}
	_, body, err := t.read(t.token)
	if err != nil {
		return nil, err
	}
	id, err := app.Identify(cmd.Context(), t.settings, strings.TrimSpace(string(body)))
	if err != nil {
		return nil, &hintError{code: exitSignIn, err: err, hint: "serve would refuse this token too; the provider and the audience are those of the settings"}
	}
	return id, nil
}

// read reads a file that a flag names, or stdin.
func (t *policyTest) read(path string) (name string, body []byte, err error) {
	from := t.in
	name = "stdin"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", nil, &usageError{err: err}
		}
		defer f.Close()
		from, name = f, path
	}
	body, err = io.ReadAll(io.LimitReader(from, maxStdin+1))
	if err == nil && len(body) > maxStdin {
		err = fmt.Errorf("%s is larger than 1 MiB", name)
	}
	return name, body, err
}

// outcome is what came of one expectation, as JSON.
type outcome struct {
	Name       string `json:"name"`
	Line       int    `json:"line"`
	Decision   string `json:"decision"`
	Rule       string `json:"rule"`
	Difference string `json:"difference,omitempty"`
}

// expected holds the policy against a file of expected decisions.
func (t *policyTest) expected() error {
	name, body, err := t.read(t.expect)
	if err != nil {
		return err
	}
	list, err := policy.ParseExpectations(name, body)
	if err != nil {
		return err
	}
	outcomes := make([]outcome, len(list))
	differ := 0
	for i, e := range list {
		d, difference := e.Check(t.policy)
		outcomes[i] = outcome{e.Name, e.Line, d.Effect.String(), d.Rule, difference}
		if difference != "" {
			differ++
		}
	}
	if t.asJSON {
		if err := printJSON(t.out, outcomes); err != nil {
			return err
		}
	} else {
		for _, o := range outcomes {
			if o.Difference != "" {
				fmt.Fprintf(t.out, "%s:%d: %s: %s\n", name, o.Line, o.Name, o.Difference)
			}
		}
		fmt.Fprintf(t.out, "%d of %d decisions as expected\n", len(list)-differ, len(list))
	}
	if differ > 0 {
		return fmt.Errorf("%d of %d decisions differ from %s", differ, len(list), name)
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
