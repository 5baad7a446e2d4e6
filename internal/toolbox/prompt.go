package toolbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// promptPrefix stands before a prompt's name where the policy is asked: a prompt may have the name of a tool.
const promptPrefix = "prompts/"

// maxValues is how many completions one answer holds. MCP 2025-11-25, completion.
const maxValues = 100

// Complete suggests values for an argument that begins with value; known are the arguments that are filled in already.
// Its errors are as those of Tool.Call. More than 100 values are cut.
type Complete func(ctx context.Context, argument, value string, known map[string]string) ([]string, error)

// Prompt is a template for messages to a model. To the policy it is the operation "prompts/" and its name.
type Prompt struct {
	// Definition names and describes the prompt. It must not change afterwards.
	Definition *mcp.Prompt
	// Get returns the messages. Required arguments are there; c is as in Conversation. Its errors are as those of
	// Tool.Call.
	Get func(ctx context.Context, arguments map[string]string, c *Client) (*mcp.GetPromptResult, error)
	// Complete suggests values for the arguments; nil means that there are no suggestions.
	Complete Complete
}

// Get is one call of a prompt.
type Get struct {
	Name      string
	Arguments map[string]string
	Client    *Client // nil means that the face has nothing to offer
	RequestID string  // as in Call
}

func (b *Box) addPrompt(p Prompt) error {
	if p.Definition == nil || p.Definition.Name == "" {
		return errors.New("a prompt without a name")
	}
	name := p.Definition.Name
	if p.Get == nil {
		return fmt.Errorf("%s: Get is missing", name)
	}
	if b.prompt(name) != nil {
		return fmt.Errorf("%s: a second prompt of this name", name)
	}
	if operation := promptPrefix + name; b.byName[operation] != nil || b.byURI[operation] != nil {
		return fmt.Errorf("%s: the policy could not tell it from the tool or resource %s", name, operation)
	}
	b.prompts = append(b.prompts, &p)
	return nil
}

func (b *Box) prompt(name string) *Prompt {
	for _, p := range b.prompts {
		if p.Definition.Name == name {
			return p
		}
	}
	return nil
}

// Prompts returns the prompts the caller in ctx may get, as [Box.Tools] does for tools, sorted by name.
func (b *Box) Prompts(ctx context.Context) []*mcp.Prompt {
	id, p := identity.FromContext(ctx), b.policy.Load()
	visible := []*mcp.Prompt{}
	for _, prompt := range b.prompts {
		if p.Visible(id, promptPrefix+prompt.Definition.Name) {
			visible = append(visible, prompt.Definition)
		}
	}
	return visible
}

// AllPrompts returns every prompt there is, sorted by name, as [Box.AllTools] does for tools.
func (b *Box) AllPrompts() []*mcp.Prompt {
	all := []*mcp.Prompt{}
	for _, p := range b.prompts {
		all = append(all, p.Definition)
	}
	return all
}

// AllowPrompt does for a prompt what [Box.AllowCall] does for a tool; arguments is a JSON object or nil.
func (b *Box) AllowPrompt(ctx context.Context, name string, arguments json.RawMessage) error {
	known := b.prompt(name) != nil
	d := b.decide(ctx, promptPrefix+name, known, arguments)
	if d.Effect == policy.Allow {
		return nil
	}
	b.refusing(ctx, promptPrefix+name, known, arguments, d)
	return b.refusedPrompt(ctx, name, d)
}

func (b *Box) refusedPrompt(ctx context.Context, name string, d policy.Decision) error {
	if d.Effect == policy.NeedsScope {
		return &ScopeError{Name: name, Scopes: d.Scopes, Reason: d.Reason}
	}
	var names []string
	for _, p := range b.Prompts(ctx) {
		names = append(names, p.Name)
	}
	return &UnknownError{Kind: "prompt", Name: name, Near: nearest.Name(name, names)}
}

