package signin_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestAProgramSignsInWithASecret(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		for _, method := range []string{"", "client_secret_basic", "client_secret_post"} {
			p, r := m.start(t)
			c := &signin.ClientCredentials{Provider: m.provider, Clients: signin.Clients{Known: []signin.Client{{Issuer: p.Issuer(), ID: m.service,
				Proof: signin.ClientSecret{Secret: devidp.ServiceSecret, Method: method}}}}}
			source, err := c.SignIn(t.Context(), r)
			if err != nil {
				t.Fatalf("%q: %v", method, err)
			}
			if got := claimsOf(t, source); got["iss"] != p.Issuer() {
				t.Errorf("claims %v", got)
			}
			first := access(t, source)
			r.Previous, r.Refused = source, signin.Secret(first)
			again, err := c.SignIn(t.Context(), r)
			if err != nil || again != source || access(t, again) == first {
				t.Errorf("a refused token is not replaced: %v", err)
			}
		}
	})
}

func TestAProgramAsksAnewBeforeItsTokenEnds(t *testing.T) {
	s := newServer(token("one", "", "", 100), token("two", "", "", 100))
	now := time.Now()
	c := &signin.ClientCredentials{Now: func() time.Time { return now }, Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c",
		Proof: signin.ClientSecret{Secret: "a secret: with%signs"}}}}}
	source, err := c.SignIn(t.Context(), s.request())
	if err != nil || access(t, source) != "one" {
		t.Fatal(err)
	}
	now = now.Add(90 * time.Second)
	if got := access(t, source); got != "two" {
		t.Error(got)
	}
	if f := s.forms[1]; f.Get("grant_type") != "client_credentials" || f.Get("scope") != "execute" || f.Has("client_id") || f.Has("client_secret") ||
		f.Get("resource") != "https://mcp.example/mcp" {
		t.Errorf("sent %v", f)
	}
}

// keys are private keys as programs have them. They take long to make.
var keys = sync.OnceValue(func() map[string]*signin.PrivateKey {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey.Public(), rsaKey)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return map[string]*signin.PrivateKey{
		"ES256":              {Key: ec, KeyID: "k"},
		"RS256":              {Key: rsaKey, KeyID: "k"},
		"PS256, certificate": {Key: rsaKey, Algorithm: "PS256", Certificate: certificate},
	}
})

