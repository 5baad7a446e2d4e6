package bearer

import (
	"strconv"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func sum(n int) (s [32]byte) { copy(s[:], strconv.Itoa(n)); return s }

func TestCacheKeepsTheMostRecentlyUsed(t *testing.T) {
	start := time.Unix(1000, 0)
	c := newCache(3)
	id := &identity.Identity{Subject: "a"}
	for n := range 3 {
		c.put(sum(n), id, start.Add(time.Hour), nil)
	}
	c.get(sum(0), start)
	c.put(sum(3), id, start.Add(time.Hour), nil)
	for n, want := range []bool{true, false, true, true} {
		if got := c.get(sum(n), start) != nil; got != want {
			t.Errorf("entry %d is there: %v, want %v", n, got, want)
		}
	}
	for n := range 1000 {
		c.put(sum(n), id, start.Add(time.Hour), nil)
	}
	if len(c.entries) != 3 {
		t.Errorf("%d entries, want 3", len(c.entries))
	}
}

func TestCacheEntriesEndWithExpiryAndKey(t *testing.T) {
	start := time.Unix(1000, 0)
	c := newCache(3)
	key := &signingKey{}
	c.put(sum(1), &identity.Identity{}, start.Add(time.Second), key)
	c.put(sum(2), &identity.Identity{}, start.Add(time.Hour), key)
	if c.get(sum(1), start) == nil || c.get(sum(1), start.Add(time.Second)) != nil {
		t.Error("an entry outlives its expiry, or does not live until then")
	}
	key.gone.Store(true)
	if c.get(sum(2), start) != nil {
		t.Error("an entry outlives its key")
	}
	if len(c.entries) != 0 || c.root.next != &c.root || c.root.prev != &c.root {
		t.Error("what ended is still kept")
	}
}

func TestNoCacheRemembersNothing(t *testing.T) {
	c := newCache(-1)
	c.put(sum(1), &identity.Identity{}, time.Unix(1000, 0), nil)
	if id, known := c.look(sum(1), time.Unix(0, 0)); id != nil || known {
		t.Error("a nil cache remembers")
	}
}
