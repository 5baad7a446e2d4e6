package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/mcptools"
	"github.com/fastmcp-auth/fastmcp-auth/agent/openai"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// The forms of what the agent says.
const (
	outputText  = "text"
	outputJSON  = "json"
	outputJSONL = "jsonl"
)

func agentCommand(s streams) *cobra.Command {
	c := &conversation{caller: caller{streams: s, reads: config.Agent}}
	cmd := &cobra.Command{
		Use:   "agent [SERVER…]",
		Short: "Let a language model work with tools",
		Long: "Talks with a language model that may call the tools of MCP servers, on a full screen, or once with -p or a question on stdin.\n" +
			"Each call is decided about before it is made: tools that change nothing, says their server, may run; about all others you\n" +
			"are asked. Without a person a policy file decides, and what it does not allow is refused.\n\n" +
			"The model is any with an interface like OpenAI's: OPENAI_MODEL, OPENAI_API_KEY and OPENAI_BASE_URL say which; Ollama and\n" +
			"vLLM on this machine are found by themselves. docs/agent.md has the keys, the events and the policy file.",
		Example: "  fastmcp-auth agent\n  fastmcp-auth agent https://mcp.example.com/mcp work\n" +
			"  fastmcp-auth agent -p \"give me a random number between 1 and 40\"\n" +
			"  git diff | fastmcp-auth agent --output jsonl --policy agent.json",
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.prompt, "prompt", "p", "", "Say this `text`, print the answer, and end; - reads it from stdin.")
	f.StringVar(&c.output, "output", outputText, "`Form` of the answer: text, json for one document, jsonl for each event as it happens.")
	f.StringVar(&c.policy, "policy", "", "`File` with rules about calls, in place of those that were kept.")
	f.StringVar(&c.dir, "dir", "", "`Folder` for conversations and kept rules; not said, it is where the system keeps the state of programs.")
	f.StringVar(&c.resume, "resume", "", "Go on with this `conversation`; last is the latest.")
	f.BoolVar(&c.fork, "fork", false, "With --resume: go on in another conversation, and leave that one as it is.")
	f.IntVar(&c.limits.Steps, "max-turns", 50, "Most `times` the model is asked for one question.")
	f.DurationVar(&c.limits.Time, "max-time", 0, "Longest `time` for one question, without what you take to answer; 0 means no limit.")
	f.Float64Var(&c.limits.Cost, "max-cost", 0, "Most that a conversation may `cost`; needs --model-price-in and --model-price-out; 0 means no limit.")
	f.IntVar(&c.limits.Calls, "parallel", 8, "Most `calls` at the same time.")
	f.DurationVar(&c.limits.Silence, "timeout", time.Minute, "Longest `time` of a call without an answer or progress.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) }
	return cmd
}

// conversation is the command that talks.
type conversation struct {
	caller
	prompt, output, policy, dir, resume string
	fork                                bool
	limits                              agent.Limits

	servers    *mcptools.Servers
	callers    []*caller // one for each server
	ask        *asker
	rules      *agent.Rules
	transcript *agent.Transcript // nil where nothing is kept
	agent      *agent.Agent
	modelName  string
	one        *shot     // where it is asked once
	chat       *tui.Chat // where a person talks
	options    agent.Options
	turning    turning
	ctx        context.Context // of the screen
	endpoint   openai.Config   // where the model answers
	azure      *entraSource    // nil where the model has a key, or needs none
}

func (c *conversation) run(cmd *cobra.Command, args []string) error {
	if c.asJSON && !cmd.Flags().Changed("output") {
		c.output = outputJSON
	}
	if err := c.check(); err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	if c.output != outputText {
		cmd.Flags().Set("json", "true") // so that an error is JSON too
		c.asJSON = true
	}
	question, once, err := c.question()
	if err != nil {
		return err
	}
	if err := c.gather(cmd, args); err != nil {
		return err
	}
	defer c.servers.Close()
	if err := c.open(once); err != nil {
		return err
	}
	if c.transcript != nil {
		defer func() { c.transcript.Close() }()
	}
	if once {
		return c.shot(cmd.Context(), question)
	}
	return c.screen(cmd.Context())
}

func (c *conversation) check() error {
	switch {
	case !slices.Contains([]string{outputText, outputJSON, outputJSONL}, c.output):
		return fmt.Errorf("--output: %q is not one of text, json, jsonl", c.output)
	case c.fork && c.resume == "":
		return errors.New("--fork: say with --resume which conversation")
	case c.limits.Steps <= 0, c.limits.Calls <= 0:
		return errors.New("--max-turns and --parallel: write a number above 0")
	case c.limits.Time < 0, c.limits.Cost < 0, c.limits.Silence <= 0:
		return errors.New("--max-time, --max-cost and --timeout: write nothing below 0")
	}
	return nil
}

var errNoQuestion = &hintError{code: exitUsage, err: errors.New("there is no question"), hint: "write one after -p, or to stdin"}

const maxQuestion = 4 << 20 // bytes

// question is what is asked once; once is false where a person talks on the screen.
func (c *conversation) question() (question string, once bool, err error) {
	in, isFile := c.in.(*os.File)
	isTerminal := isFile && term.IsTerminal(int(in.Fd()))
	if c.prompt != "" && c.prompt != "-" {
		if strings.TrimSpace(c.prompt) == "" {
			return "", true, errNoQuestion
		}
		return c.prompt, true, nil
	}
	if c.prompt == "" && isTerminal && c.look().Terminal {
		return "", false, nil
	}
	if c.prompt == "" && isTerminal {
		return "", false, &hintError{code: exitUsage, err: errors.New("there is no screen to talk on"), hint: `ask once with -p "…"; NO_COLOR, CI and a dumb terminal have no screen`}
	}
	body, err := io.ReadAll(io.LimitReader(c.in, maxQuestion+1))
	switch {
	case err != nil:
		return "", true, fmt.Errorf("read the question: %w", err)
	case len(body) > maxQuestion:
		return "", true, &hintError{code: exitUsage, err: fmt.Errorf("the question has more than %d bytes", maxQuestion)}
	case strings.TrimSpace(string(body)) == "":
		return "", true, errNoQuestion
	}
	return string(body), true, nil
}

// gather reads the settings of each server, finds the model, and says all that is missing at once.
func (c *conversation) gather(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	var faults []error
	names := map[string]bool{}
	c.servers = &mcptools.Servers{}
	for _, arg := range args {
		one := &caller{streams: c.streams, asJSON: c.asJSON, noAuth: c.noAuth, account: c.account, reads: config.Agent}
		if err := one.load(cmd, arg); err != nil {
			if !slices.ContainsFunc(faults, func(f error) bool { return f.Error() == err.Error() }) {
				faults = append(faults, err)
			}
			continue
		}
		if slices.ContainsFunc(c.callers, func(o *caller) bool { return o.server == one.server }) {
			continue
		}
		c.callers = append(c.callers, one)
		name := shortName(cmp.Or(arg, one.settings.Server), one.server, names)
		c.servers.Add(mcptools.Server{Name: name, URL: one.server, Open: c.opener(one, name)})
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	c.caller.settings, c.caller.server = c.callers[0].settings, c.callers[0].server
	if c.dir == "" {
		c.dir = c.settings.AgentDir()
	}
	return nil
}

// opener opens sessions with one server; who is asked there, and where a sign-in is shown, is set before the first.
func (c *conversation) opener(one *caller, name string) func(context.Context) (*client.Session, error) {
	return func(ctx context.Context) (*client.Session, error) {
		return one.open(ctx, func(o *client.Options) {
			o.Answer = func(ctx context.Context, q client.Question) (any, error) { return c.ask.answerTo(ctx, name, q) }
			o.OnChange = func(list client.List) {
				if list == client.ListTools {
					c.servers.Changed(one.server)
				}
			}
		})
	}
}

// shortName is what a server is called in the names of its tools: its configured name, or its host.
func shortName(typed, address string, taken map[string]bool) string {
	name := typed
	if u, err := url.Parse(address); err == nil && (strings.ContainsAny(typed, "/.:") || typed == "") {
		name = u.Host
	}
	for n, base := 2, name; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	taken[name] = true
	return name
}

// open prepares model, rules and transcript.
func (c *conversation) open(once bool) (err error) {
	model, name, err := c.model()
	if err != nil {
		return err
	}
	c.modelName = name
	if c.rules, err = c.loadRules(once); err != nil {
		return err
	}
	if c.transcript, err = c.openTranscript(); err != nil {
		return err
	}
	c.limits.Context = c.settings.Model.Context
	o := agent.Options{Model: model, Tools: c.servers, Rules: c.rules, Transcript: c.transcript, Limits: c.limits}
	if in, out, known := c.settings.Model.Prices(); known {
		o.Prices = &agent.Prices{In: in, Out: out}
	} else if c.limits.Cost > 0 {
		return &hintError{code: exitUsage, err: errors.New("--max-cost: what tokens cost is not known"), hint: "say --model-price-in and --model-price-out"}
	}
	c.ask = newAsker(c.streams, c.settings.NoInput, c.look())
	return c.start(o, once)
}

// loadRules reads the policy, or what a person allowed from now on. Where nobody is, only a policy counts.
func (c *conversation) loadRules(once bool) (*agent.Rules, error) {
	if c.policy != "" {
		body, err := os.ReadFile(c.policy)
		if err != nil {
			return nil, &hintError{code: exitUsage, err: fmt.Errorf("--policy: %w", err), hint: "docs/agent.md describes the file"}
		}
		rules, err := agent.ParseRules(body)
		if err != nil {
			return nil, &hintError{code: exitUsage, err: fmt.Errorf("--policy %s: %w", c.policy, err), hint: "docs/agent.md describes the file"}
		}
		return rules, nil
	}
	if once || c.dir == "" {
		return nil, nil
	}
	rules, err := agent.LoadRules(filepath.Join(c.dir, "rules.json"))
	if err != nil {
		return nil, &hintError{code: exitUsage, err: err, hint: "mend it, or put it away: what it allowed is asked about again"}
	}
	return rules, nil
}

func (c *conversation) openTranscript() (t *agent.Transcript, err error) {
	if c.dir == "" {
		if c.resume != "" {
			return nil, &hintError{code: exitUsage, err: errors.New("--resume: there is no folder for conversations"), hint: "name one with --dir"}
		}
		return nil, nil
	}
	id := c.resume
	if id == "last" {
		all, err := agent.Transcripts(c.talks())
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, &hintError{code: exitUsage, err: fmt.Errorf("there is no conversation in %s", c.talks())}
		}
		id = all[len(all)-1].ID
	}
	switch {
	case id == "":
		t, err = agent.NewTranscript(c.talks())
	case c.fork:
		t, err = agent.ForkTranscript(c.talks(), id)
	default:
		t, err = agent.OpenTranscript(c.talks(), id)
	}
	if errors.Is(err, agent.ErrTranscriptInUse) {
		return nil, openElsewhere(id, err)
	}
	if errors.Is(err, agent.ErrNoTranscript) {
		return nil, &hintError{code: exitUsage, err: err, hint: fmt.Sprintf("%s holds the conversations; last is the latest", c.talks())}
	}
	return t, err
}

func openElsewhere(id string, err error) error {
	return &hintError{err: err, hint: fmt.Sprintf("leave it there, or go on beside it with --resume %s --fork", id)}
}

func (c *conversation) talks() string { return filepath.Join(c.dir, "conversations") }

// asking are all that may ask a person to sign in: one for each server, and one for the model.
func (c *conversation) asking() []*caller {
	if c.azure == nil {
		return c.callers
	}
	return append(slices.Clone(c.callers), c.azure.caller)
}

// id is what the conversation is called; empty where it is not kept.
func (c *conversation) id() string {
	if c.transcript == nil {
		return ""
	}
	return c.transcript.ID()
}

// explainAgent gives an error of a turn its exit code and a hint.
func (c *conversation) explainAgent(err error) error {
	var fault *agent.ModelError
	var limit *agent.LimitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limit):
		flag := map[agent.Limit]string{agent.LimitSteps: "--max-turns", agent.LimitTime: "--max-time", agent.LimitCost: "--max-cost"}[limit.What]
		hint := "say what is wanted in other words"
		if flag != "" {
			hint = "allow more with " + flag
		}
		if c.id() != "" {
			hint += ", or go on with --resume " + c.id()
		}
		return &hintError{code: exitLimit, err: err, hint: hint}
	case errors.Is(err, agent.ErrNotKept):
		return &hintError{err: err, hint: "make room there and go on with --resume, or keep conversations elsewhere with --dir"}
	case !errors.As(err, &fault):
		return err
	}
	switch fault.Fault {
	case agent.FaultKey:
		if c.azure != nil {
			return &hintError{code: exitSignIn, err: err, hint: `who signed in needs a role such as "Cognitive Services OpenAI User" at the resource`}
		}
		return &hintError{code: exitSignIn, err: err, hint: "check OPENAI_API_KEY, and that it may use this model"}
	case agent.FaultRequest:
		return &hintError{code: exitFailed, err: err, hint: "check OPENAI_MODEL and OPENAI_BASE_URL"}
	}
	return &hintError{code: exitUnreachable, err: err, hint: "check that the model's server runs, or try again in a while"}
}

// down says which server is left out, and why.
func (c *conversation) down(s mcptools.Server, err error) string {
	text := fmt.Sprintf("%s is left out: %s", s.Name, tui.Clean(plain(err)))
	if all := hintsOf(err); len(all) > 0 {
		text += "; " + strings.Join(all, "; ")
	}
	return text
}
