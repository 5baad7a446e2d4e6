package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// job says what a server child serves.
type job struct {
	Kind     string   // "floor", "sdk" or "ours"
	Legacy   bool     // the SDK keeps sessions
	Issuer   string   // whose tokens are taken; empty means everyone is let in
	Settings []string // of ours, as NAME=value
	Recorded bool     // ours decides by a policy file with a condition, records each decision and outcome in a file, and counts for Prometheus
	Answer   string   // of the floor: the result it answers with
	Profile  string   // where to write a CPU profile, and beside it one of allocations; empty means nowhere
}

// place is where a server child listens.
type place struct{ URL string }

// serve is the child that is measured. It says where it listens and then, to every line, what it has used.
func serve(ctx context.Context, text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	if j.Profile != "" {
		f, err := os.Create(filepath.Clean(j.Profile))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		defer func() {
			if f, err := os.Create(filepath.Clean(j.Profile + ".allocs")); err == nil {
				pprof.Lookup("allocs").WriteTo(f, 0)
				f.Close()
			}
		}()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	url, err := begin(ctx, j)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(place{url}); err != nil {
		return err
	}
	return answers(func(struct{}) (usage, error) { return used() })
}

func begin(ctx context.Context, j job) (url string, err error) {
	if j.Kind == "ours" {
		return beginOurs(ctx, j)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	url = "http://" + listener.Addr().String() + "/mcp"
	var handler http.Handler
	switch j.Kind {
	case "floor":
		handler = floor(j)
	case "sdk":
		handler, err = sdk(ctx, j, url)
	default:
		err = fmt.Errorf("there is no server %q", j.Kind)
	}
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", handler)
	go http.Serve(listener, mux)
	return url, nil
}
