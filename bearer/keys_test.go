package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// hands is a clock that tests move.
type hands struct{ offset atomic.Int64 }

func (h *hands) now() time.Time          { return now.Add(time.Duration(h.offset.Load())) }
func (h *hands) advance(d time.Duration) { h.offset.Add(int64(d)) }

func moving(h *hands) func(*bearer.Config) { return func(c *bearer.Config) { c.Now = h.now } }

// unknown is a token with a key id that nobody published.
func unknown(t testing.TB, i *issuer, n int) string {
	return sign(t, i.good(), signer{key: rsaKeys()[2], kid: fmt.Sprintf("random-%d", n)})
}

func TestNewOpensNoConnection(t *testing.T) {
	i := newIssuer(t)
	guardFor(t, i, nil)
	if i.metadataReads.Load()+i.keyReads.Load() != 0 {
		t.Error("New asked the provider")
	}
}

func TestOneFetchServesAllWhoWait(t *testing.T) {
	i := newIssuer(t)
	gate := make(chan struct{})
	i.setGate(gate)
	g := guardFor(t, i, nil)
	impatient, leave := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, err := g.Verify(impatient, sign(t, i.good(), signer{}))
		left <- err
	}()
	<-i.entered
	var wg sync.WaitGroup
	for n := range 50 {
		token := sign(t, i.good().with(claimSet{"jti": strconv.Itoa(n)}), signer{})
		wg.Go(func() {
			if _, err := g.Verify(context.Background(), token); err != nil {
				t.Error(err)
			}
		})
	}
	leave() // the one who began the fetch goes away; the others still get their keys
	if err := <-left; bearer.ReasonOf(err) != bearer.ReasonUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(gate)
	wg.Wait()
	if m, k := i.metadataReads.Load(), i.keyReads.Load(); m != 1 || k != 1 {
		t.Errorf("%d reads of metadata, %d of keys, want one each", m, k)
	}
}

func TestAttack23_AFloodOfRandomKeyIDsFetchesOnce(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	g := guardFor(t, i, moving(h))
	accepted(t, g, sign(t, i.good(), signer{}))
	before := i.keyReads.Load()
	var wg sync.WaitGroup
	for n := range 200 {
		token := unknown(t, i, n)
		wg.Go(func() {
			if _, err := g.Verify(context.Background(), token); bearer.ReasonOf(err) != bearer.ReasonKey {
				t.Errorf("refused for %v, want %s", err, bearer.ReasonKey)
			}
		})
	}
	wg.Wait()
	for n := range 50 {
		h.advance(5 * time.Second)
		refused(t, g, unknown(t, i, 1000+n), bearer.ReasonKey)
	}
	if n := i.keyReads.Load() - before; n != 1 {
		t.Errorf("%d fetches in one interval, want 1", n)
	}
	resp, _ := call(g, request(unknown(t, i, 5000)))
	expect(t, resp, http.StatusUnauthorized, "invalid_token")

	h.advance(time.Minute) // the interval is over
	for n := range 50 {
		refused(t, g, unknown(t, i, 2000+n), bearer.ReasonKey)
	}
	if n := i.keyReads.Load() - before; n != 2 {
		t.Errorf("%d fetches in two intervals, want 2", n)
	}
	accepted(t, g, sign(t, i.good().with(claimSet{"jti": "later"}), signer{}))
}

