package entra_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// desk is a person's machine: a PATH with the tools the script may use and nothing else, and the stand-in's state.
type desk struct {
	t        *testing.T
	dir      string
	tools    string
	keyboard string
}

const (
	home   = "11111111-1111-4111-8111-111111111111"
	apiApp = "00000001-0000-4000-8000-0000000000aa"
	cliApp = "00000002-0000-4000-8000-0000000000aa"
	apiID  = "00000001-0000-4000-8000-00000000000d"
	cliID  = "00000002-0000-4000-8000-00000000000d"
	apiSP  = "00000003-0000-4000-8000-00000000000d"
	cliSP  = "00000004-0000-4000-8000-00000000000d"
	grant1 = "00000005-0000-4000-8000-00000000000d"
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), tools: t.TempDir()}
	for _, tool := range []string{"sh", "mktemp", "rm", "grep", "sed", "cat", "cksum", "cut", "sleep"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		d.link(path, tool)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d.link(self, "az")
	d.change(func(s *state) {
		*s = state{SignedIn: true, Tenant: home, Cloud: "AzureCloud", MayCreate: true, MayGrant: true, Directory: newGraph()}
	})
	return d
}

func (d *desk) link(to, name string) {
	d.t.Helper()
	if err := os.Symlink(to, filepath.Join(d.tools, name)); err != nil {
		d.t.Fatal(err)
	}
}

// change alters the stand-in's state between two runs.
func (d *desk) change(f func(*state)) {
	d.t.Helper()
	s, err := load(d.dir)
	if errors.Is(err, os.ErrNotExist) {
		s, err = &state{}, nil
	}
	if err != nil {
		d.t.Fatal(err)
	}
	f(s)
	if err := s.save(d.dir); err != nil {
		d.t.Fatal(err)
	}
}

// app returns the registered application of that name, or nil.
func (d *desk) app(name string) object {
	return d.state().Directory.one("applications", "displayName", name)
}

func (d *desk) state() *state {
	d.t.Helper()
	s, err := load(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// run is what one run of the script did.
type run struct {
	code           int
	stdout, stderr string
	calls          []string
}

func (d *desk) run(args ...string) run {
	d.t.Helper()
	d.change(func(s *state) { s.Calls = nil })
	script, err := filepath.Abs("setup.sh")
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(d.tools, "sh"), append([]string{script}, args...)...)
	cmd.Env = []string{"PATH=" + d.tools, "AZ_STATE=" + d.dir, "SETUP_WAIT=0", "TMPDIR=" + d.t.TempDir(),
		"GORACE=atexit_sleep_ms=0"} // with -race each call of the stand-in would otherwise wait a second at its end
	cmd.Stdin = strings.NewReader(d.keyboard)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		d.t.Fatal(err)
	}
	s := d.state()
	if len(s.Unknown) > 0 {
		d.t.Errorf("the Azure CLI would have refused: %q", s.Unknown)
	}
	return run{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), s.Calls}
}

// want checks the exit code and that stderr says each of the sentences.
func (r run) want(t *testing.T, code int, says ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s", r.code, code, r.stderr)
	}
	for _, s := range says {
		if !strings.Contains(r.stderr, s) {
			t.Errorf("stderr does not say %q:\n%s", s, r.stderr)
		}
	}
}

func (r run) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.calls, want) {
		t.Errorf("az was called\n\t%s\nwant\n\t%s", strings.Join(r.calls, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// wantOnlyReads checks that nothing was written to the directory.
func (r run) wantOnlyReads(t *testing.T) {
	t.Helper()
	for _, call := range r.calls {
		if strings.HasPrefix(call, "POST") || strings.HasPrefix(call, "PATCH") || strings.HasPrefix(call, "DELETE") {
			t.Errorf("az was called to write: %s", call)
		}
	}
}

func (r run) wantSettings(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n"); !slices.Equal(got, want) {
		t.Errorf("the settings are\n%s\nwant\n%s", r.stdout, strings.Join(want, "\n"))
	}
}

var settings = []string{
	"FASTMCP_AUTH_PROVIDER_KIND=entra",
	"FASTMCP_AUTH_PROVIDER_TENANT=" + home,
	"FASTMCP_AUTH_PROVIDER_AUDIENCE=" + apiApp,
	"FASTMCP_AUTH_PROVIDER_CLIENT_ID=" + cliApp,
	"FASTMCP_AUTH_PROVIDER_SCOPE_PREFIX=api://" + apiApp + "/",
}

// reads are the calls of a run that finds everything as it should be.
var reads = []string{
	"account show",
	"cloud show",
	"GET applications where displayName eq 'fastmcp-auth API'",
	"GET applications where displayName eq 'fastmcp-auth Client'",
	"GET applications/" + apiID,
	"GET servicePrincipals where appId eq '" + apiApp + "'",
	"GET applications/" + apiID,
	"GET applications/" + cliID,
	"GET servicePrincipals where appId eq '" + cliApp + "'",
	"GET servicePrincipals where appId eq '" + graphAppID + "'",
	"GET oauth2PermissionGrants where clientId eq '" + cliSP + "'",
	"GET oauth2PermissionGrants where clientId eq '" + cliSP + "'",
}
