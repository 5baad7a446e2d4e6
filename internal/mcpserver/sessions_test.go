package mcpserver_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

func contextWithCancel(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithCancel(r.Context())
}

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func emptyBox(t *testing.T) *toolbox.Box {
	t.Helper()
	box, err := toolbox.New(toolbox.Options{Policy: policy.Open()})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func newRecorder(header, value string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set(header, value)
	return w
}

func newRequest(method, body string) *http.Request {
	r := httptest.NewRequest(method, "/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	return r
}

// TestAttack45 asks with sessions that are not one's own in every way there is.
func TestAttack45AnothersSessionIsNoSession(t *testing.T) {
	requestID := regexp.MustCompile(`"request_id":"[^"]*"`)
	for _, row := range []struct {
		name string
		ask  func(id string) ask
	}{
		{"a call", func(id string) ask { return older(id, "bob", "tools/list", "") }},
		{"a notification", func(id string) ask {
			return ask{caller: "bob", headers: within(id), body: `{"jsonrpc":"2.0","id":1,"method":"ping"}`}
		}},
		{"a cancellation of another's call", func(id string) ask {
			return ask{caller: "bob", headers: within(id), body: `{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","params":{"requestId":1}}`}
		}},
		{"a stream", func(id string) ask { return ask{method: http.MethodGet, caller: "bob", headers: within(id)} }},
		{"a resume", func(id string) ask {
			return ask{method: http.MethodGet, caller: "bob", headers: append(within(id), "Last-Event-Id: x_1")}
		}},
		{"an end", func(id string) ask { return ask{method: http.MethodDelete, caller: "bob", headers: within(id)} }},
		{"a resume of the same person by another program", func(id string) ask {
			return ask{method: http.MethodGet, caller: "ada-else", headers: append(within(id), "Last-Event-Id: x_1")}
		}},
		{"initialize", func(id string) ask {
			return older(id, "bob", "initialize", `{"protocolVersion":"2025-11-25"}`)
		}},
	} {
		t.Run("attack 45 "+row.name+" in another's, an ended and an unknown session look alike", func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				anothers := f.begin(t, "ada")
				ended := f.begin(t, "bob")
				if r := f.send(t, ask{method: http.MethodDelete, caller: "bob", headers: within(ended)}); r.status != http.StatusNoContent {
					t.Fatalf("status %d: %s", r.status, r.body)
				}
				var seen []string
				for _, id := range []string{anothers, ended, "UNKNOWNUNKNOWNUNKNOWNUNKNO"} {
					r := f.send(t, row.ask(id))
					if r.status != http.StatusNotFound {
						t.Fatalf("status %d: %s", r.status, r.body)
					}
					header := maps.Clone(r.header)
					delete(header, "X-Request-Id")
					delete(header, "Date")
					delete(header, "Content-Length")
					names := slices.Sorted(maps.Keys(header))
					seen = append(seen, strings.Join(names, ",")+requestID.ReplaceAllString(r.body, ""))
				}
				if seen[0] != seen[1] || seen[1] != seen[2] {
					t.Errorf("they differ: %q", seen)
				}
				if r := f.send(t, older(anothers, "ada", "tools/list", "")); r.status != http.StatusOK {
					t.Errorf("the session itself was lost: %d %s", r.status, r.body)
				}
			})
		})
	}
}

// ping uses a session, under an id of its own.
func ping(id, caller string) ask {
	return ask{caller: caller, headers: within(id), body: `{"jsonrpc":"2.0","id":"ping","method":"ping"}`}
}

func TestRS17ASessionIsNoAuthentication(t *testing.T) {
	t.Run("RS-17 a session id without a caller opens nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			r := f.request(t, t.Context(), older(id, "ada", "tools/list", ""))
			r.Header.Del("Authorization")
			res, err := f.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	})
	t.Run("RS-17 each request is decided by its own token, not by the one the session began with", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			// ada-now is ada with a token of less scope.
			id := f.begin(t, "ada")
			body := `{"name":"reverse_tool","arguments":{"query":"x"}}`
			if r := f.send(t, older(id, "ada", "tools/call", body)); !strings.Contains(r.body, "reversed_query") {
				t.Errorf("with all scopes: %d %s", r.status, r.body)
			}
			if r := f.send(t, older(id, "ada-now", "tools/call", body)); r.status != http.StatusForbidden {
				t.Errorf("with less scope: %d %s", r.status, r.body)
			}
			less := f.begin(t, "ada-now")
			if r := f.send(t, older(less, "ada", "tools/call", body)); !strings.Contains(r.body, "reversed_query") {
				t.Errorf("with more scope than the session began with: %d %s", r.status, r.body)
			}
		})
	})
}

