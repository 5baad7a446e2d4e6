package main

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// burst is load for one server: each connection sends its next call when the last was answered.
type burst struct {
	Addr        string
	Version     string   // modern or legacy
	Tokens      []string // taken in turn; empty means none
	Connections int
	Session     bool // begin a session first
	Stream      bool // ask for progress
	For         time.Duration
}

// tally is what came of a burst.
type tally struct {
	Calls    int
	Took     time.Duration
	P50, P99 time.Duration
	Wrong    string // the first wrong answer; empty means none
}

// load is the child that sends bursts. Connections are kept from one burst to the next.
func load(context.Context) error {
	l := &loader{wires: map[string][]*wire{}}
	return answers(l.burst)
}

type loader struct {
	wires map[string][]*wire // by address and era
	next  atomic.Uint64      // the next token
}

func (l *loader) burst(b burst) (tally, error) {
	wires, err := l.open(b)
	if err != nil {
		return tally{Wrong: err.Error()}, nil
	}
	body := message(b.Version, b.Stream)
	latencies := make([][]time.Duration, b.Connections)
	faults := make([]error, b.Connections)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range b.Connections {
		wg.Go(func() {
			for time.Since(began) < b.For {
				sent := time.Now()
				if faults[i] = wires[i].call(body, b.Version, l.token(b.Tokens), b.Stream); faults[i] != nil {
					return
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	wg.Wait()
	t := tally{Took: time.Since(began)}
	for _, err := range faults {
		if err != nil {
			t.Wrong = err.Error()
		}
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	if t.Calls = len(all); t.Calls > 0 {
		t.P50, t.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return t, nil
}

// token returns the next token: one that is shared by all calls, or one of many that each come round seldom.
func (l *loader) token(tokens []string) string {
	if len(tokens) == 0 {
		return ""
	}
	return tokens[l.next.Add(1)%uint64(len(tokens))]
}

// open returns as many connections as the burst needs, each with its session in the older era.
func (l *loader) open(b burst) ([]*wire, error) {
	key := b.Addr + " " + b.Version
	for len(l.wires[key]) < b.Connections {
		w, err := dial(b.Addr)
		if err != nil {
			return nil, err
		}
		if b.Session {
			if err := w.begin(l.token(b.Tokens)); err != nil {
				return nil, err
			}
		}
		l.wires[key] = append(l.wires[key], w)
	}
	return l.wires[key], nil
}
