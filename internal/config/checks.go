package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// The checks of one value by itself. Each says what is wrong and what would be right, or nothing.

// listenAddress wants host:port with an IP address, localhost, a name, or nothing for every interface.
func listenAddress(raw string) string {
	host, port, err := net.SplitHostPort(raw)
	if err != nil {
		return show(raw) + " is not host:port; write for example 127.0.0.1:8000, [::1]:8000 or :8000"
	}
	if n, err := whole(port); err != nil || n < 0 || n > 65535 {
		return fmt.Sprintf("%s has the port %s; write a number from 0 to 65535", show(raw), show(port))
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil && !hostName(host) {
		return fmt.Sprintf("%s has the host %s, which is neither an IP address nor a name", show(raw), show(host))
	}
	return ""
}

// loopback reports whether addr, which listenAddress accepted, is reached from this machine alone. A name other than
// localhost is not asked for its addresses, which may change: it counts as reachable.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// hostName reports whether host is made of letters, digits, hyphens and dots, as a name in lower or upper case.
func hostName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// syslogURL wants the path of a socket, or a host and a port.
func syslogURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case strings.Contains(raw, "@"):
		return "has an @ in it; a syslog here has no user or password"
	case err != nil || u.RawQuery != "" || u.Fragment != "":
	case u.Scheme == "unix" && u.Host == "" && len(u.Path) > 1:
		return ""
	case (u.Scheme == "udp" || u.Scheme == "tcp" || u.Scheme == "tls") && u.Path == "" && u.Port() != "":
		return listenAddress(u.Host)
	}
	return show(raw) + " is no syslog; write unix:///dev/log, or udp, tcp or tls://host:port"
}

// webURL parses an absolute URL that is https, or http on loopback. It does not show raw where that holds a password.
func webURL(raw string) (*url.URL, string) {
	u, err := url.Parse(raw)
	switch {
	case strings.Contains(raw, "@"):
		return nil, "has an @ in it; a URL here has no user, password or mail address"
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, show(raw) + " is no URL; write for example https://mcp.example.com"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Sprintf("%s has the scheme %s; write https", show(raw), show(u.Scheme))
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		return nil, show(raw) + " is http beyond this machine; write https"
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, show(raw) + " has a fragment; leave it out"
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostName(u.Hostname()) {
		return nil, show(raw) + " has a host that is neither an IP address nor a name"
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := whole(port); err != nil || n < 1 || n > 65535 {
			return nil, show(raw) + " has no port from 1 to 65535"
		}
	}
	return u, ""
}

// publicURL wants scheme and host alone, since the paths are ours.
func publicURL(raw string) string {
	u, problem := webURL(raw)
	switch {
	case problem != "":
		return problem
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery:
		return fmt.Sprintf("%s has more than scheme and host; write %s://%s", show(raw), u.Scheme, u.Host)
	}
	return ""
}

// origin wants what a browser sends as Origin (RFC 6454, section 6.1).
func origin(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "*" || raw == "null" || strings.Contains(raw, "*"):
		return show(raw) + " would let any page call; list each origin"
	case strings.Contains(raw, "@"):
		return "has an @ in it; write an origin, such as https://app.example.com"
	case err != nil || u.Host == "" || u.Scheme == "" || u.Scheme+"://"+u.Host != raw || u.Host != strings.ToLower(u.Host):
		return show(raw) + " is no origin; write scheme and host in lower case, such as https://app.example.com"
	}
	return ""
}

