package cli_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// home is one person's account on a machine, with a world to call.
type home struct {
	*world
	t   *testing.T
	dir string
}

// signedIn opens a world and signs a person in there with a token that has ended when it returns.
func signedIn(t *testing.T) *home {
	t.Helper()
	w, err := newWorld(t.Context(), devidp.Standard, "", suite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	h := &home{w, t, t.TempDir()}
	w.provider.Faults().SetTokenLifetime(time.Second)
	login := h.command("login", "--browser", w.mcp)
	login.Env = append(login.Env, "BROWSER=person", "PERSON="+devidp.UserUser)
	if out, err := login.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.provider.Faults().SetTokenLifetime(0)
	var who struct{ Expires time.Time }
	out, err := h.command("whoami", "--json", w.mcp).Output()
	if err != nil || json.Unmarshal(out, &who) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	<-time.After(time.Until(who.Expires))
	return h
}

// command is the program, run by this person.
func (h *home) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), "fastmcp-auth", args...)
	cmd.Dir = h.dir
	cmd.Env = []string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), secrets.Folder + "=" + os.Getenv(secrets.Folder)}
	return cmd
}

// since is what was asked of the provider while do ran.
func (h *home) since(do func()) map[string]int64 {
	before := h.provider.Faults().Counts()
	do()
	after := h.provider.Faults().Counts()
	for kind := range after {
		after[kind] -= before[kind]
	}
	return after
}

// calls has n processes call at once, and returns how many got their answer.
func (h *home) calls(n int) (done int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() {
			var said bytes.Buffer
			cmd := h.command("call", "--no-input", "--server", h.mcp, "random_number_tool", "min=4", "max=4")
			cmd.Stderr = &said
			out, err := cmd.Output()
			mu.Lock()
			defer mu.Unlock()
			if err != nil || !strings.Contains(string(out), "4") {
				h.t.Errorf("%v\n%s%s", err, out, said.String())
				return
			}
			done++
		})
	}
	all.Wait()
	return done
}

// whole holds what is kept to what it should be: nothing half written, nothing put aside, nothing for others to read.
func (h *home) whole() {
	h.t.Helper()
	err := filepath.WalkDir(h.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			h.t.Errorf("attack 59: %s has the mode %v", name, info.Mode())
		}
		if strings.HasSuffix(name, ".broken") {
			h.t.Errorf("%s was put aside", name)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

const crowd = 20

func TestAttack34TwentyProcessesWithAnExpiredTokenRefreshOnce(t *testing.T) {
	h, done := signedIn(t), 0
	asked := h.since(func() { done = h.calls(crowd) })
	t.Logf("%d of %d succeed: %d refreshes, %d sign-ins", done, crowd, asked["token"], asked["authorize"]+asked["device"])
	if done != crowd || asked["token"] != 1 || asked["authorize"]+asked["device"] != 0 {
		t.Errorf("asked %v", asked)
	}
	h.whole()
}

func TestAttack34OneOfTwentyIsKilledInTheMiddleOfItsRefresh(t *testing.T) {
	h := signedIn(t)
	// The first refresh is answered by the provider, which spends its token, and the answer never arrives.
	answered, killed := make(chan struct{}), make(chan struct{})
	var first sync.Once
	h.mu.Lock()
	h.answer = func(form url.Values) {
		first.Do(func() {
			close(answered)
			<-killed
		})
	}
	h.mu.Unlock()
	done := 0
	asked := h.since(func() {
		victim := h.command("token", "--no-input", h.mcp)
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		<-answered
		var others sync.WaitGroup
		others.Go(func() { done = h.calls(crowd - 1) })
		if err := victim.Process.Kill(); err != nil {
			t.Error(err)
		}
		victim.Wait()
		close(killed)
		others.Wait()
	})
	t.Logf("%d of %d succeed: %d refreshes, %d sign-ins", done, crowd-1, asked["token"], asked["authorize"]+asked["device"])
	if done != crowd-1 || asked["token"] != 2 || asked["authorize"]+asked["device"] != 0 {
		t.Errorf("asked %v", asked)
	}
	h.whole()
	if out, err := h.command("token", "--no-input", h.mcp).Output(); err != nil || len(out) == 0 {
		t.Errorf("signed out: %v", err)
	}
}

// TestProcessesLogOutAndCallAtOnce has some log out while others call: each call is answered or says that one must sign in,
// and in the end nobody is signed in.
func TestProcessesLogOutAndCallAtOnce(t *testing.T) {
	h := signedIn(t)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			args := []string{"token", "--no-input", h.mcp}
			if i%2 == 0 {
				args = []string{"logout", h.mcp}
			}
			cmd := h.command(args...)
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); err != nil && code != 4 || code == 4 && i%2 == 0 {
				t.Errorf("%v: %v\n%s", args[0], err, out)
			}
		})
	}
	all.Wait()
	if err := h.command("whoami", h.mcp).Run(); err == nil {
		t.Error("somebody is still signed in")
	}
	h.whole()
}
