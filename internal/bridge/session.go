package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// session is the older era's session with the server.
type session struct {
	id       string
	version  string
	first    *message           // the client's initialize, for when the session is lost
	hearing  bool               // a stream of the server's own messages is wanted
	renewing sync.RWMutex       // held while a lost session is begun anew: other requests wait for it
	stop     context.CancelFunc // of the stream
}

// mark puts the session into the headers of a request of the older era. All wait while a session is begun anew, but
// those that begin it.
func (b *Bridge) mark(h http.Header, begins bool) {
	if !begins {
		b.session.renewing.RLock()
		defer b.session.renewing.RUnlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session.id != "" {
		h.Set(headerSession, b.session.id)
	}
	if b.session.version != "" {
		h.Set(headerVersion, b.session.version)
	}
}

// began remembers the session that an initialize has begun.
func (b *Bridge) began(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session.id = id
}

// initialize begins a session for a client of the older era. Where the server does not know that era, the bridge
// translates from here on.
func (b *Bridge) initialize(ctx context.Context, m *message) json.RawMessage {
	b.mu.Lock()
	b.session.id, b.session.version, b.session.first, b.modern = "", "", m, nil
	b.mu.Unlock()
	answer, err := b.exchange(ctx, m)
	if err == nil {
		if b.agreed(answer) {
			return answer
		}
	}
	var status *statusError
	if err == nil || errors.As(err, &status) && status.status < 500 {
		if translated := b.discover(ctx, m); translated != nil {
			return translated
		}
	}
	return b.settled(ctx, m.ID, answer, err)
}

// agreed keeps the version that the server has chosen, and reports whether it has chosen one of the older era. A server
// that knows none may name the newest, which nobody can begin with an initialize.
func (b *Bridge) agreed(answer json.RawMessage) bool {
	var a struct {
		Result struct {
			Version string `json:"protocolVersion"`
		} `json:"result"`
	}
	if json.Unmarshal(answer, &a) != nil || a.Result.Version == "" || a.Result.Version >= newest {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session.version = a.Result.Version
	return true
}

// renew begins a new session in place of a lost one, as the client began the first. The client hears nothing of it.
func (b *Bridge) renew(ctx context.Context, lost *lostError) error {
	b.session.renewing.Lock()
	defer b.session.renewing.Unlock()
	b.mu.Lock()
	first, done := b.session.first, b.session.id != lost.id && b.session.id != ""
	if !done {
		b.session.id, b.session.version = "", ""
	}
	b.mu.Unlock()
	if done {
		return nil
	}
	if first == nil {
		return lost
	}
	again, err := parse(first.raw)
	if err != nil {
		return err
	}
	again.begins = true
	answer, err := b.exchange(ctx, again)
	if err != nil {
		return err
	}
	if !b.agreed(answer) {
		return lost
	}
	b.mu.Lock()
	hearing := b.session.hearing
	b.mu.Unlock()
	if hearing {
		ready, err := parse([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`))
		if err != nil {
			return err
		}
		ready.begins = true
		b.tell(ctx, ready)
	}
	return nil
}

const longestWait = 30 * time.Second

// listen opens the stream of the server's own messages and keeps it open, where the server has one.
func (b *Bridge) listen() {
	ctx, stop := context.WithCancel(b.ctx)
	b.mu.Lock()
	if b.session.stop != nil {
		b.session.stop()
	}
	b.session.hearing, b.session.stop = true, stop
	b.mu.Unlock()
	b.hears.Go(func() {
		defer stop()
		last, wait := "", firstWait
		for ctx.Err() == nil {
			resp, err := b.get(ctx, last)
			var status *statusError
			if errors.As(err, &status) {
				return // it has no such stream, or knows the session no more: a request will notice
			}
			if err == nil {
				wait = firstWait
				err = events(resp.Body, b.MaxMessage, func(e event) bool {
					if e.id != "" {
						last = e.id
					}
					if e.retry > 0 {
						wait = e.wait()
					}
					if _, bad := parse(e.data); !e.named && bad == nil {
						b.out.write(e.data)
					}
					return true
				})
				resp.Body.Close()
			}
			if err == errLongEvent {
				b.say(err)
			}
			if !sleep(ctx, wait) {
				return
			}
			wait = min(2*wait, longestWait)
		}
	})
}

// end tells the server that the session is over.
func (b *Bridge) end() {
	b.mu.Lock()
	id := b.session.id
	b.mu.Unlock()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, b.Server, nil)
	if err != nil {
		return
	}
	b.mark(req.Header, true)
	if resp, err := b.HTTP.Do(req); err == nil {
		resp.Body.Close()
	}
}
