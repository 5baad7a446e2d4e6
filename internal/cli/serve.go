package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

func serveCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the tools to signed-in callers",
		Long: "Serves MCP at /mcp to callers with a token of your identity provider. Without a provider configured it starts the\n" +
			"development provider beside it, on loopback only. When ready it prints one JSON line with its addresses on stdout.\n" +
			"On SIGHUP it reads the settings again and the policy files again, and takes over the rules and where decisions are recorded.",
		Example: "  fastmcp-auth serve\n  fastmcp-auth serve --provider-kind keycloak \\\n    --provider-issuer https://sso.example.com/realms/main",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Serve)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		load := func() (*config.Settings, error) {
			return config.Load(config.Source{Command: config.Serve, Flags: cmd.Flags(), Tools: app.ToolNames()})
		}
		return serve(cmd.Context(), load, s)
	}
	return cmd
}

// serve runs the server with what load returns until ctx ends, and loads again on SIGHUP.
func serve(ctx context.Context, load func() (*config.Settings, error), s streams) error {
	settings, err := load()
	if err != nil {
		return err
	}
	log := logger(settings, s.err)
	server, err := app.Listen(ctx, settings, app.Options{Version: version(), Logger: log, Stdout: s.out})
	if err != nil {
		return mendable(err)
	}
	manager := serviceManager(log)
	onHangup(ctx, func() {
		manager.tell(ctx, nowReloading)
		reload(ctx, server, load, log)
		manager.tell(ctx, nowReady)
	})
	if err := announce(s.out, server.Addresses()); err != nil {
		server.Close()
		return err
	}
	manager.tell(ctx, nowReady)
	defer context.AfterFunc(ctx, func() { manager.tell(context.WithoutCancel(ctx), nowStopping) })()
	err = server.Run(ctx)
	if cut := (*app.CutOffError)(nil); errors.As(err, &cut) {
		return &hintError{code: exitCancelled, err: err, hint: "allow longer calls to finish with --limits-shutdown-grace"}
	}
	return err
}

// mendable gives the error of a start its hint.
func mendable(err error) error {
	if inUse(err) {
		flag := listening(err)
		return &hintError{err: err, hint: fmt.Sprintf("listen elsewhere with %s, or on any free port with %[1]s 127.0.0.1:0", flag)}
	}
	if wrong := (*app.SetupError)(nil); errors.As(err, &wrong) {
		return &hintError{err: err, hint: wrong.Mend}
	}
	if hint := wayTo(err); hint != "" {
		return &hintError{code: exitCode(err), err: err, hint: hint}
	}
	return err
}

// listening is the flag that names the address which is taken.
func listening(err error) string {
	for about, flag := range map[string]string{"admin.addr: ": "--admin-addr", "rest.addr: ": "--rest-addr", "start the development provider: ": "--idp-addr"} {
		if strings.HasPrefix(err.Error(), about) {
			return flag
		}
	}
	return "--addr"
}

// wayTo is what makes a file that serve keeps writable, where that is what was wrong.
func wayTo(err error) string {
	var file *fs.PathError
	if !errors.As(err, &file) {
		return ""
	}
	dir := filepath.Dir(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make the folder " + dir + ", or name another file"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "let the user that serve runs as write in " + dir + ", or name another file"
	case errors.Is(err, syscall.ENOSPC):
		return "make room in " + dir + ", or name another file"
	}
	return ""
}

// announce prints the one line that says the program is ready. Scripts wait for it, so a reader that is gone is an error.
func announce(w io.Writer, addresses any) error {
	line, err := json.Marshal(addresses)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
		return fmt.Errorf("print the ready line: %w", err)
	}
	return nil
}

func logger(s *config.Settings, w io.Writer) *slog.Logger {
	return telemetry.Logger(w, s.Log.Level, s.Log.Format)
}
