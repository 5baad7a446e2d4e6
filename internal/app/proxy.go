package app

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress says who called, for the log: the peer itself, or, where the peer is a trusted proxy, the last address in
// X-Forwarded-For that is not one. Addresses left of an untrusted one are a stranger's claim and are not read. An
// unreadable entry ends the walk at the last proxy that was trusted.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if len(trusted) == 0 {
		return host
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !within(addr, trusted) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop
		if !within(addr, trusted) {
			break
		}
	}
	return addr.Unmap().String()
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
