package signin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// An authorization server may name pages of another one as its own. A person who knows the other one signs in there, and
// what comes of it is redeemed at the token endpoint of the first (a mix-up, RFC 9207, section 1; attack 59). Honest ones
// keep their pages at home, or their token endpoint beside the pages.

// isAway reports whether page is neither on the site of the issuer nor on that of its token endpoint.
func (g *grant) isAway(page string) bool {
	at := siteOf(page)
	return at != siteOf(g.issuer) && at != siteOf(g.tokenURL)
}

// checkAway refuses pages and endpoints of the device flow that are another's: no answer of that flow says whose it is.
// Microsoft keeps its pages apart from Entra.
func (g *grant) checkAway(what, address string) error {
	if !g.isAway(address) || isEntra(g.provider) {
		return nil
	}
	return fmt.Errorf("%w: %s names %s as its %s, which is on another site than itself: sign in with a browser if that is meant",
		ErrForged, g.issuer, line(address), what)
}

// siteOf is the name that the owner of an address registered, such as example.co.uk; where there is none, the host.
func siteOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if site, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return site
	}
	return host
}
