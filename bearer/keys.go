package bearer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const (
	maxWait     = 5 * time.Second  // of a request, for keys
	maxFetch    = 25 * time.Second // of one fetch, metadata and keys
	maxBackOff  = 30 * time.Second // between fetches that fail
	metadataAge = time.Hour
	maxSameID   = 4 // keys with one id that fit one algorithm
)

// source holds the keys of one issuer of one provider. Sources share nothing, so the same key id at two issuers stays
// apart. At most one fetch is under way; it belongs to nobody, so no waiting request can cancel it for the others.
type source struct {
	issuer   idp.Issuer
	provider idp.Provider
	client   *http.Client
	log      *slog.Logger
	now      func() time.Time
	interval time.Duration // see Config.KeyInterval
	refresh  time.Duration // see Config.KeyRefresh
	maxAge   time.Duration // see Config.MaxKeyAge
	begun    atomic.Uint64 // how many fetches

	mu       sync.Mutex
	set      *keySet   // the last good one; nil before the first
	under    *fetch    // the fetch under way, or nil
	failures int       // in a row
	good     uint64    // fetches that brought keys
	bad      uint64    // fetches that failed
	retry    time.Time // no fetch before this, after failures
	quiet    time.Time // no fetch for an unknown key id before this
	metadata *idp.Metadata
	read     time.Time // when metadata was read
}

// keySet is what one fetch brought.
type keySet struct {
	issuer  string // as the metadata names it; may hold a placeholder. Empty without metadata.
	keys    []*signingKey
	fetched time.Time
}

// fetch is one fetch under way. Its results stand when done is closed.
type fetch struct {
	number  uint64 // counted from 1
	done    chan struct{}
	wanted  bool // by a search for an unknown key id
	err     error
	brought bool // a key that the set before did not have
}

func newSource(g *Guard, p idp.Provider, i idp.Issuer) *source {
	return &source{
		issuer: i, provider: p,
		client: g.client, log: g.log, now: g.now,
		interval: g.cfg.KeyInterval, refresh: g.cfg.KeyRefresh, maxAge: g.cfg.MaxKeyAge,
	}
}

// verify checks the token's signature with a key that may sign for its issuer.
func (s *source) verify(ctx context.Context, t *token) (*signingKey, *Error) {
	iss, tenant := t.claims.text("iss"), t.claims.text(s.provider.Claims.Tenant...)
	keys, refused := s.find(ctx, t.kid, t.alg, iss, tenant)
	if refused != nil {
		return nil, refused
	}
	for _, k := range keys {
		if !s.signsFor(k, iss, tenant) {
			continue
		}
		if k.verify(t) == nil {
			return k, nil
		}
		refused = refusal(ReasonSignature, fmt.Errorf("kid %.100q of %s", t.kid, s.issuer.Name))
	}
	if refused == nil {
		refused = refusal(ReasonKey, fmt.Errorf("kid %.100q signs for another issuer than %.200q", t.kid, iss))
	}
	return nil, refused
}

// signsFor reports whether the key may sign for iss: where a key names an issuer (as Entra's keys for many tenants do),
// it signs for that one alone, in any of the provider's spellings for the same tenant.
func (s *source) signsFor(k *signingKey, iss, tenant string) bool {
	if k.issuer == "" {
		return true
	}
	own := k.issuer
	if strings.Contains(own, idp.TenantPlaceholder) {
		if !idp.IsGUID(tenant) {
			return false
		}
		own = strings.ReplaceAll(own, idp.TenantPlaceholder, tenant)
	}
	return own == iss || slices.ContainsFunc(s.provider.Issuers, func(i idp.Issuer) bool { return i.Accepts(own, tenant) })
}

