package devidp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// certified is a client with a certificate, and what signs its assertions with a header that names it by hash.
func certified(t *testing.T, id, hash string) (devidp.Client, jose.Signer) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert := certificate(t, key, time.Now().Add(time.Hour))
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), Certificates: []*x509.Certificate{cert}}}})
	if err != nil {
		t.Fatal(err)
	}
	short, long := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
	o := &jose.SignerOptions{}
	switch hash {
	case "x5t":
		o.WithHeader("x5t", base64.RawURLEncoding.EncodeToString(short[:]))
	case "x5t#S256":
		o.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(long[:]))
	case "another":
		o.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	return devidp.Client{ID: id, JWKS: set, Grants: []string{"client_credentials"}, Roles: []string{devidp.RoleApp}}, signer
}

func certificate(t *testing.T, key crypto.Signer, end time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestEntraKnowsAnApplicationByItsCertificate follows certificate-credentials.
func TestEntraKnowsAnApplicationByItsCertificate(t *testing.T) {
	bare, signsBare := keyed(t, "bare")
	named, signsNamed := certified(t, "named", "x5t#S256")
	older, signsOlder := certified(t, "older", "x5t")
	nameless, signsNameless := certified(t, "nameless", "")
	another, signsAnother := certified(t, "another", "another")
	p := startEntra(t, devidp.Options{Clients: []devidp.Client{bare, named, older, nameless, another}})
	ask := func(id string, by jose.Signer) answer {
		to := at(p, devidp.EntraTenant, "/oauth2/v2.0/token")
		raw := assertion(t, by, map[string]any{"iss": id, "sub": id, "aud": to, "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text()})
		return post(t, to, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "scope": {devidp.EntraAPIURI + "/.default"},
			"client_assertion_type": {bearerType}, "client_assertion": {raw}})
	}
	for name, c := range map[string]struct {
		id string
		by jose.Signer
	}{"by x5t#S256": {"named", signsNamed}, "by x5t, as older libraries do": {"older", signsOlder}} {
		t.Run(name, func(t *testing.T) {
			if got := claims(t, ask(c.id, c.by).ok(t).str("access_token")); got["azpacr"] != "2" {
				t.Errorf("azpacr is %v", got["azpacr"])
			}
		})
	}
	for name, c := range map[string]struct {
		id string
		by jose.Signer
	}{
		"a bare key":                                 {"bare", signsBare},
		"a header that names no certificate":         {"nameless", signsNameless},
		"a certificate that is not registered":       {"another", signsAnother},
		"the certificate of another application":     {"older", signsNamed},
		"an application that registered none at all": {devidp.EntraService, signsNamed},
	} {
		t.Run(name+" is refused", func(t *testing.T) { ask(c.id, c.by).aadsts(t, 401, "invalid_client", 700027) })
	}
}

// workload is a client that a platform vouches for, and the platform's key.
func workload(t *testing.T, audience string) (devidp.Client, jose.Signer) {
	t.Helper()
	keys, signer := keyed(t, "platform")
	return devidp.Client{ID: "workload", Grants: []string{"client_credentials", bearerGrant}, Roles: []string{devidp.RoleApp},
		Federated: []devidp.Federated{{Issuer: "https://platform.example", Subject: "repo:acme/tools:main", Audience: audience, JWKS: keys.JWKS}}}, signer
}

const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func TestAPlatformVouchesForItsWorkload(t *testing.T) {
	for name, c := range map[string]struct {
		options devidp.Options
		aud     string
		scope   string
		numbers map[string]int // by what is wrong
	}{
		"standard": {devidp.Options{Resources: []string{"http://127.0.0.1:8000/mcp"}}, "", "execute", nil},
		"entra": {devidp.Options{Character: devidp.Entra}, "api://AzureADTokenExchange", devidp.EntraAPIURI + "/.default",
			map[string]int{"iss": 700211, "sub": 700213, "aud": 700212, "exp": 700024}},
	} {
		t.Run(name, func(t *testing.T) {
			client, signer := workload(t, "")
			_, stranger := keyed(t, "stranger")
			c.options.Clients = []devidp.Client{client}
			p := start(t, c.options)
			to := discover(t, p).Endpoint().TokenURL
			aud := c.aud
			if aud == "" {
				aud = p.Issuer()
			}
			good := func() map[string]any {
				return map[string]any{"iss": "https://platform.example", "sub": "repo:acme/tools:main", "aud": aud, "exp": time.Now().Add(time.Minute).Unix()}
			}
			ask := func(raw string, pairs ...string) answer {
				return post(t, to, form(url.Values{"grant_type": {"client_credentials"}, "client_id": {"workload"}, "scope": {c.scope},
					"client_assertion_type": {bearerType}, "client_assertion": {raw}}, pairs...))
			}
			raw := assertion(t, signer, good())
			ask(raw).ok(t)
			ask(raw).ok(t) // a platform's token is good until it expires
			for what, value := range map[string]any{"iss": "https://other.example", "sub": "repo:acme/tools:evil", "aud": []string{aud, "https://other.example"},
				"exp": time.Now().Add(-time.Second).Unix()} {
				t.Run("attack 37 another "+what+" is refused", func(t *testing.T) {
					bad := good()
					bad[what] = value
					got := ask(assertion(t, signer, bad))
					got.refused(t, 401, "invalid_client")
					if n := c.numbers[what]; n != 0 {
						got.aadsts(t, 401, "invalid_client", n)
					}
				})
			}
			t.Run("another key is refused", func(t *testing.T) { ask(assertion(t, stranger, good())).refused(t, 401, "invalid_client") })
			t.Run("another client is refused", func(t *testing.T) { ask(raw, "client_id", devidp.ClientService).refused(t, 401, "invalid_client") })
			t.Run("no assertion is refused", func(t *testing.T) {
				post(t, to, url.Values{"grant_type": {"client_credentials"}, "client_id": {"workload"}, "scope": {c.scope}}).refused(t, 401, "invalid_client")
			})
		})
	}
}

func TestAPlatformsTokenIsAGrantToo(t *testing.T) {
	client, signer := workload(t, "")
	p := start(t, devidp.Options{Clients: []devidp.Client{client}})
	good := map[string]any{"iss": "https://platform.example", "sub": "repo:acme/tools:main", "aud": p.URL, "exp": time.Now().Add(time.Minute).Unix()}
	ask := func(raw string, pairs ...string) answer {
		return post(t, p.URL+"/token", form(url.Values{"grant_type": {bearerGrant}, "client_id": {"workload"}, "scope": {"execute"},
			"resource": {"http://127.0.0.1:8000/mcp"}, "assertion": {raw}}, pairs...))
	}
	got := claims(t, ask(assertion(t, signer, good)).ok(t).str("access_token"))
	if got["sub"] != "workload" || got["aud"] != "http://127.0.0.1:8000/mcp" || got["scope"] != "execute" {
		t.Errorf("claims are %v", got)
	}
	t.Run("nothing is refused", func(t *testing.T) { ask("").refused(t, 400, "invalid_request") })
	t.Run("no JWT is refused", func(t *testing.T) { ask("hush").refused(t, 400, "invalid_grant") })
	t.Run("attack 37 for another client it is refused", func(t *testing.T) {
		ask(assertion(t, signer, good), "client_id", devidp.ClientService).refused(t, 400, "invalid_grant")
	})
	t.Run("without a client it is refused", func(t *testing.T) {
		ask(assertion(t, signer, good), "client_id", "").refused(t, 400, "invalid_request")
	})
}
