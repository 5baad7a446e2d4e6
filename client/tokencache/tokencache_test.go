package tokencache_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestASignInIsThereForTheNextProcess(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	first := w.signIn(open(t, dir), server, devidp.UserAdmin)
	n := w.tokenRequests(func() {
		c := open(t, dir)
		if got := access(t, kept(t, c, server, tokencache.Use{})); got != access(t, first) {
			t.Error("the next process gives another token")
		}
		// Nobody is asked when the server wants a token, either.
		source, err := c.SignIn(w.browser(devidp.UserUser), tokencache.Use{}).SignIn(t.Context(), w.request(server))
		if err != nil || access(t, source) != access(t, first) {
			t.Errorf("signing in again: %v", err)
		}
	})
	if n != 0 || w.prompts != 1 {
		t.Errorf("%d requests for tokens, %d prompts", n, w.prompts)
	}
}

// TestC21TokensAreStoredSecurely looks at the files with the eyes of another program of this machine.
func TestC21TokensAreStoredSecurely(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), filepath.Join(t.TempDir(), "a", "b")
	c := open(t, dir)
	s := w.signIn(c, server, devidp.UserAdmin).State()
	if c.Where() != tokencache.InFile {
		t.Errorf("kept in %s", c.Where())
	}
	for _, name := range files(t, dir) {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("attack 59: %s has the mode %v", name, info.Mode())
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{string(s.Access), string(s.Refresh), s.Account.Email, server} {
			if strings.Contains(string(body)+name, secret) {
				t.Errorf("attack 59, C-19: %s holds %.8s… in clear", name, secret)
			}
		}
	}
	for path := dir; path != filepath.Dir(filepath.Dir(dir)); path = filepath.Dir(path) {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

func TestAttack59ASignInIsForItsServerAndIssuerAlone(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserAdmin)
	for _, other := range []string{"https://mcp.example.com/mcp/", "https://mcp.example.com/", "https://evil.example.com/mcp", "http://mcp.example.com/mcp"} {
		if tokens, err := open(t, dir).Tokens(other, tokencache.Use{}); tokens != nil || err != nil {
			t.Errorf("%s: %v %v", other, tokens, err)
		}
	}
	// C-10: the server names another issuer now. What the first one gave is not shown to it.
	elsewhere := newWorld(t, devidp.Options{})
	source, err := open(t, dir).SignIn(elsewhere.browser(devidp.UserAdmin), tokencache.Use{}).SignIn(t.Context(), elsewhere.request(server))
	if err != nil || elsewhere.prompts != 1 || source.(*signin.Tokens).State().Issuer != elsewhere.metadata.Issuer {
		t.Errorf("%d prompts, %v", elsewhere.prompts, err)
	}
	if tokens, err := open(t, dir).Tokens(server, tokencache.Use{ClientID: "another"}); tokens != nil || err != nil {
		t.Errorf("another client's sign-in: %v %v", tokens, err)
	}
}

func TestARecordUnderAnotherNameIsNoSignIn(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	c := open(t, dir)
	w.signIn(c, server, devidp.UserAdmin)
	w.signIn(c, "https://other.example.com/mcp", devidp.UserUser)
	two := records(t, dir)
	if len(two) != 2 {
		t.Fatal(two)
	}
	body, err := os.ReadFile(filepath.Join(dir, two[0]))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, two[1]), string(body))
	damaged := 0
	c = open(t, dir)
	c.Trouble = func(err error) {
		if d := (*tokencache.DamagedError)(nil); errors.As(err, &d) {
			damaged++
		}
	}
	all, err := c.SignIns()
	if err != nil || len(all) != 1 || damaged != 1 {
		t.Errorf("%d sign-ins, %d damaged, %v", len(all), damaged, err)
	}
}

func TestADamagedRecordIsPutAsideAndTheOthersAreThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devidp.Options{})
	for _, row := range []struct {
		name, text string
	}{
		{"cut off", "half"}, {"empty", ""}, {"no seal", `{"version":1}`}, {"large", strings.Repeat("x", 2000)},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(t, dir)
			w.signIn(c, server, devidp.UserAdmin)
			mine := records(t, dir)
			w.signIn(c, "https://other.example.com/mcp", devidp.UserUser)
			write(t, filepath.Join(dir, mine[0]), row.text)
			c = open(t, dir)
			var trouble error
			c.Trouble = func(err error) { trouble = err }
			if tokens, err := c.Tokens(server, tokencache.Use{}); tokens != nil || err != nil {
				t.Errorf("%v %v", tokens, err)
			}
			if d := (*tokencache.DamagedError)(nil); !errors.As(trouble, &d) || !slices.Contains(files(t, dir), mine[0]+".broken") {
				t.Errorf("trouble %v, files %v", trouble, files(t, dir))
			}
			kept(t, c, "https://other.example.com/mcp", tokencache.Use{})
			w.signIn(c, server, devidp.UserAdmin)
			kept(t, open(t, dir), server, tokencache.Use{})
		})
	}
}