// However the flood's requests fall around the fetch, it is one.
func TestAttack23_AFloodThatJoinsAFetchIsAnsweredByIt(t *testing.T) {
	i := newIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		g := guardFor(t, i, func(c *bearer.Config) { c.HTTPClient = &http.Client{Transport: direct{http.HandlerFunc(i.serve)}} })
		accepted(t, g, sign(t, i.good(), signer{}))
		gate := make(chan struct{})
		i.setGate(gate)
		before := i.keyReads.Load()
		var wg sync.WaitGroup
		flood := func(n int) {
			wg.Go(func() {
				if _, err := g.Verify(t.Context(), unknown(t, i, n)); bearer.ReasonOf(err) != bearer.ReasonKey {
					t.Errorf("refused for %v", err)
				}
			})
		}
		flood(0)
		synctest.Wait() // the fetch is under way
		for n := range 50 {
			flood(n + 1)
		}
		synctest.Wait() // all have joined it
		close(gate)
		wg.Wait()
		if n := i.keyReads.Load() - before; n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestAttack23_AFloodFromTheFirstRequestOnFetchesOnce(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	for n := range 50 {
		refused(t, g, unknown(t, i, n), bearer.ReasonKey)
	}
	if n := i.keyReads.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestAttack23_KeysRollWithoutRestart(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	g := guardFor(t, i, moving(h))
	old := sign(t, i.good(), signer{})
	accepted(t, g, old)

	i.publish(public("k1", rsaKeys()[0].Public(), nil), public("k2", rsaKeys()[1].Public(), nil))
	accepted(t, g, sign(t, i.good(), signer{key: rsaKeys()[1], kid: "k2"}))
	accepted(t, g, old)

	// A second time at once: a fetch that brought a key starts no interval.
	i.publish(public("k2", rsaKeys()[1].Public(), nil), public("k3", rsaKeys()[2].Public(), nil))
	accepted(t, g, sign(t, i.good(), signer{key: rsaKeys()[2], kid: "k3"}))

	// k1 is gone, and with it what it signed, although it was remembered.
	refused(t, g, old, bearer.ReasonKey)
}

func TestAttack23_AStrangersKeyIDDoesNotHideARollOver(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	accepted(t, g, sign(t, i.good(), signer{}))
	i.publish(public("k1", rsaKeys()[0].Public(), nil), public("k2", rsaKeys()[1].Public(), nil))
	refused(t, g, unknown(t, i, 1), bearer.ReasonKey) // its fetch brings k2, so that no interval starts
	i.publish(public("k2", rsaKeys()[1].Public(), nil), public("k3", rsaKeys()[2].Public(), nil))
	accepted(t, g, sign(t, i.good(), signer{key: rsaKeys()[2], kid: "k3"}))
}

// A fetch that began before a key was published does not answer for it.
func TestASearchThatJoinsAnOlderFetchFetchesAgain(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	synctest.Test(t, func(t *testing.T) {
		g := guardFor(t, i, func(c *bearer.Config) {
			c.Now = h.now
			c.HTTPClient = &http.Client{Transport: direct{http.HandlerFunc(i.serve)}}
		})
		late := i.good().with(claimSet{"exp": now.Add(3 * time.Hour).Unix()})
		accepted(t, g, sign(t, late, signer{}))
		gate := make(chan struct{})
		i.setGate(gate)
		h.advance(61 * time.Minute)
		accepted(t, g, sign(t, late.with(claimSet{"jti": "2"}), signer{})) // begins a fetch behind the scenes
		synctest.Wait()
		i.publish(public("k2", rsaKeys()[1].Public(), nil))
		answer := make(chan error)
		go func() {
			_, err := g.Verify(t.Context(), sign(t, late, signer{key: rsaKeys()[1], kid: "k2"}))
			answer <- err
		}()
		synctest.Wait() // it waits for the fetch under way, which will not have k2
		i.setGate(nil)
		close(gate)
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if n := i.keyReads.Load(); n != 3 {
			t.Errorf("%d fetches, want 3", n)
		}
	})
}

func TestAKeyReplacedUnderTheSameIDIsGone(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	g := guardFor(t, i, moving(h))
	old := sign(t, i.good().with(claimSet{"exp": now.Add(3 * time.Hour).Unix()}), signer{})
	accepted(t, g, old)
	i.publish(public("k1", rsaKeys()[1].Public(), nil))
	h.advance(61 * time.Minute)
	accepted(t, g, sign(t, i.good().with(claimSet{"exp": now.Add(2 * time.Hour).Unix(), "jti": "x"}), signer{})) // begins a fetch behind the scenes
	fetched(t, i, 2)
	refused(t, g, unknown(t, i, 1), bearer.ReasonExpired)                                                                      // nothing reaches out for it
	refused(t, g, sign(t, i.good().with(claimSet{"exp": now.Add(2 * time.Hour).Unix()}), signer{kid: "k9"}), bearer.ReasonKey) // waits for that fetch
	refused(t, g, old, bearer.ReasonSignature)
}

// The one token that ever comes is remembered, and still the guard, which nobody runs, looks for its key now and then.
func TestAWithdrawnKeyIsFoundOutByATokenThatIsRemembered(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	synctest.Test(t, func(t *testing.T) {
		g := guardFor(t, i, func(c *bearer.Config) {
			c.Now = h.now
			c.HTTPClient = &http.Client{Transport: direct{http.HandlerFunc(i.serve)}}
		})
		only := sign(t, i.good().with(claimSet{"exp": now.Add(3 * time.Hour).Unix()}), signer{})
		accepted(t, g, only)
		i.publish(public("k2", rsaKeys()[1].Public(), nil))
		h.advance(59 * time.Minute)
		accepted(t, g, only)
		synctest.Wait()
		if n := i.keyReads.Load(); n != 1 {
			t.Errorf("%d fetches before the keys are old, want 1", n)
		}
		h.advance(2 * time.Minute)
		accepted(t, g, only) // begins a fetch behind the scenes
		synctest.Wait()
		refused(t, g, only, bearer.ReasonKey)
	})
}

// fetched waits until the keys were asked for n times.
func fetched(t *testing.T, i *issuer, n int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); i.keyReads.Load() < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d fetches, want %d", i.keyReads.Load(), n)
		}
		<-i.entered
	}
}

