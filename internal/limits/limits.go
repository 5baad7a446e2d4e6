// Package limits keeps one caller from taking what is there for all.
//
// It counts by a key, whatever it names: a caller, an address. It knows no request and answers nobody. Each key has a
// share of its own, so that none is refused for what another does, and what is remembered is bounded: where there are
// too many keys, the one unused for longest is forgotten, and starts with a whole share when it comes back.
//
//	Rate     so many in a second, and so many at once    limits.go
//	Shares   so many in use at a time                    shares.go
package limits

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
)

// Options set a rate up.
type Options struct {
	PerSecond int // how many a key may take in a second, on average; 0 means as many as it likes
	Burst     int // how many it may take at once; 0 means as many as in a second
	Keys      int // how many keys are remembered; 0 means 10,000

	Now func() time.Time // nil means time.Now
}

// Rate limits how often. A nil *Rate limits nothing. It may be used from many goroutines.
type Rate struct {
	perSecond, burst float64
	keys             int
	now              func() time.Time

	mu      sync.Mutex
	shares  map[string]*list.Element // of *share
	byUsage list.List                // the last used first
	count   atomic.Int64             // of shares, for a look without mu
}

// share is what is left for one key: a bucket that fills with time.
type share struct {
	key  string
	left float64
	at   time.Time
	shut bool // the last one was refused
}

// New returns a rate, or nil where PerSecond is 0.
func New(o Options) *Rate {
	if o.PerSecond <= 0 {
		return nil
	}
	r := &Rate{perSecond: float64(o.PerSecond), burst: float64(o.Burst), keys: o.Keys, now: o.Now, shares: map[string]*list.Element{}}
	if o.Burst <= 0 {
		r.burst = r.perSecond
	}
	if r.keys <= 0 {
		r.keys = 10_000
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Verdict says whether there was one left.
type Verdict struct {
	// Wait is after how long there is one again; zero says that there was one.
	Wait time.Duration
	// First reports that this is the first refusal after one that was let pass: the one worth telling of.
	First bool
}

// OK reports whether there was one left.
func (v Verdict) OK() bool { return v.Wait == 0 }

// Take takes one of key's share. Where none is left it takes nothing: asking too often does not make the wait longer.
func (r *Rate) Take(key string) Verdict { return r.look(key, 1) }

// Ask is Take without taking.
func (r *Rate) Ask(key string) Verdict {
	if r.Whole() {
		return Verdict{}
	}
	return r.look(key, 0)
}

// Whole reports that nothing is known of any key, so that the share of each is whole, and [Rate.Ask] has nothing to say.
func (r *Rate) Whole() bool { return r == nil || r.count.Load() == 0 }

func (r *Rate) look(key string, take float64) Verdict {
	if r == nil {
		return Verdict{}
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.share(key, take > 0, now)
	if s == nil {
		return Verdict{} // not known, so its share is whole
	}
	s.left = min(r.burst, s.left+max(0, now.Sub(s.at).Seconds())*r.perSecond)
	s.at = now
	if take == 0 && s.left >= r.burst {
		r.forget(r.shares[key]) // as it was before the first was taken
		return Verdict{}
	}
	if s.left >= 1 {
		s.left -= take
		s.shut = false
		return Verdict{}
	}
	v := Verdict{Wait: time.Duration((1 - s.left) / r.perSecond * float64(time.Second)), First: !s.shut}
	v.Wait = max(v.Wait, 1)
	s.shut = true
	return v
}

// share returns the share of key, makes it where that is asked for, and forgets another where there are too many.
func (r *Rate) share(key string, create bool, now time.Time) *share {
	if e := r.shares[key]; e != nil {
		r.byUsage.MoveToFront(e)
		return e.Value.(*share)
	}
	if !create {
		return nil
	}
	if len(r.shares) >= r.keys {
		r.forget(r.byUsage.Back())
	}
	s := &share{key: key, left: r.burst, at: now}
	r.shares[key] = r.byUsage.PushFront(s)
	r.count.Add(1)
	return s
}

func (r *Rate) forget(e *list.Element) {
	delete(r.shares, r.byUsage.Remove(e).(*share).key)
	r.count.Add(-1)
}
