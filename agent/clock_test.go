package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestTimes(t *testing.T) {
	progress := func(each time.Duration, n int) func(context.Context, agent.Tool, string, func(agent.Progress)) (agent.Result, error) {
		return func(ctx context.Context, _ agent.Tool, _ string, hear func(agent.Progress)) (agent.Result, error) {
			for i := range n {
				select {
				case <-ctx.Done():
					return agent.Result{}, ctx.Err()
				case <-time.After(each):
				}
				hear(agent.Progress{Done: float64(i)})
			}
			return agent.Result{Text: "late"}, nil
		}
	}
	for _, row := range []struct {
		name    string
		do      func(context.Context, agent.Tool, string, func(agent.Progress)) (agent.Result, error)
		outcome string
		says    string
	}{
		{"progress renews the time", progress(50*time.Second, 20), "done", "late"},
		{"silence ends it", progress(70*time.Second, 2), "timeout", "no answer and no progress in 1m0s"},
		{"there is a last end", progress(50*time.Second, 200), "timeout", "no answer in 1h0m0s"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &script{replies: []any{calls(`look {}`)}}
				a := newAgent(t, agent.Options{Model: m, Tools: &bench{tools: []agent.Tool{tool("look", true)}, do: row.do}})
				if _, err := a.Turn(context.Background(), "go"); err != nil {
					t.Fatal(err)
				}
				if got := m.answers(t)[0]; got["outcome"] != row.outcome || got["data"] != row.says {
					t.Errorf("%v", got)
				}
			})
		})
	}
	t.Run("the clocks stand while a person is asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := &script{replies: []any{calls(`look {}`, `write {}`)}}
			b := &bench{tools: []agent.Tool{tool("look", true), tool("write", false)}, do: progress(50*time.Second, 1)}
			a := newAgent(t, agent.Options{Model: m, Tools: b, Limits: agent.Limits{Time: 3 * time.Minute},
				Approve: func(context.Context, agent.Call) (agent.Answer, error) {
					time.Sleep(time.Hour)
					return agent.Answer{Allow: true}, nil
				}})
			if _, err := a.Turn(context.Background(), "go"); err != nil {
				t.Fatal(err)
			}
			if got := m.answers(t); got[0]["outcome"] != "done" || got[1]["outcome"] != "done" {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("a turn has an end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAgent(t, agent.Options{Model: &script{replies: []any{calls(`look {}`)}}, Limits: agent.Limits{Time: 3 * time.Minute},
				Tools: &bench{tools: []agent.Tool{tool("look", true)}, do: progress(50*time.Second, 20)}})
			_, err := a.Turn(context.Background(), "go")
			var limit *agent.LimitError
			if !errors.As(err, &limit) || limit.What != agent.LimitTime {
				t.Errorf("%v, want the limit of time", err)
			}
		})
	})
}
