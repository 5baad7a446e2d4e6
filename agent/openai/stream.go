package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sashabaranov/go-openai"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// Stream asks the model for its next message. The error is ctx's, that of Config.Token, or a [*agent.ModelError].
func (m *Model) Stream(ctx context.Context, r agent.Request, hear func(text string)) (*agent.Reply, error) {
	reply, err := m.stream(ctx, r, hear)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return reply, err
}

func (m *Model) stream(ctx context.Context, r agent.Request, hear func(text string)) (*agent.Reply, error) {
	note, err := m.note(ctx) // before the clock starts: somebody may have to sign in
	if err != nil {
		return nil, err
	}
	ctx, renew, stop := impatient(ctx)
	defer stop()
	note.heard = renew
	stream, err := m.client.CreateChatCompletionStream(context.WithValue(ctx, noteKey{}, note), m.request(r))
	if err != nil {
		return nil, m.fault(ctx, note, err)
	}
	defer stream.Close()
	a := &answer{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, m.broken(ctx, note, err)
		}
		text := a.take(&chunk)
		if err := a.tooMuch(); err != nil {
			return nil, m.error(agent.FaultRequest, note, err)
		}
		if text != "" {
			hear(text)
		}
	}
	switch a.finish {
	case "":
		return nil, m.error(agent.FaultCut, note, errors.New("the answer has no end"))
	case openai.FinishReasonLength:
		return nil, m.error(agent.FaultRequest, note, errors.New("the answer is longer than the model may write, or its context is full"))
	case openai.FinishReasonContentFilter:
		return nil, m.error(agent.FaultRequest, note, errors.New("its maker's filter stopped the answer"))
	}
	return a.reply(), nil
}

func (m *Model) request(r agent.Request) openai.ChatCompletionRequest {
	q := openai.ChatCompletionRequest{Model: m.name, Stream: true, StreamOptions: &openai.StreamOptions{IncludeUsage: true}}
	for _, message := range r.Messages {
		c := openai.ChatCompletionMessage{Role: string(message.Role), Content: message.Text, ToolCallID: message.CallID}
		for _, call := range message.Calls {
			c.ToolCalls = append(c.ToolCalls, openai.ToolCall{
				ID: call.ID, Type: openai.ToolTypeFunction,
				Function: openai.FunctionCall{Name: call.Tool, Arguments: sendable(call.Arguments)},
			})
		}
		q.Messages = append(q.Messages, c)
	}
	for _, t := range r.Tools {
		schema := t.Schema
		if len(schema) == 0 {
			schema = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		q.Tools = append(q.Tools, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: t.Name, Description: t.Description, Parameters: schema,
		}})
	}
	return q
}

// sendable is what a model wrote as arguments, or nothing where that is no JSON: some servers refuse the whole
// conversation for it. What was wrong stands in the answer of the call.
func sendable(arguments string) string {
	if !json.Valid([]byte(arguments)) {
		return "{}"
	}
	return arguments
}

// answer is put together from pieces.
type answer struct {
	text   strings.Builder
	calls  []*piecemeal
	said   int // bytes of both
	finish openai.FinishReason
	usage  *agent.Usage
}

// piecemeal is a call of which pieces come.
type piecemeal struct {
	index     int // as the model counts; -1 where it does not
	id, name  string
	arguments strings.Builder
}

// take adds a piece, and returns what is text of it.
func (a *answer) take(chunk *openai.ChatCompletionStreamResponse) (text string) {
	if u := chunk.Usage; u != nil {
		a.usage = &agent.Usage{In: int64(u.PromptTokens), Out: int64(u.CompletionTokens)}
	}
	for _, c := range chunk.Choices {
		if c.Index != 0 {
			continue
		}
		if c.FinishReason != "" && c.FinishReason != openai.FinishReasonNull {
			a.finish = c.FinishReason
		}
		text += c.Delta.Content + c.Delta.Refusal
		for _, call := range c.Delta.ToolCalls {
			p := a.call(&call)
			if p.id == "" {
				p.id = call.ID
			}
			if call.Function.Name != p.name { // some servers repeat it with each piece
				p.name += call.Function.Name
			}
			a.said += len(call.ID) + len(call.Function.Name) + len(call.Function.Arguments)
			p.arguments.WriteString(call.Function.Arguments)
		}
	}
	a.text.WriteString(text)
	a.said += len(text)
	return text
}

// call finds the call that a piece belongs to: the latest with its index, unless it has another id. Where the server gives
// no index, a piece with a name begins another call.
func (a *answer) call(piece *openai.ToolCall) *piecemeal {
	index := -1
	if piece.Index != nil {
		index = *piece.Index
		for _, p := range slices.Backward(a.calls) {
			if p.index == index && (piece.ID == "" || p.id == "" || piece.ID == p.id) {
				return p
			}
		}
	} else if piece.Function.Name == "" && len(a.calls) > 0 {
		return a.calls[len(a.calls)-1]
	}
	p := &piecemeal{index: index}
	a.calls = append(a.calls, p)
	return p
}

// tooMuch bounds what is kept of an answer.
func (a *answer) tooMuch() error {
	switch {
	case a.said > maxSaid:
		return errTooLong
	case len(a.calls) > maxCalls:
		return fmt.Errorf("it asks for more than %d calls at once", maxCalls)
	}
	return nil
}

func (a *answer) reply() *agent.Reply {
	r := &agent.Reply{Text: a.text.String(), Usage: a.usage}
	for _, p := range a.calls {
		r.Calls = append(r.Calls, agent.ToolCall{ID: p.id, Tool: p.name, Arguments: p.arguments.String()})
	}
	return r
}

// Models lists what the server offers.
func (m *Model) Models(ctx context.Context) ([]string, error) {
	note, err := m.note(ctx)
	if err != nil {
		return nil, err
	}
	list, err := m.client.ListModels(context.WithValue(ctx, noteKey{}, note))
	if err != nil {
		return nil, m.fault(ctx, note, err)
	}
	var names []string
	for _, one := range list.Models {
		names = append(names, one.ID)
	}
	if len(names) == 0 {
		return nil, m.error(agent.FaultRequest, note, fmt.Errorf("it offers no models"))
	}
	return names, nil
}
