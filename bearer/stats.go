package bearer

import "time"

// Stats is what a guard has done since it was made, in numbers.
type Stats struct {
	CacheHits, CacheMisses uint64 // tokens looked up among those verified before; always 0 where none are remembered
	CacheEntries           int    // tokens that are remembered
	Keys                   []KeyStats
}

// KeyStats is what is known of the keys of one issuer.
type KeyStats struct {
	Issuer          string
	Fetched, Failed uint64    // how many fetches there were of each kind
	Keys            int       // in the last good set
	At              time.Time // when that set was fetched; zero where there is none
}

// Stats returns the numbers as they are now. It waits for nothing and reaches out to nobody.
func (g *Guard) Stats() Stats {
	var s Stats
	if c := g.cache; c != nil {
		c.mu.Lock()
		s.CacheHits, s.CacheMisses, s.CacheEntries = c.hits, c.misses, len(c.entries)
		c.mu.Unlock()
	}
	for _, src := range g.sources() {
		src.mu.Lock()
		k := KeyStats{Issuer: src.issuer.Name, Fetched: src.good, Failed: src.bad}
		if src.set != nil {
			k.Keys, k.At = len(src.set.keys), src.set.fetched
		}
		src.mu.Unlock()
		s.Keys = append(s.Keys, k)
	}
	return s
}

// Reasons returns every reason there is, in no order, for whoever counts by them.
func Reasons() []Reason {
	all := make([]Reason, 0, len(answers))
	for r := range answers {
		all = append(all, r)
	}
	return all
}
