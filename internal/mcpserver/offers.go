//lint:file-ignore SA1019 Clients in the field go on using sampling, roots and logging.

package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// methods are what each era knows. What the box does not hold (prompts, completions, a tool that logs) is not known.
type methods struct{ modern, legacy []string }

func newMethods(box *toolbox.Box) methods {
	both := []string{"tools/list", "tools/call", "resources/list", "resources/templates/list", "resources/read"}
	if len(box.AllPrompts()) > 0 {
		both = append(both, "prompts/list", "prompts/get")
	}
	if box.Completes() {
		both = append(both, "completion/complete")
	}
	m := methods{
		modern: append(slices.Clone(both), "server/discover", "subscriptions/listen"),
		legacy: append(slices.Clone(both), "ping"),
	}
	if box.Conversations() {
		m.legacy = append(m.legacy, "logging/setLevel")
	}
	if box.Watched("") {
		m.legacy = append(m.legacy, "resources/subscribe", "resources/unsubscribe")
	}
	return m
}

// capabilities are what a server says of itself.
func capabilities(box *toolbox.Box, announces bool) *mcp.ServerCapabilities {
	c := &mcp.ServerCapabilities{
		Tools:     &mcp.ToolCapabilities{ListChanged: announces},
		Resources: &mcp.ResourceCapabilities{ListChanged: announces},
	}
	if len(box.AllPrompts()) > 0 {
		c.Prompts = &mcp.PromptCapabilities{ListChanged: announces}
	}
	if box.Conversations() {
		c.Logging = &mcp.LoggingCapabilities{}
	}
	return c
}

// addHandlers sets what the SDK asks while it serves, for what the box holds.
func (h *Handler) addHandlers(o *mcp.ServerOptions) {
	if h.box.Completes() {
		o.CompletionHandler = h.complete
	}
	if h.box.Watched("") {
		o.SubscribeHandler = func(ctx context.Context, req *mcp.SubscribeRequest) error { return h.mayWatch(ctx, req.Params.URI) }
		o.UnsubscribeHandler = func(context.Context, *mcp.UnsubscribeRequest) error { return nil }
	}
}

// addOffers gives a server of the SDK the templates and prompts that are in the box.
func (h *Handler) addOffers(server *mcp.Server) {
	for _, t := range h.box.AllTemplates() {
		server.AddResourceTemplate(t, h.readResource)
	}
	for _, p := range h.box.AllPrompts() {
		server.AddPrompt(p, h.getPrompt)
	}
}

// getPrompt is the handler of every prompt.
func (h *Handler) getPrompt(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	rq, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, errors.New("no request")
	}
	arguments, err := json.Marshal(req.Params.Arguments)
	if err != nil {
		return nil, err
	}
	c := h.client(ctx, req.Session, req.Extra, req.ClientCapabilities())
	to := boundTo(rq.identity.Key(), "prompts/get", req.Params.Name, arguments)
	if c.State, err = h.stateOf(rq, req.Params.RequestState, to); err != nil {
		return nil, err
	}
	c.Answers = req.Params.InputResponses
	get := &toolbox.Get{Name: req.Params.Name, Arguments: req.Params.Arguments, Client: c, RequestID: rq.id}
	var result *mcp.GetPromptResult
	err = h.inRounds(ctx, req.Session, rq, c, to, func() (mcp.InputRequestMap, *string, error) {
		if result, err = h.box.GetPrompt(ctx, get); err != nil {
			return nil, nil, err
		}
		answered := *result
		result = &answered
		return result.InputRequests, &result.RequestState, nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// stateOf is what the tool wanted to remember, from what the client brings. In a session nothing is brought: the rounds
// of a call are the server's own.
func (h *Handler) stateOf(rq *request, brought, to string) (string, error) {
	if brought == "" {
		return "", nil
	}
	if rq.session != nil {
		return "", invalidParams("requestState belongs to version %s and later", firstModern).wire(rq.id)
	}
	state, err := h.states.open(brought, to)
	if err != nil {
		return "", invalidParams("%s", err).wire(rq.id)
	}
	return state, nil
}

// complete answers completion/complete.
func (h *Handler) complete(ctx context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	c := toolbox.Completing{Argument: req.Params.Argument.Name, Value: req.Params.Argument.Value}
	switch req.Params.Ref.Type {
	case "ref/prompt":
		c.Prompt = req.Params.Ref.Name
	case "ref/resource":
		c.Template = req.Params.Ref.URI
	}
	if req.Params.Context != nil {
		c.Known = req.Params.Context.Arguments
	}
	values, err := h.box.CompleteArgument(ctx, c)
	if err != nil {
		return nil, err
	}
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: values, Total: len(values)}}, nil
}
