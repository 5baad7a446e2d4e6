package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	answerTimeout  = time.Minute     // for what a server answers from what it knows, where nobody says another
	discardTimeout = time.Second     // for the rest of a body that nobody wants
	maxResponse    = 32 << 20        // bytes of an answer, or of one event of a stream
	maxListed      = 2 * maxResponse // bytes of a list, all pages together
)

// slowError is a server that did not answer within this time.
type slowError time.Duration

func (e slowError) Error() string { return "it does not answer within " + time.Duration(e).String() }
func (slowError) Unwrap() error   { return context.DeadlineExceeded }

// isQuick reports whether a server answers m from what it knows. What runs a tool or may ask a person in the middle takes
// as long as it takes: who waits for it sets a limit.
func (m *message) isQuick() bool {
	switch m.Method {
	case "initialize", "server/discover", "ping", "tools/list", "prompts/list", "resources/list", "resources/templates/list",
		"completion/complete", "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		return true
	case "":
		return len(m.ID) > 0 // an answer of ours, which is only taken in
	}
	return !m.isCall()
}

// limited ends the wait for an answer to m, where that needs no time.
func (a *authorizer) limited(ctx context.Context, m *message) (context.Context, context.CancelFunc) {
	if m.isQuick() {
		return context.WithTimeoutCause(ctx, a.patience, slowError(a.patience))
	}
	return context.WithCancel(ctx)
}

// sendFor is send for m, with an end where the answer needs no time.
func (a *authorizer) sendFor(m *message, req *http.Request, t credential, nonce string) (*http.Response, error) {
	ctx, cancel := a.limited(req.Context(), m)
	resp, err := a.send(req.WithContext(ctx), t, nonce)
	if err != nil {
		defer cancel()
		return nil, a.late(ctx, err)
	}
	if l, ok := ctx.Value(listedKey{}).(*listed); ok {
		resp.Body = &listedBody{resp.Body, l}
	}
	resp.Body = &answerBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, late: a.late}
	return resp, nil
}

// late is err, or where the server was too slow, that.
func (a *authorizer) late(ctx context.Context, err error) error {
	slow, is := context.Cause(ctx).(slowError)
	if !is {
		return err
	}
	return a.fail(fmt.Errorf("client: %s: %w", a.server, slow))
}

// tooSlow is what is left to say while connecting to a server that did not answer once: it is not asked in another
// protocol era.
func (a *authorizer) tooSlow() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slow := slowError(0); a.connecting && errors.As(a.failed, &slow) {
		return &refusal{a.failed}
	}
	return nil
}

// answerBody is an answer that can be given up.
type answerBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelFunc
	late   func(context.Context, error) error // may be nil
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.late != nil {
		err = b.late(b.ctx, err)
	}
	return n, err
}

func (b *answerBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// discard reads a little of a body that nobody wants, so that the connection can serve again, and does not wait for more.
func discard(resp *http.Response) {
	if b, ok := resp.Body.(*answerBody); ok {
		defer time.AfterFunc(discardTimeout, b.cancel).Stop()
	}
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

// boundedBody ends an endless answer with an error.
type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("client: the answer is too large")
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

type listedKey struct{}

// listed is how much a list may still hold.
type listed struct{ left atomic.Int64 }

// listedBody is a page of a list.
type listedBody struct {
	io.ReadCloser
	list *listed
}

func (b *listedBody) Read(p []byte) (int, error) {
	if b.list.left.Load() <= 0 {
		return 0, errors.New("client: the list is too large")
	}
	n, err := b.ReadCloser.Read(p)
	b.list.left.Add(-int64(n))
	return n, err
}