func TestAProgramSignsInWithAKeyOfItsOwn(t *testing.T) {
	for name, key := range keys() {
		each(t, func(t *testing.T, m manner) {
			t.Run(name, func(t *testing.T) {
				public := jose.JSONWebKey{Key: key.Key.Public(), KeyID: key.KeyID}
				if key.Certificate != nil {
					public.Certificates = []*x509.Certificate{key.Certificate}
				}
				set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
				if err != nil {
					t.Fatal(err)
				}
				m.options.Clients = []devidp.Client{{ID: "keyed", JWKS: set, Grants: []string{"client_credentials"}, Roles: []string{devidp.RoleApp}}}
				p, r := m.start(t)
				c := &signin.ClientCredentials{Provider: m.provider, Clients: signin.Clients{Known: []signin.Client{{Issuer: p.Issuer(), ID: "keyed", Proof: key}}}}
				for range 2 { // an assertion counts once
					source, err := c.SignIn(t.Context(), r)
					if m.name == "entra" && key.Certificate == nil {
						if !errors.Is(err, signin.ErrProof) || p.Faults().TokenRequests() != 0 {
							t.Fatalf("a key that Entra cannot know is sent there: %v", err)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					claimsOf(t, source)
				}
			})
		})
	}
}

func TestACertificateAtEntraSignsWithPS256AndEnds(t *testing.T) {
	good := *keys()["PS256, certificate"]
	good.Algorithm = ""
	s := newServer(token("one", "", "", 100))
	now := time.Now()
	entra := idp.Entra("common")
	c := &signin.ClientCredentials{Provider: &entra, Now: func() time.Time { return now }, Scopes: []string{"api://a/.default"},
		Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c", Proof: &good}}}}
	if _, err := c.SignIn(t.Context(), s.request()); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(s.forms[0].Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	if err != nil || parsed.Headers[0].ExtraHeaders["x5t#S256"] == nil {
		t.Errorf("sent %v, %v", s.forms[0], err)
	}
	now = good.Certificate.NotAfter.Add(time.Second)
	if _, err := c.SignIn(t.Context(), s.request()); !errors.Is(err, signin.ErrProof) || len(s.forms) != 1 {
		t.Errorf("a certificate that is over: %v, %d requests", err, len(s.forms))
	}
}

func TestAnAssertionSaysWhoAsksWhomAndForHowLong(t *testing.T) {
	for name, key := range keys() {
		s := newServer(token("one", "", "", 100))
		r := s.request()
		c := &signin.ClientCredentials{Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c", Proof: key}}}}
		if _, err := c.SignIn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f := s.forms[0]
		if f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || f.Get("client_id") != "c" {
			t.Errorf("%s: sent %v", name, f)
		}
		parsed, err := jwt.ParseSigned(f.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
		if err != nil {
			t.Fatal(err)
		}
		var got jwt.Claims
		if err := parsed.Claims(key.Key.Public(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Issuer != "c" || got.Subject != "c" || !slices.Equal(got.Audience, []string{"https://as.example"}) || got.ID == "" ||
			got.Expiry.Time().Sub(got.IssuedAt.Time()) > 5*time.Minute {
			t.Errorf("%s: claims %+v", name, got)
		}
		header := parsed.Headers[0]
		if header.Algorithm != strings.Fields(strings.ReplaceAll(name, ",", ""))[0] || header.KeyID != key.KeyID {
			t.Errorf("%s: header %+v", name, header)
		}
		if key.Certificate != nil {
			sum := sha256.Sum256(key.Certificate.Raw)
			if header.ExtraHeaders["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
				t.Errorf("%s: x5t#S256 is %v", name, header.ExtraHeaders["x5t#S256"])
			}
		}
		if shown := fmt.Sprintf("%v %+v %#v", key, key, key); strings.Contains(shown, "Int") || len(shown) > 200 {
			t.Errorf("a key shows itself: %.200s", shown)
		}
	}
}

func TestAPrivateKeyIsReadFromAFile(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	file := func(key crypto.PrivateKey) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for _, row := range []struct {
		name string
		text []byte
		good bool
	}{
		{"on P-256", file(ec), true},
		{"on P-384 is refused", file(p384), false},
		{"of 1024 bits is refused", file(short), false},
		{"that is encrypted is refused", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), false},
		{"that is broken is refused", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hush")}), false},
		{"two of them are refused", append(file(ec), file(ec)...), false},
		{"none is refused", []byte("hush"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			k, err := signin.ReadPrivateKey(row.text)
			if row.good != (err == nil) || row.good && k.Key == nil || err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestEntra13_AProgramAsksForDefault(t *testing.T) {
	entra := manners()[1].provider
	for _, row := range []struct{ name, scopes, want string }{
		{"a named scope leads to .default of its API", "api://app/execute", "api://app/.default"},
		{".default stays", "api://app/.default", "api://app/.default"},
		{"a scope without an API leads nowhere", "execute", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			r.Challenge.Scopes = strings.Fields(row.scopes)
			c := &signin.ClientCredentials{Provider: entra, Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c", Proof: signin.ClientSecret{Secret: "s"}}}}}
			_, err := c.SignIn(t.Context(), r)
			if row.want == "" {
				if err == nil || !strings.Contains(err.Error(), "/.default") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || s.forms[0].Get("scope") != row.want {
				t.Errorf("sent %v, error %v", s.forms, err)
			}
		})
	}
}

func TestEntra16_ClaimsThatAreAskedForGoAlong(t *testing.T) {
	m := manners()[1]
	_, r := m.start(t)
	r.StepUp, r.Claims = true, `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
	who := &person{t: t, user: devidp.UserUser}
	source, err := (&signin.Browser{ClientID: m.client, Provider: m.provider, Open: who.open}).SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Access struct {
			NBF json.RawMessage           `json:"nbf"`
			CC  struct{ Values []string } `json:"xms_cc"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(who.pages[0].Query().Get("claims")), &sent); err != nil || len(sent.Access.NBF) == 0 || !slices.Equal(sent.Access.CC.Values, []string{"cp1"}) {
		t.Errorf("claims %v, %v", who.pages[0].Query().Get("claims"), err)
	}
	if claimsOf(t, source)["xms_cc"] == nil {
		t.Error("the token does not say that this client can be challenged")
	}
	r.Claims = `["no object"]`
	if _, err := (&signin.Browser{ClientID: m.client, Provider: m.provider, Open: who.open}).SignIn(t.Context(), r); err == nil || !strings.Contains(err.Error(), "JSON object") {
		t.Errorf("error %v", err)
	}
}

func TestATokenIsExchanged(t *testing.T) {
	m := manners()[0]
	p, r := m.start(t)
	who := &person{t: t, user: devidp.UserUser}
	subject, err := (&signin.Browser{ClientID: m.client, Open: who.open}).SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	e := &signin.Exchange{
		Subject: signin.Subject{Token: func(context.Context) (signin.Secret, error) { return signin.Secret(access(t, subject)), nil }},
		Clients: signin.Clients{Known: []signin.Client{{Issuer: p.Issuer(), ID: devidp.ClientAPI, Proof: signin.ClientSecret{Secret: devidp.APISecret}}}},
	}
	source, err := e.SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	got, was := claimsOf(t, source), claimsOf(t, subject)
	if got["sub"] != was["sub"] || got["act"].(map[string]any)["sub"] != devidp.ClientAPI {
		t.Errorf("claims %v", got)
	}
	e.Subject.Token = func(context.Context) (signin.Secret, error) { return "", nil }
	if _, err := e.SignIn(t.Context(), r); !errors.Is(err, signin.ErrNeeded) {
		t.Errorf("without a subject: error %v", err)
	}
}

// company is an identity provider that gives ID-JAGs, beside the server.
type company struct {
	*server
	forms  []url.Values
	answer string
}

func (c *company) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "idp.example" {
		return c.server.RoundTrip(r)
	}
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	c.forms = append(c.forms, r.PostForm)
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteString(c.answer)
	return rw.Result(), nil
}

func TestACompanysProviderSpeaksForAPerson(t *testing.T) {
	const jag = `{"access_token":"jag","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"N_A"}`
	for _, row := range []struct {
		name, answer string
		good         bool
	}{
		{"with an assertion", jag, true},
		{"but an access token is no assertion", `{"access_token":"at","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"}`, false},
		{"but what it calls something else is no assertion", `{"access_token":"at","issued_token_type":"urn:ietf:params:oauth:token-type:jwt","token_type":"N_A"}`, false},
		{"but says no", `{"error":"access_denied"}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &company{server: newServer(token("one", "", "", 100)), answer: row.answer}
			r := c.request()
			r.HTTPClient = &http.Client{Transport: c}
			e := &signin.Enterprise{
				IDP:     signin.EnterpriseIDP{Issuer: "https://idp.example", TokenEndpoint: "https://idp.example/token", ClientID: "at-idp"},
				Subject: signin.Subject{Token: func(context.Context) (signin.Secret, error) { return "the-id-token", nil }},
				Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "at-as", Proof: signin.ClientSecret{Secret: "s", Method: "client_secret_post"}}}},
			}
			source, err := e.SignIn(t.Context(), r)
			f := c.forms[0]
			if f.Get("audience") != "https://as.example" || f.Get("resource") != "https://mcp.example/mcp" || f.Get("client_id") != "at-idp" ||
				f.Get("subject_token_type") != signin.TypeIDToken || f.Get("subject_token") != "the-id-token" {
				t.Errorf("the provider is asked %v", f)
			}
			if !row.good {
				if err == nil || len(c.server.forms) != 0 {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f := c.server.forms[0]; access(t, source) != "one" || f.Get("assertion") != "jag" || f.Get("client_id") != "at-as" || f.Has("subject_token") {
				t.Errorf("the authorization server is asked %v", f)
			}
		})
	}
}

func TestAWorkloadIsRefusedOnce(t *testing.T) {
	s := newServer(refuse("invalid_grant"))
	asked := ""
	w := &signin.Workload{ClientID: "c", Assertion: func(_ context.Context, audience string) (signin.Secret, error) {
		asked = audience
		return "the-jwt", nil
	}}
	_, err := w.SignIn(t.Context(), s.request())
	var refused *signin.Error
	if !errors.As(err, &refused) || refused.Code != "invalid_grant" || len(s.forms) != 1 || asked != "https://as.example" ||
		s.forms[0].Get("assertion") != "the-jwt" || s.forms[0].Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		t.Errorf("error %v, sent %v", err, s.forms)
	}
}

func TestAPlatformsTokenProvesAClientAtEntra(t *testing.T) {
	s := newServer(token("one", "", "", 100))
	r := s.request()
	r.Challenge.Scopes = []string{"api://app/execute"}
	asked := ""
	c := &signin.ClientCredentials{Provider: manners()[1].provider, Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c",
		Proof: signin.ClientAssertion{Assertion: func(_ context.Context, audience string) (signin.Secret, error) {
			asked = audience
			return "the-jwt", nil
		}}}}}}
	if _, err := c.SignIn(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if f := s.forms[0]; asked != "api://AzureADTokenExchange" || f.Get("client_assertion") != "the-jwt" || f.Get("scope") != "api://app/.default" {
		t.Errorf("asked for %q, sent %v", asked, f)
	}
}

// The server that is called names the authorization server. One that is malicious names its own, which registers everybody.
func TestC10_Attack59_AWorkloadsTokenGoesToItsOwnIssuerOnly(t *testing.T) {
	p, r := manners()[0].start(t)
	asked := 0
	token := func(context.Context) (signin.Secret, error) { asked++; return "a-token-of-the-platform", nil }
	anyone := signin.Clients{Register: &oauth.ClientMetadata{ClientName: "test"}}
	for name, flow := range map[string]interface {
		SignIn(context.Context, *signin.Request) (oauth2.TokenSource, error)
	}{
		"workload": &signin.Workload{Clients: anyone, Issuer: "https://sso.example.com",
			Assertion: func(ctx context.Context, _ string) (signin.Secret, error) { return token(ctx) }},
		"exchange": &signin.Exchange{Clients: anyone, Issuer: p.Issuer() + "/", Subject: signin.Subject{Token: token}},
	} {
		if _, err := flow.SignIn(t.Context(), r); !errors.Is(err, signin.ErrOtherIssuer) || asked != 0 {
			t.Errorf("%s: error %v, and the token was asked for %d times", name, err, asked)
		}
	}
}

// A platform writes another token into the file before the first one ends. A sign-in that outlives the first shows the second.
func TestATokenFileThatThePlatformRotatesIsReadForEachUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	mount := func(token string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil { // as Kubernetes does
			t.Fatal(err)
		}
	}
	type signsIn interface {
		SignIn(context.Context, *signin.Request) (oauth2.TokenSource, error)
	}
	for name, flow := range map[string]func(func() time.Time) signsIn{
		"client_assertion": func(now func() time.Time) signsIn {
			return &signin.ClientCredentials{Now: now, Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c",
				Proof: signin.ClientAssertion{Assertion: workload.TokenFile(path)}}}}}
		},
		"assertion": func(now func() time.Time) signsIn {
			return &signin.Workload{Now: now, ClientID: "c", Assertion: workload.TokenFile(path)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100), token("two", "", "", 100), token("three", "", "", 100))
			now := time.Now()
			mount("first")
			source, err := flow(func() time.Time { return now }).SignIn(t.Context(), s.request())
			if err != nil || access(t, source) != "one" {
				t.Fatal(err)
			}
			mount("second")
			now = now.Add(90 * time.Second)
			if got := access(t, source); got != "two" || s.forms[0].Get(name) != "first" || s.forms[1].Get(name) != "second" {
				t.Errorf("%s, sent %v", got, s.forms)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			now = now.Add(200 * time.Second) // the token at hand has ended, and there is no other
			if _, err := source.Token(); !errors.Is(err, signin.ErrProof) {
				t.Errorf("error %v", err)
			}
		})
	}
}
