package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

func TestBehindAProxyThePublicURLIsWhatClientsSee(t *testing.T) {
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, "FASTMCP_AUTH_PROVIDER_KIND=oidc", "FASTMCP_AUTH_PROVIDER_ISSUER="+p.Issuer(),
		"FASTMCP_AUTH_PUBLIC_URL=https://mcp.example.com", "FASTMCP_AUTH_TRUSTED_PROXIES=127.0.0.0/8")
	if h.at.MCP != "https://mcp.example.com/mcp" {
		t.Fatalf("the MCP endpoint is %s", h.at.MCP)
	}
	through := func(host string, header map[string]string) *answer {
		req, err := http.NewRequest("GET", "http://"+h.at.Addr+"/.well-known/oauth-protected-resource/mcp", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for k, v := range header {
			req.Header.Set(k, v)
		}
		a, err := do(req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := through("mcp.example.com", map[string]string{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"})
	if a.status != http.StatusOK || !strings.Contains(a.body, `"resource":"https://mcp.example.com/mcp"`) || strings.Contains(a.body, "evil") {
		t.Errorf("attack 11 generated URLs come from a header: %d %s", a.status, a.body)
	}
	if a := through("evil.example", nil); a.status != http.StatusForbidden {
		t.Errorf("attack 48 another host is answered %d", a.status)
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, row := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"a peer that is no proxy speaks for itself", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a trusted proxy says who called", "10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"proxies behind one another are walked", "10.0.0.1:5", []string{"203.0.113.9, 10.2.2.2"}, "203.0.113.9"},
		{"several headers are one list", "10.0.0.1:5", []string{"203.0.113.9", "10.2.2.2"}, "203.0.113.9"},
		{"what a stranger claims left of himself is not read", "10.0.0.1:5", []string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"nonsense ends the walk", "10.0.0.1:5", []string{"203.0.113.9, nonsense"}, "10.0.0.1"},
		{"no header leaves the proxy", "10.0.0.1:5", nil, "10.0.0.1"},
		{"IPv6 proxies are proxies", "[::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: row.peer, Header: http.Header{"X-Forwarded-For": row.forwarded}}
			if got := clientAddress(r, trusted); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestTLSByFiles(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	h := open(t, Options{}, "FASTMCP_AUTH_TLS_CERT="+filepath.Join(dir, "cert.pem"), "FASTMCP_AUTH_TLS_KEY="+filepath.Join(dir, "key.pem"))
	if !strings.HasPrefix(h.at.MCP, "https://127.0.0.1:") {
		t.Fatalf("the MCP endpoint is %s", h.at.MCP)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(h.at.ResourceMetadata)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the metadata is answered %d", res.StatusCode)
	}
}

// certificate writes cert.pem and key.pem for 127.0.0.1 into dir and returns what trusts them.
func certificate(t *testing.T, dir string) *x509.CertPool {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func TestT3_WhatIsNotToldListensOnThisMachineAlone(t *testing.T) {
	s, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(), Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{"server": s.Addr, "development provider": s.IDP.Addr} {
		at, err := netip.ParseAddrPort(addr)
		if err != nil || !at.Addr().IsLoopback() {
			t.Errorf("the %s listens on %s, %v", name, addr, err)
		}
	}
	if s.Addr != "127.0.0.1:8000" {
		t.Errorf("the server listens on %s", s.Addr)
	}
}