func TestNoValidRequestIsRefusedWhileKeysRoll(t *testing.T) {
	i := newIssuer(t)
	key := func(k int) map[string]any { return public(fmt.Sprintf("roll-%d", k), rsaKeys()[k%3].Public(), nil) }
	i.publish(key(1))
	g := guardFor(t, i, nil)
	type verified struct{ worker, key int }
	var (
		current atomic.Int64
		wg      sync.WaitGroup
		stop    = make(chan struct{})
		done    = make(chan verified)
	)
	current.Store(1)
	const workers, rounds = 4, 10
	for w := range workers {
		wg.Go(func() {
			for n := 0; ; n++ {
				k := int(current.Load())
				token := sign(t, i.good().with(claimSet{"jti": fmt.Sprint(w, " ", n)}), signer{key: rsaKeys()[k%3], kid: fmt.Sprintf("roll-%d", k)})
				if _, err := g.Verify(context.Background(), token); err != nil {
					t.Errorf("token with key %d: %v", k, err)
				}
				select {
				case done <- verified{w, k}:
				case <-stop:
					return
				}
			}
		})
	}
	for k := 2; k <= 10; k++ {
		// The provider publishes first and signs then; the last key stays for the tokens on their way. It goes when every
		// worker has come to the key that is current.
		i.publish(key(k-1), key(k))
		current.Store(int64(k))
		for left := [workers]int{rounds, rounds, rounds, rounds}; slices.Max(left[:]) > 0; {
			if v := <-done; v.key == k {
				left[v.worker]--
			}
		}
	}
	close(stop)
	wg.Wait()
}

func TestProviderDown(t *testing.T) {
	t.Run("at start a token is answered 503, and verified as soon as the provider is up", func(t *testing.T) {
		i, h := newIssuer(t), &hands{}
		i.setDown(true)
		g := guardFor(t, i, moving(h))
		token := sign(t, i.good(), signer{})
		resp, reached := call(g, request(token))
		if reached || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("WWW-Authenticate") != "" {
			t.Fatalf("status %d, reached %v, header %v", resp.StatusCode, reached, resp.Header)
		}
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || after < 1 || after > 30 {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
		reads := i.metadataReads.Load()
		for range 20 {
			refused(t, g, token, bearer.ReasonUnavailable)
		}
		if i.metadataReads.Load() != reads {
			t.Error("a provider that is down is asked again at once")
		}
		i.setDown(false)
		h.advance(time.Second)
		accepted(t, g, token)
	})
	t.Run("the wait grows to thirty seconds at most", func(t *testing.T) {
		i, h := newIssuer(t), &hands{}
		i.setDown(true)
		g := guardFor(t, i, moving(h))
		var waits []time.Duration
		for range 8 {
			_, err := g.Verify(t.Context(), sign(t, i.good(), signer{}))
			var e *bearer.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			waits = append(waits, e.RetryAfter)
			h.advance(e.RetryAfter)
		}
		if got := fmt.Sprint(waits); got != "[1s 2s 4s 8s 16s 30s 30s 30s]" {
			t.Error(got)
		}
	})
	t.Run("the last good keys go on serving", func(t *testing.T) {
		i, h := newIssuer(t), &hands{}
		g := guardFor(t, i, moving(h))
		accepted(t, g, sign(t, i.good(), signer{}))
		i.setDown(true)
		for n := range 24 {
			h.advance(time.Hour)
			accepted(t, g, sign(t, i.good().with(claimSet{"exp": h.now().Add(time.Hour).Unix(), "jti": n}), signer{}))
		}
		// A key nobody knows cannot be judged: the provider might have rolled.
		h.advance(time.Minute)
		refused(t, g, sign(t, i.good().with(claimSet{"exp": h.now().Add(time.Hour).Unix()}), signer{kid: "k9"}), bearer.ReasonUnavailable)
		asked := i.metadataReads.Load() + i.keyReads.Load()
		for n := range 10 {
			refused(t, g, sign(t, i.good().with(claimSet{"exp": h.now().Add(time.Hour).Unix(), "jti": n}), signer{kid: "k9"}), bearer.ReasonUnavailable)
		}
		if n := i.metadataReads.Load() + i.keyReads.Load() - asked; n != 0 {
			t.Errorf("a provider that is down was asked %d times more at once", n)
		}
	})
	t.Run("but not for ever", func(t *testing.T) {
		i, h := newIssuer(t), &hands{}
		g := guardFor(t, i, moving(h))
		accepted(t, g, sign(t, i.good(), signer{}))
		i.setDown(true)
		h.advance(8 * 24 * time.Hour)
		refused(t, g, sign(t, i.good().with(claimSet{"iat": nil, "exp": h.now().Add(time.Hour).Unix()}), signer{}), bearer.ReasonUnavailable)
	})
	t.Run("a set without a usable key does not replace a good one", func(t *testing.T) {
		i, h := newIssuer(t), &hands{}
		g := guardFor(t, i, moving(h))
		accepted(t, g, sign(t, i.good(), signer{}))
		i.publish()
		refused(t, g, sign(t, i.good(), signer{kid: "k2"}), bearer.ReasonUnavailable)
		accepted(t, g, sign(t, i.good().with(claimSet{"jti": "2"}), signer{}))
	})
	t.Run("attack 54 a provider that answers nonsense lets nobody in", func(t *testing.T) {
		for name, body := range map[string]string{
			"no JSON": "<html>", "a list": "[]", "no keys": `{"keys":null}`, "a weak key": `{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}`,
		} {
			i := newIssuer(t)
			i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/keys" {
					fmt.Fprint(w, body)
					return
				}
				i.serve(w, r)
			})
			g := guardFor(t, i, nil)
			if _, err := g.Verify(t.Context(), sign(t, i.good(), signer{})); bearer.ReasonOf(err) != bearer.ReasonUnavailable {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("an endless key set is cut off", func(t *testing.T) {
		i := newIssuer(t)
		i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/keys" {
				i.serve(w, r)
				return
			}
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})
		refused(t, guardFor(t, i, nil), sign(t, i.good(), signer{}), bearer.ReasonUnavailable)
	})
}

