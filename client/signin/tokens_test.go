package signin_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// in runs f in a clock of its own with a person signed in; the server goes on with answers.
func in(t *testing.T, first map[string]any, answers []any, f func(t *testing.T, s *server, source oauth2.TokenSource)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(append([]any{first}, answers...)...)
		source, err := s.signIn(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		f(t, s, source)
	})
}

func access(t *testing.T, source oauth2.TokenSource) string {
	t.Helper()
	got, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessToken
}

func TestATokenIsRefreshedAheadOfItsEnd(t *testing.T) {
	in(t, token("one", "r1", "execute", 100), []any{token("two", "r2", "execute", 100), token("three", "", "execute", 100)},
		func(t *testing.T, s *server, source oauth2.TokenSource) {
			time.Sleep(79 * time.Second)
			if got := access(t, source); got != "one" {
				t.Errorf("after 79 s of 100: %s", got)
			}
			time.Sleep(time.Second)
			if got := access(t, source); got != "two" {
				t.Errorf("after 80 s of 100: %s", got)
			}
			time.Sleep(80 * time.Second)
			if got := access(t, source); got != "three" {
				t.Errorf("after 80 s more: %s", got)
			}
			first, second := s.forms[2], s.forms[3]
			if first.Get("grant_type") != "refresh_token" || first.Get("refresh_token") != "r1" || second.Get("refresh_token") != "r2" {
				t.Errorf("sent %q, then %q", first.Get("refresh_token"), second.Get("refresh_token"))
			}
			// Entra 14: the scope goes along, and offline_access with it, though the server leaves it out.
			if first.Get("scope") != "execute offline_access" || first.Get("client_id") != "dev-cli" {
				t.Errorf("sent %v", first)
			}
		})
}

func TestRefreshFollowsTheProvidersAdvice(t *testing.T) {
	first := token("one", "r1", "", 100)
	first["refresh_in"] = 50
	in(t, first, []any{token("two", "", "", 100)}, func(t *testing.T, s *server, source oauth2.TokenSource) {
		time.Sleep(50 * time.Second)
		if got := access(t, source); got != "two" {
			t.Error(got)
		}
	})
}

func TestARefreshThatGoesWrongKeepsATokenThatIsStillGood(t *testing.T) {
	in(t, token("one", "r1", "", 1000), []any{errors.New("no network"), refuse("server_error"), token("two", "", "", 1000)},
		func(t *testing.T, s *server, source oauth2.TokenSource) {
			time.Sleep(800 * time.Second)
			for range 5 {
				if got := access(t, source); got != "one" {
					t.Error(got)
				}
			}
			if len(s.forms) != 3 {
				t.Errorf("%d requests: a refresh that went wrong must rest", len(s.forms))
			}
			time.Sleep(200 * time.Second)
			if _, err := source.Token(); err == nil || errors.Is(err, signin.ErrNeeded) {
				t.Errorf("at its end: error %v", err)
			}
			if got := access(t, source); got != "two" {
				t.Error(got)
			}
		})
}

func TestADeadRefreshTokenMeansSignIn(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		in(t, token("one", "r1", "", 10), []any{refuse("invalid_grant")}, func(t *testing.T, s *server, source oauth2.TokenSource) {
			time.Sleep(10 * time.Second)
			for range 2 { // the second asks nobody: the server expects no further request
				if _, err := source.Token(); !errors.Is(err, signin.ErrNeeded) {
					t.Errorf("error %v", err)
				}
			}
		})
	})
	t.Run("never given", func(t *testing.T) {
		in(t, token("one", "", "", 10), nil, func(t *testing.T, s *server, source oauth2.TokenSource) {
			time.Sleep(9 * time.Second)
			if got := access(t, source); got != "one" {
				t.Error(got)
			}
			time.Sleep(time.Second)
			if _, err := source.Token(); !errors.Is(err, signin.ErrNeeded) {
				t.Errorf("error %v", err)
			}
		})
	})
}

