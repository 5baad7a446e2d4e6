package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// perCaller is how many streams one caller holds.
const perCaller = 50

// holding asks the child for streams that stay open.
type holding struct {
	Addr    string
	Tokens  []string
	Streams int
}

type held struct {
	Streams int
	Wrong   string
}

// streams measures what idle streams cost: each the event stream of a session of its own, of many callers.
func streams(ctx context.Context, o options, idp *devidp.Running) ([]budget, error) {
	if o.streams == 0 {
		return nil, nil
	}
	p := &peer{name: "ours, idle streams", job: job{
		Kind: "ours", Issuer: idp.Issuer(), Settings: []string{fmt.Sprintf("FASTMCP_AUTH_LIMITS_SESSIONS=%d", o.streams)},
	}}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	defer p.child.stop()
	holder, err := holdStreams(ctx, p.addr(), o.streams, func(caller int) (string, error) {
		return idp.MintToken(devidp.TokenRequest{
			User: devidp.UserAdmin, Audience: []string{p.url}, Scopes: []string{"execute"},
			Lifetime: time.Hour, Claims: map[string]any{"sub": fmt.Sprintf("caller-%d", caller)},
		})
	})
	if err != nil {
		return nil, err
	}
	defer holder.stop()
	u, err := p.used()
	if err != nil {
		return nil, err
	}
	return []budget{{fmt.Sprintf("idle_streams_%d", o.streams), float64(u.Now) / 1e6, "MB", 1000, true}}, nil
}

// holdStreams starts a child that holds streams open until it is stopped, of callers whose tokens mint returns.
func holdStreams(ctx context.Context, addr string, streams int, mint func(caller int) (string, error)) (*child, error) {
	h := holding{Addr: addr, Streams: streams}
	for n := range (streams + perCaller - 1) / perCaller {
		token, err := mint(n)
		if err != nil {
			return nil, err
		}
		h.Tokens = append(h.Tokens, token)
	}
	holder, err := self(ctx, nil, "hold")
	if err != nil {
		return nil, err
	}
	var got held
	if err := holder.ask(h, &got); err != nil {
		holder.stop()
		return nil, err
	}
	if got.Wrong != "" {
		holder.stop()
		return nil, fmt.Errorf("after %d idle streams: %s", got.Streams, got.Wrong)
	}
	return holder, nil
}

// hold is the child that holds streams open until its input ends.
func hold(context.Context) error {
	var open []*wire
	return answers(func(h holding) (held, error) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		var wrong error
		for worker := range 32 {
			wg.Go(func() {
				for i := worker; i < h.Streams; i += 32 {
					w, err := openStream(h.Addr, h.Tokens[i/perCaller])
					mu.Lock()
					if err != nil {
						wrong = err
						mu.Unlock()
						return
					}
					open = append(open, w)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		answer := held{Streams: len(open)}
		if wrong != nil {
			answer.Wrong = wrong.Error()
		}
		return answer, nil
	})
}

func openStream(addr, token string) (*wire, error) {
	w, err := dial(addr)
	if err != nil {
		return nil, err
	}
	if err := w.begin(token); err != nil {
		return nil, err
	}
	w.headers("GET", legacy)
	if err := w.send(token, nil); err != nil {
		return nil, err
	}
	status, _, err := w.head()
	if err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, fmt.Errorf("a stream was answered with %d", status)
	}
	return w, nil
}
