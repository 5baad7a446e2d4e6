package toolbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
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
}

// Call calls a tool for the caller in ctx. It returns a result, which may say by IsError what the caller did wrong, or
// one of the errors of this package: [*UnknownError], [*ScopeError], [*ArgumentsError], [*FailedError], [ErrDraining],
// [ErrBusy], [ErrTimeout] or [ErrCancelled].
func (b *Box) Call(ctx context.Context, c *Call) (*mcp.CallToolResult, error) {
	if err := b.AllowTool(ctx, c.Name); err != nil {
		return nil, err
	}
	t := b.byName[c.Name]
	requestID := cmp.Or(c.RequestID, rand.Text())
	run, end, err := b.running.begin(ctx, Running{ID: requestID, Tool: c.Name, Since: b.now()})
	if err != nil {
		return nil, err
	}
	defer end()

	arguments := c.Arguments
	if trimmed := bytes.TrimSpace(arguments); len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		arguments = json.RawMessage("{}")
	}
	if problems := t.input.problems(arguments); len(problems) > 0 {
		return nil, &ArgumentsError{Tool: c.Name, Problems: problems}
	}
	p := &progress{to: c.Progress}
	defer p.end()
	var result *mcp.CallToolResult
	err = guarded(func() (err error) {
		result, err = t.Call(run, arguments, p.report)
		return err
	})
	if err == nil {
		result, err = t.checked(result)
	}
	if err != nil {
		return nil, b.failure(run, c.Name, requestID, err)
	}
	return result, nil
}

// Read reads a resource for the caller in ctx. Its errors are as those of [Box.Call], without [*ArgumentsError].
func (b *Box) Read(ctx context.Context, uri, requestID string) ([]*mcp.ResourceContents, error) {
	if err := b.AllowResource(ctx, uri); err != nil {
		return nil, err
	}
	requestID = cmp.Or(requestID, rand.Text())
	run, end, err := b.running.begin(ctx, Running{ID: requestID, Tool: uri, Since: b.now()})
	if err != nil {
		return nil, err
	}
	defer end()
	var contents []*mcp.ResourceContents
	err = guarded(func() (err error) {
		contents, err = b.byURI[uri].Read(run)
		return err
	})
	if err == nil && len(contents) == 0 {
		err = errors.New("the resource has no contents")
	}
	if err != nil {
		return nil, b.failure(run, uri, requestID, err)
	}
	return contents, nil
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
	if result.IsError || t.output == nil {
		return result, nil
	}
	if result.StructuredContent == nil {
		return nil, errors.New("the tool has an output schema and returned no structured content")
	}
	raw, err := json.Marshal(result.StructuredContent)
	if err != nil {
		return nil, fmt.Errorf("structured content: %w", err)
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
