package app

import (
	"cmp"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/limits"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// burst is how many seconds' worth of requests may come at once.
const burst = 10

// signInRate is how many sign-ins to the console a second begin from one address, and signInBurst how many at once. Each
// is kept for ten minutes, whoever began it: without a bound a stranger fills the store that everyone's sessions are in.
const (
	signInRate  = 5
	signInBurst = 100
)

// maxStreams are the streams of events that may be open at once, of calls and of the console's sessions, and
// maxStreamsPerCaller those of one caller. A browser holds four.
const (
	maxStreams          = 10_000
	maxStreamsPerCaller = 64
)

// newLimits says how many requests a caller may send, how many may fail to sign in from one address, and how many
// sign-ins begin there.
func (s *Server) newLimits(l *config.Limits, o Options) {
	rate := func(perSecond int64) *limits.Rate {
		return limits.New(limits.Options{PerSecond: int(perSecond), Burst: burst * int(perSecond), Now: o.Now})
	}
	s.callers, s.addresses = rate(l.CallerRate), rate(l.AddressRate)
	s.streams = limits.NewShares(maxStreams, maxStreamsPerCaller)
	s.signIns = limits.New(limits.Options{PerSecond: signInRate, Burst: signInBurst, Now: o.Now})
}

// limitAddress turns away requests from an address whose requests keep failing to sign in, before their tokens are
// looked at. Tokens that were verified before still pass: whoever is signed in is not shut out because of others behind
// the same address.
func (s *Server) limitAddress(next http.Handler) http.Handler {
	if s.addresses == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.addresses.Whole() { // nobody has failed lately
			next.ServeHTTP(w, r)
			return
		}
		address := network(s.address(r))
		v := s.addresses.Ask(address)
		if v.OK() || s.guard.Known(r) {
			next.ServeHTTP(w, r)
			return
		}
		s.metrics.Limit("address_rate").Inc()
		if v.First {
			s.log.WarnContext(r.Context(), "too many requests fail to sign in", "from", address)
		}
		s.tooMany(w, r, v.Wait, "too many requests from this address fail to sign in; try again later")
	})
}

// failed counts a refusal of the guard against the address it came from. A provider that is down and a scope that is
// missing are nobody's failure to sign in.
func (s *Server) failed(r *http.Request, e *bearer.Error) {
	if e.Reason != bearer.ReasonUnavailable && e.Reason != bearer.ReasonScope {
		s.addresses.Take(network(s.address(r)))
	}
}

// limitCaller turns away the requests of a caller who sends too many.
func (s *Server) limitCaller(next http.Handler) http.Handler {
	if s.callers == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := identity.FromContext(r.Context())
		if id == nil {
			next.ServeHTTP(w, r) // nobody signs in here
			return
		}
		v := s.callers.Take(identity.KeyFrom(r.Context()))
		if v.OK() {
			next.ServeHTTP(w, r)
			return
		}
		s.metrics.Limit("caller_rate").Inc()
		if v.First {
			s.log.WarnContext(r.Context(), "a caller sends too many requests", "issuer", id.Issuer, "who", cmp.Or(id.ObjectID, id.Subject), "client", id.ClientID)
		}
		s.tooMany(w, r, v.Wait, "you send more requests than one caller may; try again later")
	})
}

// limitSignIns turns away an address that begins too many sign-ins to the console.
func (s *Server) limitSignIns(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := network(s.address(r))
		v := s.signIns.Take(address)
		if v.OK() {
			next.ServeHTTP(w, r)
			return
		}
		s.metrics.Limit("sign_ins").Inc()
		if v.First {
			s.log.WarnContext(r.Context(), "too many sign-ins begin", "from", address)
		}
		s.tooMany(w, r, v.Wait, "too many sign-ins begin at this address; try again later")
	})
}

// tooMany answers 429 (RFC 6585, section 4) with the whole seconds to wait.
func (s *Server) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration, why string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	if isAPI(r.URL.Path) {
		s.api.Refused(w, r, http.StatusTooManyRequests, "too_many_requests", why, nil)
		return
	}
	reply(w, http.StatusTooManyRequests, map[string]any{
		"error":             "too_many_requests",
		"error_description": why,
		"request_id":        telemetry.RequestIDFrom(r.Context()),
	})
}

// network is what counts as one address: of IPv6 the first 64 bits, since one machine may have all that follow.
func network(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if addr.Is4() {
		return address // an IPv4 address has one spelling
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
