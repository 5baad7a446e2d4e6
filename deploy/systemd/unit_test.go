// Package systemd holds the unit against systemd's own tools, and the settings beside it against the program.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// exposure is the most that "systemd-analyze security" may find, in tenths of ten: 1.5 of 10.
const exposure = "15"

// analyze runs systemd-analyze, or says that it is left out.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing")
		}
		t.Skip("systemd-analyze is missing: install systemd to run this")
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installed lays the unit and its drop-in down, with a program that this machine has. It returns the unit's path.
func installed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	unit, err := os.ReadFile("fastmcp-auth.service")
	if err != nil {
		t.Fatal(err)
	}
	there, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "fastmcp-auth.service")
	text := strings.ReplaceAll(string(unit), "/usr/local/bin/fastmcp-auth", there)
	if text == string(unit) {
		t.Fatal("the unit starts another program")
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "fastmcp-auth.service.d"), os.DirFS("fastmcp-auth.service.d")); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnitIsOneThatSystemdReads(t *testing.T) {
	if said := strings.TrimSpace(analyze(t, "verify", "--man=no", installed(t))); said != "" {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
}

func TestUnitIsHardened(t *testing.T) {
	said := analyze(t, "security", "--offline=true", "--threshold="+exposure, "--no-pager", installed(t))
	if !strings.Contains(said, "Overall exposure level") {
		t.Errorf("systemd-analyze security says nothing of the whole:\n%s", said)
	}
}

// TestUnitSaysNoSecret shows that what the unit and its drop-in set are settings, and that each secret is a file of the
// credentials.
func TestUnitSaysNoSecret(t *testing.T) {
	var environ []string
	for _, file := range []string{"fastmcp-auth.service", "fastmcp-auth.service.d/secrets.conf"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		credentials := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^LoadCredential=([^:]+):/etc/fastmcp-auth/`).FindAllStringSubmatch(string(text), -1) {
			credentials[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`(FASTMCP_AUTH_\w+)=(\S+)`).FindAllStringSubmatch(string(text), -1) {
			name, found := strings.CutPrefix(m[2], "%d/")
			if !found || !credentials[name] {
				t.Errorf("%s: %s is %s, which is no credential of that file", file, m[1], m[2])
			}
			delete(credentials, name)
			environ = append(environ, m[1]+"=/none")
		}
		if len(credentials) > 0 {
			t.Errorf("%s: nobody reads %v", file, credentials)
		}
	}
	if len(environ) != 4 {
		t.Errorf("the unit and its drop-in set %v", environ)
	}
	_, err := config.Load(config.Source{Command: config.Show, Dir: t.TempDir(), Environ: environ})
	if err == nil || strings.Contains(err.Error(), "is no setting") {
		t.Errorf("a name in the unit is no setting: %v", err)
	}
}

func TestSettingsBesideTheUnitAreRight(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("fastmcp-auth.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fastmcp-auth.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile("fastmcp-auth.service")
	if err != nil {
		t.Fatal(err)
	}
	logs := regexp.MustCompile(`(?m)^LogsDirectory=(.+)$`).FindStringSubmatch(string(unit))
	if logs == nil || filepath.Dir(s.Audit.File.Path) != filepath.Join("/var/log", logs[1]) {
		t.Errorf("the record is in %s, and the service may write in %v", s.Audit.File.Path, logs)
	}
}
