package bearer

import (
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// cache remembers what verified tokens said, by their SHA-256, the most recently used of them. An entry ends with its
// expiry, and with the key that signed the token. A nil cache remembers nothing.
type cache struct {
	mu      sync.Mutex
	size    int
	entries map[[32]byte]*entry
	root    entry // of a ring: root.next was used last, root.prev longest ago

	hits, misses uint64 // of tokens that came to be verified
}

type entry struct {
	sum        [32]byte
	caller     *identity.Caller // nil for a token that is known to be inactive
	expiry     time.Time
	key        *signingKey // nil for introspected tokens
	prev, next *entry
}

func newCache(size int) *cache {
	if size <= 0 {
		return nil
	}
	c := &cache{size: size, entries: map[[32]byte]*entry{}}
	c.root.prev, c.root.next = &c.root, &c.root
	return c
}

// get returns the caller of a token that came to be verified, or nil where nothing is known, and counts which it was.
func (c *cache) get(sum [32]byte, now time.Time) *identity.Caller {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	caller, _ := c.find(sum, now)
	if caller == nil {
		c.misses++
	} else {
		c.hits++
	}
	return caller
}

// look tells a token that is known to be inactive (nil, true) from one that is not known (nil, false).
func (c *cache) look(sum [32]byte, now time.Time) (*identity.Identity, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	caller, known := c.find(sum, now)
	return caller.Identity(), known
}

// find looks with mu held.
func (c *cache) find(sum [32]byte, now time.Time) (*identity.Caller, bool) {
	e := c.entries[sum]
	if e == nil {
		return nil, false
	}
	if !now.Before(e.expiry) || e.key != nil && e.key.gone.Load() {
		c.drop(e)
		return nil, false
	}
	if c.root.next != e {
		e.unlink()
		c.first(e)
	}
	return e.caller, true
}

func (c *cache) put(sum [32]byte, id *identity.Identity, expiry time.Time, key *signingKey) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.entries[sum]; old != nil {
		c.drop(old)
	}
	if len(c.entries) >= c.size {
		c.drop(c.root.prev)
	}
	e := &entry{sum: sum, caller: identity.NewCaller(id), expiry: expiry, key: key}
	c.entries[sum] = e
	c.first(e)
}

func (c *cache) first(e *entry) {
	e.prev, e.next = &c.root, c.root.next
	e.prev.next, e.next.prev = e, e
}

func (c *cache) drop(e *entry) {
	e.unlink()
	delete(c.entries, e.sum)
}

func (e *entry) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
}
