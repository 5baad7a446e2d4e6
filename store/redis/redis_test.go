package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/store/redis"
	"github.com/fastmcp-auth/fastmcp-auth/store/storetest"
)

// server is a real Redis on a port of its own.
type server struct {
	t    *testing.T
	args []string
	addr string
	cmd  *exec.Cmd
}

// newServer starts a Redis, with further settings, or leaves the test out where none is wanted.
func newServer(t *testing.T, settings ...string) *server {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") == "" {
		t.Skip("left out: a real Redis. Set FASTMCP_AUTH_INTEGRATION=1, with redis-server installed, to run it.")
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing: install Redis")
		}
		t.Skip("left out: redis-server is missing. Install Redis to run it.")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	s := &server{t: t, addr: free.Addr().String()}
	free.Close()
	s.args = append([]string{program, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "yes",
		"--appendfsync", "always"}, settings...)
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start runs the server and waits until it says that it answers.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go io.Copy(io.Discard, out)
			return
		}
		said.WriteString(lines.Text() + "\n")
	}
	s.t.Fatalf("redis ends:\n%s", said.String())
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) open(o redis.Options) store.Store {
	s.t.Helper()
	opened, err := redis.Open(s.t.Context(), "redis://"+s.addr, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { opened.Close() })
	return opened
}

func TestStore(t *testing.T) {
	s := newServer(t)
	worlds := 0
	storetest.Run(t, func(t *testing.T) storetest.World {
		worlds++
		o := redis.Options{Prefix: fmt.Sprintf("%d:", worlds)}
		return storetest.World{Store: s.open(o), Other: s.open(o), Pass: time.Sleep}
	})
}

func TestAWatcherLooksAgainWhenRedisIsBack(t *testing.T) {
	s := newServer(t)
	here, there := s.open(redis.Options{}), s.open(redis.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	woken, err := here.Watch(ctx, "l")
	if err != nil {
		t.Fatal(err)
	}
	append1 := func(entry string) error {
		_, err := there.Append(ctx, "l", []byte(entry), store.Keep{TTL: time.Hour})
		return err
	}
	if err := append1("before"); err != nil {
		t.Fatal(err)
	}
	s.kill()
	if err := append1("meanwhile"); err == nil {
		t.Error("a write while Redis is away succeeds")
	}
	if _, err := here.Get(ctx, "k"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("a read while Redis is away: %v; that nothing stands there is no answer", err)
	}
	s.start()
	for append1("after") != nil {
	}
	for {
		select {
		case <-woken:
		case <-time.After(30 * time.Second):
			t.Fatal("not woken")
		}
		entries, err := here.Entries(ctx, "l", 0, 0)
		if err == nil && len(entries) >= 2 && string(entries[0].Data) == "before" && string(entries[len(entries)-1].Data) == "after" {
			return
		}
	}
}

// attack 8: state that a stranger makes the server keep is bounded.
func TestAttack8_AFullRedisSaysSo(t *testing.T) {
	s := newServer(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction").open(redis.Options{})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = s.Put(t.Context(), fmt.Sprint(i), make([]byte, 256<<10), store.Write{TTL: time.Hour})
	}
	if !errors.Is(err, store.ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
}

func TestAnAddressIsNeverRepeated(t *testing.T) {
	for _, address := range []string{"http://user:hunter2@127.0.0.1", "redis://:hunter2@127.0.0.1:1", "redis://user:hunter2@[::1", "hunter2"} {
		_, err := redis.Open(t.Context(), address, redis.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}