func TestRS18Sessions(t *testing.T) {
	t.Run("RS-18 ids cannot be guessed", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			seen := map[string]bool{}
			for range 20 {
				id := f.begin(t, "ada")
				if len(id) < 26 || seen[id] {
					t.Errorf("the id is %q", id)
				}
				seen[id] = true
			}
		})
	})
	t.Run("RS-18 a session nobody uses ends", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			time.Sleep(29 * time.Minute)
			if r := f.send(t, ping(id, "ada")); r.status != http.StatusOK {
				t.Fatalf("status %d: %s", r.status, r.body)
			}
			time.Sleep(31 * time.Minute)
			f.send(t, ping(id, "ada")).refused(t, 404, -32600, "there is no such session")
		})
	})
	t.Run("RS-18 a session with an open stream or a running call does not end", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			streaming, calling := f.begin(t, "ada"), f.begin(t, "ada")
			s := f.open(t, ask{method: http.MethodGet, headers: within(streaming)})
			go func() {
				for {
					if _, err := s.next(); err != nil {
						return
					}
				}
			}()
			c := f.open(t, older(calling, "ada", "tools/call", `{"name":"wait"}`))
			go func() {
				for {
					if _, err := c.next(); err != nil {
						return
					}
				}
			}()
			running := <-f.began
			time.Sleep(2 * time.Hour)
			for _, id := range []string{streaming, calling} {
				if r := f.send(t, ping(id, "ada")); r.status != http.StatusOK {
					t.Errorf("status %d: %s", r.status, r.body)
				}
			}
			close(running.release)
			s.close()
			time.Sleep(31 * time.Minute)
			for _, id := range []string{streaming, calling} {
				f.send(t, ping(id, "ada")).refused(t, 404, -32600, "there is no such session")
			}
		})
	})
	t.Run("RS-18 DELETE ends a session, its calls and its streams", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			id := f.begin(t, "ada")
			standing := f.open(t, ask{method: http.MethodGet, headers: within(id)})
			c := f.open(t, older(id, "ada", "tools/call", `{"name":"wait"}`))
			running := <-f.began
			answered := make(chan string, 1)
			go func() {
				var line string
				for err := error(nil); err == nil && !strings.HasPrefix(line, "data: {"); line, err = c.next() {
				}
				answered <- line
			}()
			begin := time.Now()
			if r := f.send(t, ask{method: http.MethodDelete, headers: within(id)}); r.status != http.StatusNoContent {
				t.Fatalf("status %d: %s", r.status, r.body)
			}
			if err := <-running.ended; err == nil || errors.Is(err, toolbox.ErrDraining) || time.Since(begin) != 0 {
				t.Errorf("the call ended after %v for %v", time.Since(begin), err)
			}
			if line := <-answered; !strings.Contains(line, "the call was cancelled") {
				t.Errorf("the call was answered %s", line)
			}
			for {
				if _, err := standing.next(); err != nil {
					break
				}
			}
			f.send(t, ping(id, "ada")).refused(t, 404, -32600, "there is no such session")
		})
	})
	t.Run("RS-18 who has too many sessions loses the one idle for longest", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			var ids []string
			for range 3 {
				ids = append(ids, f.begin(t, "ada"))
				time.Sleep(time.Second)
			}
			bobs := f.begin(t, "bob")
			f.send(t, ping(ids[0], "ada")) // now the second is idle for longest
			ids = append(ids, f.begin(t, "ada"))
			for i, id := range ids {
				want := http.StatusOK
				if i == 1 {
					want = http.StatusNotFound
				}
				if r := f.send(t, ping(id, "ada")); r.status != want {
					t.Errorf("session %d: status %d", i, r.status)
				}
			}
			if r := f.send(t, ping(bobs, "bob")); r.status != http.StatusOK {
				t.Errorf("another's session: status %d", r.status)
			}
		}, func(_ *toolbox.Options, o *mcpserver.Options) { o.MaxSessionsPerUser = 3 })
	})
	t.Run("RS-18 who has many sessions makes room for who has none, and nobody loses the only one", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			first := f.begin(t, "ada")
			time.Sleep(time.Second)
			second := f.begin(t, "ada")
			bobs := f.begin(t, "bob")
			for id, want := range map[string]int{first: http.StatusNotFound, second: http.StatusOK} {
				if r := f.send(t, ping(id, "ada")); r.status != want {
					t.Errorf("status %d, want %d: %s", r.status, want, r.body)
				}
			}
			r := f.send(t, ask{caller: "eve", body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`})
			r.refused(t, 503, -32000, "there are too many sessions")
			if r.header.Get("Retry-After") == "" {
				t.Error("Retry-After is missing")
			}
			if r := f.send(t, ping(bobs, "bob")); r.status != http.StatusOK {
				t.Errorf("status %d: %s", r.status, r.body)
			}
		}, func(_ *toolbox.Options, o *mcpserver.Options) { o.MaxSessions = 2 })
	})
	t.Run("RS-18 what does not begin a session takes no room", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			for range 5 {
				f.send(t, ask{body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":7}}`}).refused(t, 200, -32602, "the params are not what initialize takes")
			}
			f.begin(t, "ada")
		}, func(_ *toolbox.Options, o *mcpserver.Options) { o.MaxSessions = 1 })
	})
}

func TestAnyoneMayHaveManySessionsWhereNobodySignsIn(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for range 5 {
			r := f.request(t, t.Context(), ask{body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`})
			r.Header.Del("Authorization")
			res, err := f.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("status %d", res.StatusCode)
			}
		}
		synctest.Wait()
	}, func(b *toolbox.Options, o *mcpserver.Options) {
		b.Policy, o.Guard, o.MaxSessionsPerUser = policy.Open(), nil, 1
	})
}
