package mcptools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// Call calls t at its server. A refusal there becomes a sign-in and the same call once more, by the session.
func (s *Servers) Call(ctx context.Context, t agent.Tool, arguments json.RawMessage, hear func(agent.Progress)) (agent.Result, error) {
	all := s.connections()
	i := slices.IndexFunc(all, func(c *connection) bool { return c.URL == t.Server })
	if i < 0 {
		return agent.Result{}, fmt.Errorf("there is no server at %s", t.Server)
	}
	c := all[i]
	session := c.current()
	if session == nil {
		return agent.Result{}, fmt.Errorf("%s is down", c.Name)
	}
	result, err := session.Call(ctx, t.ServerTool, arguments, func(p client.Progress) {
		hear(agent.Progress{Done: p.Done, Total: p.Total, Message: p.Message})
	})
	if err != nil {
		if ctx.Err() == nil && breaks(err) {
			c.lost(session)
		}
		return agent.Result{}, fmt.Errorf("%s: %w", c.Name, err)
	}
	return agent.Result{Text: textOf(result), IsError: result.IsError}, nil
}

// breaks reports whether err says more about the session than about one call.
func breaks(err error) bool {
	return !errors.As(err, new(*client.ServerError)) && !errors.Is(err, client.ErrSignInNeeded) && !errors.As(err, new(*client.ScopeError))
}

// textOf is a result as a model reads it: its texts, and of what is no text the kind and the size. A result without
// contents that has structure is that structure.
func textOf(r *mcp.CallToolResult) string {
	var lines []string
	for _, c := range r.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			lines = append(lines, c.Text)
		case *mcp.ImageContent:
			lines = append(lines, fmt.Sprintf("[an image, %s, %d bytes]", c.MIMEType, len(c.Data)))
		case *mcp.AudioContent:
			lines = append(lines, fmt.Sprintf("[a sound, %s, %d bytes]", c.MIMEType, len(c.Data)))
		case *mcp.ResourceLink:
			lines = append(lines, "[a resource: "+c.URI+"]")
		case *mcp.EmbeddedResource:
			if c.Resource != nil && c.Resource.Text != "" {
				lines = append(lines, c.Resource.Text)
			} else if c.Resource != nil {
				lines = append(lines, fmt.Sprintf("[a resource: %s, %d bytes]", c.Resource.URI, len(c.Resource.Blob)))
			}
		}
	}
	if len(lines) == 0 && r.StructuredContent != nil {
		if raw, err := json.Marshal(r.StructuredContent); err == nil {
			return string(raw)
		}
	}
	return strings.Join(lines, "\n")
}
