package cli

import (
	"context"
	"errors"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func (c *conversation) screen(context.Context) error {
	return &hintError{code: exitUsage, err: errors.New("there is no screen to talk on"), hint: `ask once with -p "…"`}
}
func (c *conversation) hear(agent.Event) {}
func (c *conversation) approve(context.Context, agent.Call) (agent.Answer, error) {
	return agent.Answer{}, nil
}
