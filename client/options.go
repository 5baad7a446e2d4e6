//lint:file-ignore SA1019 Servers in the field go on using sampling, roots and logging.

package client

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"
)

// Options says how to call a server. The zero value calls a server that asks nobody to sign in.
type Options struct {
	// HTTPClient lends its Transport (proxy, TLS) to every request; nil means http.DefaultTransport. Its Timeout,
	// CheckRedirect and Jar are not used: calls last as long as their context, and no token follows a redirect.
	HTTPClient *http.Client
	// SignIn is asked for tokens when the server answers 401; nil means that a 401 is an [UnauthorizedError].
	SignIn SignIn
	// Token gives the tokens to begin with; nil means none, until SignIn brings some. They must have been issued for
	// this server.
	Token oauth2.TokenSource
	// ClientName and ClientVersion name the program to the server; empty means "fastmcp-auth" and "dev".
	ClientName, ClientVersion string
	// ProtocolVersion is the MCP revision to begin with, such as "2025-11-25"; empty means the newest. The server may
	// lower it.
	ProtocolVersion string
	// AnswerTimeout bounds the wait for each answer that a server gives from what it knows, such as its lists. Calls of
	// tools and the like take as long as their context allows. Zero or less means a minute.
	AnswerTimeout time.Duration
	// AssumeIssuer takes a server that publishes no metadata of itself for its own authorization server, as revision
	// 2025-03-26 has it. The zero value does not: nobody said that tokens may be asked for there.
	AssumeIssuer bool

	// Answer answers what the server asks in the middle of a call; nil means that there is nobody to ask.
	Answer Answerer
	// Roots are the folders that the server may know of; nil tells servers that there are none.
	Roots []*mcp.Root

	// OnChange hears that a list of the server has changed; nil means that nobody does. It must return soon.
	OnChange func(List)
	// OnUpdate hears that a resource one has subscribed to has changed; nil means that nobody does. It must return soon.
	OnUpdate func(uri string)
	// OnLog hears what the server logs; nil means that nobody does. It must return soon.
	OnLog func(*mcp.LoggingMessageParams)
	// OnProgress hears the progress of calls that bring no function of their own; nil means nobody does.
	OnProgress func(Progress)
	// Logger hears what the protocol layer has to say; nil means silence.
	Logger *slog.Logger
}

// List is one of the lists that a server offers.
type List string

// The lists that may change.
const (
	ListTools     List = "tools"
	ListPrompts   List = "prompts"
	ListResources List = "resources"
)

// protocol says what the protocol layer tells the server, and whom it asks.
//
// Roots and logging are deprecated since revision 2026-07-28. Servers of every revision still use them, and a
// client that bridges to one must speak them as long as they do.
func (o *Options) protocol() *mcp.ClientOptions {
	c := &mcp.ClientOptions{Logger: o.Logger, Capabilities: &mcp.ClientCapabilities{}}
	questions(c, o.Answer)
	if o.Roots != nil {
		c.Capabilities.RootsV2 = &mcp.RootCapabilities{}
	}
	if hear := o.OnChange; hear != nil {
		c.ToolListChangedHandler = func(context.Context, *mcp.ToolListChangedRequest) { hear(ListTools) }
		c.PromptListChangedHandler = func(context.Context, *mcp.PromptListChangedRequest) { hear(ListPrompts) }
		c.ResourceListChangedHandler = func(context.Context, *mcp.ResourceListChangedRequest) { hear(ListResources) }
	}
	if hear := o.OnUpdate; hear != nil {
		c.ResourceUpdatedHandler = func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { hear(r.Params.URI) }
	}
	if hear := o.OnLog; hear != nil {
		c.LoggingMessageHandler = func(_ context.Context, r *mcp.LoggingMessageRequest) { hear(r.Params) }
	}
	return c
}

// tell lets the server know of the folders that o names.
func (o *Options) tell(c *mcp.Client) {
	if o.Roots != nil {
		c.AddRoots(o.Roots...)
	}
}

// listens reports whether a legacy session opens a stream for what the server says by itself.
func (o *Options) listens() bool {
	return o.OnChange != nil || o.OnUpdate != nil || o.OnLog != nil || o.Answer != nil || o.Roots != nil
}

// uncached keeps results from being used again for another caller: after a sign-in the next list may be another (C-24).
func uncached(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, r)
		switch result := result.(type) {
		case *mcp.ListToolsResult:
			result.TTLMs = 0
		case *mcp.ListPromptsResult:
			result.TTLMs = 0
		case *mcp.ListResourcesResult:
			result.TTLMs = 0
		case *mcp.ListResourceTemplatesResult:
			result.TTLMs = 0
		case *mcp.ReadResourceResult:
			result.TTLMs = 0
		}
		return result, err
	}
}
