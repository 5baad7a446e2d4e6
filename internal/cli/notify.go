package cli

import (
	"context"
	"log/slog"
	"net"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// What a service manager is told, by sd_notify(3).
const (
	nowReady     = "READY=1"
	nowReloading = "RELOADING=1"
	nowStopping  = "STOPPING=1"
)

// manager is the service manager that started the process, such as systemd with Type=notify. Where there is none, it is
// told nothing.
type manager struct {
	socket string
	log    *slog.Logger
}

func serviceManager(log *slog.Logger) manager {
	return manager{socket: config.NotifySocket(), log: log}
}

// tell sends one datagram with these assignments. That nobody heard it is logged: a manager that waits will end the
// process, and somebody will ask why.
func (m manager) tell(ctx context.Context, assignments ...string) {
	if m.socket == "" {
		return
	}
	conn, err := net.Dial("unixgram", m.socket) // a name that begins with @ is Linux's abstract one
	if err == nil {
		_, err = conn.Write([]byte(strings.Join(assignments, "\n")))
		conn.Close()
	}
	if err != nil {
		m.log.WarnContext(ctx, "the service manager could not be told", "state", assignments[0], "cause", err)
	}
}
