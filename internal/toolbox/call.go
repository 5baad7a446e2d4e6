package toolbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// Call is one call of a tool.
type Call struct {
	Name string
	// Arguments is a JSON object; nil and null mean an empty one.
	Arguments json.RawMessage
	// Progress is told how far the tool is, in rising order and never after the call has returned; nil means nobody
	// asked. It is called from one goroutine at a time.
	Progress func(done, total float64, message string)
	// RequestID names the call in logs and in the answer to a failure; empty means one is made up.
	RequestID string
	// Client is what a tool that converses may use of the client; nil means that the face has nothing to offer.
	Client *Client
	// Begun is told how to end the call before its time, just before the tool begins; nil means that nobody wants to. What
	// it is told does nothing once the call has ended.
	Begun func(end context.CancelCauseFunc)
}

// Call calls a tool for the caller in ctx. It returns a result, which may say by IsError what the caller did wrong, or
// one of the errors of this package: [*UnknownError], [*ScopeError], [*ArgumentsError], [*CapabilityError], [*FailedError],
// [ErrDraining], [ErrBusy], [ErrTimeout], [ErrCancelled], [ErrTooLarge] or [ErrNotRecorded].
func (b *Box) Call(ctx context.Context, c *Call) (*mcp.CallToolResult, error) {
	a, err := b.Admit(ctx, c)
	if err != nil {
		return nil, err
	}
	return a.Call(ctx)
}

// Admitted is a call that was decided and let in, and is to be made once.
type Admitted struct {
	tool      *tool
	call      *Call
	requestID string
	arguments json.RawMessage
	record    entry
}

// Admit decides a call for the caller in ctx and records the decision; what it returns is the call, yet to be made. It is
// [Box.Call] in two steps, for a face that answers a refusal in another way than what comes of the call. Its errors are
// [*UnknownError], [*ScopeError] and [ErrNotRecorded].
func (b *Box) Admit(ctx context.Context, c *Call) (*Admitted, error) {
	a := &Admitted{tool: b.byName[c.Name], call: c, requestID: c.RequestID, arguments: c.Arguments}
	if a.requestID == "" {
		a.requestID = rand.Text()
	}
	if trimmed := bytes.TrimSpace(a.arguments); len(trimmed) == 0 || string(trimmed) == "null" {
		a.arguments = json.RawMessage("{}")
	}
	var d policy.Decision
	d, a.record = b.judge(ctx, a.requestID, c.Name, a.tool != nil, a.arguments)
	unrecorded := a.record.decided(ctx)
	if d.Effect != policy.Allow {
		return nil, b.refusedTool(ctx, c.Name, d)
	}
	if unrecorded != nil {
		return nil, unrecorded
	}
	return a, nil
}

// Call makes the call, and records what came of it. It returns what [Box.Call] returns.
func (a *Admitted) Call(ctx context.Context) (*mcp.CallToolResult, error) {
	ctx = a.record.begun(ctx)
	result, size, err := a.record.box.call(ctx, a.tool, a.requestID, a.arguments, a.call)
	word := "ok"
	switch {
	case err != nil:
	case result.InputRequests != nil:
		word = "asked"
	case result.IsError:
		word = "tool_error"
	}
	if err := a.record.ended(ctx, size, word, err); err != nil {
		return nil, err
	}
	return result, nil
}

// call does what was decided, and says how much came of it.
func (b *Box) call(ctx context.Context, t *tool, requestID string, arguments json.RawMessage, c *Call) (*mcp.CallToolResult, int64, error) {
	name := t.Definition.Name
	run, err := b.running.begin(ctx, Running{ID: requestID, Tool: name, Since: b.now()})
	if err != nil {
		return nil, 0, err
	}
	defer b.running.end(run)
	if c.Begun != nil {
		c.Begun(run.cancel)
	}
	if problems := t.input.problems(arguments); len(problems) > 0 {
		return nil, 0, &ArgumentsError{Tool: name, Problems: problems}
	}
	p := &progress{to: c.Progress}
	defer p.end()
	var result *mcp.CallToolResult
	err = guarded(func() (err error) {
		result, err = t.run(run, arguments, p, c.Client)
		return err
	})
	if err == nil {
		result, err = t.checked(result)
	}
	if err != nil {
		return nil, 0, b.failure(run, name, requestID, err)
	}
	size := sizeOf(result)
	return result, size, b.fits(run, name, requestID, size)
}

