package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// soon is how near the end of a certificate is worth a word.
const soon = 14 * 24 * time.Hour

// dns resolves the server's name, unless a proxy does it.
func (w *walk) dns(ctx context.Context, l *Leg) {
	var err error
	if w.proxy, err = w.proxyFor(); err == nil && w.proxy != nil {
		l.State, l.Saw = NotNeeded, "the proxy resolves names"
		return
	}
	host := w.url.Hostname()
	if net.ParseIP(host) != nil {
		l.Saw = host + " is an address"
		return
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		l.Saw = "no address for " + host
		if !l.lost(err) {
			l.broken(Unreachable, "the name cannot be resolved", "check the spelling of the URL")
		}
		return
	}
	if len(addresses) > 4 {
		addresses = append(addresses[:4], "…")
	}
	l.Saw = host + " is " + strings.Join(addresses, ", ")
}

func (w *walk) proxyFor() (*url.URL, error) {
	if w.o.Transport.Proxy == nil {
		return nil, nil
	}
	return w.o.Transport.Proxy(&http.Request{URL: w.url})
}

// proxyLeg looks at the proxy: it must be there, and let this request through.
func (w *walk) proxyLeg(ctx context.Context, l *Leg) {
	proxy, err := w.proxyFor()
	switch {
	case err != nil:
		l.Saw = "the environment names a proxy that is no URL"
		l.broken(Other, "HTTPS_PROXY or HTTP_PROXY cannot be read", "write it as http://host:port")
		return
	case proxy == nil:
		l.State, l.Saw = NotNeeded, "none for this server"
		return
	}
	l.Saw = proxy.Redacted()
	conn, err := w.dial(ctx, proxy)
	if err != nil {
		l.lost(err)
		l.broken(Unreachable, "the proxy cannot be reached", "check HTTPS_PROXY and HTTP_PROXY, or name the server's host in NO_PROXY")
		return
	}
	defer conn.Close()
	if w.url.Scheme != "https" || !strings.HasPrefix(proxy.Scheme, "http") {
		return
	}
	tunnel, err := w.tunnel(ctx, conn, proxy)
	var refused *tunnelError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusProxyAuthRequired:
		l.broken(Unreachable, "the proxy wants a name and a password", "write them into HTTPS_PROXY: http://name:password@host:port")
	case errors.As(err, &refused):
		l.broken(Unreachable, fmt.Sprintf("the proxy answers %d to CONNECT %s", refused.status, hostPort(w.url)), "have the proxy let this host through, or name it in NO_PROXY")
	case err != nil:
		l.broken(Unreachable, "the proxy does not answer as one", "check HTTPS_PROXY")
	default:
		tunnel.Close()
	}
}

// connect opens a connection.
func (w *walk) connect(ctx context.Context, l *Leg) {
	conn, err := w.open(ctx)
	if err != nil {
		l.Saw = "no connection to " + hostPort(w.url)
		if !l.lost(err) {
			l.broken(Unreachable, "no connection", "check host and port of the URL")
		}
		return
	}
	defer conn.Close()
	l.Saw = conn.RemoteAddr().String() + " answers"
	if w.proxy != nil {
		l.Saw = "through the proxy"
	}
}

// tls looks at the certificate and at who signed it.
func (w *walk) tls(ctx context.Context, l *Leg) {
	if w.url.Scheme != "https" {
		l.State, l.Saw = NotNeeded, "plain http, on this machine"
		if !isLoopback(w.url.Hostname()) {
			l.Saw = "plain http to another machine"
			l.broken(SignIn, "tokens go over https only, except on this machine", "call the server by https")
			if w.o.NoAuth {
				*l = Leg{Name: l.Name, State: Note, Saw: "plain http to another machine: everybody on the way can read along"}
			}
		}
		return
	}
	conn, err := w.open(ctx)
	if err != nil {
		l.lost(err)
		return
	}
	defer conn.Close()
	config := &tls.Config{}
	if w.o.Transport.TLSClientConfig != nil {
		config = w.o.Transport.TLSClientConfig.Clone()
	}
	config.ServerName = w.url.Hostname()
	config.InsecureSkipVerify = true // to see what is there; it is verified below, and nothing is sent
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		l.Saw = "no handshake"
		if !l.lost(err) {
			l.broken(Unreachable, "the two sides do not agree on TLS", "see whether the server speaks TLS 1.2 or newer")
		}
		return
	}
	w.certificate(l, secure.ConnectionState(), config.RootCAs)
}

func (w *walk) certificate(l *Leg, state tls.ConnectionState, roots *x509.CertPool) {
	leaf, now := state.PeerCertificates[0], w.o.Now()
	rest := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		rest.AddCert(c)
	}
	left := leaf.NotAfter.Sub(now)
	l.Saw = fmt.Sprintf("%s, signed by %s, until %s", tls.VersionName(state.Version), signer(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: rest, DNSName: w.url.Hostname(), CurrentTime: now})
	switch {
	case err != nil && !l.lost(err):
		l.broken(Unreachable, "the certificate does not hold: "+err.Error(), "give the server a certificate for its name")
	case err == nil && left < soon:
		l.State = Note
		l.Saw += fmt.Sprintf(": only %d days", int(left.Hours()/24))
	}
}

func signer(c *x509.Certificate) string {
	for _, name := range []string{c.Issuer.CommonName, c.Issuer.String()} {
		if name != "" {
			return name
		}
	}
	return "an authority without a name"
}

// open makes a connection to the server, through the proxy where there is one.
func (w *walk) open(ctx context.Context) (net.Conn, error) {
	if w.proxy == nil {
		return w.dial(ctx, w.url)
	}
	conn, err := w.dial(ctx, w.proxy)
	if err != nil || w.url.Scheme != "https" || !strings.HasPrefix(w.proxy.Scheme, "http") {
		return conn, err
	}
	return w.tunnel(ctx, conn, w.proxy)
}

// dial opens a connection to u itself; with TLS where u is a proxy that wants it.
func (w *walk) dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", hostPort(u))
	if err != nil || u == w.url || u.Scheme != "https" {
		return conn, err
	}
	config := &tls.Config{ServerName: u.Hostname()}
	if w.o.Transport.TLSClientConfig != nil {
		config.RootCAs = w.o.Transport.TLSClientConfig.RootCAs
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

type tunnelError struct{ status int }

func (e *tunnelError) Error() string { return fmt.Sprintf("the proxy answers %d", e.status) }

// tunnel asks the proxy for a way to the server (RFC 9110, section 9.3.6).
func (w *walk) tunnel(ctx context.Context, conn net.Conn, proxy *url.URL) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: hostPort(w.url)}, Host: hostPort(w.url), Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		conn.Close()
		return nil, &tunnelError{resp.StatusCode}
	}
	return conn, nil
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// isLoopback reports whether host names this machine, and nothing else wherever it is looked up.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
