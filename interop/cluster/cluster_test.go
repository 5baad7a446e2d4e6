// Package cluster_test runs several servers as one: real processes on one real Redis behind a plain round-robin, and one
// that is killed and started again on its file.
//
// The switch is FASTMCP_AUTH_INTEGRATION=1; Redis must be installed.
//
//	the world: provider, Redis, servers, balancer    world_test.go
//	a browser, as scripts in it see it               browser_test.go
//	what must hold                                   cluster_test.go
package cluster_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/program"
)

func TestTwoServersOnOneRedisActAsOne(t *testing.T) {
	w := newWorld(t)
	redis := w.redis()
	here, there := w.serve(w.onRedis(redis)...), w.serve(w.onRedis(redis)...)
	w.balance(here, there)
	b := w.browser()
	b.signIn(devidp.UserAdmin) // the way out and the way back reach different servers
	for range 4 {
		if s := b.session(); !s.SignedIn {
			t.Fatal("one of the servers does not know the session")
		}
	}
	place := b.begin("reverse_tool", `{"query":"abc"}`)
	for _, server := range []*program.Process{here, there, here} { // followed at either server, from any point on
		events := b.follow(server, place)
		if last := events[len(events)-1]; !strings.Contains(last, `"state":"completed"`) {
			t.Errorf("it ends with %s", last)
		}
	}
	if _, body := b.do(http.MethodGet, place, ""); !strings.Contains(body, `"reversed_query":"cba"`) {
		t.Errorf("the result: %s", body)
	}
	long := b.begin("reverse_tool", `{"query":"`+strings.Repeat("x", 50)+`"}`)
	b.cancel(there, long)
	if events := b.follow(here, long); !strings.Contains(events[len(events)-1], `"state":"cancelled"`) {
		t.Errorf("cancelled at the other server it ends with %s", events[len(events)-1])
	}
	b.signOut()
	for range 4 {
		if b.session().SignedIn {
			t.Error("one of the servers goes on after the sign-out")
		}
	}
}

// attack 54: a store that is gone opens nothing, ends nothing, and is used again when it is back.
func TestAttack54_RedisKilledAndBack(t *testing.T) {
	w := newWorld(t)
	redis := w.redis()
	w.balance(w.serve(w.onRedis(redis)...), w.serve(w.onRedis(redis)...))
	b, stranger := w.browser(), w.browser()
	b.signIn(devidp.UserAdmin)
	redis.kill()
	for range 4 {
		if status, body := b.do(http.MethodGet, "/api/v1/me", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "store_unavailable") {
			t.Errorf("without Redis: %d %s", status, body)
		}
		if status, body := stranger.do(http.MethodGet, "/api/v1/me", ""); status != http.StatusUnauthorized {
			t.Errorf("a stranger without Redis: %d %s", status, body)
		}
	}
	if to := stranger.trySignIn(); to != "/?sign_in_error=store_unavailable" {
		t.Errorf("a sign-in without Redis leads to %s", to)
	}
	redis.start()
	w.eventually(func() bool { status, _ := b.do(http.MethodGet, "/api/v1/me", ""); return status == http.StatusOK })
	if s := b.session(); !s.SignedIn {
		t.Error("the session did not survive")
	}
	if status, body := stranger.do(http.MethodGet, "/api/v1/me", ""); status != http.StatusUnauthorized {
		t.Errorf("a stranger afterwards: %d %s", status, body)
	}
}

func TestAServerKilledOnItsFileKnowsItsSessionsAndCalls(t *testing.T) {
	w := newWorld(t)
	file := "FASTMCP_AUTH_STORE_PATH=" + filepath.Join(t.TempDir(), "serve.db")
	first := w.serve(file)
	w.balance(first)
	b := w.browser()
	b.signIn(devidp.UserAdmin)
	done := b.begin("random_number_tool", `{"min":7,"max":7}`)
	b.follow(first, done)
	cut := b.begin("reverse_tool", `{"query":"`+strings.Repeat("x", 50)+`"}`)
	first.Kill()
	second := w.serve(file)
	w.balance(second)
	if !b.session().SignedIn {
		t.Fatal("signed out by a kill")
	}
	if _, body := b.do(http.MethodGet, done, ""); !strings.Contains(body, `"random_number":7`) {
		t.Errorf("a call that had ended: %s", body)
	}
	// The server that ran the other call is gone, and whoever follows it hears so instead of waiting for ever.
	events := b.follow(second, cut)
	if last := events[len(events)-1]; !strings.Contains(last, `"code":"interrupted"`) {
		t.Errorf("the call that was cut ends with %s", last)
	}
}

// attack 45: two people at the same balancer.
func TestAttack45_NobodySeesAnotherPersonsCallAtAnyServer(t *testing.T) {
	w := newWorld(t)
	redis := w.redis()
	w.balance(w.serve(w.onRedis(redis)...), w.serve(w.onRedis(redis)...))
	anna, bert := w.browser(), w.browser()
	anna.signIn(devidp.UserAdmin)
	bert.signIn(devidp.UserUser)
	place := anna.begin("random_number_tool", `{"min":1,"max":2}`)
	for range 4 {
		if status, body := bert.do(http.MethodGet, place, ""); status != http.StatusNotFound {
			t.Errorf("another person: %d %s", status, body)
		}
		_, body := bert.do(http.MethodGet, "/api/v1/calls", "")
		var list struct{ Calls []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Calls) != 0 {
			t.Errorf("another person's history: %s", body)
		}
	}
}

const patience = 60 * time.Second
