package agent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestLimits(t *testing.T) {
	same := func(agent.Request) any { return calls(`look {"q":1}`) }
	other := 0
	differs := func(agent.Request) any {
		other++
		r := calls(fmt.Sprintf(`look {"q":%d}`, other))
		r.Usage = &agent.Usage{In: 1000, Out: 1000}
		return r
	}
	var sames, others []any
	for range 20 {
		sames, others = append(sames, same), append(others, differs)
	}
	for _, row := range []struct {
		name    string
		replies []any
		o       agent.Options
		what    agent.Limit
		made    int
	}{
		{"the same call again and again", sames, agent.Options{}, agent.LimitRepeats, 3},
		{"too many steps", others, agent.Options{Limits: agent.Limits{Steps: 5}}, agent.LimitSteps, 5},
		{"too dear", others, agent.Options{Limits: agent.Limits{Cost: 0.02}, Prices: &agent.Prices{In: 1, Out: 4}}, agent.LimitCost, 4},
		{"a cost that nobody tells", sames, agent.Options{Limits: agent.Limits{Cost: 0.02}, Prices: &agent.Prices{In: 1, Out: 4}}, agent.LimitCost, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &bench{tools: []agent.Tool{tool("look", true)}}
			row.o.Model, row.o.Tools = &script{replies: row.replies}, b
			a := newAgent(t, row.o)
			_, err := a.Turn(context.Background(), "go")
			var limit *agent.LimitError
			if !errors.As(err, &limit) || limit.What != row.what || len(b.made) != row.made {
				t.Errorf("%v after %d calls, want %s after %d", err, len(b.made), row.what, row.made)
			}
			if row.what == agent.LimitCost {
				return
			}
			row.o.Model.(*script).replies = nil
			if out, err := a.Turn(context.Background(), "go on"); err != nil || out.Text != "done" {
				t.Errorf("the conversation does not go on: %v", err)
			}
		})
	}
	if _, err := agent.New(agent.Options{Model: &script{}, Limits: agent.Limits{Cost: 1}}); err == nil {
		t.Error("a limit on unknown costs is taken")
	}
}
