package limits

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(by time.Duration) { c.at.Add(int64(by)) }

// taken takes until there is none left, and says how many there were.
func taken(r *Rate, key string) int {
	for n := range 10_000 {
		if !r.Take(key).OK() {
			return n
		}
	}
	return 10_000
}

func TestAShareIsSpentAndFillsAgain(t *testing.T) {
	c := &clock{}
	r := New(Options{PerSecond: 10, Burst: 30, Now: c.now})
	for _, row := range []struct {
		name string
		pass time.Duration
		want int
	}{
		{"at first it may take all at once", 0, 30},
		{"then nothing", 0, 0},
		{"a second fills what it may take in one", time.Second, 10},
		{"a tenth of it fills one", 100 * time.Millisecond, 1},
		{"a long time fills no more than at once", time.Hour, 30},
		{"a clock that goes back fills nothing", -time.Hour, 0},
	} {
		c.pass(row.pass)
		if got := taken(r, "ada"); got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
}

func TestTheWaitIsTrue(t *testing.T) {
	c := &clock{}
	r := New(Options{PerSecond: 4, Burst: 1, Now: c.now})
	r.Take("ada")
	v := r.Take("ada")
	if v.Wait != 250*time.Millisecond || !v.First {
		t.Fatalf("the verdict is %+v", v)
	}
	for range 100 { // asking again does not make it longer
		if again := r.Take("ada"); again.Wait != v.Wait || again.First {
			t.Fatalf("the verdict is %+v", again)
		}
	}
	c.pass(v.Wait)
	for range 2 {
		if !r.Ask("ada").OK() {
			t.Error("asking takes one")
		}
	}
	if !r.Take("ada").OK() || r.Ask("ada").OK() {
		t.Error("after the wait there is not exactly one")
	}
}

func TestOneIsNotRefusedForAnother(t *testing.T) {
	r := New(Options{PerSecond: 1, Burst: 5, Now: (&clock{}).now})
	taken(r, "mallory")
	if got := taken(r, "ada"); got != 5 {
		t.Errorf("ada may take %d", got)
	}
	if !r.Ask("grace").OK() {
		t.Error("who was never there is refused")
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := New(Options{PerSecond: 1, Burst: 2, Keys: 100, Now: (&clock{}).now})
	for i := range 100_000 {
		key := fmt.Sprint(i)
		r.Take(key)
		r.Ask("not " + key)
		r.Take("ada") // used all the time, so never forgotten
	}
	if len(r.shares) != 100 || r.byUsage.Len() != 100 {
		t.Errorf("%d and %d are remembered", len(r.shares), r.byUsage.Len())
	}
	if r.Ask("ada").OK() {
		t.Error("who asks all the time is forgotten, and has a whole share again")
	}
}

// TestAWholeShareIsForgotten shows that a key whose share has filled again is as one that was never there, and that none
// is forgotten before.
func TestAWholeShareIsForgotten(t *testing.T) {
	c := &clock{}
	r := New(Options{PerSecond: 1, Burst: 5, Now: c.now})
	for _, row := range []struct {
		name  string
		do    func() Verdict
		ok    bool
		whole bool
	}{
		{"asked of a key that nothing is known of", func() Verdict { return r.Ask("ada") }, true, true},
		{"one is taken", func() Verdict { return r.Take("ada") }, true, false},
		{"asked of another", func() Verdict { return r.Ask("grace") }, true, false},
		{"asked a moment too early", func() Verdict { c.pass(time.Second - 1); return r.Ask("ada") }, true, false},
		{"asked when it is whole", func() Verdict { c.pass(1); return r.Ask("ada") }, true, true},
		{"all are taken, and one more", func() Verdict { taken(r, "ada"); return r.Take("ada") }, false, false},
		{"asked when nothing is left", func() Verdict { return r.Ask("ada") }, false, false},
		{"asked when it is whole again", func() Verdict { c.pass(time.Hour); return r.Ask("ada") }, true, true},
	} {
		if v := row.do(); v.OK() != row.ok || r.Whole() != row.whole || (len(r.shares) == 0) != row.whole || r.byUsage.Len() != len(r.shares) {
			t.Errorf("%s: %+v; whole %v, with %d shares", row.name, v, r.Whole(), len(r.shares))
		}
	}
	if got := taken(r, "ada"); got != 5 {
		t.Errorf("and then it may take %d", got)
	}
}

func TestNoLimitIsNone(t *testing.T) {
	if r := New(Options{}); r != nil || taken(r, "ada") != 10_000 || !r.Ask("ada").OK() || !r.Whole() {
		t.Errorf("made %v", r)
	}
}

func TestManyGoroutinesShareOneShare(t *testing.T) {
	r := New(Options{PerSecond: 1, Burst: 500, Keys: 4, Now: (&clock{}).now})
	var wg sync.WaitGroup
	var let atomic.Int64
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if r.Take("ada").OK() {
					let.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if let.Load() != 500 {
		t.Errorf("%d were let pass", let.Load())
	}
}

func BenchmarkTake(b *testing.B) {
	r := New(Options{PerSecond: 1_000_000_000, Burst: 1_000_000_000})
	b.ReportAllocs()
	for b.Loop() {
		r.Take("ada")
	}
}
