package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// soakOptions say how long the program is under load, and how much.
type soakOptions struct {
	binary      string
	duration    time.Duration
	rate        int // requests a second
	connections int
	streams     int // idle ones, at the end
}

// soak keeps the built program under an open loop of good and bad requests while its provider rolls keys, withdraws them
// and goes down, and its policy changes. Each answer is checked. It errs where one was wrong or memory grew.
func soak(ctx context.Context, args []string) error {
	var o soakOptions
	flags := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", "bin/fastmcp-auth", "the program that is under load")
	flags.DurationVar(&o.duration, "duration", 10*time.Minute, "how long")
	flags.IntVar(&o.rate, "rate", 1000, "requests a second")
	flags.IntVar(&o.connections, "connections", 64, "connections that they are sent on")
	flags.IntVar(&o.streams, "streams", 10_000, "idle streams to hold at the end; 0 leaves them out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.duration < 2*time.Second || o.rate <= 0 || o.connections <= 0 || o.streams < 0 {
		return errors.New("-duration must be two seconds or more, -rate and -connections positive, -streams not negative")
	}
	idp, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Scopes: []string{"execute"}})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(ctx, o, idp, dir)
	if err != nil {
		return err
	}
	defer w.server.stop()
	loader, err := self(ctx, nil, "soakload")
	if err != nil {
		return err
	}
	defer loader.stop()
	s := &soaked{options: o, world: w, began: time.Now()}
	fmt.Printf("# %d requests a second for %v, %d connections; the program and the load are processes of their own, the provider is in this one\n", o.rate, o.duration, o.connections)
	if err := s.load(ctx, loader); err != nil {
		return errors.Join(err, s.report(nil))
	}
	idle, err := w.idleStreams(ctx, o.streams)
	return errors.Join(s.report(idle), err)
}

// soaked is what came of the load so far.
type soaked struct {
	options soakOptions
	world   *world
	began   time.Time
	took    time.Duration
	total   outcome
	memory  []memorySample
}

// load sends slices of a second each, while the world changes under them.
func (s *soaked) load(ctx context.Context, loader *child) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.duration)
	defer cancel()
	changed := make(chan error, 1)
	go func() { changed <- s.world.change(ctx, s.options.duration) }()
	sampled := make(chan struct{})
	go func() { defer close(sampled); s.sample(ctx) }()
	defer func() { cancel(); <-sampled }()
	for ctx.Err() == nil {
		asked, err := s.world.slice(s.options)
		if err != nil {
			return err
		}
		var got outcome
		if err := loader.ask(asked, &got); err != nil {
			return err
		}
		s.world.sliced()
		s.total.add(got)
		select {
		case err := <-changed:
			if err != nil {
				return err
			}
			changed = nil
		default:
		}
	}
	s.took = time.Since(s.began)
	if changed != nil {
		return <-changed
	}
	return nil
}

// memorySample is what the program held at one time.
type memorySample struct {
	at       time.Duration
	resident int64
	heap     float64
}

// sample looks at the program's memory every second.
func (s *soaked) sample(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		resident, _, err := memory(s.world.server.cmd.Process.Pid)
		heap, heapErr := s.world.metric(ctx, heapBytes)
		if err == nil && heapErr == nil {
			s.memory = append(s.memory, memorySample{time.Since(s.began), resident, heap})
		}
	}
}

// parts is into how many parts of the same length the run is divided to look at memory.
const parts = 10

// part is the most that was resident and the least that was on the heap in one part of the run: what is collected, but
// not yet, is no growth.
func (s *soaked) part(n int) (resident, heap float64, ok bool) {
	for _, m := range s.memory {
		if int(m.at*parts/s.options.duration) != n {
			continue
		}
		resident = max(resident, float64(m.resident))
		if !ok || m.heap < heap {
			heap = m.heap
		}
		ok = true
	}
	return resident, heap, ok
}

// slope is by how many bytes resident memory grows in a minute, fitted to the second half of the run.
func (s *soaked) slope() float64 {
	var n, x, y, xx, xy float64
	for _, m := range s.memory {
		if m.at < s.options.duration/2 {
			continue
		}
		t, r := m.at.Minutes(), float64(m.resident)
		n, x, y, xx, xy = n+1, x+t, y+r, xx+t*t, xy+t*r
	}
	if n*xx == x*x {
		return 0
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// report writes what came of it. What a busy machine makes slow is told, and is no error.
func (s *soaked) report(idle []budget) error {
	const mega = 1e6
	fmt.Println("# part of the run: most resident MB, least heap MB")
	for n := range parts {
		if resident, heap, ok := s.part(n); ok {
			fmt.Printf("#   %d of %d: %.1f  %.1f\n", n+1, parts, resident/mega, heap/mega)
		}
	}
	fmt.Printf("# resident memory in the second half: %+.2f MB a minute\n", s.slope()/mega)
	names := []string{}
	for name := range s.total.Sent {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("# %8d %s\n", s.total.Sent[name], name)
	}
	w := s.world
	fmt.Printf("# keys rolled %d times, withdrawn %d times; policy reloaded %d times, refused %d times; provider down %d times\n",
		w.rolled, w.withdrawn, w.reloaded, w.broken, w.downs)
	p50, p99 := s.total.percentile(50), s.total.percentile(99)
	fmt.Printf("# from when a request was due to its answer: half within %.1f ms, 99 of 100 within %.1f ms\n", p50, p99)
	rate := float64(s.total.calls()) / s.took.Seconds()
	if rate < 0.98*float64(s.options.rate) {
		fmt.Printf("# the rate was %.0f of %d: this machine had other work or is too small; nothing else follows from it\n", rate, s.options.rate)
	}
	for _, example := range s.total.Examples {
		fmt.Println("# wrong:", example)
	}
	first, last := -1.0, 0.0
	for n := range parts {
		if resident, _, ok := s.part(n); ok {
			if first < 0 && n >= parts/2 {
				first = resident
			}
			last = resident
		}
	}
	growth := max(0, last-max(first, 0))
	lines := append([]budget{
		{"requests", float64(s.total.calls()), "answers", 1, false},
		{"wrong_answers", float64(s.total.Wrong), "answers", 0, true},
		{"valid_refused", float64(s.total.Refused), "answers", 0, true},
		{"invalid_let_in", float64(s.total.LetIn), "answers", 0, true},
		{"memory_growth_second_half", growth / mega, "MB", max(8, first/mega/10), true},
	}, idle...)
	var over error
	for _, b := range lines {
		fmt.Println(b)
		if !b.ok() {
			over = errors.Join(over, fmt.Errorf("%s: %.3g %s", b.name, b.value, b.unit))
		}
	}
	return over
}

// hangup has the program read its policy again.
func (w *world) hangup() error { return w.server.cmd.Process.Signal(syscall.SIGHUP) }
