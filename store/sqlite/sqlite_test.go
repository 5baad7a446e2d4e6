package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/store/sqlite"
	"github.com/fastmcp-auth/fastmcp-auth/store/storetest"
)

// clock is a time that passes when it is told to.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Unix(1e9, c.now.Load()) }
func (c *clock) pass(d time.Duration) { c.now.Add(int64(d)) }

func open(t *testing.T, path string, o sqlite.Options) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.World {
		c := &clock{}
		return storetest.World{Store: open(t, filepath.Join(t.TempDir(), "a # ? % store"), sqlite.Options{Now: c.Now}), Pass: c.pass}
	})
}

// TestMain is also the process that is killed in the middle of writing.
func TestMain(m *testing.M) {
	path := os.Getenv("STORE_TO_FILL")
	if path == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		panic(err)
	}
	for i := 1; ; i++ {
		if _, err := s.Append(ctx, "log", fmt.Append(nil, i), store.Keep{TTL: time.Hour}); err != nil {
			panic(err)
		}
		if _, err := s.Put(ctx, "last", fmt.Append(nil, i), store.Write{TTL: time.Hour}); err != nil {
			panic(err)
		}
		fmt.Println(i)
	}
}

func TestWhatWasWrittenOutlivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TO_FILL="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		buf := make([]byte, 256)
		for strings.Count(said.String(), "\n") < 50 {
			n, err := out.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			said.Write(buf[:n])
		}
		if _, err := sqlite.Open(t.Context(), path, sqlite.Options{}); !errors.Is(err, sqlite.ErrInUse) {
			t.Errorf("a second process: %v, want ErrInUse", err)
		}
		cmd.Process.Kill()
		cmd.Wait()

		s := open(t, path, sqlite.Options{})
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		last := lines[len(lines)-1]
		if !strings.HasSuffix(said.String(), "\n") {
			last = lines[len(lines)-2]
		}
		item, err := s.Get(t.Context(), "last")
		var promised, kept int
		fmt.Sscan(last, &promised)
		fmt.Sscan(string(item.Value), &kept)
		if err != nil || kept < promised {
			t.Errorf("round %d: %d is kept, %d was promised, %v", round, kept, promised, err)
		}
		entries, err := s.Entries(t.Context(), "log", 0, 0)
		if err != nil || len(entries) == 0 {
			t.Fatal(err)
		}
		for i, e := range entries {
			if e.Index != uint64(i+1) {
				t.Fatalf("entry %d has the index %d", i+1, e.Index)
			}
		}
		s.Close()
	}
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s := open(t, path, sqlite.Options{})
	if _, err := s.Put(t.Context(), "k", []byte("v"), store.Write{TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	s.Close()
	for name, prepare := range map[string]func(path string) error{
		"a file that others may read": func(p string) error { return os.WriteFile(p, nil, 0o644) },
		"a link":                      func(p string) error { return os.Symlink(path, p) },
		"a folder":                    func(p string) error { return os.Mkdir(p, 0o700) },
		"a file of something else":    func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no database "), 1000), 0o600) },
	} {
		other := filepath.Join(t.TempDir(), "other")
		if err := prepare(other); err != nil {
			t.Fatal(err)
		}
		if s, err := sqlite.Open(t.Context(), other, sqlite.Options{}); err == nil {
			s.Close()
			t.Errorf("%s is taken for a store", name)
		}
	}
	if s, err := sqlite.Open(t.Context(), filepath.Join(dir, "none", "store"), sqlite.Options{}); err == nil {
		s.Close()
		t.Error("a folder is made")
	}
}

// attack 8: state that a stranger makes the server keep is bounded.
func TestAttack8_AFileIsBounded(t *testing.T) {
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "store"), sqlite.Options{MaxBytes: 1 << 20, Now: c.Now})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = s.Put(t.Context(), fmt.Sprint(i), make([]byte, 64<<10), store.Write{TTL: time.Minute})
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("%v, want ErrFull", err)
	}
	if item, err := s.Get(t.Context(), "0"); err != nil || len(item.Value) != 64<<10 {
		t.Errorf("what stood there: %d bytes, %v", len(item.Value), err)
	}
	c.pass(2 * time.Minute)
	if _, err := s.Put(t.Context(), "later", make([]byte, 64<<10), store.Write{TTL: time.Minute}); err != nil {
		t.Errorf("what ended still counts: %v", err)
	}
}
