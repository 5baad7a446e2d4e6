package bearer_test

import (
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

// TestStats counts what a guard does: tokens that come again, keys that are fetched and that cannot be.
func TestStats(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	g := guardFor(t, i, moving(h))
	if s := g.Stats(); len(s.Keys) != 1 || s.Keys[0] != (bearer.KeyStats{Issuer: s.Keys[0].Issuer}) || s.CacheHits+s.CacheMisses != 0 {
		t.Errorf("before the first token: %+v", s)
	}
	token := sign(t, i.good(), signer{})
	for range 3 {
		accepted(t, g, token)
	}
	refused(t, g, token+"x", bearer.ReasonMalformed)
	g.Known(request(token)) // asks, and verifies nothing
	s := g.Stats()
	if s.CacheHits != 2 || s.CacheMisses != 2 || s.CacheEntries != 1 {
		t.Errorf("tokens: %+v", s)
	}
	if k := s.Keys[0]; k.Issuer == "" || k.Fetched != 1 || k.Failed != 0 || k.Keys == 0 || !k.At.Equal(h.now()) {
		t.Errorf("keys: %+v", k)
	}
	i.setDown(true)
	h.advance(10 * time.Minute)
	refused(t, g, unknown(t, i, 1), bearer.ReasonUnavailable)
	if k := g.Stats().Keys[0]; k.Fetched != 1 || k.Failed != 1 || k.Keys == 0 || !k.At.Equal(h.now().Add(-10*time.Minute)) {
		t.Errorf("keys of a provider that is down: %+v", k)
	}
}
