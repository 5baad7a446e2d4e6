package tokencache_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// inRing tells the test's own process, started again on a session bus of its own, that a keyring is there.
const inRing = "TOKENCACHE_TEST_RING"

// TestARealKeyring keeps a sign-in under a key in GNOME's keyring, on a session bus of its own. It needs dbus-run-session and
// gnome-keyring-daemon.
func TestARealKeyring(t *testing.T) {
	if os.Getenv(inRing) != "" {
		keptInARealKeyring(t)
		return
	}
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") == "" {
		t.Skip("FASTMCP_AUTH_INTEGRATION is not set: the keyring of the system is not tried")
	}
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed (Debian: dbus-daemon, gnome-keyring)", program)
			}
			t.Skipf("%s is not installed (Debian: dbus-daemon, gnome-keyring): the keyring of the system is not tried", program)
		}
	}
	self, err := os.Executable()
	must(t, err)
	home := t.TempDir()
	script := `printf 'sesame' | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$0" -test.run '^TestARealKeyring$' -test.v`
	cmd := exec.CommandContext(t.Context(), "dbus-run-session", "--", "sh", "-c", script, self)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_DATA_HOME="+home, inRing+"=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestARealKeyring") {
		t.Errorf("%v\n%s", err, out)
	}
}

func keptInARealKeyring(t *testing.T) {
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	c := open(t, dir, in(tokencache.SystemKeyring()))
	w.signIn(c, server, devidp.UserUser)
	if c.Where() != tokencache.InKeyring {
		t.Fatalf("kept in %s", c.Where())
	}
	kept(t, open(t, dir, in(tokencache.SystemKeyring())), server, tokencache.Use{})
	for _, name := range files(t, dir) {
		if filepath.Base(name) == "key" {
			t.Error("the key lies in a file, too")
		}
	}
	if _, err := tokencache.SystemKeyring().Get("fastmcp-auth", "no such entry"); !errors.Is(err, tokencache.ErrNotInKeyring) {
		t.Errorf("error %v", err)
	}
}
