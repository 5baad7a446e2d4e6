// Command fastmcp-auth puts sign-in in front of MCP tools: a server, a development identity provider and a demo of both.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGPIPE) // a reader that is gone is an error of the write
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
