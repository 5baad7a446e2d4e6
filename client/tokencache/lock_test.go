package tokencache_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestAttack59WhatIsNoLockHoldsNobody(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	w := newWorld(t, devidp.Options{})
	for name, odd := range map[string]func(path string) error{
		"a pipe":                     func(path string) error { return exec.Command("mkfifo", path).Run() },
		"a folder":                   func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to nothing":          func(path string) error { return os.Symlink(path+"-elsewhere", path) },
		"a link to another's device": func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w.signIn(open(t, dir), server, devidp.UserAdmin)
			locks, err := filepath.Glob(filepath.Join(dir, "file", "asking-*.lock"))
			if err != nil || len(locks) != 1 {
				t.Fatalf("locks %v, %v", locks, err)
			}
			refresh := filepath.Join(dir, records(t, dir)[0]) + ".lock"
			for _, lock := range []string{locks[0], refresh} {
				os.Remove(lock)
				must(t, odd(lock))
			}
			c := open(t, dir, later(hour))
			c.Trouble = nil
			if _, err := kept(t, c, server, tokencache.Use{}).Token(); err == nil || !strings.Contains(err.Error(), "is no regular file") {
				t.Errorf("a refresh: %v", err)
			}
			if _, err := c.SignIn(w.browser(devidp.UserUser), tokencache.Use{Anew: true}).SignIn(t.Context(), w.request(server)); err != nil {
				t.Errorf("a sign-in: %v", err)
			}
			if _, err := os.Lstat(locks[0] + "-elsewhere"); err == nil {
				t.Error("the link was followed")
			}
		})
	}
}

// TestWhoeverAsksNobodyDoesNotWaitForever for another who signs in, and may have been stopped.
func TestWhoeverAsksNobodyDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	inside, left := make(chan struct{}), make(chan struct{})
	stopped := flow(func(ctx context.Context, _ *signin.Request) (oauth2.TokenSource, error) {
		close(inside)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() {
		defer close(left)
		open(t, dir).SignIn(stopped, tokencache.Use{}).SignIn(ctx, w.request(server))
	}()
	<-inside
	nobody := errors.New("nobody")
	asksNobody := flow(func(context.Context, *signin.Request) (oauth2.TokenSource, error) { return nil, nobody })
	_, err := open(t, dir).SignIn(asksNobody, tokencache.Use{Patience: time.Millisecond}).SignIn(t.Context(), w.request(server))
	if !errors.Is(err, nobody) {
		t.Errorf("error %v", err)
	}
	// Whoever can wait hears that somebody is before them.
	told := make(chan tokencache.Pending, 1)
	c := open(t, dir)
	c.Waiting = func(p tokencache.Pending) { told <- p; end() }
	if _, err := c.SignIn(w.browser(devidp.UserUser), tokencache.Use{}).SignIn(t.Context(), w.request(server)); err != nil {
		t.Error(err)
	}
	if p := <-told; p != (tokencache.Pending{}) {
		t.Errorf("told %+v", p)
	}
	<-left
}
