// Package bridge carries MCP between a client that speaks stdio and a server that speaks Streamable HTTP.
//
// It passes messages on as they are, in both directions and both protocol eras, and knows of them only what the two
// transports need: which answer belongs to which request, and what stands in the headers. It signs nobody in: the HTTP
// client it is given does. Where the client knows only the older era and the server only the newer one, it translates.
//
//	run         lines in, lines out, until the input ends      bridge.go, line.go
//	request     one message posted, its answers passed on      request.go, events.go
//	headers     what the newer era repeats in headers          headers.go
//	session     the older era: its id, its stream, its loss    session.go
//	translate   an older client before a newer server          translate.go, rounds.go
package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bridge is one client and one server.
type Bridge struct {
	// Server is the URL of the MCP endpoint.
	Server string
	// HTTP sends the requests. It adds tokens and signs in; its Timeout must be zero.
	HTTP *http.Client
	// Say hears, in a sentence, what a person should know, and why a request failed. Nil means that nobody does.
	Say func(err error)
	// MaxMessage bounds one message in bytes, in either direction; zero means 32 MiB.
	MaxMessage int
	// Drain is how long calls may go on after the input has ended; zero means four seconds.
	Drain time.Duration

	out    *lines
	ctx    context.Context
	posts  sync.WaitGroup // requests under way
	hears  sync.WaitGroup // streams of the server's own messages
	places chan struct{}  // as many as may be under way

	deaf atomic.Bool // the server did not take the last notification in

	mu       sync.Mutex
	flights  map[string]*flight // by the id of the client's request
	session  session
	headers  map[string][]mirrored // by tool
	modern   *modern               // set while translating
	awaiting map[string]chan json.RawMessage
}

const (
	defaultMax   = 32 << 20
	defaultDrain = 4 * time.Second
	maxFlights   = 512
	placeTimeout = 30 * time.Second // for a place, where all are taken
	noteTimeout  = 5 * time.Second  // for a notification to be taken in
)

var errCrowded = errors.New("too many requests are under way")

// flight is a request of the client that is under way.
type flight struct {
	cancel   context.CancelFunc
	modern   bool
	endless  bool // it lasts as long as the client listens
	silenced bool // the client has cancelled it and hears no answer
}

// Run carries messages from in and to out until in ends, ctx does, or out is gone.
func (b *Bridge) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	if b.MaxMessage == 0 {
		b.MaxMessage = defaultMax
	}
	if b.Drain == 0 {
		b.Drain = defaultDrain
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b.ctx, b.out = ctx, &lines{w: out, gone: func(err error) { stop(err) }}
	b.places = make(chan struct{}, maxFlights)
	b.flights, b.headers, b.awaiting = map[string]*flight{}, map[string][]mirrored{}, map[string]chan json.RawMessage{}

	read := make(chan error, 1)
	go func() { read <- b.read(in) }()
	var err error
	select {
	case err = <-read:
		if err == nil {
			b.drain()
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	b.end()
	stop(nil)
	b.posts.Wait()
	b.hears.Wait()
	if errors.Is(err, errGone) {
		return nil // who does not read any more has ended the conversation
	}
	return err
}

// read takes in messages until the input ends.
func (b *Bridge) read(in io.Reader) error {
	r := newReader(in, b.MaxMessage)
	for {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTooLong):
			b.out.fail(nil, codeInvalidRequest, "the message is larger than the bridge takes")
			continue
		case err != nil:
			return err
		}
		m, err := parse(line)
		if err != nil {
			b.out.fail(nil, codeParse, err.Error())
			continue
		}
		if err := b.take(m); err != nil {
			return err
		}
	}
}

// take passes one message of the client on. Requests run at the same time; notifications keep their order.
func (b *Bridge) take(m *message) error {
	switch {
	case m.isRequest():
		return b.request(m)
	case m.isResponse():
		if b.answered(m) {
			return nil
		}
		return b.begin(func(ctx context.Context) { b.tell(ctx, m) }, func() { b.say(errCrowded) })
	case m.Method == "notifications/cancelled":
		return b.cancel(m)
	}
	if b.translates() {
		return nil // the newer era knows none of the client's notifications
	}
	return b.notify(m)
}

// notify sends a notification and waits until it is taken in, so that what follows comes after it. A server that is deaf
// to one is not waited for again before it hears: it must not keep the client from cancelling, or from leaving.
func (b *Bridge) notify(m *message) error {
	heard := make(chan struct{})
	err := b.begin(func(ctx context.Context) {
		defer close(heard)
		b.tell(ctx, m)
		b.deaf.Store(false)
	}, func() { b.say(errCrowded); close(heard) })
	if err != nil || b.deaf.Load() {
		return err
	}
	patience := time.NewTimer(noteTimeout)
	defer patience.Stop()
	select {
	case <-heard:
	case <-patience.C:
		b.deaf.Store(true)
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
	return nil
}

// begin runs f beside the others once there is a place, or otherwise where there is none for long.
func (b *Bridge) begin(f func(context.Context), otherwise func()) error {
	patience := time.NewTimer(placeTimeout)
	defer patience.Stop()
	select {
	case b.places <- struct{}{}:
	case <-patience.C:
		otherwise()
		return nil
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	}
	b.posts.Go(func() {
		defer func() { <-b.places }()
		f(b.ctx)
	})
	return nil
}

// request begins a request of the client.
func (b *Bridge) request(m *message) error {
	ctx, cancel := context.WithCancel(b.ctx)
	f := &flight{cancel: cancel, modern: m.isModern(), endless: m.Method == "subscriptions/listen"}
	key := string(m.ID)
	b.mu.Lock()
	_, twice := b.flights[key]
	if !twice {
		b.flights[key] = f
	}
	b.mu.Unlock()
	if twice {
		cancel()
		b.out.fail(m.ID, codeInvalidRequest, "a request with this id is under way")
		return nil
	}
	end := func(answer json.RawMessage) {
		b.mu.Lock()
		delete(b.flights, key)
		silenced := f.silenced
		b.mu.Unlock()
		if !silenced && answer != nil {
			b.out.write(answer)
		}
		cancel()
	}
	return b.begin(func(context.Context) { end(b.ask(ctx, m)) }, func() { end(failure(m.ID, codeServer, errCrowded.Error())) })
}

// cancel ends a request that the client has cancelled. The older era tells the server so; in the newer one the end of
// the stream does.
func (b *Bridge) cancel(m *message) (err error) {
	var p struct {
		ID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(m.Params, &p) != nil {
		return nil
	}
	b.mu.Lock()
	f := b.flights[string(p.ID)]
	if f != nil {
		f.silenced = true
	}
	b.mu.Unlock()
	if f == nil {
		return nil
	}
	if !f.modern && !b.translates() {
		err = b.notify(m)
	}
	f.cancel()
	return err
}

// drain lets requests end that were under way when the input did.
func (b *Bridge) drain() {
	b.mu.Lock()
	for _, f := range b.flights {
		if f.endless {
			f.cancel()
		}
	}
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		b.posts.Wait()
		close(done)
	}()
	patience := time.NewTimer(b.Drain)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	case <-b.ctx.Done():
	}
}

func (b *Bridge) say(err error) {
	if b.Say != nil && err != nil && b.ctx.Err() == nil {
		b.Say(err)
	}
}
