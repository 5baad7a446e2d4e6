package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Cancel ends a call of the caller in ctx, wherever it runs; [Runner.Follow] says when it has ended. A call that has
// ended stays as it is.
func (r *Runner) Cancel(ctx context.Context, id string) error {
	rec, err := r.own(ctx, id)
	switch {
	case err != nil || rec.State.Ended():
		return err
	case rec.State == InputRequired:
		rec.State, rec.Ended, rec.Input = Cancelled, r.now().UTC(), nil
		return settled(r.save(ctx, rec))
	case r.runsHere(id):
		r.cancelHere(id)
		return nil
	}
	_, err = r.store.Append(ctx, controlLog(rec.Server), []byte(id), store.Keep{TTL: longest, Most: 1000})
	return unreachable(err)
}

// settled lets whoever was first have changed a call.
func settled(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// Answer gives a call of the caller in ctx what it asks for, and lets it go on here. answers is MCP's InputResponses. The
// error is [ErrNotFound], [ErrNotAsking], [ErrStore], an [*toolbox.ArgumentsError] where the answers are none, or one of
// the toolbox.
func (r *Runner) Answer(ctx context.Context, id string, answers json.RawMessage, requestID string) error {
	rec, err := r.own(ctx, id)
	switch {
	case err != nil:
		return err
	case rec.State != InputRequired:
		return ErrNotAsking
	}
	var given mcp.InputResponseMap
	if err := json.Unmarshal(answers, &given); err != nil || !bytes.HasPrefix(bytes.TrimSpace(answers), []byte("{")) {
		return &toolbox.ArgumentsError{Tool: rec.Tool, Problems: []toolbox.Problem{{Field: "input_responses", Message: "is not an object of answers"}}}
	}
	arguments, err := r.loadParts(ctx, argumentsLog(id))
	if err != nil {
		return err
	}
	if err := r.box.AllowCall(ctx, rec.Tool, arguments); err != nil {
		return err
	}
	running, done, err := r.room(ctx, id)
	if err != nil {
		return err
	}
	state := rec.Asked
	rec.State, rec.Server, rec.Input, rec.Asked = Running, r.name, nil, ""
	if err := r.save(ctx, rec); err != nil {
		done()
		if errors.Is(err, store.ErrConflict) {
			return ErrNotAsking // somebody else has answered
		}
		return err
	}
	go func() {
		defer done()
		r.run(running, rec, &toolbox.Call{Name: rec.Tool, Arguments: arguments, RequestID: requestID,
			Client: &toolbox.Client{Answers: given, State: state}})
	}()
	return nil
}
