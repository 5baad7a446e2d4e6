package mcpserver

import (
	"context"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// listen serves subscriptions/listen: a stream that lasts until the client closes it or the server goes down.
func (h *Handler) listen(a *answer, r *http.Request, body []byte) {
	key := identity.KeyFrom(r.Context())
	if !h.subscriptions.Enter(key) {
		h.onLimit("sessions")
		a.Header().Set("Retry-After", "60")
		a.refuse(http.StatusServiceUnavailable, &rpcError{Code: codeServer, Message: "there are too many subscriptions; end one, or try again later"})
		return
	}
	defer h.subscriptions.Leave(key)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.leaving, cancel)()
	h.pass(a, r.WithContext(ctx), h.stream, body, &request{})
}

// mayWatch says why the caller in ctx may not be told of changes of a resource, or nil.
func (h *Handler) mayWatch(ctx context.Context, uri string) error {
	if err := h.box.AllowResource(ctx, uri); err != nil {
		return err
	}
	if !h.box.Watched(uri) {
		return invalidParams("%q does not change in a way that clients are told of", clip(uri)).wire("")
	}
	return nil
}

// keepWatchable drops from a subscription the resources that its caller may not watch. The acknowledgement says which
// ones are left.
func (h *Handler) keepWatchable(ctx context.Context, req mcp.Request) {
	p, ok := req.GetParams().(*mcp.SubscriptionsListenParams)
	if !ok || p == nil || p.Notifications == nil {
		return
	}
	p.Notifications.ResourceSubscriptions = slices.DeleteFunc(p.Notifications.ResourceSubscriptions, func(uri string) bool {
		return h.mayWatch(ctx, uri) != nil
	})
}

// ResourceUpdated tells the clients that subscribed to the resource of this URI that it has changed.
func (h *Handler) ResourceUpdated(ctx context.Context, uri string) {
	for _, server := range h.servers {
		// The SDK logs what it cannot send, and returns no error.
		_ = server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: uri})
	}
}

// listsChanged tells clients that want to know that lists may differ from what they saw, and nothing else. The SDK does
// so whenever something is added, also what was there before.
func (h *Handler) listsChanged() {
	for _, server := range h.servers {
		if tools := h.box.AllTools(); len(tools) > 0 {
			server.AddTool(tools[0], h.callTool)
		}
		if resources := h.box.AllResources(); len(resources) > 0 {
			server.AddResource(resources[0], h.readResource)
		}
		if prompts := h.box.AllPrompts(); len(prompts) > 0 {
			server.AddPrompt(prompts[0], h.getPrompt)
		}
	}
}
