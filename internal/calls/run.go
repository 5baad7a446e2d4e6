package calls

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// capabilities are what the callers of long calls can be asked for.
var capabilities = &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{}}}

// run makes the call, or one round of it, and keeps what came of it.
func (r *Runner) run(ctx context.Context, rec *record, c *toolbox.Call) {
	if c.Client == nil {
		c.Client = &toolbox.Client{}
	}
	c.Client.Capabilities = capabilities
	p := newReporter(func(p Progress) error {
		return r.tell(context.WithoutCancel(ctx), rec.ID, Event{Type: "progress", Progress: &p})
	})
	c.Progress = p.report
	result, err := r.box.Call(ctx, c)
	p.end()
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		err = r.patiently(func() error { return r.keepResult(ctx, rec, result) })
	}
	if err != nil {
		r.fail(rec, c.RequestID, err)
	}
	if err := r.patiently(func() error { return r.save(ctx, rec) }); err != nil {
		r.logger.Error("the end of a call is lost", "call", rec.ID, "request_id", c.RequestID, "cause", err)
		return
	}
	if err := r.settle(ctx, rec); err != nil {
		r.logger.WarnContext(ctx, "more is kept of a caller than should be", "call", rec.ID, "cause", err)
	}
}

// patiently tries again while the store is away, until this server ends.
func (r *Runner) patiently(keep func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := keep()
		if !errors.Is(err, ErrStore) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrFull) || r.isClosed() {
			return err
		}
		time.Sleep(wait)
	}
}

// keepResult takes over what a round brought.
func (r *Runner) keepResult(ctx context.Context, rec *record, result *mcp.CallToolResult) error {
	if result.InputRequests != nil {
		asks, err := json.Marshal(result.InputRequests)
		if err != nil {
			return err
		}
		rec.State, rec.Input, rec.Asked = InputRequired, asks, result.RequestState
		return nil
	}
	data, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := r.store.Drop(ctx, resultLog(rec.ID)); err != nil { // what an earlier try has left
		return unreachable(err)
	}
	if err := r.saveParts(ctx, resultLog(rec.ID), data); err != nil {
		return err
	}
	rec.State, rec.Ended, rec.Size = Completed, r.now().UTC(), rec.Size+len(data)
	return nil
}

func (r *Runner) fail(rec *record, requestID string, err error) {
	rec.State, rec.Ended = Failed, r.now().UTC()
	failure := &Failure{Code: Code(err), Message: err.Error(), RequestID: requestID}
	if errors.Is(err, toolbox.ErrCancelled) {
		rec.State = Cancelled
		return
	}
	if errors.Is(err, ErrStore) || failure.Code == "failed" && !errors.As(err, new(*toolbox.FailedError)) {
		r.logger.Error("the result of a call is lost", "call", rec.ID, "request_id", requestID, "cause", err)
		failure.Message = "the result could not be kept; the request id is " + requestID
	}
	rec.Failure = failure
}

// reporter passes on progress no faster than people look: the newest of what came meanwhile.
type reporter struct {
	mu      sync.Mutex
	newest  *Progress
	pending chan struct{} // holds one value while there is something to pass on
	stopped chan struct{}
	done    chan struct{}
}

const reportInterval = 100 * time.Millisecond

func newReporter(to func(Progress) error) *reporter {
	p := &reporter{pending: make(chan struct{}, 1), stopped: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			select {
			case <-p.stopped:
				return
			case <-p.pending:
			}
			if newest := p.take(); newest != nil {
				_ = to(*newest) // the next one, or the end, tells as much
			}
			select {
			case <-p.stopped:
				return
			case <-time.After(reportInterval):
			}
		}
	}()
	return p
}

func (p *reporter) report(done, total float64, message string) {
	p.mu.Lock()
	p.newest = &Progress{Done: done, Total: total, Message: message}
	p.mu.Unlock()
	select {
	case p.pending <- struct{}{}:
	default:
	}
}

func (p *reporter) take() *Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest := p.newest
	p.newest = nil
	return newest
}

func (p *reporter) end() {
	close(p.stopped)
	<-p.done
}
