package cli_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

const vouched key = "vouched"

// The issuers of platforms, and the workloads that the client "workload" of a world of programs stands for.
var platforms = map[string]struct{ issuer, subject string }{
	"kubernetes": {"https://kubernetes.default.svc", "system:serviceaccount:reports:nightly"},
	"github":     {"https://token.actions.githubusercontent.com", "repo:acme/tools:ref:refs/heads/main"},
	"azure":      {"https://login.microsoftonline.com/" + devidp.EntraTenant + "/v2.0", "2c6e1a57-4f0b-4b0e-8f36-6f1b3a6e9d70"},
}

// programCommands are the commands of scripts about programs that sign in by themselves:
//
//	world standard|entra programs    a world whose provider knows programs: keyed-es256 and keyed-rs256 by the keys in the files
//	                                 es256.pem and rs256.pem, certified by the certificate in certificate.pem, workload by what a
//	                                 platform says; strange.pem is a key that nobody knows, ended.pem a certificate that is over
//	mounted FILE PLATFORM [AGE]      write the token that a platform gives the workload, which may have ended AGE ago
//	platform github|function|machine answers|hangs|babbles|STATUS    start the token endpoint of a platform, and set the
//	                                 variables by which it tells its programs
//	asked NAME VALUE…                what the endpoint of the platform was asked last: a query parameter
//	world standard company           a world that trusts a company's provider, $company: it gives the client agent, whose secret
//	                                 is in agent.secret, ID-JAGs for the client agent-there, whose secret is in there.secret
//	idtoken USER FILE                USER signs in at the company with the client agent, and FILE is the ID token
func programCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"mounted": mounted, "platform": platform, "asked": asked, "idtoken": idToken,
	}
}

// vouching is what stands behind the programs of a script: the key of all platforms, and what one of them was asked.
type vouching struct {
	key *ecdsa.PrivateKey

	mu   sync.Mutex
	last *http.Request
}

// ofPrograms tells a provider of programs, and writes their keys into the folder of the script.
func ofPrograms(ts *testscript.TestScript) func(*devidp.Options) {
	v := &vouching{key: newEC(ts)}
	ts.Value(vouched).(map[string]*vouching)["it"] = v
	es256, strange := newEC(ts), newEC(ts)
	rs256, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	cert, ended := certificateOf(ts, rs256, time.Hour), certificateOf(ts, rs256, -time.Hour)
	writePEM(ts, "es256.pem", es256)
	writePEM(ts, "rs256.pem", rs256)
	writePEM(ts, "strange.pem", strange)
	writePEM(ts, "certificate.pem", rs256, cert)
	writePEM(ts, "ended.pem", rs256, ended)

	credentials := []string{"client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"}
	workload := devidp.Client{ID: "workload", Grants: credentials, Roles: []string{devidp.RoleApp}}
	for _, name := range []string{"kubernetes", "github", "azure"} {
		workload.Federated = append(workload.Federated, devidp.Federated{
			Issuer: platforms[name].issuer, Subject: platforms[name].subject, JWKS: keySet(ts, jose.JSONWebKey{Key: v.key.Public()})})
	}
	return func(o *devidp.Options) {
		o.Clients = append(o.Clients, workload,
			devidp.Client{ID: "keyed-es256", JWKS: keySet(ts, jose.JSONWebKey{Key: es256.Public()}), Grants: credentials, Roles: workload.Roles},
			devidp.Client{ID: "keyed-rs256", JWKS: keySet(ts, jose.JSONWebKey{Key: rs256.Public()}), Grants: credentials, Roles: workload.Roles},
			devidp.Client{ID: "certified", JWKS: keySet(ts, jose.JSONWebKey{Key: rs256.Public(), Certificates: []*x509.Certificate{cert}}), Grants: credentials, Roles: workload.Roles})
	}
}

func newEC(ts *testscript.TestScript) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	return key
}

func certificateOf(ts *testscript.TestScript, key crypto.Signer, left time.Duration) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(left)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	return cert
}

func keySet(ts *testscript.TestScript, key jose.JSONWebKey) json.RawMessage {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	ts.Check(err)
	return set
}

// writePEM writes a key, and certificates below it, as programs keep them. The lines of the key are secrets.
func writePEM(ts *testscript.TestScript, name string, key crypto.Signer, certs ...*x509.Certificate) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "-----") {
			suite.Learn("private key", strings.TrimSpace(line))
		}
	}
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o600))
}

// says is a token that a platform gives the workload.
func (v *vouching) says(ts *testscript.TestScript, platform, audience string, left time.Duration) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: v.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	end := time.Now().Add(left)
	token, err := jwt.Signed(signer).Claims(map[string]any{"iss": platforms[platform].issuer, "sub": platforms[platform].subject, "aud": audience,
		"iat": end.Add(-time.Hour).Unix(), "exp": end.Unix(), "jti": rand.Text()}).Serialize()
	suite.Learn("token of a platform", token)
	return token, err
}

