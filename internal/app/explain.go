package app

import (
	"context"
	"errors"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// ErrNoProvider means that settings name no provider that could stand for a token.
var ErrNoProvider = errors.New("no provider is configured that could stand for a token: set provider.kind, and what it needs")

// Explained is what a server with given settings says of a token.
type Explained struct {
	*bearer.Explanation
	Resource string // what the server protects
	Tools    []ToolDecision
}

// ToolDecision is what the policy says of one tool or resource, without arguments.
type ToolDecision struct {
	Operation string
	policy.Decision
	Listed bool
}

// Explain says what a token is, and what a server with these settings says of it, rule by rule and tool by tool. The
// error is [ErrNoProvider], or for settings that make no server.
func Explain(ctx context.Context, s *config.Settings, token string) (*Explained, error) {
	guard, err := guardFor(s)
	if err != nil {
		return nil, err
	}
	p, err := LoadPolicy(s)
	if err != nil {
		return nil, err
	}
	x := &Explained{Explanation: guard.Explain(ctx, token), Resource: publicURL(s, address(s.Addr)) + mcpPath}
	if x.Identity == nil {
		return x, nil
	}
	for _, operation := range operations() {
		d, _ := p.Explain(x.Identity, operation, nil)
		x.Tools = append(x.Tools, ToolDecision{operation, d, p.Visible(x.Identity, operation)})
	}
	return x, nil
}
