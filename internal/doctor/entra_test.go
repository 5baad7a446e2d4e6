package doctor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/doctor"
)

const (
	entraTenant = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	entraClient = "11111111-2222-3333-4444-555555555555"
)

// entra is a protected server whose people sign in at Microsoft Entra ID. The test answers under Entra's name, with a
// certificate that only the test trusts; nothing leaves the machine.
func entra(t *testing.T, names string) (server string, transport *http.Transport) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"login.microsoftonline.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var s *httptest.Server
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		self := "https://" + s.Listener.Addr().String()
		login := "https://login.microsoftonline.com/" + entraTenant
		rw.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/mcp":
			rw.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+self+`/.well-known/oauth-protected-resource/mcp", scope="api://x/execute"`)
			rw.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/.well-known/oauth-protected-resource/mcp":
			fmt.Fprintf(rw, `{"resource":"%s/mcp","authorization_servers":["https://login.microsoftonline.com/%s/v2.0"]}`, self, names)
		case r.URL.Path == "/"+names+"/v2.0/.well-known/openid-configuration":
			// Entra 12: neither code_challenge_methods_supported nor a registration endpoint.
			fmt.Fprintf(rw, `{"issuer":"%s/v2.0","authorization_endpoint":"%s/oauth2/v2.0/authorize","token_endpoint":"%s/oauth2/v2.0/token","device_authorization_endpoint":"%s/oauth2/v2.0/devicecode"}`,
				login, login, login, login)
		case strings.HasSuffix(r.URL.Path, "/authorize") && r.URL.Query().Get("resource") == "": // Entra 10
			rw.Header().Set("Content-Type", "text/html")
			rw.WriteHeader(http.StatusBadRequest)
		default:
			rw.WriteHeader(http.StatusNotFound)
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate)
	return "https://" + s.Listener.Addr().String() + "/mcp", &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
}

func TestEntra12_TheBrokenLegNamesThePortalsPage(t *testing.T) {
	for _, row := range []struct {
		name   string
		names  string // the tenant, as the server names it
		client string
		leg    string
		cure   string
		page   string // the end of its URL
	}{
		{"no client id: Entra registers nobody", entraTenant, "", "registration", "app registration with the platform Mobile and desktop applications", "ApplicationsListBlade"},
		{"a redirect URI that is not registered", entraTenant, entraClient, "redirect", "add exactly the redirect URI", "Authentication/appId/" + entraClient},
		{"a tenant by its domain: the issuer is another", "example.com", entraClient, "authorization", "name the tenant by its id", "Overview/appId/" + entraClient},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, transport := entra(t, row.names)
			r, err := doctor.Walk(t.Context(), doctor.Options{Server: server, Transport: transport,
				Client: func(string) (id, from string) { return row.client, "flag --client-id" }})
			if err != nil {
				t.Fatal(err)
			}
			l := r.First()
			if l == nil || l.Name != row.leg || l.Portal == nil || !strings.HasPrefix(l.Portal.URL, "https://entra.microsoft.com/#view/") ||
				!strings.HasSuffix(l.Portal.URL, row.page) || !strings.Contains(l.Cure, row.cure) {
				t.Fatalf("%+v", r.Legs)
			}
			if a := legOf(t, r, "authorization"); a.State == doctor.Note {
				t.Errorf("what Entra leaves unsaid of PKCE is noted: %+v", a)
			}
		})
	}
}
