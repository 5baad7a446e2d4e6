package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
)

// How a call ended, as the model and the events hear it.
const (
	outcomeDone      = "done"
	outcomeError     = "error"     // the tool reports one, or could not be called
	outcomeRefused   = "refused"   // by a person or a rule
	outcomeCancelled = "cancelled" // by the person
	outcomeTimeout   = "timeout"
	outcomeInvalid   = "invalid" // there is no such tool, or the arguments cannot be read
)

// ended is a call that is over.
type ended struct {
	outcome, text string
	ran           bool
}

// panicked is what a call panicked with.
type panicked struct {
	value any
	stack []byte
}

// calls runs what the model asks for at the same time, and returns one message for each, in the order of the calls.
func (t *turn) calls(ctx context.Context, tools []Tool, asked []ToolCall) []Message {
	a := t.agent
	byName := map[string]Tool{}
	for _, tool := range tools {
		byName[tool.Name] = tool
	}
	everywhere := make(chan struct{}, a.limits.Calls)
	atServer := map[string]chan struct{}{}
	results := make([]ended, len(asked))
	planned := make([]Call, len(asked))
	var running sync.WaitGroup
	var broke atomic.Pointer[panicked]
	for i, c := range asked {
		call, problem := t.plan(byName, c)
		planned[i] = call
		a.tell(Event{Kind: EventCall, Call: c.ID, Server: call.Tool.ServerName, Tool: call.Tool.Name, Arguments: call.Arguments})
		if problem != "" {
			results[i] = ended{outcome: outcomeInvalid, text: problem}
			a.over(c.ID, results[i])
			continue
		}
		if atServer[call.Tool.Server] == nil {
			atServer[call.Tool.Server] = make(chan struct{}, a.limits.OfServer)
		}
		ctx, forget := a.cancellable(ctx, c.ID)
		slots := []chan struct{}{atServer[call.Tool.Server], everywhere}
		running.Go(func() {
			defer forget()
			defer func() {
				if r := recover(); r != nil {
					broke.Store(&panicked{r, debug.Stack()})
				}
			}()
			results[i] = a.call(ctx, call, slots)
			a.over(c.ID, results[i])
		})
	}
	running.Wait()
	if p := broke.Load(); p != nil {
		panic(fmt.Sprintf("%v\n%s", p.value, p.stack)) // where the one who called Turn can give the terminal back
	}
	messages := make([]Message, len(asked))
	for i, r := range results {
		if r.ran {
			t.out.Calls++
		}
		if r.outcome == outcomeRefused {
			r.text = "this call was not made: " + r.text
		}
		messages[i] = Message{Role: RoleTool, CallID: asked[i].ID, Text: envelope(planned[i].Tool, r.outcome, capped(r.text, a.limits.Result))}
	}
	return messages
}

// plan reads what the model asks for, and says what is wrong with it.
func (t *turn) plan(tools map[string]Tool, c ToolCall) (Call, string) {
	call := Call{ID: c.ID, Tool: Tool{Name: c.Tool}}
	tool, there := tools[c.Tool]
	if !there {
		return call, fmt.Sprintf("there is no tool called %.100q", c.Tool)
	}
	call.Tool = tool
	arguments, err := object(c.Arguments)
	if err != nil {
		return call, fmt.Sprintf("the arguments are no JSON object: %v", err)
	}
	call.Arguments = arguments
	key := tool.Name + "\x00" + string(arguments)
	if t.repeats[key]++; t.repeats[key] > t.agent.limits.Repeats {
		t.stuck++
		return call, fmt.Sprintf("this very call was made %d times already, and is not made again: use what it answered, or stop", t.agent.limits.Repeats)
	}
	return call, ""
}

const maxArguments = 1 << 20 // bytes

// object reads arguments that may be anything, and writes them anew: what is decided about is what is sent, with each
// name once.
func object(text string) (json.RawMessage, error) {
	if strings.TrimSpace(text) == "" {
		return json.RawMessage("{}"), nil
	}
	if len(text) > maxArguments {
		return nil, fmt.Errorf("they have more than %d bytes", maxArguments)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var fields map[string]any
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	if fields == nil {
		return json.RawMessage("{}"), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// cancellable lets Cancel end the call until forget is called.
func (a *Agent) cancellable(ctx context.Context, id string) (_ context.Context, forget func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[id] = cancel
	return ctx, func() {
		a.mu.Lock()
		delete(a.running, id)
		a.mu.Unlock()
		cancel(errOver)
	}
}

// call decides about c, waits for its turn, and runs it.
func (a *Agent) call(ctx context.Context, c Call, slots []chan struct{}) ended {
	allowed, reason := a.decide(ctx, c)
	if ctx.Err() != nil {
		return a.failed(ctx, ctx.Err())
	}
	decision := Event{Kind: EventDecision, Call: c.ID, Decision: "allowed", Reason: reason}
	if !allowed {
		decision.Decision = "refused"
	}
	a.tell(decision)
	if !allowed {
		return ended{outcome: outcomeRefused, text: reason}
	}
	for _, slot := range slots {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-ctx.Done():
			return a.failed(ctx, ctx.Err())
		}
	}
	ctx, clock := a.clocks.startCall(ctx, a.limits.Silence, a.limits.CallTime)
	defer a.clocks.end(clock)
	a.tell(Event{Kind: EventStart, Call: c.ID})
	result, err := a.o.Tools.Call(ctx, c.Tool, c.Arguments, func(p Progress) {
		a.clocks.renew(clock)
		a.tell(Event{Kind: EventProgress, Call: c.ID, Progress: &EventStep{Done: finite(p.Done), Total: finite(p.Total), Message: capped(p.Message, 1<<10)}})
	})
	switch {
	case err != nil:
		return a.failed(ctx, err)
	case result.IsError:
		return ended{outcome: outcomeError, text: result.Text, ran: true}
	}
	return ended{outcome: outcomeDone, text: result.Text, ran: true}
}

// finite makes a number one that JSON can hold.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// failed says how a call ended that brought no result.
func (a *Agent) failed(ctx context.Context, err error) ended {
	var late *timeoutError
	cause := context.Cause(ctx)
	switch {
	case errors.As(cause, &late):
		return ended{outcome: outcomeTimeout, text: late.Error(), ran: true}
	case errors.Is(cause, errCancelled):
		return ended{outcome: outcomeCancelled, text: errCancelled.Error()}
	case ctx.Err() != nil:
		return ended{outcome: outcomeCancelled, text: "the turn was cancelled"}
	}
	return ended{outcome: outcomeError, text: err.Error(), ran: true}
}

func (a *Agent) over(id string, r ended) {
	e := Event{Kind: EventResult, Call: id, Outcome: r.outcome}
	if r.outcome == outcomeDone {
		e.Text = capped(r.text, a.limits.Result)
	} else {
		e.Error = capped(r.text, 4<<10)
	}
	a.tell(e)
}
