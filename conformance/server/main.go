// Command server is what the official conformance suite runs against: internal/mcpserver, behind the same check of Host
// and Origin as the real server, with nothing added but the fixtures that the suite asks for.
//
//	go run ./conformance/server --addr 127.0.0.1:8000
//
// It lets everybody in: the suite can send no token. What the fixtures are called and what they answer is the suite's.
//
//	the server                                      main.go
//	tools that answer with content                  content.go
//	tools that ask the client, in both eras         ask.go
//	tools that need several rounds, and state       rounds.go
//	resources and prompts                           resources.go, prompts.go
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen; port 0 takes a free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "conformance server: error:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Its one line on stdout says where.
func run(ctx context.Context, addr string) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler, err := newHandler(logger)
	if err != nil {
		return err
	}
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{Logger: logger})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", handler)
	server := &http.Server{Handler: origins.Protect(mux), ReadHeaderTimeout: 10 * time.Second}

	ready := map[string]string{"mcp": "http://" + listener.Addr().String() + "/mcp"}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	go changeResource(ctx, handler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	handler.Close(end)
	return errors.Join(server.Shutdown(end))
}

// newHandler puts the fixtures behind the door that every tool of the product stands behind.
func newHandler(logger *slog.Logger) (*mcpserver.Handler, error) {
	var box *toolbox.Box
	// A policy that is swapped, also for an equal one, is the product's way of changing what callers see.
	swap := func() { box.SetPolicy(policy.Open()) }
	var err error
	box, err = toolbox.New(toolbox.Options{
		Policy:        policy.Open(),
		Tools:         append(contentTools(), changingTools(swap)...),
		Conversations: append(askingTools(), roundTools()...),
		Resources:     resources(),
		Changing:      []string{watchedURI},
		Templates:     templates(),
		Prompts:       prompts(),
		Logger:        logger,
	})
	if err != nil {
		return nil, err
	}
	return mcpserver.New(mcpserver.Options{Box: box, Name: "conformance", Version: "1", AnnouncesLists: true, Logger: logger})
}
