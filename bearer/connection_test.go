package bearer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// over calls a guard with requests of one connection, and says with which status each was answered and who was let in.
func over(g *bearer.Guard) func(token string) (status int, who string) {
	connection := bearer.ConnContext(context.Background(), nil)
	return func(token string) (int, string) {
		who := ""
		h := g.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { who = identity.FromContext(r.Context()).Subject }))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(token).WithContext(connection))
		return w.Code, who
	}
}

// TestAConnectionRemembersNoMoreThanAFingerprint shows that each request of a connection is judged by its own token, and
// as it stands now, whatever was let in before it.
func TestAConnectionRemembersNoMoreThanAFingerprint(t *testing.T) {
	for _, size := range []int{0, -1} {
		i, h := newIssuer(t), &hands{}
		g := guardFor(t, i, func(c *bearer.Config) { c.Now, c.CacheSize = h.now, size })
		send := over(g)
		alice := sign(t, i.good().with(claimSet{"exp": now.Add(2 * time.Hour).Unix()}), signer{})
		bob := sign(t, i.good().with(claimSet{"sub": "bob", "exp": now.Add(2 * time.Hour).Unix()}), signer{})
		step := func(name, token string, status int, who string) {
			t.Helper()
			if gotStatus, got := send(token); gotStatus != status || got != who {
				t.Errorf("cache %d, %s: status %d for %q, want %d for %q", size, name, gotStatus, got, status, who)
			}
		}
		step("a stranger's token first", "a.stranger.token", 401, "")
		step("a good token", alice, 200, "alice")
		step("the same again", alice, 200, "alice")
		step("another's token", bob, 200, "bob")
		step("the first again", alice, 200, "alice")
		step("RS-8 no token", "", 401, "")
		step("RS-8 a token that is cut short", alice[:len(alice)-1], 401, "")
		step("RS-8 a token with more behind it", alice+"A", 401, "")
		step("the first after the refusals", alice, 200, "alice")
		h.advance(2*time.Hour + 61*time.Second)
		step("RS-10 the last good token after its end", alice, 401, "")
		step("and once more", alice, 401, "")
	}
}

// TestRS8_NoByteOfARememberedTokenMayDiffer changes every byte of the token that the connection remembers.
func TestRS8_NoByteOfARememberedTokenMayDiffer(t *testing.T) {
	i := newIssuer(t)
	send := over(guardFor(t, i, nil))
	good := sign(t, i.good(), signer{})
	for at := range len(good) {
		if status, who := send(good); status != 200 || who != "alice" {
			t.Fatalf("the good token: status %d for %q", status, who)
		}
		for _, to := range "Ab" {
			if bad := good[:at] + string(to) + good[at+1:]; bad != good {
				if status, who := send(bad); status == 200 || who != "" {
					t.Errorf("RS-8 with %q at %d: status %d for %q", to, at, status, who)
				}
			}
		}
	}
}

// TestARememberedTokenEndsWithItsKey withdraws the key of the token that the connection remembers.
func TestARememberedTokenEndsWithItsKey(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	g := guardFor(t, i, moving(h))
	send := over(g)
	old := sign(t, i.good(), signer{})
	if status, _ := send(old); status != 200 {
		t.Fatalf("status %d", status)
	}
	i.publish(public("k2", rsaKeys()[1].Public(), nil))
	if status, _ := send(sign(t, i.good(), signer{key: rsaKeys()[1], kid: "k2"})); status != 200 {
		t.Fatalf("the new key: status %d", status)
	}
	for range 2 {
		if status, who := send(old); status != 401 {
			t.Errorf("a token whose key is gone: status %d for %q", status, who)
		}
	}
}

// TestManyRequestsOfOneConnection is HTTP/2: each request has its own caller, whoever came before.
func TestManyRequestsOfOneConnection(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	connection := bearer.ConnContext(context.Background(), nil)
	var wg sync.WaitGroup
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		token := sign(t, i.good().with(claimSet{"sub": name}), signer{})
		wg.Go(func() {
			h := g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if who := identity.FromContext(r.Context()).Subject; who != name {
					t.Errorf("%s is taken for %s", name, who)
				}
			}))
			for range 200 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request(token).WithContext(connection))
				if w.Code != 200 {
					t.Errorf("%s: status %d", name, w.Code)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkProtectAgain is the token that the connection brought before, of a usual length.
func BenchmarkProtectAgain(b *testing.B) {
	i := newIssuer(b)
	h := guardFor(b, i, nil).Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	token := sign(b, i.good().with(claimSet{"more": strings.Repeat("x", 300)}), signer{})
	for _, row := range []struct {
		name string
		ctx  context.Context
	}{{"over its connection", bearer.ConnContext(context.Background(), nil)}, {"over any", context.Background()}} {
		b.Run(row.name, func(b *testing.B) {
			r, w := request(token).WithContext(row.ctx), httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
