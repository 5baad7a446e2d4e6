package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// seldom is how many tokens come round before one is seen again: more than the server remembers.
const seldom = 4500

var (
	connections = []int{1, 16, 64}
	versions    = []string{modern, legacy}
)

// peer is one of the servers that are compared.
type peer struct {
	name   string
	job    job
	tokens int  // how many different ones are sent
	stream bool // calls ask for progress
	rest   bool // calls go over the REST API
	skip   string

	child *child
	url   string
	sent  []string
}

// peers are all that is compared. Those whose ratio has a budget stand beside each other, so that they are measured
// moments apart.
func peers(issuer string) []*peer {
	return []*peer{
		{name: "sdk", job: job{Kind: "sdk", Issuer: issuer}, tokens: 1, skip: legacy},
		{name: "sdk", job: job{Kind: "sdk", Issuer: issuer, Legacy: true}, tokens: 1, skip: modern},
		{name: "ours, all turned on", job: job{Kind: "ours", Issuer: issuer, Recorded: true}, tokens: 1},
		{name: "floor"},
		{name: "ours, warm token", job: job{Kind: "ours", Issuer: issuer}, tokens: 1},
		{name: "ours --no-auth", job: job{Kind: "ours"}},
		{name: "ours, over REST", job: job{Kind: "ours", Issuer: issuer}, tokens: 1, rest: true, skip: legacy},
		{name: "ours, cold token", job: job{Kind: "ours", Issuer: issuer}, tokens: seldom},
		{name: "ours, streams", job: job{Kind: "ours", Issuer: issuer}, tokens: 1, stream: true},
	}
}

// sample is what one burst showed.
type sample struct {
	cpu      time.Duration // of the server, a call
	rate     float64       // calls a second
	p50, p99 time.Duration
	allocs   float64 // a call
}

// cell is one row of the table.
type cell struct {
	peer, version string
	connections   int
}

type results struct {
	samples map[cell][]sample
	peak    map[string]int64 // by peer
	order   []string         // of peers
}

// bench is the whole run.
func bench(ctx context.Context, o options) error {
	idp, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Scopes: []string{"execute"}})
	if err != nil {
		return err
	}
	all := peers(idp.Issuer())
	if o.only != "" {
		all = slices.DeleteFunc(all, func(p *peer) bool { return !strings.Contains(p.name, o.only) })
	}
	defer func() {
		for _, p := range all {
			if p.child != nil {
				p.child.stop()
			}
		}
	}()
	if err := startAll(ctx, o, all, idp); err != nil {
		return err
	}
	loader, err := self(ctx, nil, "load")
	if err != nil {
		return err
	}
	defer loader.stop()
	r := &results{samples: map[cell][]sample{}, peak: map[string]int64{}}
	for _, version := range versions {
		for _, n := range connections {
			if err := r.rounds(ctx, o, loader, all, version, n); err != nil {
				return err
			}
		}
	}
	for _, p := range all {
		u, err := p.used()
		if err != nil {
			return err
		}
		r.peak[p.name] = max(r.peak[p.name], u.Peak)
		if !slices.Contains(r.order, p.name) {
			r.order = append(r.order, p.name)
		}
	}
	r.print(os.Stdout)
	if o.only != "" {
		return nil
	}
	return budgets(ctx, os.Stdout, o, r, idp)
}

// startAll starts the servers. The floor learns what to answer from ours.
func startAll(ctx context.Context, o options, all []*peer, idp *devidp.Running) error {
	answer, err := result(ctx)
	if err != nil {
		return err
	}
	for i, p := range all {
		if p.name == "floor" {
			p.job = job{Kind: "floor", Answer: answer}
		}
		if o.profile != "" {
			p.job.Profile = filepath.Join(o.profile, fmt.Sprintf("%d-%s.pprof", i, strings.Map(onlyLetters, p.name)))
		}
		if err := p.start(ctx); err != nil {
			return err
		}
		for n := range p.tokens {
			token, err := mint(idp, p.url, n)
			if err != nil {
				return err
			}
			p.sent = append(p.sent, token)
		}
	}
	return nil
}

func onlyLetters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

// mint returns the n-th token of one caller.
func mint(idp *devidp.Running, audience string, n int) (string, error) {
	return idp.MintToken(devidp.TokenRequest{
		User: devidp.UserAdmin, Audience: []string{audience}, Scopes: []string{"execute"},
		Lifetime: time.Hour, Algorithm: "RS256", Claims: map[string]any{"jti": fmt.Sprintf("bench-%d", n)},
	})
}

func (p *peer) start(ctx context.Context) error {
	text, err := json.Marshal(p.job)
	if err != nil {
		return err
	}
	var at place
	if p.child, err = self(ctx, &at, "serve", string(text)); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.url = at.URL
	return nil
}

func (p *peer) used() (usage, error) {
	var u usage
	return u, p.child.ask(struct{}{}, &u)
}

// addr is the host and port of the peer.
func (p *peer) addr() string {
	u, err := url.Parse(p.url)
	if err != nil {
		return ""
	}
	return u.Host
}

// result asks a server of ours for the result of the call.
func result(ctx context.Context) (string, error) {
	p := &peer{name: "ours", job: job{Kind: "ours"}}
	if err := p.start(ctx); err != nil {
		return "", err
	}
	defer p.child.stop()
	w, err := dial(p.addr())
	if err != nil {
		return "", err
	}
	defer w.conn.Close()
	if err := w.call(message(modern, false), modern, "", false); err != nil {
		return "", err
	}
	var m struct{ Result json.RawMessage }
	if err := json.Unmarshal(w.body, &m); err != nil {
		return "", err
	}
	return string(m.Result), nil
}

// rounds lets every peer have its turn in every round, after one that warms up. Every other round goes backwards, so
// that what gets slower with time does not count against the same peers.
func (r *results) rounds(ctx context.Context, o options, loader *child, all []*peer, version string, n int) error {
	turns := slices.Clone(all)
	for round := range o.rounds + 1 {
		slices.Reverse(turns)
		for _, p := range turns {
			if p.skip == version {
				continue
			}
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			slice := o.slice
			if round == 0 {
				slice /= 2
			}
			spoken := version
			if p.rest {
				spoken = overREST
			}
			s, err := p.measure(loader, burst{
				Addr: p.addr(), Version: spoken, Tokens: p.sent, Connections: n,
				Session: version == legacy && p.job.Kind != "floor", Stream: p.stream, For: slice,
			})
			if err != nil {
				return fmt.Errorf("%s, %s, %d connections: %w", p.name, version, n, err)
			}
			if round > 0 {
				c := cell{p.name, version, n}
				r.samples[c] = append(r.samples[c], s)
			}
		}
	}
	return nil
}

func (p *peer) measure(loader *child, b burst) (sample, error) {
	before, err := p.used()
	if err != nil {
		return sample{}, err
	}
	var t tally
	if err := loader.ask(b, &t); err != nil {
		return sample{}, err
	}
	after, err := p.used()
	if err != nil {
		return sample{}, err
	}
	if t.Wrong != "" || t.Calls == 0 {
		return sample{}, fmt.Errorf("after %d calls: %s", t.Calls, t.Wrong)
	}
	return sample{
		cpu:    (after.CPU - before.CPU) / time.Duration(t.Calls),
		rate:   float64(t.Calls) / t.Took.Seconds(),
		p50:    t.P50,
		p99:    t.P99,
		allocs: float64(after.Mallocs-before.Mallocs) / float64(t.Calls),
	}, nil
}
