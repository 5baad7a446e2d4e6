package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// broken starts a server that is wrong in one way, and sets $NAME to its MCP URL:
//
//	broken NAME WAY [ISSUER]
//
// With a way of TLS, the authority's certificate is the file NAME.pem. ISSUER is the authorization server it names.
func broken(ts *testscript.TestScript, _ bool, args []string) {
	name, way, issuer := args[0], args[1], ""
	if len(args) > 2 {
		issuer = args[2]
	}
	var self string // the URL without a path
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := ways[way]
		if !known {
			http.Error(w, "the test knows no way "+way, http.StatusTeapot)
			return
		}
		answer(w, r, self, issuer)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if config, secure := certificates(ts, name, way); secure {
		way, s.TLS, self = "open", config, "https://"+s.Listener.Addr().String()
		s.StartTLS()
	} else {
		self = "http://" + s.Listener.Addr().String()
		s.Start()
	}
	ts.Defer(s.Close)
	ts.Setenv(name, s.URL+"/mcp")
	ts.Setenv(name+"_port", fmt.Sprint(s.Listener.Addr().(*net.TCPAddr).Port))
}

type reply func(w http.ResponseWriter, r *http.Request, self, issuer string)

// ways are the ways in which a server is wrong.
var ways = map[string]reply{
	"open": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		var m struct {
			ID json.RawMessage `json:"id"`
		}
		json.NewDecoder(r.Body).Decode(&m)
		answer(w, http.StatusOK, "application/json", `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"error":{"code":-32603,"message":"out of order"}}`)
	},
	"page": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		answer(w, http.StatusOK, "text/html; charset=utf-8", "<title>Welcome</title>")
	},
	"moved": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		http.Redirect(w, r, "https://mcp.example.com/mcp", http.StatusPermanentRedirect)
	},
	"gateway": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		answer(w, http.StatusBadGateway, "text/html", "<h1>502</h1>")
	},
	"events": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		if r.Method == http.MethodGet && r.URL.Path == "/mcp" {
			answer(w, http.StatusOK, "text/event-stream", "event: endpoint\ndata: /messages\n\n")
			return
		}
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	},
	"basic": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		w.Header().Set("WWW-Authenticate", `Basic realm="intranet"`)
		w.WriteHeader(http.StatusUnauthorized)
	},
	"forbidden": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		http.Error(w, "no", http.StatusForbidden)
	},
	// What follows wants a sign-in.
	"no-challenge": func(w http.ResponseWriter, r *http.Request, _, _ string) {
		w.WriteHeader(http.StatusUnauthorized)
	},
	"other-resource": func(w http.ResponseWriter, r *http.Request, self, issuer string) {
		protected(w, r, self, "https://other.example.com/mcp", issuer)
	},
	"other-issuer": func(w http.ResponseWriter, r *http.Request, self, _ string) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-authorization-server") {
			answer(w, http.StatusOK, "application/json", `{"issuer":"https://other.example.com","token_endpoint":"`+self+`/token"}`)
			return
		}
		protected(w, r, self, self+"/mcp", self)
	},
	"no-registration": func(w http.ResponseWriter, r *http.Request, self, _ string) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-authorization-server") {
			answer(w, http.StatusOK, "application/json", `{"issuer":"`+self+`","token_endpoint":"`+self+`/token","authorization_endpoint":"`+self+`/authorize"}`)
			return
		}
		protected(w, r, self, self+"/mcp", self)
	},
	"down-issuer": func(w http.ResponseWriter, r *http.Request, self, _ string) {
		protected(w, r, self, self+"/mcp", "http://127.0.0.1:1")
	},
	"signs-in": func(w http.ResponseWriter, r *http.Request, self, issuer string) {
		protected(w, r, self, self+"/mcp", issuer)
	},
}

// protected wants a token, and publishes metadata for resource.
func protected(w http.ResponseWriter, r *http.Request, self, resource, issuer string) {
	if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource") {
		answer(w, http.StatusOK, "application/json", `{"resource":"`+resource+`","authorization_servers":["`+issuer+`"],"scopes_supported":["execute"]}`)
		return
	}
	if r.URL.Path != "/mcp" {
		http.NotFound(w, r)
		return
	}
	challenge := `Bearer resource_metadata="` + self + `/.well-known/oauth-protected-resource/mcp", scope="execute"`
	if r.Header.Get("Authorization") != "" {
		challenge = `Bearer error="invalid_token", error_description="the token was issued for another resource", ` + challenge[len("Bearer "):]
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
}

func answer(w http.ResponseWriter, status int, media, body string) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// certificates makes an authority and a server's certificate that is wrong in one way.
func certificates(ts *testscript.TestScript, name, way string) (*tls.Config, bool) {
	leaf := x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	switch way {
	case "tls":
	case "tls-soon":
		leaf.NotAfter = time.Now().Add(3*24*time.Hour + time.Hour)
	case "tls-expired":
		leaf.NotBefore, leaf.NotAfter = time.Unix(1e9, 0), time.Unix(1.1e9, 0)
	case "tls-name":
		leaf.DNSNames, leaf.IPAddresses = []string{"mcp.example.com"}, nil
	default:
		return nil, false
	}
	ca := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Intranet CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Unix(1e9, 0), NotAfter: time.Now().Add(24 * time.Hour * 365)}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	caDER, err := x509.CreateCertificate(rand.Reader, &ca, &ca, caKey.Public(), caKey)
	ts.Check(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, &leaf, &ca, leafKey.Public(), caKey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}}}, true
}