// GetPrompt gets the messages of a prompt for the caller in ctx. Its errors are as those of [Box.Call].
func (b *Box) GetPrompt(ctx context.Context, g *Get) (*mcp.GetPromptResult, error) {
	requestID := cmp.Or(g.RequestID, rand.Text())
	p := b.prompt(g.Name)
	operation := promptPrefix + g.Name
	if g.Arguments == nil {
		g.Arguments = map[string]string{}
	}
	arguments, err := json.Marshal(g.Arguments)
	if err != nil {
		return nil, err
	}
	d, record := b.judge(ctx, requestID, operation, p != nil, arguments)
	unrecorded := record.decided(ctx)
	if d.Effect != policy.Allow {
		return nil, b.refusedPrompt(ctx, g.Name, d)
	}
	if unrecorded != nil {
		return nil, unrecorded
	}
	ctx = record.begun(ctx)
	var result *mcp.GetPromptResult
	size, err := b.work(ctx, operation, requestID, func(run context.Context) (size int64, err error) {
		if err := p.lacks(g.Arguments); err != nil {
			return 0, err
		}
		result, err = p.Get(run, g.Arguments, g.Client.whole())
		switch {
		case err != nil:
			return 0, err
		case result == nil || len(result.Messages) == 0 && result.InputRequests == nil:
			return 0, errors.New("the prompt has no messages")
		case len(result.Messages) > 0 && result.InputRequests != nil:
			return 0, errors.New("the prompt asked the client for input and returned messages too")
		}
		return sizeOfJSON(result.Messages), nil
	})
	word := "ok"
	if err == nil && result.InputRequests != nil {
		word = "asked"
	}
	if err := record.ended(ctx, size, word, err); err != nil {
		return nil, err
	}
	return result, nil
}

// lacks names the required arguments that are not there.
func (p *Prompt) lacks(arguments map[string]string) error {
	var problems []Problem
	for _, a := range p.Definition.Arguments {
		if _, given := arguments[a.Name]; a.Required && !given {
			problems = append(problems, Problem{Field: a.Name, Message: "is missing"})
		}
	}
	if problems != nil {
		return &ArgumentsError{Tool: p.Definition.Name, Problems: problems}
	}
	return nil
}

// work runs f as a call: counted, timed, guarded, and with a result that is not too large.
func (b *Box) work(ctx context.Context, operation, requestID string, f func(run context.Context) (int64, error)) (int64, error) {
	run, err := b.running.begin(ctx, Running{ID: requestID, Tool: operation, Since: b.now()})
	if err != nil {
		return 0, err
	}
	defer b.running.end(run)
	var size int64
	err = guarded(func() (err error) {
		size, err = f(run)
		return err
	})
	var arguments *ArgumentsError
	if errors.As(err, &arguments) {
		return 0, err
	}
	if err != nil {
		return 0, b.failure(run, operation, requestID, err)
	}
	return size, b.fits(run, operation, requestID, size)
}

// Completing is a question for values of one argument.
type Completing struct {
	Prompt   string // the prompt whose argument it is; empty if Template is given
	Template string // the URI template whose variable it is
	Argument string
	Value    string            // what is there so far
	Known    map[string]string // the arguments that are filled in already
}

// Completes reports whether anything has suggestions.
func (b *Box) Completes() bool {
	return slices.ContainsFunc(b.prompts, func(p *Prompt) bool { return p.Complete != nil }) ||
		slices.ContainsFunc(b.templates, func(t *template) bool { return t.Complete != nil })
}

// CompleteArgument suggests values for an argument to the caller in ctx, who must be allowed the prompt or template
// itself. Suggestions are no use of a tool and are not recorded; refusals are. Its errors are as those of [Box.Call].
func (b *Box) CompleteArgument(ctx context.Context, c Completing) ([]string, error) {
	complete, operation, err := b.completer(ctx, c)
	if err != nil || complete == nil {
		return []string{}, err
	}
	values := []string{}
	_, err = b.work(ctx, operation, rand.Text(), func(run context.Context) (size int64, err error) {
		found, err := complete(run, c.Argument, c.Value, c.Known)
		values = append(values, found[:min(len(found), maxValues)]...)
		return sizeOfJSON(values), err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// AllowCompletion does for the arguments of a prompt, or else of a template, what [Box.AllowCall] does for a tool.
func (b *Box) AllowCompletion(ctx context.Context, prompt, template string) error {
	_, _, err := b.completer(ctx, Completing{Prompt: prompt, Template: template})
	return err
}

func (b *Box) completer(ctx context.Context, c Completing) (Complete, string, error) {
	if c.Template == "" {
		if err := b.AllowPrompt(ctx, c.Prompt, nil); err != nil {
			return nil, "", err
		}
		return b.prompt(c.Prompt).Complete, promptPrefix + c.Prompt, nil
	}
	i := slices.IndexFunc(b.templates, func(t *template) bool { return t.Definition.URITemplate == c.Template })
	d := b.decide(ctx, c.Template, i >= 0, nil)
	if d.Effect != policy.Allow {
		b.refusing(ctx, c.Template, i >= 0, nil, d)
		return nil, "", b.refusedResource(ctx, c.Template, d)
	}
	return b.templates[i].Complete, c.Template, nil
}

// byPromptName sorts prompts.
func byPromptName(x, y *Prompt) int { return strings.Compare(x.Definition.Name, y.Definition.Name) }
