package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// attack 54: a store that cannot be had, or that others can read, is no reason to forget without a word, or to go on.
func TestAttack54_AStoreThatCannotBeHad(t *testing.T) {
	home := func(t *testing.T) string { return "HOME=" + t.TempDir() }
	usual := func(at string) string {
		return filepath.Join(strings.TrimPrefix(at, "HOME="), ".local", "state", "fastmcp-auth", "serve.db")
	}
	const warning = "sessions and long calls end with this process"
	for _, row := range []struct {
		name     string
		settings func(t *testing.T) []string
		refused  string // what the error says; empty: the server starts
		mend     string // empty: the file says so itself
		warned   string // what the warning says
	}{
		{name: "the usual file", settings: func(t *testing.T) []string { return []string{home(t)} }},
		{name: "memory, because that was said", settings: func(*testing.T) []string { return []string{"FASTMCP_AUTH_STORE_KIND=memory"} }},
		{name: "no home for the usual file", settings: func(*testing.T) []string { return nil },
			warned: "HOME, XDG_STATE_HOME and STATE_DIRECTORY are empty"},
		{name: "no place to make the usual folder", settings: func(*testing.T) []string { return []string{"HOME=/proc/nowhere"} },
			warned: "/proc/nowhere"},
		{name: "the usual file, which another server has", settings: func(t *testing.T) []string {
			at := home(t)
			open(t, Options{}, at)
			return []string{at}
		}, warned: "another process has the file"},
		{name: "the usual file, which others may read", settings: func(t *testing.T) []string {
			at := home(t)
			write(t, usual(at), nil, 0o644)
			return []string{at}
		}, refused: "store: sqlite: others may read the file: ", mend: `run "chmod 600 `},
		{name: "a key beside the usual file, which others may read", settings: func(t *testing.T) []string {
			at := home(t)
			write(t, usual(at)+".key", bytes.Repeat([]byte("k"), 40), 0o640)
			return []string{at}
		}, refused: "store: its key: others may read it: ", mend: `run "chmod 600 `},
		{name: "a key beside the usual file, which is none", settings: func(t *testing.T) []string {
			at := home(t)
			write(t, usual(at)+".key", []byte("short"), 0o600)
			return []string{at}
		}, refused: "has 5 bytes", mend: "signs everybody out"},
		{name: "the usual file, which is no store", settings: func(t *testing.T) []string {
			at := home(t)
			write(t, usual(at), bytes.Repeat([]byte("no store "), 1000), 0o600)
			return []string{at}
		}, refused: "store: sqlite: open ", mend: "put "},
		{name: "a file that was named, in no folder", settings: func(t *testing.T) []string {
			return []string{"FASTMCP_AUTH_STORE_PATH=" + filepath.Join(t.TempDir(), "none", "x.db")}
		}, refused: "no such file or directory"},
		{name: "a file that was named, which another server has", settings: func(t *testing.T) []string {
			at := "FASTMCP_AUTH_STORE_PATH=" + filepath.Join(t.TempDir(), "x.db")
			open(t, Options{}, at)
			return []string{at}
		}, refused: "another process has the file", mend: "end the other server"},
		{name: "a file that was named, which others may read", settings: func(t *testing.T) []string {
			at := filepath.Join(t.TempDir(), "x.db")
			write(t, at, nil, 0o604)
			return []string{"FASTMCP_AUTH_STORE_PATH=" + at}
		}, refused: "others may read the file", mend: "chmod 600"},
		{name: "a Redis that is not there", settings: func(t *testing.T) []string {
			key := filepath.Join(t.TempDir(), "key")
			write(t, key, bytes.Repeat([]byte("k"), 40), 0o600)
			return []string{"FASTMCP_AUTH_STORE_KIND=redis", "FASTMCP_AUTH_STORE_URL=redis://127.0.0.1:1", "FASTMCP_AUTH_STORE_KEY_FILE=" + key}
		}, refused: "store: redis: ", mend: "see that Redis runs"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(), Environ: append([]string{"FASTMCP_AUTH_ADDR=127.0.0.1:0"}, row.settings(t)...)})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			server, err := Listen(ctx, s, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
			if err == nil {
				server.Close()
				server.store.Close()
			}
			if (err != nil) != (row.refused != "") {
				t.Fatalf("it starts with %v\n%s", err, &log)
			}
			if wrong := (*SetupError)(nil); err != nil && (errors.As(err, &wrong) != (row.mend != "") || !strings.Contains(err.Error(), row.refused) || strings.Contains(err.Error(), "\n") || wrong != nil && !strings.Contains(wrong.Mend, row.mend)) {
				t.Errorf("refused with %v", err)
			}
			if warned := strings.Contains(log.String(), warning); warned != (row.warned != "") || !strings.Contains(log.String(), row.warned) {
				t.Errorf("the log says\n%s", &log)
			}
		})
	}
}

func write(t *testing.T, path string, data []byte, mode os.FileMode) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, data, mode)
	}
	if err == nil {
		err = os.Chmod(path, mode) // whatever the mask is
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestServersOfOneStoreKeySealAlike holds what calls remember between their rounds to the store's key, which a balanced
// set of servers has in common, and apart from what the store itself is sealed with.
func TestServersOfOneStoreKeySealAlike(t *testing.T) {
	stateKey := func(key string) []byte {
		dir := t.TempDir()
		file := filepath.Join(dir, "key")
		write(t, file, []byte(key), 0o600)
		return open(t, Options{}, "FASTMCP_AUTH_STORE_PATH="+filepath.Join(dir, "serve.db"), "FASTMCP_AUTH_STORE_KEY_FILE="+file).stateKey
	}
	common := strings.Repeat("k", 40)
	sum := sha256.Sum256([]byte(common))
	one, two, other := stateKey(common), stateKey(common), stateKey(strings.Repeat("l", 40))
	if len(one) != 32 || !bytes.Equal(one, two) || bytes.Equal(one, other) || bytes.Equal(one, sum[:]) {
		t.Error("the keys of two servers with one store key differ, or are those of others")
	}
	if key := open(t, Options{}, "FASTMCP_AUTH_STORE_KIND=memory").stateKey; key != nil {
		t.Error("a server that keeps nothing has a key that another could have")
	}
}