func TestReady(t *testing.T) {
	i, h := newIssuer(t), &hands{}
	i.setDown(true)
	g := guardFor(t, i, moving(h))
	if err := g.Ready(t.Context()); err == nil {
		t.Error("ready without keys")
	}
	i.setDown(false)
	if err := g.Ready(t.Context()); err == nil {
		t.Error("asked again before the wait was over")
	}
	h.advance(time.Second)
	if err := g.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	i.setDown(true)
	if err := g.Ready(t.Context()); err != nil {
		t.Error("keys are there:", err)
	}
}

func TestRunKeepsKeysFreshAndEnds(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) { c.KeyRefresh = time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- g.Run(ctx) }()
	fetched(t, i, 3)
	i.publish(public("k2", rsaKeys()[1].Public(), nil))
	fetched(t, i, i.keyReads.Load()+2)
	reads := i.metadataReads.Load()
	accepted(t, g, sign(t, i.good(), signer{key: rsaKeys()[1], kid: "k2"}))
	if reads != 1 {
		t.Errorf("metadata was read %d times within an hour", reads)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// direct answers a client's requests without a network, so that time in a test bubble stands still meanwhile.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func TestRunFetchesEachHourAndAfterAFailureSooner(t *testing.T) {
	i := newIssuer(t)
	synctest.Test(t, func(t *testing.T) {
		i.setDown(true)
		g := guardFor(t, i, func(c *bearer.Config) {
			c.Now = nil
			c.HTTPClient = &http.Client{Transport: direct{http.HandlerFunc(i.serve)}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		synctest.Wait()
		if n := i.metadataReads.Load(); n != 1 {
			t.Errorf("asked %d times at start, want once", n)
		}
		i.setDown(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := i.keyReads.Load(); n != 1 {
			t.Errorf("%d fetches a second after the failure, want 1", n)
		}
		time.Sleep(24*time.Hour - time.Second)
		synctest.Wait()
		if n := i.keyReads.Load(); n < 24 || n > 25 {
			t.Errorf("%d fetches in a day, want one each hour", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAtAFixedAddress(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, func(c *bearer.Config) {
		c.Providers[0].Issuers = []idp.Issuer{{Name: i.URL, JWKS: i.URL + "/keys"}}
	})
	accepted(t, g, sign(t, i.good(), signer{}))
	if i.metadataReads.Load() != 0 {
		t.Error("metadata was read although the address of the keys is known")
	}
}
