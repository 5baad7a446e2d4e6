// Package toolbox is the one door to every tool.
//
// Every face (MCP, REST) calls tools through it, so nothing reaches a tool around the policy. It speaks no protocol and
// verifies no token: the caller is the identity in the context, put there by bearer.
//
// A call walks: policy, the record of the decision, room for one more, arguments against the input schema, the tool,
// output against the output schema, the record of the outcome. A tool that panics answers with an error. What cannot be
// recorded is not done.
//
//	Box      what there is, for this caller         toolbox.go
//	Call     one call of a tool, one read           call.go
//	Client   what a call may ask of the client      client.go
//	Template a family of resources                  template.go
//	Prompt   messages for a model, completions      prompt.go
//	Audit    what is recorded of both               record.go
//	Observer who counts and traces calls             observe.go
//	Shadow   what another policy would have said    shadow.go
//	Running  what runs now; Drain ends it           running.go
//	schema   arguments and output against schemas   schema.go fits.go
//	errors   why a call did not happen              errors.go
package toolbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// Tool is a tool as it is described to callers and as it is called.
type Tool struct {
	// Definition names and describes the tool. Its input schema is required. It must not change afterwards.
	Definition *mcp.Tool
	// Call does the work. The arguments are an object that fits the input schema; progress is never nil and may be
	// called from one goroutine at a time. What the caller did wrong is a result with IsError set; an error is the
	// tool's own failure, whose text strangers do not see. Call returns soon after ctx ends, and leaves no goroutine.
	Call func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error)
}

// Resource is something to read, as it is described and as it is read.
type Resource struct {
	// Definition names and describes the resource. It must not change afterwards.
	Definition *mcp.Resource
	// Read returns the contents. Its errors are as those of Tool.Call.
	Read func(ctx context.Context) ([]*mcp.ResourceContents, error)
}

// Options say what a Box holds and who may open it.
type Options struct {
	Policy    *policy.Policy // required; policy.Open() for a server without sign-in
	Tools     []Tool
	Resources []Resource

	Conversations []Conversation // tools too
	Templates     []Template
	Prompts       []Prompt
	// Changing lists the URIs of those Resources that change in a way the server tells of, so that clients may ask to be
	// told.
	Changing []string

	// Audit records each decision and each outcome; nil means that nothing is recorded.
	Audit Audit

	// MaxRunning limits how many calls run at once; 0 means 1024. MaxRunningPerCaller limits those of one identity;
	// 0 means 64, and it does not bind where nobody signs in.
	MaxRunning, MaxRunningPerCaller int
	// MaxResult is the most bytes that a result or what was read may carry; 0 means that size does not matter.
	MaxResult int64
	// CallTimeout is the longest a call or a read may take; 0 means that nothing ends it but its caller.
	CallTimeout time.Duration

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence
}

// Box holds the tools and resources and lets callers at them. It may be used from many goroutines.
type Box struct {
	policy    atomic.Pointer[policy.Policy]
	shadow    atomic.Pointer[policy.Policy] // nil: no policy is tried out
	tools     []*tool                       // sorted by name
	resources []*resource
	templates []*template
	prompts   []*Prompt
	changing  []string
	watching  sync.Mutex
	watchers  []func()
	byName    map[string]*tool
	byURI     map[string]*resource
	running   running
	audit     Audit
	maxResult int64
	observer  Observer // nil: nobody counts
	now       func() time.Time
	logger    *slog.Logger
}

type tool struct {
	Tool
	input, output *schema // output may be nil
	converse      func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string), c *Client) (*mcp.CallToolResult, error)
}

type resource struct{ Resource }