func TestManyCallersCauseOneRefresh(t *testing.T) {
	in(t, token("one", "r1", "", 10), []any{token("two", "r2", "", 100)}, func(t *testing.T, s *server, source oauth2.TokenSource) {
		time.Sleep(10 * time.Second)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if got, err := source.Token(); err != nil || got.AccessToken != "two" {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if len(s.forms) != 3 {
			t.Errorf("%d requests, want 3", len(s.forms))
		}
	})
}

func TestACallerWhoLeavesDoesNotLoseTheRefreshThatWasSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	leave := func(url.Values) any { cancel(); time.Sleep(time.Second); return token("two", "r2", "", 100) }
	in(t, token("one", "r1", "", 10), []any{leave}, func(t *testing.T, s *server, source oauth2.TokenSource) {
		time.Sleep(10 * time.Second)
		_, err := source.(*signin.Tokens).TokenContext(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if got := access(t, source); got != "two" {
			t.Error(got)
		}
	})
}

func TestARefusedTokenIsRefreshedOnceBeforeAnybodyIsAsked(t *testing.T) {
	in(t, token("one", "r1", "", 1000), []any{token("two", "r2", "", 1000), token("three", "r3", "", 1000)},
		func(t *testing.T, s *server, source oauth2.TokenSource) {
			shown := 0
			d := &signin.Device{ClientID: "dev-cli", Prompt: func(signin.DevicePrompt) { shown++ }}
			r := s.request()
			r.Previous, r.Refused = source, "one"
			again, err := d.SignIn(t.Context(), r)
			if err != nil || again != source || access(t, source) != "two" || shown != 0 {
				t.Fatalf("shown %d, error %v", shown, err)
			}
			// The server refuses the refreshed one as well: now only a person can help.
			r.Refused = "two"
			again, err = d.SignIn(t.Context(), r)
			if err != nil || again == source || access(t, again) != "three" || shown != 1 {
				t.Fatalf("shown %d, error %v", shown, err)
			}
		})
}

func TestNarrowAsksForFewerScopes(t *testing.T) {
	in(t, token("wide", "r1", "execute time:read", 1000),
		[]any{token("narrow", "r2", "time:read", 10), token("narrow-again", "r3", "time:read", 10), token("wide-again", "r4", "execute time:read", 1000)},
		func(t *testing.T, s *server, source oauth2.TokenSource) {
			narrow, err := signin.Narrow(t.Context(), source, []string{"time:read"})
			if err != nil {
				t.Fatal(err)
			}
			if got := access(t, narrow); got != "narrow" {
				t.Error(got)
			}
			if got := access(t, source); got != "wide" {
				t.Errorf("the wide source gives %s", got)
			}
			time.Sleep(10 * time.Second)
			if got := access(t, narrow); got != "narrow-again" {
				t.Error(got)
			}
			time.Sleep(1000 * time.Second)
			if got := access(t, source); got != "wide-again" {
				t.Error(got)
			}
			for i, want := range []struct{ refresh, scope string }{
				{"r1", "time:read"}, {"r2", "time:read"}, {"r3", "execute time:read offline_access"},
			} {
				if f := s.forms[2+i]; f.Get("refresh_token") != want.refresh || f.Get("scope") != want.scope {
					t.Errorf("request %d sends %q for %q", i+1, f.Get("refresh_token"), f.Get("scope"))
				}
			}
		})
}

func TestNarrowIsRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		refresh string
		scopes  []string
		answers []any
		is      error
		want    string
	}{
		{"for no scope", "r", nil, nil, signin.ErrCannotNarrow, "one scope at least"},
		{"for a scope that was not granted", "r", []string{"admin"}, nil, signin.ErrCannotNarrow, "scope admin was not granted"},
		{"without a refresh token", "", []string{"execute"}, nil, signin.ErrNeeded, "gave no refresh token"},
		{"when the server gives more", "r", []string{"execute"}, []any{token("a", "", "execute time:read", 10)}, signin.ErrCannotNarrow, "adds the scope time:read"},
		{"when the server says so", "r", []string{"execute"}, []any{refuse("invalid_scope")}, nil, "answers invalid_scope"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in(t, token("wide", row.refresh, "execute time:read", 1000), row.answers, func(t *testing.T, s *server, source oauth2.TokenSource) {
				_, err := signin.Narrow(t.Context(), source, row.scopes)
				if err == nil || !strings.Contains(err.Error(), row.want) || row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
	if _, err := signin.Narrow(t.Context(), oauth2.StaticTokenSource(nil), []string{"execute"}); !errors.Is(err, signin.ErrCannotNarrow) {
		t.Errorf("error %v", err)
	}
}
