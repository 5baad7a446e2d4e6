package mcptools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

const (
	maxName        = 64 // what model makers take
	maxDescription = 4 << 10
	maxSchema      = 64 << 10
	maxList        = 4 << 20 // bytes of what a server says of all its tools: it goes along with each question to the model
)

// List opens what is not open, all at the same time, and returns the tools of the servers that are up.
func (s *Servers) List(ctx context.Context) ([]agent.Tool, error) {
	all := s.connections()
	lists := make([][]*mcp.Tool, len(all))
	var opening sync.WaitGroup
	for i, c := range all {
		opening.Go(func() {
			tools, err := c.list(ctx)
			lists[i] = tools
			if err != nil && s.Down != nil && ctx.Err() == nil {
				s.Down(c.Server, err)
			}
		})
	}
	opening.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, list := range lists {
		for _, t := range list {
			count[safe(t.Name)]++
		}
	}
	taken := map[string]bool{}
	var tools []agent.Tool
	for i, list := range lists {
		for _, t := range list {
			name := safe(t.Name)
			if count[name] > 1 {
				name = safe(all[i].Name + "_" + t.Name)
			}
			for n := 2; taken[name]; n++ {
				name = cut(safe(t.Name), maxName-4) + fmt.Sprintf("_%d", n)
			}
			tool, err := offered(all[i].Server, t, name)
			if err != nil {
				continue // its schema is no JSON, so that no model could call it
			}
			taken[name] = true
			tools = append(tools, tool)
		}
	}
	return tools, nil
}

// affordable refuses a list that no model could be told.
func affordable(tools []*mcp.Tool) error {
	total := 0
	for _, t := range tools {
		schema, err := json.Marshal(t.InputSchema)
		if err != nil {
			continue
		}
		if total += min(len(t.Name), maxName) + min(len(t.Description), maxDescription) + min(len(schema), maxSchema); total > maxList {
			return fmt.Errorf("what it says of its %d tools takes more than %d MiB", len(tools), maxList>>20)
		}
	}
	return nil
}

func offered(s Server, t *mcp.Tool, name string) (agent.Tool, error) {
	schema, err := json.Marshal(t.InputSchema)
	if err != nil {
		return agent.Tool{}, err
	}
	if string(schema) == "null" || len(schema) > maxSchema {
		schema = json.RawMessage(`{"type":"object"}`)
	}
	return agent.Tool{
		Name: name, Server: s.URL, ServerName: s.Name, ServerTool: t.Name,
		Description: cut(strings.ToValidUTF8(t.Description, ""), maxDescription), Schema: schema,
		ReadOnly: t.Annotations != nil && t.Annotations.ReadOnlyHint,
	}, nil
}

// safe makes a name one that model makers take: letters, digits, _ and -, at most 64.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "_"
	}
	return cut(name, maxName)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