// fits refuses to answer with more than is answered with.
func (b *Box) fits(ctx context.Context, name, requestID string, size int64) error {
	if b.maxResult == 0 || size <= b.maxResult {
		return nil
	}
	b.logger.WarnContext(ctx, "result too large", "tool", name, "request_id", requestID, "bytes", size, "most", b.maxResult)
	return ErrTooLarge
}

// Read reads a resource for the caller in ctx. Its errors are as those of [Box.Call], without [*ArgumentsError].
func (b *Box) Read(ctx context.Context, uri, requestID string) ([]*mcp.ResourceContents, error) {
	if requestID == "" {
		requestID = rand.Text()
	}
	r := b.resourceAt(uri)
	d, record := b.judge(ctx, requestID, uri, r != nil, nil)
	unrecorded := record.decided(ctx)
	if d.Effect != policy.Allow {
		return nil, b.refusedResource(ctx, uri, d)
	}
	if unrecorded != nil {
		return nil, unrecorded
	}
	ctx = record.begun(ctx)
	contents, size, err := b.read(ctx, r, requestID)
	if err := record.ended(ctx, size, "ok", err); err != nil {
		return nil, err
	}
	return contents, nil
}

func (b *Box) read(ctx context.Context, r *resource, requestID string) ([]*mcp.ResourceContents, int64, error) {
	uri := r.Definition.URI
	run, err := b.running.begin(ctx, Running{ID: requestID, Tool: uri, Since: b.now()})
	if err != nil {
		return nil, 0, err
	}
	defer b.running.end(run)
	var contents []*mcp.ResourceContents
	err = guarded(func() (err error) {
		contents, err = r.Read(run)
		return err
	})
	if err == nil && len(contents) == 0 {
		err = errors.New("the resource has no contents")
	}
	if err != nil {
		return nil, 0, b.failure(run, uri, requestID, err)
	}
	size := sizeOfContents(contents)
	return contents, size, b.fits(run, uri, requestID, size)
}

// failure tells a call that was ended from outside from one that failed, and logs the latter.
func (b *Box) failure(ctx context.Context, name, requestID string, err error) error {
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), ErrDraining) {
			return fmt.Errorf("%s was cancelled: %w", name, ErrDraining)
		}
		if errors.Is(context.Cause(ctx), ErrTimeout) {
			return fmt.Errorf("%s was cancelled: %w", name, ErrTimeout)
		}
		return ErrCancelled
	}
	if lacks := (*CapabilityError)(nil); errors.As(err, &lacks) {
		return lacks
	}
	attrs := []slog.Attr{slog.String("tool", name), slog.String("request_id", requestID), slog.Any("error", err)}
	var panicked *panicError
	if errors.As(err, &panicked) {
		attrs = append(attrs, slog.String("stack", string(panicked.stack)))
	}
	b.logger.LogAttrs(ctx, slog.LevelError, "tool failed", attrs...)
	return &FailedError{Tool: name, RequestID: requestID, Cause: err}
}

// checked returns the result, if it is one that may be answered with.
func (t *tool) checked(result *mcp.CallToolResult) (*mcp.CallToolResult, error) {
	if result == nil {
		return nil, errors.New("the tool returned neither a result nor an error")
	}
	if result.InputRequests != nil || result.RequestState != "" || result.NeedsInput() {
		return result, t.mayAsk(result)
	}
	if result.IsError || t.output == nil {
		return result, nil
	}
	if result.StructuredContent == nil {
		return nil, errors.New("the tool has an output schema and returned no structured content")
	}
	raw, written := result.StructuredContent.(json.RawMessage)
	if !written {
		var err error
		if raw, err = json.Marshal(result.StructuredContent); err != nil {
			return nil, fmt.Errorf("structured content: %w", err)
		}
	}
	if problems := t.output.problems(raw); len(problems) > 0 {
		return nil, fmt.Errorf("structured content does not fit the output schema: %q %s", problems[0].Field, problems[0].Message)
	}
	return result, nil
}

// panicError is a panic of a tool, with the stack for the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guarded runs f and turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// progress passes on what rises, until the call ends.
type progress struct {
	mu    sync.Mutex
	to    func(done, total float64, message string)
	begun bool
	last  float64
}

func (p *progress) report(done, total float64, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to == nil || p.begun && done <= p.last {
		return
	}
	p.begun, p.last = true, done
	p.to(done, total, message)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = nil
}
