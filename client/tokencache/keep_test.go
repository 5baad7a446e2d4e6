package tokencache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// hour is the provider's usual lifetime of a token, and more.
const hour = 61 * time.Minute

func TestAttack34ManyProcessesCauseOneRefresh(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{RefreshGrace: -1}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserAdmin)
	// The clock of the processes is ahead, so that the kept token has ended.
	var mu sync.Mutex
	got := map[string]int{}
	n := w.tokenRequests(func() {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				token := access(t, kept(t, open(t, dir, later(hour)), server, tokencache.Use{}))
				mu.Lock()
				defer mu.Unlock()
				got[token]++
			})
		}
		all.Wait()
	})
	if n != 1 || len(got) != 1 || w.prompts != 1 {
		t.Errorf("%d refreshes, %d tokens, %d prompts", n, len(got), w.prompts)
	}
	kept(t, open(t, dir, later(2*hour)), server, tokencache.Use{})
}

func TestTheRotatedTokenIsOnTheDiskBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{RefreshGrace: -1}), t.TempDir()
	first := w.signIn(open(t, dir), server, devidp.UserAdmin).State()
	second := kept(t, open(t, dir, later(hour)), server, tokencache.Use{})
	access(t, second)
	s, found, err := open(t, dir).Find(server, tokencache.Use{})
	if err != nil || !found || s.Refresh == first.Refresh || s.Refresh != second.State().Refresh {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAttack34ARefusedRefreshWipesNothing(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	w.provider.Faults().SetDisabled(devidp.UserUser, true)
	tokens := kept(t, open(t, dir, later(hour)), server, tokencache.Use{})
	if _, err := tokens.Token(); !errors.Is(err, signin.ErrNeeded) {
		t.Errorf("attack 33: error %v", err)
	}
	w.provider.Faults().SetDisabled(devidp.UserUser, false)
	access(t, kept(t, open(t, dir, later(hour)), server, tokencache.Use{}))
	if w.prompts != 1 {
		t.Errorf("%d prompts", w.prompts)
	}
}

func TestAProviderThatIsDownCostsNoSignIn(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	w.provider.Faults().SetUnreachable(true)
	if _, err := kept(t, open(t, dir, later(hour)), server, tokencache.Use{}).Token(); err == nil || errors.Is(err, signin.ErrNeeded) {
		t.Errorf("error %v", err)
	}
	w.provider.Faults().SetUnreachable(false)
	access(t, kept(t, open(t, dir, later(hour)), server, tokencache.Use{}))
	for _, name := range files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), ".new-") {
			t.Errorf("%s was left behind", name)
		}
	}
}

// TestWhoeverDiesInARefreshLosesNothing has a process die after the provider has answered and before anything is kept.
func TestWhoeverDiesInARefreshLosesNothing(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{RefreshGrace: time.Minute}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	s, _, err := open(t, dir).Find(server, tokencache.Use{})
	must(t, err)
	lost, err := signin.Resume(s, signin.ResumeOptions{Now: func() time.Time { return time.Now().Add(hour) }})
	must(t, err)
	access(t, lost) // its refresh token is used up now, and the next one is nowhere
	access(t, kept(t, open(t, dir, later(hour)), server, tokencache.Use{}))
	access(t, kept(t, open(t, dir, later(2*hour)), server, tokencache.Use{}))
	if w.prompts != 1 {
		t.Errorf("%d prompts", w.prompts)
	}
}

func TestWithoutRoomNothingIsSent(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{RefreshGrace: -1}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	c := open(t, dir, later(hour))
	tokens := kept(t, c, server, tokencache.Use{})
	// A folder that went away stands for a disk on which nothing can be written.
	must(t, os.Rename(filepath.Join(dir, "file"), filepath.Join(dir, "away")))
	n := w.tokenRequests(func() {
		var cannot *tokencache.KeepError
		if _, err := tokens.Token(); !errors.As(err, &cannot) {
			t.Errorf("error %v", err)
		}
	})
	if n != 0 {
		t.Errorf("%d requests: the refresh token is spent, and what it brought is lost", n)
	}
	must(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "file")))
	access(t, tokens)
}

func TestLoggingOutIsNotUndoneByARefresh(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	other := kept(t, open(t, dir, later(hour)), server, tokencache.Use{})
	c := open(t, dir)
	all, err := c.SignIns()
	if err != nil || len(all) != 1 {
		t.Fatalf("%d sign-ins, %v", len(all), err)
	}
	refreshed := make(chan error)
	// While the one logs out, the other wants to refresh: it waits, and then there is nothing to refresh.
	err = c.Forget(t.Context(), all[0], func(ctx context.Context, s signin.State) error {
		go func() { _, err := other.Token(); refreshed <- err }()
		return signin.Revoke(ctx, s, nil)
	})
	must(t, err)
	if err := <-refreshed; !errors.Is(err, signin.ErrNeeded) {
		t.Errorf("error %v", err)
	}
	if left := records(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	// The provider knows, too.
	dead, err := signin.Resume(all[0].State, signin.ResumeOptions{Now: func() time.Time { return time.Now().Add(hour) }})
	must(t, err)
	if _, err := dead.Token(); !errors.Is(err, signin.ErrNeeded) {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestWhatCannotBeRevokedIsForgottenAllTheSame(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserUser)
	c := open(t, dir)
	all, err := c.SignIns()
	must(t, err)
	down := errors.New("down")
	if err := c.Forget(t.Context(), all[0], func(context.Context, signin.State) error { return down }); !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
	if tokens, err := c.Tokens(server, tokencache.Use{}); tokens != nil || err != nil {
		t.Errorf("%v %v", tokens, err)
	}
}
