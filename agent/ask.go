package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	firstRest = time.Second      // before the second try, twice as long before the next
	mostRest  = 60 * time.Second // that a model may ask for
)

// ask asks the model for its next message, again where a fault may pass by itself.
func (a *Agent) ask(ctx context.Context, tools []Tool) (*Reply, error) {
	a.mu.Lock()
	model := a.model
	messages := append([]Message{a.system()}, a.messages...)
	a.mu.Unlock()
	rest := firstRest
	for try := 1; ; try++ {
		reply, err := model.Stream(ctx, Request{Messages: messages, Tools: tools}, func(text string) {
			a.tell(Event{Kind: EventText, Text: text})
		})
		if err == nil {
			a.count(reply)
			return reply, a.sane(reply)
		}
		var fault *ModelError
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.As(err, &fault) || !fault.passes() || try >= a.limits.Tries || fault.RetryAfter > mostRest {
			return nil, err
		}
		again := max(rest, fault.RetryAfter)
		a.tell(Event{Kind: EventRetry, Error: err.Error(), Text: fmt.Sprintf("trying again in %s", again)})
		if err := wait(ctx, again); err != nil {
			return nil, err
		}
		rest *= 2
	}
}

// passes reports whether the fault may be gone on the next try.
func (e *ModelError) passes() bool {
	return e.Fault == FaultUnreachable || e.Fault == FaultBusy || e.Fault == FaultServer || e.Fault == FaultCut
}

// sane refuses an answer that nothing can be done with.
func (a *Agent) sane(reply *Reply) error {
	if len(reply.Calls) > a.limits.AtOnce {
		return &ModelError{Fault: FaultRequest, Err: fmt.Errorf("it asks for %d calls at once, and %d are the most", len(reply.Calls), a.limits.AtOnce)}
	}
	return nil
}

func (a *Agent) count(reply *Reply) {
	a.mu.Lock()
	a.totals.add(reply.Usage)
	if reply.Usage != nil {
		a.inUse, a.weighed = reply.Usage.In, true
	}
	totals := a.totals
	transcript := a.o.Transcript
	a.mu.Unlock()
	if transcript != nil {
		transcript.usage(reply.Usage)
	}
	a.tell(Event{Kind: EventUsage, Totals: &totals})
}
