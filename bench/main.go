// Command bench measures what protection costs: the server beside its floor and its peers, in one run.
//
// The floor is a bare net/http handler that parses the same JSON-RPC and answers the same bytes. The peer is the
// official SDK behind its own RequireBearerToken. Each server is a process of its own, a copy of this program; the load
// comes from another. All are measured in short turns, moments apart, so that a noisy neighbour disturbs all alike. The
// budgets are ratios, each the median of many pairs of turns in the same round. It exits with 1 on a wrong answer, never
// for a slow one.
//
//	the run, its rounds and its peers     main.go rounds.go
//	a server to measure                   serve.go floor.go sdk.go ours.go
//	the load, a closed loop               load.go wire.go
//	a child process and what it used      child.go
//	start, idle memory, streams, size     program.go streams.go
//	the command line's own call           calls.go
//	a turn of the agent                   agent.go
//	the web console in a browser          console.go
//	nanoseconds of single steps           steps.go
//	the table and the budgets             report.go
//
// The command "bench soak" is another measurement: the built program for a long time, while its keys, its policy and its
// provider change under it, and each answer is checked.
//
//	the run and its report                soak.go
//	what changes, and what is right       soak_world.go
//	the load, an open loop                soak_load.go
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole program, the soak, or with a first argument that only this program gives, one of their children.
func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "serve" {
		return serve(ctx, args[1])
	}
	if len(args) == 1 && args[0] == "load" {
		return load(ctx)
	}
	if len(args) == 1 && args[0] == "hold" {
		return hold(ctx)
	}
	if len(args) == 1 && args[0] == "soakload" {
		return soakLoad(ctx)
	}
	if len(args) > 0 && args[0] == "soak" {
		return soak(ctx, args[1:])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", "bin/fastmcp-auth", "the program, stripped, whose size and start are measured")
	flags.DurationVar(&o.slice, "slice", 200*time.Millisecond, "how long one server is under load in one round")
	flags.IntVar(&o.rounds, "rounds", 9, "how many rounds; what is reported is the median")
	flags.IntVar(&o.streams, "streams", 10_000, "idle streams to hold; 0 leaves them out")
	flags.StringVar(&o.only, "only", "", "measure only servers whose name contains this, and no budgets")
	flags.StringVar(&o.profile, "profile", "", "write profiles of the servers into this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.slice <= 0 || o.rounds <= 0 || o.streams < 0 {
		return errors.New("-slice and -rounds must be positive, -streams must not be negative")
	}
	return bench(ctx, o)
}

type options struct {
	binary, only, profile string
	slice                 time.Duration
	rounds, streams       int
}
