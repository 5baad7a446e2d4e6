package agent_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestAConversationThatIsNearlyFullIsSummedUp(t *testing.T) {
	dir := t.TempDir()
	kept, err := agent.NewTranscript(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, h := &script{}, &heard{}
	a := newAgent(t, agent.Options{Model: m, Hear: h.hear, Transcript: kept, Limits: agent.Limits{Context: 1000}})
	if _, err := a.Turn(context.Background(), "the secret word is plum. "+strings.Repeat("x", 3600)); err != nil {
		t.Fatal(err)
	}
	m.replies = []any{func(r agent.Request) any {
		if len(r.Tools) > 0 || !strings.Contains(r.Messages[len(r.Messages)-1].Text, "Sum up") {
			t.Errorf("asked %q", r.Messages[len(r.Messages)-1].Text)
		}
		return &agent.Reply{Text: "SUMMARY: plum", Usage: &agent.Usage{In: 900, Out: 10}}
	}}
	if _, err := a.Turn(context.Background(), "which word?"); err != nil {
		t.Fatal(err)
	}
	last := m.asked[len(m.asked)-1].Messages
	if len(last) != 4 || !strings.Contains(last[1].Text, "SUMMARY: plum") || last[3].Text != "which word?" || len(h.of(agent.EventCompacted)) != 1 {
		t.Errorf("the model hears %+v", last)
	}
	kept.Close()
	again, err := agent.OpenTranscript(dir, kept.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := newAgent(t, agent.Options{Model: m, Transcript: again}).Messages(); len(got) != 4 || !strings.Contains(got[0].Text, "plum") {
		t.Errorf("it goes on with %+v", got)
	}
}
