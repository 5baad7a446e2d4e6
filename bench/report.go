package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// print writes the table: the median of the rounds.
func (r *results) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "server\tera\tconns\tCPU µs/call\tcalls/s\tp50 µs\tp99 µs\tallocs/call\tpeak MB\t")
	for _, version := range versions {
		for _, n := range connections {
			for _, name := range r.order {
				s, ok := r.median(cell{name, version, n})
				if !ok {
					continue
				}
				fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t\n", name, version, n,
					micro(s.cpu), s.rate, micro(s.p50), micro(s.p99), s.allocs, float64(r.peak[name])/1e6)
			}
		}
	}
	t.Flush()
}

func micro(d time.Duration) float64 { return float64(d) / 1e3 }

// median returns the median of each number by itself.
func (r *results) median(c cell) (sample, bool) {
	all := r.samples[c]
	if len(all) == 0 {
		return sample{}, false
	}
	return sample{
		cpu:    middle(all, func(s sample) time.Duration { return s.cpu }),
		rate:   middle(all, func(s sample) float64 { return s.rate }),
		p50:    middle(all, func(s sample) time.Duration { return s.p50 }),
		p99:    middle(all, func(s sample) time.Duration { return s.p99 }),
		allocs: middle(all, func(s sample) float64 { return s.allocs }),
	}, true
}

func middle[S any, N cmp.Ordered](all []S, of func(S) N) N {
	var numbers []N
	for _, s := range all {
		numbers = append(numbers, of(s))
	}
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}

// spread is the median of many numbers, with what a quarter of them is below and above.
type spread struct{ low, middle, high float64 }

// ratio compares a number of one peer with that of another in the same round: over all rounds and these numbers of
// connections.
func (r *results) ratio(version, peer, by string, of func(sample) float64, connections []int) spread {
	var ratios []float64
	for _, n := range connections {
		others := r.samples[cell{by, version, n}]
		for round, s := range r.samples[cell{peer, version, n}] {
			ratios = append(ratios, of(s)/of(others[round]))
		}
	}
	slices.Sort(ratios)
	return spread{ratios[len(ratios)/4], ratios[len(ratios)/2], ratios[len(ratios)*3/4]}
}

func cpu(s sample) float64  { return float64(s.cpu) }
func rate(s sample) float64 { return s.rate }

// budget is one line at the end.
type budget struct {
	name   string
	value  float64
	unit   string
	limit  float64
	atMost bool
}

func (b budget) ok() bool {
	if b.atMost {
		return b.value <= b.limit
	}
	return b.value >= b.limit
}

func (b budget) String() string {
	verdict := "ok"
	if !b.ok() {
		verdict = "over"
	}
	sign := ">="
	if b.atMost {
		sign = "<="
	}
	value := fmt.Sprintf("%.3g", b.value)
	if b.value >= 1000 {
		value = fmt.Sprintf("%.0f", b.value)
	}
	return fmt.Sprintf("%s %s %s %s%.4g %s", b.name, value, b.unit, sign, b.limit, verdict)
}

// budgets measures what the rounds did not, and writes one line for each budget.
func budgets(ctx context.Context, w io.Writer, o options, r *results, idp *devidp.Running) error {
	var lines []budget
	fmt.Fprintf(w, "\n# CPU is what the kernel counted for the server's process; the load comes from another. Each ratio is the median of\n"+
		"# pairs of turns of %v in the same round, %d rounds with each number of connections; in brackets the middle half of them.\n", o.slice, o.rounds)
	ratio := func(name, version, by string, of func(sample) float64, connections []int) float64 {
		s := r.ratio(version, "ours, warm token", by, of, connections)
		fmt.Fprintf(w, "# %s %.2f (%.2f to %.2f)\n", name+version, s.middle, s.low, s.high)
		return s.middle
	}
	for _, version := range versions {
		// One connection waits most of the time, so what it gets through says how long a call takes, not how many go.
		lines = append(lines,
			budget{"call_cpu_by_floor_" + version, ratio("call_cpu_by_floor_", version, "floor", cpu, connections), "x", 2.5, true},
			budget{"call_rate_by_sdk_" + version, ratio("call_rate_by_sdk_", version, "sdk", rate, connections[1:]), "x", 6, false},
			budget{"call_cpu_by_no_auth_" + version, ratio("call_cpu_by_no_auth_", version, "ours --no-auth", cpu, connections), "x", 1.15, true},
		)
		more := r.ratio(version, "ours, all turned on", "floor", cpu, connections)
		fmt.Fprintf(w, "# with a policy file, a record and metrics, which no budget speaks of: call_cpu_by_floor_%s %.2f (%.2f to %.2f)\n", version, more.middle, more.low, more.high)
	}
	overREST := r.ratio(modern, "ours, over REST", "ours, warm token", cpu, connections)
	fmt.Fprintf(w, "# rest_call_cpu_by_mcp %.2f (%.2f to %.2f)\n", overREST.middle, overREST.low, overREST.high)
	lines = append(lines, budget{"rest_call_cpu_by_mcp", overREST.middle, "x", 1.3, true})
	for _, more := range []func() ([]budget, error){
		func() ([]budget, error) { return steps(ctx, idp) },
		func() ([]budget, error) { return program(ctx, o, idp) },
		func() ([]budget, error) { return talk(ctx) },
		func() ([]budget, error) { return console(ctx, w, o) },
		func() ([]budget, error) { return commandLine(ctx, o, idp) },
		func() ([]budget, error) { return streams(ctx, o, idp) },
	} {
		found, err := more()
		if err != nil {
			return err
		}
		lines = append(lines, found...)
	}
	fmt.Fprintln(w)
	for _, b := range lines {
		fmt.Fprintln(w, b)
	}
	return nil
}
