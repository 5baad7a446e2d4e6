package app

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// suite is what the servers of all tests here log, at the level debug, and every secret of the providers they trust and of
// those who call them.
var suite *secrets.Suite

// TestMain searches the logs of all tests at the end: RS-19, no secret is in a log.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "said")
	if err != nil {
		panic(err)
	}
	suite = secrets.NewSuite(dir)
	code := m.Run()
	lines, looked, err := suite.Search()
	for _, line := range lines {
		fmt.Fprintln(os.Stderr, "RS-19:", line)
		code = 1
	}
	if testing.Verbose() {
		fmt.Println(looked, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// overheard is o with a copy of all that is logged and audited, and with a provider that is watched.
func overheard(o Options) Options {
	heard := telemetry.Logger(suite.Writer("log"), "debug", "json").Handler()
	if o.Logger != nil {
		heard = slog.NewMultiHandler(o.Logger.Handler(), heard)
	}
	o.Logger, o.around = slog.New(heard), suite.Watch
	return o
}

// TestRS19_TheSearchOfTheLogsFindsWhatIsPlanted shows that it can fail.
func TestRS19_TheSearchOfTheLogsFindsWhatIsPlanted(t *testing.T) {
	own := secrets.NewSuite(t.TempDir())
	own.Learn("access_token", "a-token-that-must-not-be-seen")
	log := slog.New(slog.NewTextHandler(own.Writer("log"), nil))
	log.Info("request", "path", "/mcp")
	if lines, _, err := own.Search(); err != nil || len(lines) > 0 {
		t.Fatalf("found %v, %v", lines, err)
	}
	log.Info("request", "why", "%61 a-token-that-must-not-be-seen is not good")
	if lines, _, _ := own.Search(); len(lines) != 1 {
		t.Errorf("found %v", lines)
	}
}