func mounted(ts *testscript.TestScript, _ bool, args []string) {
	left := 10 * time.Minute
	if len(args) > 2 {
		age, err := time.ParseDuration(args[2])
		ts.Check(err)
		left = -age
	}
	audience := ts.Getenv("issuer")
	if strings.HasSuffix(audience, "/v2.0") {
		audience = "api://AzureADTokenExchange"
	}
	token, err := ts.Value(vouched).(map[string]*vouching)["it"].says(ts, args[1], audience, left)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}

// platform is the token endpoint of GitHub Actions, of a function in Azure, or of a virtual machine there. Each wants to be
// asked as it is written down.
func platform(ts *testscript.TestScript, _ bool, args []string) {
	kind, way, secret := args[0], args[1], rand.Text()
	suite.Learn("secret of a platform", secret)
	v := ts.Value(vouched).(map[string]*vouching)["it"]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.last = r
		v.mu.Unlock()
		right := map[string]bool{
			"github":   r.Header.Get("Authorization") == "bearer "+secret && r.URL.Query().Get("api-version") == "2.0",
			"function": r.Header.Get("X-IDENTITY-HEADER") == secret && r.URL.Query().Get("api-version") == "2019-08-01",
			"machine":  r.Header.Get("Metadata") == "true" && r.URL.Path == "/metadata/identity/oauth2/token",
		}[kind]
		status, notStatus := strconv.Atoi(way)
		switch {
		case !right:
			http.Error(w, "asked in another way: "+secret, http.StatusBadRequest)
		case way == "hangs":
			<-r.Context().Done()
		case way == "babbles":
			fmt.Fprint(w, "<html>"+secret)
		case notStatus == nil:
			http.Error(w, secret, status)
		default:
			name, audience, member := "azure", r.URL.Query().Get("resource"), "access_token"
			if kind == "github" {
				name, audience, member = "github", r.URL.Query().Get("audience"), "value"
			}
			token, err := v.says(ts, name, audience, 10*time.Minute)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			json.NewEncoder(w).Encode(map[string]string{member: token})
		}
	}))
	ts.Defer(func() { srv.CloseClientConnections(); srv.Close() })
	for _, name := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"} {
		ts.Setenv(name, "")
	}
	switch kind {
	case "github":
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", srv.URL+"/token?api-version=2.0")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", secret)
	case "function":
		ts.Setenv("IDENTITY_ENDPOINT", srv.URL+"/msi/token")
		ts.Setenv("IDENTITY_HEADER", secret)
	case "machine":
		ts.Setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", srv.URL)
	}
}

func asked(ts *testscript.TestScript, _ bool, args []string) {
	v := ts.Value(vouched).(map[string]*vouching)["it"]
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		ts.Fatalf("nothing was asked")
	}
	if got := v.last.URL.Query().Get(args[0]); got != strings.Join(args[1:], " ") {
		ts.Fatalf("%s is %q", args[0], got)
	}
}

const (
	agentSecret = "secret-of-the-agent-at-its-company"
	thereSecret = "secret-of-the-agent-at-the-server"
)

// ofCompany starts a company's provider, and lets another trust it.
func ofCompany(ts *testscript.TestScript) func(*devidp.Options) {
	for name, secret := range map[string]string{"agent.secret": agentSecret, "there.secret": thereSecret} {
		suite.Learn("client secret", secret)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(secret), 0o600))
	}
	return func(o *devidp.Options) {
		ctx, cancel := context.WithCancel(context.Background())
		company, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Around: suite.Watch, Clients: []devidp.Client{{
			ID: "agent", Secret: agentSecret, RedirectURIs: []string{"http://127.0.0.1/callback"},
			Grants: []string{"authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"},
			Apps:   []devidp.App{{Issuer: o.Issuer, ClientID: "agent-there", Scopes: []string{"execute"}}},
		}}})
		ts.Check(err)
		ts.Defer(func() { cancel(); company.Wait() })
		ts.Value(providers).(map[string]*devidp.Running)["company"] = company
		ts.Setenv("company", company.Issuer())
		o.Enterprises = []devidp.Enterprise{{Issuer: company.Issuer(), JWKSURI: company.URL + "/jwks"}}
		o.Clients = append(o.Clients, devidp.Client{ID: "agent-there", Secret: thereSecret, Grants: []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"}})
	}
}

func idToken(ts *testscript.TestScript, _ bool, args []string) {
	at := ts.Getenv("company")
	c := &oauth2.Config{ClientID: "agent", ClientSecret: agentSecret, RedirectURL: "http://127.0.0.1/callback", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: at + "/authorize", TokenURL: at + "/token"}}
	verifier := oauth2.GenerateVerifier()
	to, err := new(devidp.Visitor).SignIn(context.Background(), c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), args[0])
	ts.Check(err)
	tokens, err := c.Exchange(context.Background(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	ts.Check(err)
	token, _ := tokens.Extra("id_token").(string)
	suite.Learn("ID token", token)
	ts.Check(os.WriteFile(filepath.Clean(ts.MkAbs(args[1])), []byte(token), 0o600))
}
