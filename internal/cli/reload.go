package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// onHangup calls f for each SIGHUP, one after the other, until ctx ends. It listens when it returns.
func onHangup(ctx context.Context, f func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				f()
			}
		}
	}()
}

// reload reads the policy files and the settings again and lets the server take over what may change while it runs. Where
// something is wrong the log says what, and what was in use stays.
func reload(ctx context.Context, server *app.Server, load func() (*config.Settings, error), log *slog.Logger) {
	server.ReloadPolicy(ctx)
	next, err := load()
	if err != nil {
		log.ErrorContext(ctx, "settings refused, those in use stay", "faults", err.Error())
		return
	}
	if err := server.ReloadAudit(next); err != nil {
		log.ErrorContext(ctx, "audit settings refused, those in use stay", "cause", err)
		return
	}
	log.InfoContext(ctx, "audit settings reloaded")
}