// New returns a box. It refuses a missing policy, a tool or resource that is not whole, and two of one name; it reports
// all of them at once. It starts nothing.
func New(o Options) (*Box, error) {
	b := &Box{
		byName:    map[string]*tool{},
		byURI:     map[string]*resource{},
		audit:     o.Audit,
		maxResult: o.MaxResult,
		now:       o.Now,
		logger:    o.Logger,
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.logger == nil {
		b.logger = slog.New(slog.DiscardHandler)
	}
	b.running.init(cmp.Or(o.MaxRunning, 1024), cmp.Or(o.MaxRunningPerCaller, 64), o.CallTimeout)

	b.policy.Store(o.Policy)
	var faults []error
	if o.Policy == nil {
		faults = append(faults, errors.New("toolbox: Policy is missing"))
	}
	for i, t := range o.Tools {
		if err := b.addTool(t); err != nil {
			faults = append(faults, fmt.Errorf("toolbox: Tools[%d]: %w", i, err))
		}
	}
	for i, r := range o.Resources {
		if err := b.addResource(r); err != nil {
			faults = append(faults, fmt.Errorf("toolbox: Resources[%d]: %w", i, err))
		}
	}
	faults = append(faults, b.addRest(o)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.SortFunc(b.tools, func(x, y *tool) int { return cmp.Compare(x.Definition.Name, y.Definition.Name) })
	slices.SortFunc(b.resources, func(x, y *resource) int { return cmp.Compare(x.Definition.URI, y.Definition.URI) })
	slices.SortFunc(b.templates, byTemplate)
	slices.SortFunc(b.prompts, byPromptName)
	return b, nil
}

// addRest adds what is neither a plain tool nor a plain resource.
func (b *Box) addRest(o Options) (faults []error) {
	for i, c := range o.Conversations {
		if err := b.addConversation(c); err != nil {
			faults = append(faults, fmt.Errorf("toolbox: Conversations[%d]: %w", i, err))
		}
	}
	for i, t := range o.Templates {
		if err := b.addTemplate(t); err != nil {
			faults = append(faults, fmt.Errorf("toolbox: Templates[%d]: %w", i, err))
		}
	}
	for i, p := range o.Prompts {
		if err := b.addPrompt(p); err != nil {
			faults = append(faults, fmt.Errorf("toolbox: Prompts[%d]: %w", i, err))
		}
	}
	for i, uri := range o.Changing {
		if b.byURI[uri] == nil {
			faults = append(faults, fmt.Errorf("toolbox: Changing[%d]: there is no resource %q", i, uri))
		}
	}
	b.changing = slices.Clone(o.Changing)
	return faults
}

func (b *Box) addTool(t Tool) error {
	if t.Definition == nil || t.Definition.Name == "" {
		return errors.New("a tool without a name")
	}
	name := t.Definition.Name
	if t.Call == nil {
		return fmt.Errorf("%s: Call is missing", name)
	}
	if b.byName[name] != nil {
		return fmt.Errorf("%s: a second tool of this name", name)
	}
	input, err := compile(t.Definition.InputSchema)
	if err != nil {
		return fmt.Errorf("%s: input schema: %w", name, err)
	}
	if input.root.Type != "object" {
		return fmt.Errorf("%s: input schema: the type must be object", name)
	}
	var output *schema
	if t.Definition.OutputSchema != nil {
		if output, err = compile(t.Definition.OutputSchema); err != nil {
			return fmt.Errorf("%s: output schema: %w", name, err)
		}
	}
	added := &tool{Tool: t, input: input, output: output}
	b.byName[name] = added
	b.tools = append(b.tools, added)
	return nil
}

func (b *Box) addResource(r Resource) error {
	if r.Definition == nil || r.Definition.URI == "" {
		return errors.New("a resource without a URI")
	}
	uri := r.Definition.URI
	if r.Read == nil {
		return fmt.Errorf("%s: Read is missing", uri)
	}
	if b.byURI[uri] != nil {
		return fmt.Errorf("%s: a second resource of this URI", uri)
	}
	added := &resource{r}
	b.byURI[uri] = added
	b.resources = append(b.resources, added)
	return nil
}

// SetPolicy lets p decide from the next call on. Calls that run were decided and go on. Nil denies everything.
func (b *Box) SetPolicy(p *policy.Policy) {
	b.policy.Store(p)
	b.watching.Lock()
	defer b.watching.Unlock()
	for _, f := range b.watchers {
		f()
	}
}

// OnChange has f called whenever what callers may see has changed. f must not call SetPolicy or OnChange.
func (b *Box) OnChange(f func()) {
	b.watching.Lock()
	defer b.watching.Unlock()
	b.watchers = append(b.watchers, f)
}

// Tools returns the tools the caller in ctx may call now, with other arguments or with a token of more scopes, sorted by
// name. A tool that is denied whatever its arguments is not among them. The caller must not change what is returned.
func (b *Box) Tools(ctx context.Context) []*mcp.Tool {
	id, p := identity.FromContext(ctx), b.policy.Load()
	visible := []*mcp.Tool{}
	for _, t := range b.tools {
		if p.Visible(id, t.Definition.Name) {
			visible = append(visible, t.Definition)
		}
	}
	return visible
}

// Resources returns the resources the caller in ctx may read, as Tools does for tools, sorted by URI.
func (b *Box) Resources(ctx context.Context) []*mcp.Resource {
	id, p := identity.FromContext(ctx), b.policy.Load()
	visible := []*mcp.Resource{}
	for _, r := range b.resources {
		if p.Visible(id, r.Definition.URI) {
			visible = append(visible, r.Definition)
		}
	}
	return visible
}

// Decide says whether the caller in ctx may call the tool without arguments, or read the resource, of this name. What
// does not exist is denied. It is a question: nothing is recorded.
func (b *Box) Decide(ctx context.Context, name string) policy.Decision {
	return b.decide(ctx, name, b.byName[name] != nil || b.resourceAt(name) != nil, nil)
}

func (b *Box) decide(ctx context.Context, operation string, known bool, arguments json.RawMessage) policy.Decision {
	if !known {
		return policy.Decision{Reason: "there is no such tool or resource", Rule: "unknown"}
	}
	return b.policy.Load().DecideCall(identity.FromContext(ctx), operation, arguments)
}

// AllowCall returns nil if the caller in ctx may call the tool of this name with these arguments, a [*ScopeError] if a token of more scopes
// could, and an [*UnknownError] if there is no such tool or the caller is denied it: strangers cannot tell the two
// apart. It is for a face that must answer a refusal before it begins anything: the refusal is recorded, and the face
// must not go on to [Box.Call], which decides and records by itself.
func (b *Box) AllowCall(ctx context.Context, name string, arguments json.RawMessage) error {
	known := b.byName[name] != nil
	d := b.decide(ctx, name, known, arguments)
	if d.Effect == policy.Allow {
		return nil
	}
	b.refusing(ctx, name, known, arguments, d)
	return b.refusedTool(ctx, name, d)
}

// AllowResource does for a resource what [Box.AllowCall] does for a tool.
func (b *Box) AllowResource(ctx context.Context, uri string) error {
	known := b.resourceAt(uri) != nil
	d := b.decide(ctx, uri, known, nil)
	if d.Effect == policy.Allow {
		return nil
	}
	b.refusing(ctx, uri, known, nil, d)
	return b.refusedResource(ctx, uri, d)
}

// refusedTool is what a caller hears of a decision that does not let it in.
func (b *Box) refusedTool(ctx context.Context, name string, d policy.Decision) error {
	if d.Effect == policy.NeedsScope {
		return &ScopeError{Name: name, Scopes: d.Scopes, Reason: d.Reason}
	}
	if b.byName[name] != nil && b.policy.Load().Visible(identity.FromContext(ctx), name) {
		return &UnknownError{Kind: "tool", Name: name, Listed: true} // the list shows it, so this tells nothing
	}
	return b.unknownTool(ctx, name)
}

func (b *Box) refusedResource(ctx context.Context, uri string, d policy.Decision) error {
	if d.Effect == policy.NeedsScope {
		return &ScopeError{Name: uri, Scopes: d.Scopes, Reason: d.Reason}
	}
	return b.unknownResource(ctx, uri)
}

func (b *Box) unknownTool(ctx context.Context, name string) error {
	var names []string
	for _, t := range b.Tools(ctx) {
		names = append(names, t.Name)
	}
	return &UnknownError{Kind: "tool", Name: name, Near: nearest.Name(name, names)}
}

func (b *Box) unknownResource(ctx context.Context, uri string) error {
	var uris []string
	for _, r := range b.Resources(ctx) {
		uris = append(uris, r.URI)
	}
	return &UnknownError{Kind: "resource", Name: uri, Near: nearest.Name(uri, uris)}
}

// AllTools returns every tool there is, sorted by name, for a face that must describe them before anyone calls. What it
// shows to a caller it takes from [Box.Tools].
func (b *Box) AllTools() []*mcp.Tool {
	all := []*mcp.Tool{}
	for _, t := range b.tools {
		all = append(all, t.Definition)
	}
	return all
}

// AllResources returns every resource there is, sorted by URI, as AllTools does for tools.
func (b *Box) AllResources() []*mcp.Resource {
	all := []*mcp.Resource{}
	for _, r := range b.resources {
		all = append(all, r.Definition)
	}
	return all
}
