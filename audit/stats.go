package audit

import "sync"

// SinkStats is what became of the events that one sink was to keep, since the trail was made.
type SinkStats struct {
	Sink            string // its String, or its type where it has none
	Written, Failed uint64
	Failing         bool // the last one failed
}

// Stats returns the numbers of every sink the trail has or had. Sinks of one name, such as one that took another's
// place, count as one. A trail that lets calls pass whose events cannot be written tells of them here and in the log.
func (t *Trail) Stats() []SinkStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []SinkStats
	for _, c := range t.counts {
		c.mu.Lock()
		all = append(all, SinkStats{Sink: c.sink, Written: c.written, Failed: c.failed, Failing: c.failing})
		c.mu.Unlock()
	}
	return all
}

// count counts for one name of sinks.
type count struct {
	sink string

	mu              sync.Mutex
	written, failed uint64
	failing         bool
}

func (c *count) works() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = false
}

// count returns what counts for sinks of this name. It is called with mu held, or
// before anybody else has the trail.
func (t *Trail) count(sink string) *count {
	for _, c := range t.counts {
		if c.sink == sink {
			return c
		}
	}
	c := &count{sink: sink}
	t.counts = append(t.counts, c)
	return c
}

// add counts one event, and reports whether the sink began to fail with it, or works again.
func (c *count) add(err error) (turned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.failing
	c.failing = err != nil
	if err != nil {
		c.failed++
	} else {
		c.written++
	}
	return was != c.failing
}
