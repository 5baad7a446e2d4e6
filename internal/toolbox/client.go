//lint:file-ignore SA1019 Clients in the field go on wanting log messages.

package toolbox

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Client is what a call may use of the client besides its arguments. A face fills in what its protocol has. A tool or
// prompt gets one that is never nil, with functions that are never nil; it must not use it after it has returned.
//
// A tool that needs something from the client (a person's answer, a model's words, the client's roots) returns a result
// with InputRequests and nothing else. The face gets the answers and calls again, with Answers, and with the
// RequestState of that result as State. How it gets them differs between protocol eras; tools do not see the difference.
type Client struct {
	// Capabilities are those the client has declared. A face refuses to ask for what is not among them.
	Capabilities *mcp.ClientCapabilities
	// Answers are the client's, by the keys of InputRequests; empty on the first call. They may be anything: of another
	// type than asked for, too many, too few.
	Answers mcp.InputResponseMap
	// State is the RequestState of the result that asked, as it was; empty on the first call. The face has made sure that
	// it was given to this caller, for this call, not long ago.
	State string
	// Log tells the client something, if it wants to hear messages of this level.
	Log func(level mcp.LoggingLevel, data any)
	// LetGo closes the stream the client waits on and asks it to come back after the time given. The result waits for it
	// there. It does nothing where clients cannot come back.
	LetGo func(retryAfter time.Duration)
}

// Conversation is a tool that asks the client for input or logs to it. It is a tool like any other to callers.
type Conversation struct {
	// Definition is as in Tool.
	Definition *mcp.Tool
	// Call is as in Tool; c is never nil.
	Call func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string), c *Client) (*mcp.CallToolResult, error)
}

func (b *Box) addConversation(c Conversation) error {
	if c.Call == nil {
		return b.addTool(Tool{Definition: c.Definition})
	}
	converse := c.Call
	call := func(ctx context.Context, arguments json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
		return converse(ctx, arguments, progress, (*Client)(nil).whole())
	}
	if err := b.addTool(Tool{Definition: c.Definition, Call: call}); err != nil {
		return err
	}
	b.byName[c.Definition.Name].converse = converse
	return nil
}

// whole returns c with nothing left nil.
func (c *Client) whole() *Client {
	full := Client{}
	if c != nil {
		full = *c
	}
	if full.Capabilities == nil {
		full.Capabilities = &mcp.ClientCapabilities{}
	}
	if full.Log == nil {
		full.Log = func(mcp.LoggingLevel, any) {}
	}
	if full.LetGo == nil {
		full.LetGo = func(time.Duration) {}
	}
	return &full
}

// CapabilityError says that the operation needs something the client has not declared it can do.
type CapabilityError struct {
	Required []string // "sampling", "elicitation", "elicitation.url", "roots": never empty
}

// Error names what is missing.
func (e *CapabilityError) Error() string {
	return "the client has not declared what this needs: " + strings.Join(e.Required, ", ")
}

// run does the work of a tool that asks, or of one that does not.
func (t *tool) run(ctx context.Context, arguments json.RawMessage, p *progress, c *Client) (*mcp.CallToolResult, error) {
	if t.converse != nil {
		return t.converse(ctx, arguments, p.report, c.whole())
	}
	return t.Call(ctx, arguments, p.report)
}

// mayAsk refuses a result that asks where nobody would answer, and one that asks and answers at once.
func (t *tool) mayAsk(result *mcp.CallToolResult) error {
	if t.converse == nil || len(result.InputRequests) == 0 {
		return errors.New("the tool asked the client for input; only a conversation may, and for something")
	}
	if len(result.Content) > 0 || result.StructuredContent != nil || result.IsError {
		return errors.New("the tool asked the client for input and returned content too")
	}
	return nil
}

// Converses reports whether the tool of this name may ask the client or log to it.
func (b *Box) Converses(name string) bool {
	t := b.byName[name]
	return t != nil && t.converse != nil
}

// Conversations reports whether there is any tool that may ask the client or log to it.
func (b *Box) Conversations() bool {
	for _, t := range b.tools {
		if t.converse != nil {
			return true
		}
	}
	return false
}
