package agent_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// parrot asks for one tool, and then says what it answered.
type parrot struct{}

func (parrot) Stream(_ context.Context, r agent.Request, hear func(string)) (*agent.Reply, error) {
	last := r.Messages[len(r.Messages)-1]
	if last.Role == agent.RoleUser {
		return &agent.Reply{Calls: []agent.ToolCall{{Tool: "shout", Arguments: `{"text":"hello"}`}}}, nil
	}
	hear("the tool says " + last.Text)
	return &agent.Reply{Text: "the tool says " + last.Text}, nil
}

type shouting struct{}

func (shouting) List(context.Context) ([]agent.Tool, error) {
	return []agent.Tool{{Name: "shout", Server: "here", ServerTool: "shout", ReadOnly: true}}, nil
}

func (shouting) Call(_ context.Context, _ agent.Tool, arguments json.RawMessage, hear func(agent.Progress)) (agent.Result, error) {
	hear(agent.Progress{Done: 1, Total: 1})
	return agent.Result{Text: "HELLO"}, nil
}

func ExampleAgent_Turn() {
	a, err := agent.New(agent.Options{Model: parrot{}, Tools: shouting{}})
	if err != nil {
		panic(err)
	}
	out, err := a.Turn(context.Background(), "shout hello")
	fmt.Println(out.Text, out.Calls, err)
	// Output: the tool says {"from_tool":"shout","outcome":"done","data":"HELLO"} 1 <nil>
}
