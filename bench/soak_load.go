package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"sync"
	"time"
)

// slice is a second of load, in an open loop: a request is due whether or not the ones before it were answered.
type slice struct {
	Addr        string
	Requests    int
	Every       time.Duration // between two requests
	Connections int
	Asks        []ask
	Tokens      []string // of the callers: of each connection's session in the older era, and of what is Signed
}

// ask is one kind of request, and which answers are right.
type ask struct {
	Name   string
	Share  int // of all requests, by weight
	Legacy bool
	Tool   string
	Body   []byte
	Signed bool     // by one of the callers in turn
	Tokens []string // otherwise: taken in turn; empty means none
	Want   []reply
	Good   bool // must not be refused
	Bad    bool // must not be let in
}

// reply is an answer that is right.
type reply struct {
	Status    int
	Has       string // in the body
	Challenge string // in WWW-Authenticate; empty means that there is none
}

// outcome is what came of one slice or of many.
type outcome struct {
	Sent     map[string]int
	Wrong    int // not what was wanted, beside:
	Refused  int // valid requests that were refused
	LetIn    int // invalid ones that were not
	Examples []string
	// Latencies counts answers by the logarithm of their microseconds, in eighths of a doubling.
	Latencies [256]int
}

func (o *outcome) add(more outcome) {
	if o.Sent == nil {
		o.Sent = map[string]int{}
	}
	for name, n := range more.Sent {
		o.Sent[name] += n
	}
	o.Wrong, o.Refused, o.LetIn = o.Wrong+more.Wrong, o.Refused+more.Refused, o.LetIn+more.LetIn
	const enough = 10
	for _, e := range more.Examples {
		if len(o.Examples) < enough {
			o.Examples = append(o.Examples, e)
		}
	}
	for i, n := range more.Latencies {
		o.Latencies[i] += n
	}
}

func (o *outcome) calls() (n int) {
	for _, sent := range o.Sent {
		n += sent
	}
	return n
}

// count puts a latency where it belongs.
func (o *outcome) count(d time.Duration) {
	us := uint64(max(d.Microseconds(), 8))
	top := bits.Len64(us) - 1
	o.Latencies[min(8*top+int(us>>(top-3)&7), len(o.Latencies)-1)]++
}

// percentile is in milliseconds, to an eighth.
func (o *outcome) percentile(p int) float64 {
	rest := (o.calls()*p + 99) / 100
	for i, n := range o.Latencies {
		if rest -= n; rest <= 0 && n > 0 {
			return math.Ldexp(1+float64(i%8+1)/8, i/8) / 1e3
		}
	}
	return 0
}

// soakLoad is the child that sends slices. Connections and sessions are kept from one slice to the next.
func soakLoad(context.Context) error {
	l := &soakLoader{}
	return answers(l.send)
}

type soakLoader struct {
	senders []*sender
	turn    int       // which ask is next
	due     time.Time // when the next request is
}

// sender is one connection in each era.
type sender struct {
	modern, legacy *wire
	next           int // token
}

func (l *soakLoader) send(s slice) (outcome, error) {
	for len(l.senders) < s.Connections {
		l.senders = append(l.senders, &sender{})
	}
	var order []*ask
	for i := range s.Asks {
		for range s.Asks[i].Share {
			order = append(order, &s.Asks[i])
		}
	}
	type due struct {
		ask *ask
		at  time.Time
	}
	queue := make(chan due, s.Requests)
	results := make([]outcome, s.Connections)
	var wg sync.WaitGroup
	for i := range s.Connections {
		wg.Go(func() {
			for d := range queue {
				tokens := d.ask.Tokens
				switch {
				case d.ask.Legacy:
					tokens = []string{s.Tokens[i%len(s.Tokens)]}
				case d.ask.Signed:
					tokens = s.Tokens
				}
				results[i].judge(d.ask, l.senders[i].send(d.ask, s.Addr, tokens))
				results[i].count(time.Since(d.at))
			}
		})
	}
	if time.Since(l.due) > time.Second { // the first slice, or one that cannot be caught up
		l.due = time.Now()
	}
	for range s.Requests {
		at := l.due
		l.due = at.Add(s.Every)
		time.Sleep(time.Until(at))
		// A stride that is prime to the length mixes the kinds.
		l.turn = (l.turn + 61) % len(order)
		queue <- due{order[l.turn], at}
	}
	close(queue)
	wg.Wait()
	var all outcome
	for _, r := range results {
		all.add(r)
	}
	return all, nil
}

// answered is what came back.
type answered struct {
	status    int
	body      []byte
	challenge string
	err       error
}

func (s *sender) send(a *ask, addr string, tokens []string) answered {
	w, err := s.wire(a.Legacy, addr, tokens)
	if err != nil {
		return answered{err: err}
	}
	w.conn.SetDeadline(time.Now().Add(30 * time.Second))
	token, version := "", modern
	if len(tokens) > 0 {
		s.next++
		token = tokens[s.next%len(tokens)]
	}
	if a.Legacy {
		version = legacy
	}
	status, body, err := w.exchange(version, a.Tool, token, a.Body)
	if err != nil {
		w.conn.Close()
		s.drop(a.Legacy)
	}
	return answered{status, body, w.challenge, err}
}

func (s *sender) drop(isLegacy bool) {
	if isLegacy {
		s.legacy = nil
	} else {
		s.modern = nil
	}
}

// wire is the connection of an era, begun anew where the last one broke.
func (s *sender) wire(isLegacy bool, addr string, tokens []string) (*wire, error) {
	at := &s.modern
	if isLegacy {
		at = &s.legacy
	}
	if *at != nil {
		return *at, nil
	}
	w, err := dial(addr)
	if err != nil {
		return nil, err
	}
	if isLegacy {
		if err := w.begin(tokens[0]); err != nil {
			w.conn.Close()
			return nil, err
		}
	}
	*at = w
	return w, nil
}

// judge holds an answer against what was wanted.
func (o *outcome) judge(a *ask, got answered) {
	if o.Sent == nil {
		o.Sent = map[string]int{}
	}
	o.Sent[a.Name]++
	for _, w := range a.Want {
		if got.err == nil && w.fits(got) {
			return
		}
	}
	switch {
	case a.Good && (got.err != nil || got.status != 200 || bytes.Contains(got.body, []byte(`"error":`))):
		o.Refused++
	case a.Bad && got.err == nil && got.status == 200:
		o.LetIn++
	default:
		o.Wrong++
	}
	if len(o.Examples) < 3 {
		o.Examples = append(o.Examples, fmt.Sprintf("%s: %d %.200s %.200s %v", a.Name, got.status, got.body, got.challenge, got.err))
	}
}

func (r reply) fits(got answered) bool {
	return got.status == r.Status && bytes.Contains(got.body, []byte(r.Has)) &&
		strings.Contains(got.challenge, r.Challenge) && (r.Challenge == "") == (got.challenge == "")
}
