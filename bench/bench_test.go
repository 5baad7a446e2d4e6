package main

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// TestMain lets this test be every process that a measurement starts: the program, with its one argument serve, and the
// children of the measurement.
// TestTheAgentIsMeasured holds the measurement to bringing both numbers.
func TestTheAgentIsMeasured(t *testing.T) {
	lines, err := talk(t.Context())
	if err != nil || len(lines) != 2 || lines[0].value <= 0 {
		t.Fatalf("%v %v", lines, err)
	}
	t.Log(lines)
}

// TestTheConsoleIsMeasured holds the measurement to bringing both numbers, or to saying what it left out.
func TestTheConsoleIsMeasured(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	lines, err := console(t.Context(), &said, options{binary: program})
	if err != nil || len(lines) != 2 && !strings.HasPrefix(said.String(), "# left out: ") {
		t.Fatalf("%v %v %s", lines, err, &said)
	}
	t.Log(lines, &said)
}

func TestMain(m *testing.M) {
	args := os.Args[1:]
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case slices.Equal(args, []string{"serve"}), len(args) > 1 && args[0] == "serve" && args[1] == "--no-auth":
		os.Exit(cli.Main(ctx, args, os.Stdin, os.Stdout, os.Stderr))
	case len(args) > 0 && slices.Contains([]string{"serve", "load", "hold", "soakload"}, args[0]):
		if err := run(ctx, args); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestSoak is a short one: each answer is right. How fast they come is nobody's concern here.
func TestSoak(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"soak", "-binary", program, "-duration", "4s", "-rate", "50", "-connections", "8", "-streams", "20"}); err != nil {
		t.Error(err)
	}
}

// TestBench measures one server for a moment, in both eras.
func TestBench(t *testing.T) {
	if err := run(t.Context(), []string{"-only", "turned on", "-rounds", "1", "-slice", "10ms"}); err != nil {
		t.Error(err)
	}
}

func TestEveryWrongAnswerIsCounted(t *testing.T) {
	good := &ask{Name: "good", Good: true, Want: []reply{{Status: 200, Has: "right"}}}
	bad := &ask{Name: "bad", Bad: true, Want: []reply{{Status: 401, Challenge: `error="invalid_token"`}}}
	for _, row := range []struct {
		name                  string
		ask                   *ask
		got                   answered
		wrong, refused, letIn int
	}{
		{"what was wanted", good, answered{status: 200, body: []byte("right")}, 0, 0, 0},
		{"a good request that is refused", good, answered{status: 401, challenge: "Bearer"}, 0, 1, 0},
		{"a good request that is answered with an error", good, answered{status: 200, body: []byte(`{"error":{}}`)}, 0, 1, 0},
		{"a good request without an answer", good, answered{err: context.Canceled}, 0, 1, 0},
		{"a good request with another's answer", good, answered{status: 200, body: []byte("left")}, 1, 0, 0},
		{"a bad request refused as it should be", bad, answered{status: 401, challenge: `Bearer error="invalid_token"`}, 0, 0, 0},
		{"a bad request that is let in", bad, answered{status: 200, body: []byte("right")}, 0, 0, 1},
		{"a bad request with another refusal", bad, answered{status: 500}, 1, 0, 0},
		{"a bad request without a challenge", bad, answered{status: 401}, 1, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			var o outcome
			o.judge(row.ask, row.got)
			if o.Wrong != row.wrong || o.Refused != row.refused || o.LetIn != row.letIn || o.calls() != 1 {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestPercentileIsOfAllAnswers(t *testing.T) {
	o := outcome{Sent: map[string]int{"a": 100}}
	for n := range 100 {
		o.count(time.Duration(n+1) * time.Millisecond)
	}
	for p, want := range map[int]float64{50: 50, 99: 99} {
		if got := o.percentile(p); got < want || got > want*1.13 {
			t.Errorf("%d of 100 answers took %v ms, want %v or an eighth more", p, got, want)
		}
	}
}

func TestRatioComparesTheSameRound(t *testing.T) {
	r := &results{samples: map[cell][]sample{}}
	for _, slow := range []time.Duration{1, 1, 7, 1, 3} { // a neighbour's work disturbs both
		r.samples[cell{"ours", modern, 1}] = append(r.samples[cell{"ours", modern, 1}], sample{cpu: 20 * slow})
		r.samples[cell{"floor", modern, 1}] = append(r.samples[cell{"floor", modern, 1}], sample{cpu: 10 * slow})
	}
	if got := r.ratio(modern, "ours", "floor", cpu, []int{1}); got != (spread{2, 2, 2}) {
		t.Errorf("got %v, want 2", got)
	}
}

func TestBudgetsAreOneLineEach(t *testing.T) {
	for _, row := range []struct {
		budget budget
		want   string
	}{
		{budget{"a", 1.234, "x", 1.15, true}, "a 1.23 x <=1.15 over"},
		{budget{"b", 12345.6, "calls", 6, false}, "b 12346 calls >=6 ok"},
	} {
		if got := row.budget.String(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}