// find returns the keys with this id for this algorithm, fetching where there are none or the id is unknown: at once, if
// neither an earlier fruitless fetch nor a failure forbids it.
func (s *source) find(ctx context.Context, kid, alg, iss, tenant string) ([]*signingKey, *Error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	w := wish{kid: kid, alg: alg, iss: iss, tenant: tenant, asked: s.begun.Load()}
	for {
		f, keys, refused := s.step(&w)
		if f == nil {
			return keys, refused
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, unavailable(time.Second, fmt.Errorf("wait for keys of %s: %w", s.issuer.Name, ctx.Err()))
		}
		if f.err != nil {
			return nil, s.failed(f.err)
		}
		w.waited = f
	}
}

// wish is one search for a key.
type wish struct {
	kid, alg, iss, tenant string

	asked  uint64 // how many fetches had begun when the search did
	waited *fetch // the last one waited for, or nil
}

// answered reports whether a fetch has ended that speaks for this search: one that began after it, since an older one
// may have missed a key that was published meanwhile; or one that began for an unknown key id like this and brought
// nothing, so that a flood is worth one fetch. One that brought a key shows that keys roll, and the next may be there.
func (w *wish) answered() bool {
	return w.waited != nil && (w.waited.number > w.asked || w.waited.wanted && !w.waited.brought)
}

// step answers from the set, or names the fetch to wait for.
func (s *source) step(w *wish) (*fetch, []*signingKey, *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.set == nil || now.Sub(s.set.fetched) > s.maxAge {
		if s.under == nil && now.Before(s.retry) {
			return nil, nil, unavailable(s.retry.Sub(now), fmt.Errorf("no keys of %s", s.issuer.Name))
		}
		return s.begin(), nil, nil
	}
	if s.set.issuer != "" && !(idp.Issuer{Name: s.set.issuer}).Accepts(w.iss, w.tenant) {
		return nil, nil, refusal(ReasonIssuer, fmt.Errorf("iss %.200q, but the metadata names %q", w.iss, s.set.issuer))
	}
	keys, known := s.set.find(w.kid, w.alg)
	if len(keys) > 0 {
		if now.Sub(s.set.fetched) >= s.refresh && !now.Before(s.retry) {
			s.begin() // in the background: nobody waits
		}
		return nil, keys, nil
	}
	unknown := refusal(ReasonKey, fmt.Errorf("no key of %s with kid %.100q fits %s", s.issuer.Name, w.kid, w.alg))
	switch {
	case known, w.kid == "": // a fetch would not help
		return nil, nil, unknown
	case w.answered():
		if !w.waited.brought {
			s.quiet = now.Add(s.interval)
		}
		return nil, nil, unknown
	case s.under != nil:
		return s.under, nil, nil
	case now.Before(s.quiet):
		return nil, nil, unknown
	case now.Before(s.retry):
		return nil, nil, unavailable(s.retry.Sub(now), fmt.Errorf("kid %.100q of %s is unknown, and the provider is down", w.kid, s.issuer.Name))
	}
	f := s.begin()
	f.wanted = true
	return f, nil, nil
}

// find returns the keys with this id that fit alg, and whether the id is known at all. A token without an id is given
// the only key that fits.
func (k *keySet) find(kid, alg string) (fitting []*signingKey, known bool) {
	for _, key := range k.keys {
		if kid != "" && key.id != kid {
			continue
		}
		known = true
		if key.fits(alg) {
			fitting = append(fitting, key)
		}
	}
	if kid == "" && len(fitting) != 1 || len(fitting) > maxSameID {
		return nil, known
	}
	return fitting, known
}

func (s *source) failed(err error) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return unavailable(s.retry.Sub(s.now()), err)
}

// begin returns the fetch under way, or starts one. The caller holds s.mu.
func (s *source) begin() *fetch {
	if s.under == nil {
		s.under = &fetch{done: make(chan struct{}), number: s.begun.Add(1)}
		go s.fetch(s.under)
	}
	return s.under
}

