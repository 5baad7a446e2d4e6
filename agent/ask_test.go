package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

func TestAModelWithAFaultIsAskedAgain(t *testing.T) {
	busy := &agent.ModelError{Fault: agent.FaultBusy, RetryAfter: 20 * time.Second, Err: errors.New("429")}
	cut := &agent.ModelError{Fault: agent.FaultCut, Err: errors.New("unexpected EOF")}
	key := &agent.ModelError{Fault: agent.FaultKey, Err: errors.New("401")}
	patient := &agent.ModelError{Fault: agent.FaultBusy, RetryAfter: time.Hour, Err: errors.New("429")}
	for _, row := range []struct {
		name    string
		replies []any
		after   time.Duration
		fails   bool
	}{
		{"busy, for as long as it says", []any{busy}, 20 * time.Second, false},
		{"cut twice", []any{cut, cut}, 3 * time.Second, false},
		{"cut for good", []any{cut, cut, cut}, 3 * time.Second, true},
		{"a key that is refused is refused again", []any{key}, 0, true},
		{"busy for an hour is for another day", []any{patient}, 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				a := newAgent(t, agent.Options{Model: &script{replies: row.replies}})
				_, err := a.Turn(context.Background(), "go")
				if (err != nil) != row.fails || time.Since(began) != row.after {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				if out, err := a.Turn(context.Background(), "again"); err != nil || out.Text != "done" {
					t.Errorf("the conversation does not go on: %v", err)
				}
			})
		})
	}
}
