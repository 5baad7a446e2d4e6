package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// shelf is a Keeper in memory: what a file with a lock is between processes.
type shelf struct {
	lock sync.Mutex
	kept signin.State
	ran  int
}

func (k *shelf) Refresh(ctx context.Context, held signin.State, refresh func(context.Context, signin.State) (signin.State, error)) (signin.State, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.kept.Access != held.Access {
		return k.kept, nil
	}
	k.ran++
	next, err := refresh(ctx, k.kept)
	if err == nil {
		k.kept = next
	}
	return next, err
}

func signedIn(t *testing.T, s *server) *signin.Tokens {
	t.Helper()
	source, err := s.signIn(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return source.(*signin.Tokens)
}

func TestASignInGoesOnInALaterProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r1", "execute", 100), token("two", "r2", "execute", 100))
		state := signedIn(t, s).State()
		written, err := state.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		read, err := signin.ReadState(written)
		if err != nil {
			t.Fatal(err)
		}
		if state.Expiry, state.RefreshAt = state.Expiry.UTC(), state.RefreshAt.UTC(); !read.Expiry.Equal(state.Expiry) {
			t.Errorf("expiry %v, want %v", read.Expiry, state.Expiry)
		}
		read.Expiry, read.RefreshAt = state.Expiry, state.RefreshAt
		if !reflect.DeepEqual(read, state) {
			t.Errorf("read %+v\nwant %+v", read, state)
		}
		later, err := signin.Resume(read, signin.ResumeOptions{HTTPClient: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		if got := access(t, later); got != "one" {
			t.Errorf("at first %s", got)
		}
		time.Sleep(90 * time.Second)
		if got := access(t, later); got != "two" {
			t.Errorf("after its end %s", got)
		}
		if f := s.forms[2]; f.Get("refresh_token") != "r1" || f.Get("resource") != "https://mcp.example/mcp" || f.Get("client_id") != "dev-cli" {
			t.Errorf("sent %v", f)
		}
	})
}

func TestManyProcessesCauseOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r1", "", 100), token("two", "r2", "", 100))
		keeper := &shelf{kept: signedIn(t, s).State()}
		var processes sync.WaitGroup
		time.Sleep(100 * time.Second)
		first := keeper.kept
		for range 20 {
			processes.Go(func() {
				tokens, err := signin.Resume(first, signin.ResumeOptions{HTTPClient: &http.Client{Transport: s}, Keeper: keeper})
				if err != nil {
					t.Error(err)
				} else if got := access(t, tokens); got != "two" {
					t.Error(got)
				}
			})
		}
		processes.Wait()
		if len(s.forms) != 3 || keeper.ran != 1 || keeper.kept.Refresh != "r2" {
			t.Errorf("%d requests, %d refreshes", len(s.forms), keeper.ran)
		}
	})
}

func TestNarrowKeepsTheRefreshTokenThatItRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("wide", "r1", "execute time:read", 1000), token("narrow", "r2", "time:read", 10))
		tokens := signedIn(t, s)
		keeper := &shelf{kept: tokens.State()}
		tokens.Keep(keeper)
		narrow, err := signin.Narrow(t.Context(), tokens, []string{"time:read"})
		if err != nil {
			t.Fatal(err)
		}
		if access(t, narrow) != "narrow" || keeper.kept.Refresh != "r2" || keeper.kept.Access != "wide" {
			t.Errorf("kept %v", keeper.kept)
		}
	})
}

func TestWhatAKeeperGivesForAnotherSignInIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r1", "", 100))
		tokens := signedIn(t, s)
		other := tokens.State()
		other.Issuer, other.TokenEndpoint, other.Access = "https://evil.example", "https://evil.example/token", "stolen"
		tokens.Keep(&shelf{kept: other})
		time.Sleep(100 * time.Second)
		if _, err := tokens.Token(); err == nil || !strings.Contains(err.Error(), "another sign-in") {
			t.Errorf("error %v", err)
		}
		if len(s.forms) != 2 {
			t.Errorf("%d requests", len(s.forms))
		}
	})
}

func TestAStateHidesItsSecrets(t *testing.T) {
	s := signin.State{Issuer: "https://as.example", Access: "hush-a", Refresh: "hush-r", ClientSecret: "hush-c", DPoPKey: "hush-d"}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), string(encoded)} {
		if strings.Contains(shown, "hush") {
			t.Errorf("shows %s", shown)
		}
	}
	if json.Unmarshal(encoded, &s) == nil {
		t.Error("a state with hidden secrets was read back")
	}
}

func TestAStateThatCannotBeGoneOnWithIsRefused(t *testing.T) {
	good := signin.State{Issuer: "https://as.example", TokenEndpoint: "https://as.example/token", Server: "https://mcp.example/mcp",
		ClientID: "cli", TokenType: "Bearer", Access: "a", Refresh: "r"}
	if _, err := signin.Resume(good, signin.ResumeOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*signin.State){
		"without an issuer":                          func(s *signin.State) { s.Issuer = "" },
		"without a server":                           func(s *signin.State) { s.Server = "" },
		"with a token endpoint over http":            func(s *signin.State) { s.TokenEndpoint = "http://as.example/token" },
		"with a revocation endpoint that is a file":  func(s *signin.State) { s.RevocationEndpoint = "file:///etc/passwd" },
		"with a token of an unknown type":            func(s *signin.State) { s.TokenType = "mac" },
		"with a bound token whose key is lost":       func(s *signin.State) { s.TokenType = "DPoP" },
		"without any token":                          func(s *signin.State) { s.Access, s.Refresh = "", "" },
		"with a token that breaks the header":        func(s *signin.State) { s.Access = "a\r\nX: y" },
		"with a key for tokens that are not bound":   func(s *signin.State) { s.DPoPKey = "{}" },
		"without a client id that tokens belong to ": func(s *signin.State) { s.ClientID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			spoil(&s)
			if _, err := signin.Resume(s, signin.ResumeOptions{}); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestAKeptSignInIsDroppedByNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r1", "", 100), errors.New("no network"), token("two", "r2", "", 100))
		keeper := &shelf{kept: signedIn(t, s).State()}
		tokens, err := signin.Resume(keeper.kept, signin.ResumeOptions{HTTPClient: &http.Client{Transport: s}, Keeper: keeper})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Second)
		if _, err := tokens.Token(); err == nil || keeper.kept.Refresh != "r1" {
			t.Errorf("error %v", err)
		}
		if got := access(t, tokens); got != "two" {
			t.Error(got)
		}
	})
}

// eager is a Keeper that lets everybody refresh in turn, and tells each of the newest state.
type eager struct{ shelf }

func (k *eager) Refresh(ctx context.Context, _ signin.State, refresh func(context.Context, signin.State) (signin.State, error)) (signin.State, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	next, err := refresh(ctx, k.kept)
	if err == nil {
		k.kept = next
	}
	return next, err
}

func TestWhatAnotherProcessRefreshedIsNotRefreshedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r1", "", 100), token("two", "r2", "", 100))
		keeper := &eager{shelf{kept: signedIn(t, s).State()}}
		first := keeper.kept
		time.Sleep(100 * time.Second)
		for range 3 {
			tokens, err := signin.Resume(first, signin.ResumeOptions{HTTPClient: &http.Client{Transport: s}, Keeper: keeper})
			if err != nil {
				t.Fatal(err)
			}
			if got := access(t, tokens); got != "two" {
				t.Error(got)
			}
		}
		if len(s.forms) != 3 {
			t.Errorf("%d requests, want 3", len(s.forms))
		}
	})
}
