package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ask sends a request of the client and returns the line that answers it; what comes before the answer is passed on. It
// returns nil when the client no longer waits.
func (b *Bridge) ask(ctx context.Context, m *message) json.RawMessage {
	if m.Method == "initialize" {
		return b.initialize(ctx, m)
	}
	if b.translates() {
		return b.translate(ctx, m)
	}
	answer, err := b.exchange(ctx, m)
	var lost *lostError
	if errors.As(err, &lost) && !m.isModern() {
		if err = b.renew(ctx, lost); err == nil {
			answer, err = b.exchange(ctx, m)
		}
	}
	if m.Method == "tools/list" && err == nil {
		if a, bad := parse(answer); bad == nil {
			b.learn(a.Result)
		}
	}
	return b.settled(ctx, m.ID, answer, err)
}

// settled is the answer, or the error that stands for it.
func (b *Bridge) settled(ctx context.Context, id, answer json.RawMessage, err error) json.RawMessage {
	switch {
	case err == nil:
		return answer
	case ctx.Err() != nil:
		return nil
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // the client knows which server it called
	}
	b.say(err)
	return failure(id, codeServer, err.Error())
}

var errNoAnswer = errors.New("the server closed the stream without an answer")

// lostError is a session that the server does not know any more.
type lostError struct{ id string }

func (e *lostError) Error() string { return "the server has ended the session" }

// statusError is an answer over HTTP that is no message.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string {
	if e.text == "" {
		return fmt.Sprintf("the server answers with HTTP %d", e.status)
	}
	return fmt.Sprintf("the server answers with HTTP %d: %s", e.status, e.text)
}

const (
	dials     = 4 // attempts where no connection comes about
	firstWait = 200 * time.Millisecond
)

// post sends m. Where no connection comes about, nothing was sent, and it tries again: a server may be starting anew.
func (b *Bridge) post(ctx context.Context, m *message) (*http.Response, error) {
	for attempt, wait := 1, firstWait; ; attempt, wait = attempt+1, 2*wait {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.Server, bytes.NewReader(m.raw))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		if m.isModern() {
			b.repeat(req.Header, m)
		} else {
			b.mark(req.Header, m.begins)
		}
		resp, err := b.HTTP.Do(req)
		var op *net.OpError
		if err == nil || attempt == dials || !errors.As(err, &op) || op.Op != "dial" {
			return resp, err
		}
		if !sleep(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// exchange posts a request and waits for its answer.
func (b *Bridge) exchange(ctx context.Context, m *message) (json.RawMessage, error) {
	resp, err := b.post(ctx, m)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if id := resp.Request.Header.Get(headerSession); id != "" && resp.StatusCode == http.StatusNotFound {
		return nil, &lostError{id}
	}
	if m.Method == "initialize" {
		b.began(resp.Header.Get(headerSession))
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case media == "text/event-stream" && resp.StatusCode == http.StatusOK:
		return b.stream(ctx, m, resp.Body)
	case media == "application/json":
		body, err := b.body(resp)
		if err != nil {
			return nil, err
		}
		if a, err := parse(body); err == nil && a.isResponse() {
			return a.as(m.ID), nil
		}
		return nil, &statusError{status: resp.StatusCode}
	}
	return nil, b.refused(resp)
}

// as is the answer with the id of the request: a server that could not read a request has no id to answer with.
func (m *message) as(id json.RawMessage) json.RawMessage {
	if m.ID != nil {
		return m.raw
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(m.raw, &all) != nil {
		return m.raw
	}
	all["id"] = id
	raw, err := json.Marshal(all)
	if err != nil {
		return m.raw
	}
	return raw
}

func (b *Bridge) body(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(b.MaxMessage)+1))
	if err != nil {
		return nil, err
	}
	if len(body) > b.MaxMessage {
		return nil, errors.New("the answer is larger than the bridge takes")
	}
	return body, nil
}

// refused is what an answer says that holds no message.
func (b *Bridge) refused(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	for _, c := range line {
		if c < 0x20 || c >= 0x7f {
			line = nil
			break
		}
	}
	return &statusError{resp.StatusCode, string(line)}
}

// stream passes on what a stream brings until it brings the answer to m. A stream that breaks off is taken up where the
// server keeps its events.
func (b *Bridge) stream(ctx context.Context, m *message, body io.Reader) (answer json.RawMessage, err error) {
	last, retry := "", time.Second
	take := func(e event) bool {
		if e.id != "" {
			last = e.id
		}
		if e.retry > 0 {
			retry = e.wait()
		}
		if e.named || len(e.data) == 0 {
			return true
		}
		a, err := parse(e.data)
		if err != nil {
			return true
		}
		if a.isResponse() && string(a.ID) == string(m.ID) {
			answer = e.data
			return false
		}
		b.out.write(e.data)
		return true
	}
	err = events(body, b.MaxMessage, take)
	for attempt := 0; answer == nil && err != errLongEvent && last != "" && attempt < 5 && ctx.Err() == nil; attempt++ {
		if !sleep(ctx, retry) {
			return nil, ctx.Err()
		}
		before := last
		var resp *http.Response
		if resp, err = b.get(ctx, last); err != nil {
			continue
		}
		err = events(resp.Body, b.MaxMessage, take)
		resp.Body.Close()
		if last != before {
			attempt = -1
		}
	}
	switch {
	case answer != nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == errLongEvent:
		return nil, err
	}
	return nil, errNoAnswer
}

// get opens a stream, from the event after last where there was one.
func (b *Bridge) get(ctx context.Context, last string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Server, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	b.mark(req.Header, false)
	resp, err := b.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || media != "text/event-stream" {
		defer resp.Body.Close()
		return nil, b.refused(resp)
	}
	return resp, nil
}

// tell sends what nobody answers: a notification, or the client's answer to the server.
func (b *Bridge) tell(ctx context.Context, m *message) {
	resp, err := b.post(ctx, m)
	if err != nil {
		b.say(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		b.say(b.refused(resp))
		return
	}
	if m.Method == "notifications/initialized" {
		b.listen()
	}
}