// fetch reads metadata, where it is due, and keys. It ends by itself.
func (s *source) fetch(f *fetch) {
	ctx, cancel := context.WithTimeout(context.Background(), maxFetch)
	defer cancel()
	defer close(f.done)
	set, err := s.load(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.under = nil
	if err != nil {
		f.err = fmt.Errorf("fetch keys of %s: %w", s.issuer.Name, err)
		s.retry = s.now().Add(min(time.Second<<min(s.failures, 10), maxBackOff))
		s.failures++
		s.bad++
		s.metadata = nil // the keys may have moved
		s.log.LogAttrs(ctx, slog.LevelWarn, "keys could not be fetched", slog.String("issuer", s.issuer.Name),
			slog.Bool("have_keys", s.set != nil), slog.Int("failures", s.failures), slog.Any("cause", err))
		return
	}
	s.failures, s.retry = 0, time.Time{}
	s.good++
	set.fetched = s.now()
	if f.brought = s.replace(set); f.wanted && !f.brought {
		s.quiet = set.fetched.Add(s.interval)
	}
}

// replace puts set in the place of the last one. Keys that were there keep their identity, those that are gone are
// marked. It reports whether a key came to those that were there before.
func (s *source) replace(set *keySet) (brought bool) {
	var before []*signingKey
	if s.set != nil {
		before = s.set.keys
	}
	var ids []string
	for i, k := range set.keys {
		j := slices.IndexFunc(before, func(old *signingKey) bool { return old.print == k.print })
		if j >= 0 {
			set.keys[i] = before[j]
			continue
		}
		ids = append(ids, k.id)
		brought = s.set != nil
	}
	for _, old := range before {
		if !slices.Contains(set.keys, old) {
			old.gone.Store(true)
		}
	}
	if len(ids) > 0 {
		s.log.Info("keys fetched", "issuer", s.issuer.Name, "keys", len(set.keys), "new", ids)
	}
	s.set = set
	return brought
}

// load reaches out. Only the one fetch under way calls it.
func (s *source) load(ctx context.Context) (*keySet, error) {
	set, place := &keySet{}, s.issuer.JWKS
	if place == "" {
		m, err := s.describe(ctx)
		if err != nil {
			return nil, err
		}
		set.issuer, place = m.Issuer, m.JWKSURI
	}
	if place == "" {
		return nil, errors.New("the metadata names no jwks_uri")
	}
	body, err := idp.Get(ctx, s.client, place)
	if err != nil {
		return nil, err
	}
	if set.keys, err = parseKeys(body); err != nil {
		return nil, fmt.Errorf("read %s: %w", place, err)
	}
	return set, nil
}

// describe returns the metadata, read again once an hour.
func (s *source) describe(ctx context.Context) (*idp.Metadata, error) {
	s.mu.Lock()
	m, fresh := s.metadata, s.now().Sub(s.read) < metadataAge
	s.mu.Unlock()
	if m != nil && fresh {
		return m, nil
	}
	m, err := s.issuer.Discover(ctx, s.client, s.provider.MultiTenant)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metadata, s.read = m, s.now()
	return m, nil
}

// run fetches at once and then as often as keys grow old, sooner after a failure, until ctx ends.
func (s *source) run(ctx context.Context) {
	for {
		s.mu.Lock()
		f := s.begin()
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
		wait := s.refresh
		if f.err != nil {
			wait = max(s.failed(f.err).RetryAfter, time.Second)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// ready reports whether there are keys, fetching them if there were never any.
func (s *source) ready(ctx context.Context) error {
	s.mu.Lock()
	now := s.now()
	if s.set != nil && now.Sub(s.set.fetched) <= s.maxAge {
		s.mu.Unlock()
		return nil
	}
	if s.under == nil && now.Before(s.retry) {
		s.mu.Unlock()
		return fmt.Errorf("bearer: no keys of %s", s.issuer.Name)
	}
	f := s.begin()
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("bearer: no keys of %s yet: %w", s.issuer.Name, ctx.Err())
	}
}