// hostHeader wants what a client sends as Host: a name or an address, and a port where it is not the scheme's own.
func hostHeader(raw string) string {
	host := raw
	if h, port, err := net.SplitHostPort(raw); err == nil {
		if n, err := whole(port); err != nil || n < 1 || n > 65535 {
			return fmt.Sprintf("%s has the port %s; write a number from 1 to 65535", show(raw), show(port))
		}
		host = h
	} else if strings.HasPrefix(raw, "[") && strings.HasSuffix(raw, "]") {
		host = raw[1 : len(raw)-1]
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	switch {
	case strings.Contains(raw, "*"):
		return show(raw) + " would open the door to DNS rebinding; list each host"
	case !hostName(host):
		return show(raw) + " is no host; write for example mcp.example.com or mcp.example.com:8443"
	}
	return ""
}

// network wants a CIDR that says what it means and is not the whole world.
func network(raw string) string {
	p, err := netip.ParsePrefix(raw)
	switch {
	case err != nil:
		if addr, err := netip.ParseAddr(raw); err == nil && addr.Zone() == "" {
			return fmt.Sprintf("%s is one address; write %s", show(raw), netip.PrefixFrom(addr, addr.BitLen()))
		}
		return show(raw) + " is no network; write for example 10.0.0.0/8"
	case p.Bits() == 0:
		return show(raw) + " would believe everyone; name the proxies' network"
	case p.Addr().Is4In6():
		return show(raw) + " is an IPv4 network written as IPv6; write it as IPv4"
	case p.Masked() != p:
		return fmt.Sprintf("%s names an address inside a network; write %s", show(raw), p.Masked())
	}
	return ""
}

// baseURL wants an issuer or a server's address: a URL without a query.
func baseURL(raw string) string {
	u, problem := webURL(raw)
	if problem == "" && (u.RawQuery != "" || u.ForceQuery) {
		return show(raw) + " has a query; leave it out"
	}
	return problem
}

func endpointURL(raw string) string {
	_, problem := webURL(raw)
	return problem
}

// many are the Entra tenants that stand for several.
var many = []string{"common", "organizations", "consumers"}

func tenant(raw string) string {
	for _, name := range many {
		if raw == name {
			return ""
		}
	}
	if !idp.IsGUID(raw) {
		return show(raw) + " is no directory (tenant) ID; write the GUID in lower case, or " + enumerate(many)
	}
	return ""
}

func allowedTenant(raw string) string {
	if raw != idp.AnyTenant && !idp.IsGUID(raw) {
		return show(raw) + ` is no directory (tenant) ID; write the GUID in lower case, or "*" alone for any`
	}
	return ""
}

func domain(raw string) string {
	if !hostName(raw) || !strings.Contains(raw, ".") {
		return show(raw) + " is no domain; write it without scheme and path, such as example.eu.auth0.com"
	}
	return ""
}

// pathSegment wants what stands between two slashes of a URL.
func pathSegment(raw string) string {
	if raw == "." || raw == ".." || strings.ContainsAny(raw, "/\\?#%") {
		return show(raw) + " is no name; leave slashes, dots alone, ?, # and % out"
	}
	return ""
}

func printable(raw string) string {
	for _, c := range raw {
		if c <= ' ' || c > '~' {
			return show(raw) + " has a space or a letter beyond ASCII in it"
		}
	}
	return ""
}

// scope wants one scope-token that a server may ask for.
func scope(raw string) string {
	if raw == "offline_access" { // RS-7
		return "offline_access is between client and provider, never a server's to ask for"
	}
	return clientScope(raw)
}

// clientScope wants one scope-token (RFC 6749, section 3.3).
func clientScope(raw string) string {
	if raw == "" {
		return "a scope is empty"
	}
	for _, c := range raw {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return show(raw) + ` is no scope; a scope has no space, no " and no \ in it`
		}
	}
	return ""
}

func scopePrefix(raw string) string {
	if problem := scope(raw + "x"); problem != "" {
		return show(raw) + ` can stand before no scope; it has a space, " or \ in it`
	}
	return ""
}

// resourceParameter wants a word, or an absolute URI without a fragment (RFC 8707, section 2).
func resourceParameter(raw string) string {
	switch raw {
	case "auto", "send", "omit":
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || strings.Contains(raw, "#") || printable(raw) != "" {
		return show(raw) + " is neither auto, send nor omit, nor an absolute URI without a fragment"
	}
	return ""
}

// serverName wants what stands for a server in servers: no URL, host or path.
func serverName(raw string) string {
	for _, c := range raw {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return show(raw) + " is no name for a server; use letters, digits, - and _"
		}
	}
	return ""
}
