package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

const agentTurns = 1000

// instant is a model that answers at once: first with two calls, then with a word. Its usage grows with what it is told, so
// that the conversation is summed up as any other.
type instant struct{ asked int }

func (m *instant) Stream(_ context.Context, r agent.Request, hear func(string)) (*agent.Reply, error) {
	m.asked++
	reply := &agent.Reply{Text: "done", Usage: &agent.Usage{Out: 10}}
	for _, message := range r.Messages {
		reply.Usage.In += int64(len(message.Text)) / 4
	}
	if len(r.Tools) > 0 && r.Messages[len(r.Messages)-1].Role == agent.RoleUser {
		reply.Text = ""
		for i := range 2 {
			reply.Calls = append(reply.Calls, agent.ToolCall{Tool: "look", Arguments: fmt.Sprintf(`{"n":%d}`, m.asked+i)})
		}
		return reply, nil
	}
	hear(reply.Text)
	return reply, nil
}

// atOnce is a tool that answers at once.
type atOnce struct{}

func (atOnce) List(context.Context) ([]agent.Tool, error) {
	return []agent.Tool{{Name: "look", Server: "here", ServerTool: "look", ReadOnly: true, Schema: json.RawMessage(`{"type":"object"}`)}}, nil
}

func (atOnce) Call(context.Context, agent.Tool, json.RawMessage, func(agent.Progress)) (agent.Result, error) {
	return agent.Result{Text: "seen"}, nil
}

// talk measures what the agent adds to a turn of two calls whose model and tools take no time, its transcript on the disk,
// and whether memory grows from the 200th turn to the last.
func talk(ctx context.Context) ([]budget, error) {
	dir, err := os.MkdirTemp("", "bench-agent")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	transcript, err := agent.NewTranscript(dir)
	if err != nil {
		return nil, err
	}
	defer transcript.Close()
	a, err := agent.New(agent.Options{Model: &instant{}, Tools: atOnce{}, Transcript: transcript, Hear: func(agent.Event) {}, Limits: agent.Limits{Context: 8000}})
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	var early uint64
	for i := range agentTurns {
		began := time.Now()
		out, err := a.Turn(ctx, "look around, twice")
		if err != nil {
			return nil, err
		}
		if out.Text != "done" || out.Calls != 2 {
			return nil, fmt.Errorf("the agent answers %+v", out)
		}
		took = append(took, time.Since(began))
		if i == agentTurns/5 {
			early = heap()
		}
	}
	late := heap()
	slices.Sort(took)
	return []budget{
		{"agent_turn", float64(took[len(took)/2]) / 1e6, "ms", 5, true},
		{"agent_memory_growth", (float64(late) - float64(early)) / 1e6, "MB", 1, true},
	}, nil
}

// heap is what lives on the heap.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
