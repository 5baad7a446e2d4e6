package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

// BenchmarkVerifySeen is a token seen before: the way of nearly every request.
func BenchmarkVerifySeen(b *testing.B) {
	i := newIssuer(b)
	g := guardFor(b, i, nil)
	token := sign(b, i.good(), signer{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyNew(b *testing.B) {
	i := newIssuer(b)
	g := guardFor(b, i, func(c *bearer.Config) { c.CacheSize = -1 })
	token := sign(b, i.good(), signer{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProtectSeen(b *testing.B) {
	i := newIssuer(b)
	h := guardFor(b, i, nil).Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := request(sign(b, i.good(), signer{}))
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// A verified token seen before costs at most two allocations. Time is the benchmark's to show.
func TestVerifySeenAllocatesLittle(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	token := sign(t, i.good(), signer{})
	accepted(t, g, token)
	if n := testing.AllocsPerRun(100, func() { g.Verify(t.Context(), token) }); n > 2 {
		t.Errorf("%v allocations, want at most 2", n)
	}
}

// Strangers' tokens leave nothing behind: only verified ones are remembered.
func TestRefusedTokensAreNotRemembered(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) { c.CacheSize = 1 })
	good := sign(t, i.good(), signer{})
	accepted(t, g, good)
	for n := range 20 {
		refused(t, g, sign(t, i.good().with(claimSet{"jti": strconv.Itoa(n)}), signer{key: rsaKeys()[1]}), bearer.ReasonSignature)
	}
	i.publish() // were good not remembered, its key would still be known; take the provider away to see the cache alone
	i.setDown(true)
	if n := testing.AllocsPerRun(10, func() { accepted(t, g, good) }); n > 2 {
		t.Errorf("the good token was pushed out: %v allocations", n)
	}
}
