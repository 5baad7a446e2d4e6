//lint:file-ignore SA1019 Servers in the field go on using sampling, roots and logging.

package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The methods of questions.
const (
	MethodElicit = "elicitation/create"
	MethodSample = "sampling/createMessage"
)

// Question is what a server asks in the middle of a call: something of the person (an elicitation), or something of a
// language model (a sampling). It comes as a request of its own in the older protocol era, and as a result that requires
// input in the newer one.
type Question struct {
	Method string          // MethodElicit or MethodSample
	Params json.RawMessage // of that method, in the server's words
}

// Answerer answers a question with a result of the question's method, as anything that encodes to its JSON. It may take
// as long as a person does, and may be asked several things at once. An error ends the call in the newer era, whose error
// then has the same words; in the older one the server hears of it and decides.
type Answerer func(ctx context.Context, q Question) (result any, err error)

// questions lets the SDK's client options bring questions to answer. Without an answerer the server is told that there
// is nobody to ask.
func questions(o *mcp.ClientOptions, answer Answerer) {
	if answer == nil {
		return
	}
	o.Capabilities.Elicitation = &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{}}
	o.Capabilities.Sampling = &mcp.SamplingCapabilities{}
	o.ElicitationHandler = func(ctx context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
		result := &mcp.ElicitResult{}
		return result, answered(ctx, answer, MethodElicit, r.Params, result)
	}
	o.CreateMessageHandler = func(ctx context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
		result := &mcp.CreateMessageResult{}
		return result, answered(ctx, answer, MethodSample, r.Params, result)
	}
}

// answered asks, and reads the answer into result.
func answered(ctx context.Context, answer Answerer, method string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("client: %s: %w", method, err)
	}
	given, err := answer(ctx, Question{Method: method, Params: raw})
	if err != nil {
		return err
	}
	if raw, err = json.Marshal(given); err != nil {
		return fmt.Errorf("client: answer %s: %w", method, err)
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return fmt.Errorf("client: answer %s: %w", method, err)
	}
	return nil
}