func TestAKeyringHoldsTheKeyAndNothingElse(t *testing.T) {
	t.Parallel()
	w, dir, r := newWorld(t, devidp.Options{}), t.TempDir(), &ring{entries: map[string]string{}}
	c := open(t, dir, in(r))
	s := w.signIn(c, server, devidp.UserAdmin).State()
	if c.Where() != tokencache.InKeyring || len(r.entries) != 1 {
		t.Errorf("kept in %s, %d entries", c.Where(), len(r.entries))
	}
	for _, secret := range r.entries {
		if len(secret) > 100 || strings.Contains(secret, string(s.Refresh)) {
			t.Error("the keyring holds more than a key")
		}
	}
	for _, name := range files(t, dir) {
		if filepath.Base(name) == "key" {
			t.Error("the key lies in a file, too")
		}
	}
	kept(t, open(t, dir, in(r)), server, tokencache.Use{})

	// Out of reach, as over SSH: what it guards is not lost, and other sign-ins can be kept meanwhile.
	r.err = errors.New("locked")
	c = open(t, dir, in(r))
	if tokens, err := c.Tokens(server, tokencache.Use{}); tokens != nil || err != nil || c.Where() != tokencache.InFile {
		t.Errorf("locked: %v %v in %s", tokens, err, c.Where())
	}
	w.signIn(c, server, devidp.UserUser)
	r.err = nil
	if got := kept(t, open(t, dir, in(r)), server, tokencache.Use{}).State().Account; got != s.Account {
		t.Errorf("unlocked again: %v", got)
	}
}

func TestManyProcessesMakeOneKey(t *testing.T) {
	t.Parallel()
	for _, where := range []tokencache.Where{tokencache.InFile, tokencache.InKeyring} {
		t.Run(string(where), func(t *testing.T) {
			dir, r := t.TempDir(), &ring{entries: map[string]string{}}
			var options []func(*tokencache.Options)
			if where == tokencache.InKeyring {
				options = append(options, in(r))
			}
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					c := open(t, dir, options...)
					c.Announce("https://idp.example.com", fmt.Sprint(server, i), tokencache.Pending{URL: "https://idp.example.com"})
					if c.Where() != where {
						t.Errorf("kept in %s", c.Where())
					}
				})
			}
			all.Wait()
			n := 0
			for _, name := range files(t, dir) {
				if strings.HasPrefix(filepath.Base(name), "asking-") {
					n++
				}
			}
			if n != 20 {
				t.Errorf("%d records", n)
			}
		})
	}
}

// TestAKeyringThatHangsIsGivenUp gives the session bus to somebody who accepts every connection and never answers.
func TestAKeyringThatHangsIsGivenUp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the keyring of this system has no bus to stand in for")
		return
	}
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
	dir := t.TempDir()
	began := time.Now()
	c := open(t, dir, in(tokencache.SystemKeyring()))
	if c.Where() != tokencache.InFile {
		t.Errorf("kept in %s", c.Where())
	}
	if took := time.Since(began); took < 2*time.Second || took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	// From now on there is a key, and the keyring is not asked again.
	began = time.Now()
	if c := open(t, dir, in(tokencache.SystemKeyring())); c.Where() != tokencache.InFile || time.Since(began) > 2*time.Second {
		t.Errorf("kept in %s after %s", c.Where(), time.Since(began))
	}
}

func TestNoKeyringServiceMeansAFile(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "nobody"))
	if runtime.GOOS != "linux" {
		return
	}
	if c := open(t, t.TempDir(), in(tokencache.SystemKeyring())); c.Where() != tokencache.InFile {
		t.Errorf("kept in %s", c.Where())
	}
}

func TestWhatBelongsToOthersIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	w := newWorld(t, devidp.Options{})
	for _, row := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  string
	}{
		{"a folder that is a link", func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+"2"))
			must(t, os.Symlink(dir+"2", dir))
		}, "is no folder"},
		{"a key that is a link", func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, "file", "key"), filepath.Join(dir, "elsewhere")))
			must(t, os.Symlink("../elsewhere", filepath.Join(dir, "file", "key")))
		}, "is a symbolic link"},
		{"a key that is no key", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "file", "key"), "short") }, "damaged"},
		{"a folder that is a file", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			write(t, dir, "")
		}, "not a directory"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			w.signIn(open(t, dir), server, devidp.UserAdmin)
			row.spoil(t, dir)
			c := open(t, dir)
			var trouble error
			c.Trouble = func(err error) { trouble = err }
			tokens, err := c.Tokens(server, tokencache.Use{})
			if tokens != nil || err != nil || c.Where() != tokencache.InMemory || trouble == nil || !strings.Contains(trouble.Error(), row.want) {
				t.Errorf("%v %v, kept in %s, trouble %v", tokens, err, c.Where(), trouble)
			}
			// Signing in works all the same, and lasts as long as the process.
			w.signIn(c, server, devidp.UserAdmin)
			kept(t, c, server, tokencache.Use{})
		})
	}
	t.Run("a folder of another user", func(t *testing.T) {
		dir := "/usr"
		if os.Geteuid() == 0 {
			dir = t.TempDir()
			must(t, os.Chown(dir, 12345, 12345))
		}
		c := open(t, dir)
		var trouble error
		c.Trouble = func(err error) { trouble = err }
		if c.Where() != tokencache.InMemory || trouble == nil || !strings.Contains(trouble.Error(), "belongs to another user") {
			t.Errorf("kept in %s, trouble %v", c.Where(), trouble)
		}
	})
	t.Run("a folder above it may be a link", func(t *testing.T) {
		base := t.TempDir()
		must(t, os.Mkdir(filepath.Join(base, "elsewhere"), 0o700))
		must(t, os.Symlink("elsewhere", filepath.Join(base, "fastmcp-auth")))
		dir := filepath.Join(base, "fastmcp-auth", "sign-ins")
		w.signIn(open(t, dir), server, devidp.UserAdmin)
		kept(t, open(t, dir), server, tokencache.Use{})
	})
	t.Run("a record that is a link", func(t *testing.T) {
		dir := t.TempDir()
		w.signIn(open(t, dir), server, devidp.UserAdmin)
		path := filepath.Join(dir, records(t, dir)[0])
		must(t, os.Rename(path, filepath.Join(dir, "elsewhere")))
		must(t, os.Symlink(filepath.Join(dir, "elsewhere"), path))
		putAside(t, w, dir, path, "is a symbolic link")
	})
	for name, odd := range map[string]func(path string) error{
		"a record that is a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a record that is a pipe":   func(path string) error { return exec.Command("mkfifo", path).Run() },
		"a record without end":      func(path string) error { return os.WriteFile(path, make([]byte, 2<<20), 0o600) },
		"a record that is cut off":  func(path string) error { return os.WriteFile(path, make([]byte, 20), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w.signIn(open(t, dir), server, devidp.UserAdmin)
			path := filepath.Join(dir, records(t, dir)[0])
			must(t, os.Remove(path))
			must(t, odd(path))
			putAside(t, w, dir, path, "")
		})
	}
}

// putAside shows that a record of which nothing can be read is nobody's sign-in, and in nobody's way.
func putAside(t *testing.T, w *world, dir, path, want string) {
	t.Helper()
	c := open(t, dir)
	var trouble error
	c.Trouble = func(err error) { trouble = err }
	tokens, err := c.Tokens(server, tokencache.Use{})
	if tokens != nil || err != nil || trouble == nil || !strings.Contains(trouble.Error(), want) {
		t.Errorf("%v %v, trouble %v", tokens, err, trouble)
	}
	if _, err := os.Lstat(path + ".broken"); err != nil {
		t.Error(err)
	}
	if all, err := open(t, dir).SignIns(); len(all) != 0 || err != nil {
		t.Errorf("%d sign-ins, %v", len(all), err)
	}
	w.signIn(open(t, dir), server, devidp.UserAdmin)
	kept(t, open(t, dir), server, tokencache.Use{})
}

func TestWhatOthersCouldReadIsTakenFromThem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserAdmin)
	loose := append(records(t, dir), "file/key")
	for _, name := range loose {
		must(t, os.Chmod(filepath.Join(dir, name), 0o644))
	}
	must(t, os.Chmod(filepath.Join(dir, "file"), 0o755))
	kept(t, open(t, dir), server, tokencache.Use{})
	for _, name := range append(loose, "file") {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestPlainIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	plain := func(o *tokencache.Options) { o.Plain = true }
	c := open(t, dir, plain)
	s := w.signIn(c, server, devidp.UserAdmin).State()
	body, err := os.ReadFile(filepath.Join(dir, records(t, dir)[0]))
	if err != nil || c.Where() != tokencache.InPlain || !strings.Contains(string(body), string(s.Refresh)) {
		t.Errorf("kept in %s, %v", c.Where(), err)
	}
	kept(t, open(t, dir, plain), server, tokencache.Use{})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatADeadProcessLeftIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir).Where()
	old, young := filepath.Join(dir, "file", ".new-old"), filepath.Join(dir, "file", ".new-young")
	write(t, old, "")
	write(t, young, "")
	must(t, os.Chtimes(old, time.Now(), time.Now().Add(-2*time.Hour)))
	open(t, dir).Where()
	if left := files(t, dir); slices.Contains(left, filepath.Join("file", ".new-old")) || !slices.Contains(left, filepath.Join("file", ".new-young")) {
		t.Errorf("left: %v", left)
	}
}
