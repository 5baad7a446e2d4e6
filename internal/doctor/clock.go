package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// How far clocks may be apart. A Date header has whole seconds, and the answer took a while.
const (
	quietSkew = 10 * time.Second
	mostSkew  = time.Minute // what servers commonly bear
)

// clocks is a transport that notes how far the clocks of others are from ours.
type clocks struct {
	base http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	skew map[string]time.Duration // by host; positive: theirs is ahead
}

func newClocks(base http.RoundTripper, now func() time.Time) *clocks {
	return &clocks{base: base, now: now, skew: map[string]time.Duration{}}
}

// RoundTrip notes the Date of the answer (RFC 9110, section 6.6.1), compared with the middle of the wait.
func (c *clocks) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := c.now()
	resp, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got := c.now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		middle := sent.Add(got.Sub(sent) / 2).Truncate(time.Second)
		c.mu.Lock()
		c.skew[req.URL.Host] = date.Sub(middle)
		c.mu.Unlock()
	}
	return resp, nil
}

func (c *clocks) of(host string) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, known := c.skew[host]
	return d, known
}

// clock compares our clock with the server's and the authorization server's.
func (w *walk) clock(_ context.Context, l *Leg) {
	hosts := []struct{ name, host string }{{"the server's", w.url.Host}}
	if w.discovery != nil {
		if u, err := url.Parse(w.discovery.Authorization.Issuer); err == nil && u.Host != "" && u.Host != w.url.Host {
			hosts = append(hosts, struct{ name, host string }{"the authorization server's", u.Host})
		}
	}
	l.State, l.Saw = NotNeeded, "nobody says what time it is"
	var worst time.Duration
	for _, h := range hosts {
		skew, known := w.clocks.of(h.host)
		switch {
		case !known:
		case skew.Abs() <= quietSkew:
			if l.State == NotNeeded {
				l.State, l.Saw = OK, "the clocks agree"
			}
		case skew.Abs() > worst:
			worst = skew.Abs()
			l.State, l.Saw = Note, h.name+" clock is "+apart(skew)+" ours"
		}
	}
	if worst > mostSkew {
		l.broken(SignIn, "the clocks are too far apart: tokens look expired, or not valid yet", "set the clock of this machine by a time service (NTP); if it is right, that of the other side")
	}
}

// apart says how far, and on which side.
func apart(d time.Duration) string {
	side := "ahead of"
	if d < 0 {
		side = "behind"
	}
	d = d.Abs()
	if d < 2*time.Minute {
		return fmt.Sprintf("%d seconds %s", int(d.Seconds()), side)
	}
	return fmt.Sprintf("about %d minutes %s", int(d.Minutes()+0.5), side)
}
