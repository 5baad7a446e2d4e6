package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// everyPlace says something in each place.
var everyPlace = place{
	args:    []string{"--addr=127.0.0.1:0", "--no-auth=false", "--scopes-tools=convert_time=time:convert"},
	environ: []string{"FASTMCP_AUTH_TRUSTED_PROXIES=10.0.0.0/8,fd00::/8", "FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET=hunter2"},
	files: map[string]string{
		".env":              "# who\nTENANT_ID=" + guid + "\nAPI_AUDIENCE=api://reverse\nFASTMCP_AUTH_LIMITS_BODY=2MiB\n",
		"fastmcp-auth.yaml": "provider:\n  introspection:\n    url: https://idp.example.com/introspect\n    client_id: reverse\nlog: {level: debug}\n",
	},
}

func TestExplainShowsEachValueAndItsOrigin(t *testing.T) {
	s, err := everyPlace.load(t)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON bytes.Buffer
	if err := s.Print(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := s.Print(&asJSON, true); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"explain.txt": text.String(), "explain.json": asJSON.String()} {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s", name, got)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s shows the secret", name)
		}
	}
	var rows []Row
	if err := json.Unmarshal(asJSON.Bytes(), &rows); err != nil || !slices.Equal(rows, s.Explain()) {
		t.Errorf("the JSON is %v, %v", rows, err)
	}
	if got := string(s.Provider.Introspection.ClientSecret); got != "hunter2" {
		t.Errorf("the secret cannot be used: %q", got)
	}
	if printed := fmt.Sprintf("%v %+v %#v", *s, *s, *s); strings.Contains(printed, "hunter2") {
		t.Errorf("the settings print the secret: %s", printed)
	}
	s.Explain()[0].Value = "changed"
	if s.Explain()[0].Value == "changed" {
		t.Error("a caller can change the settings' rows")
	}
}

func TestASecretMayStandInAFile(t *testing.T) {
	base := []string{"--provider-kind=oidc", "--provider-issuer=https://idp.example.com", "--provider-introspection-url=https://idp.example.com/i", "--provider-introspection-client-id=x"}
	with := append(slices.Clone(base), "--provider-introspection-client-secret-file=secret")
	for _, tt := range []struct{ name, body, want, fault string }{
		{"as it is", "hunter2", "hunter2", ""},
		{"with the editor's line end", "hunter2\n", "hunter2", ""},
		{"with Windows' line end", "hunter2\r\n", "hunter2", ""},
		{"with two line ends", "hunter2\n\n", "", "has a space or a line end at its beginning or end; leave it out"},
		{"with a space", "hunter2 ", "", "has a space or a line end at its beginning or end; leave it out"},
		{"empty", "\n", "", "is empty; give a value, or leave it out"},
		{"too large", strings.Repeat("x", maxValue+1), "", "is larger than 8KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := place{args: with, files: map[string]string{"secret": tt.body}}.load(t)
			if tt.fault != "" {
				if want := "--provider-introspection-client-secret-file: secret " + tt.fault; err == nil || err.Error() != want {
					t.Fatalf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(s.Provider.Introspection.ClientSecret); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
	if got := faultsOf(t, place{args: with}); got != "--provider-introspection-client-secret-file: secret is not there" {
		t.Errorf("got %s", got)
	}
	both := place{args: with, files: map[string]string{"secret": "x"}, environ: []string{"FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET=y"}}
	if got := faultsOf(t, both); got != "--provider-introspection-client-secret-file: says the secret a second time, beside FASTMCP_AUTH_PROVIDER_INTROSPECTION_CLIENT_SECRET; leave one of them out" {
		t.Errorf("got %s", got)
	}
}

func TestTheCertificateIsTried(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"cert.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"key.pem":   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"other.pem": "nothing",
	}
	for args, want := range map[string]string{
		"--tls-cert=cert.pem --tls-key=key.pem":   "",
		"--tls-cert=gone.pem --tls-key=away.pem":  "--tls-cert: gone.pem is not there\n--tls-key: away.pem is not there",
		"--tls-cert=cert.pem --tls-key=other.pem": "--tls-cert: cert.pem and other.pem are no certificate with its key: failed to find any PEM data in key input",
	} {
		if got := faultsOf(t, place{args: strings.Fields(args), files: files}); got != want {
			t.Errorf("%s: got %s, want %s", args, got, want)
		}
	}
}

func TestProvidersAreThoseThatWereDescribed(t *testing.T) {
	deny := func(p idp.Provider) idp.Provider { p.Guests = idp.GuestsDenied; return p }
	audience := func(p idp.Provider, a ...string) idp.Provider { p.Audience = a; return p }
	tenants := func(p idp.Provider, a ...string) idp.Provider { p.Tenants = a; return p }
	for _, tt := range []struct {
		name, args string
		want       []idp.Provider
	}{
		{"none, since the server starts its own", "", nil},
		{"none, since nobody signs in", "--no-auth --provider-kind google --provider-audience x", nil},
		{"Entra", "--provider-kind entra --provider-audience a,b --provider-tenant " + guid, []idp.Provider{audience(idp.Entra(guid), "a", "b")}},
		{"Entra 23 without guests", "--provider-kind entra --provider-guests deny --provider-audience a --provider-tenant " + guid, []idp.Provider{deny(audience(idp.Entra(guid), "a"))}},
		{"Entra 7 for some tenants", "--provider-kind entra --provider-audience a --provider-tenant common --provider-tenants " + other, []idp.Provider{tenants(audience(idp.Entra("common"), "a"), other)}},
		{"Entra 24 in the cloud of the United States", "--provider-kind entra --provider-cloud usgov --provider-audience a --provider-tenant " + guid, []idp.Provider{audience(idp.EntraIn(idp.EntraUSGov, guid), "a")}},
		{"Entra 24 in the cloud of China", "--provider-kind entra --provider-cloud china --provider-audience a --provider-tenant " + guid, []idp.Provider{audience(idp.EntraIn(idp.EntraChina, guid), "a")}},
		{"Keycloak by base URL and realm", "--provider-kind keycloak --provider-issuer https://sso.example.com/auth --provider-realm main", []idp.Provider{idp.Keycloak("https://sso.example.com/auth", "main")}},
		{"Keycloak by issuer", "--provider-kind keycloak --provider-issuer https://sso.example.com/realms/main", []idp.Provider{idp.Keycloak("https://sso.example.com", "main")}},
		{"Auth0", "--provider-kind auth0 --provider-domain example.eu.auth0.com", []idp.Provider{idp.Auth0("example.eu.auth0.com")}},
		{"Okta", "--provider-kind okta --provider-domain example.okta.com --provider-server aus1", []idp.Provider{idp.Okta("example.okta.com", "aus1")}},
		{"Okta's default server", "--provider-kind okta --provider-domain example.okta.com", []idp.Provider{idp.Okta("example.okta.com", "default")}},
		{"Google", "--provider-kind google --provider-audience x", []idp.Provider{audience(idp.Google(), "x")}},
		{"any OpenID provider", "--provider-kind oidc --provider-issuer https://idp.example.com/a/", []idp.Provider{idp.OIDC("https://idp.example.com/a/")}},
		{"a development provider that runs", "--provider-kind dev --provider-issuer http://127.0.0.1:9000", []idp.Provider{idp.Dev("http://127.0.0.1:9000")}},
		{"one that behaves like Entra", "--provider-kind dev --provider-audience x --provider-issuer http://127.0.0.1:9000/" + guid + "/v2.0",
			[]idp.Provider{audience(idp.EntraIn(idp.EntraCloud{Login: "http://127.0.0.1:9000", STS: "http://127.0.0.1:9000"}, guid), "x")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := flags(tt.args).load(t)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Providers()
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if len(got[i].Audience) == 0 {
					got[i].Audience = nil
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
			if s.StartsDevProvider() != (tt.args == "") {
				t.Errorf("it starts the development provider: %v", s.StartsDevProvider())
			}
		})
	}
	for _, s := range []*Settings{{Provider: Provider{Kind: "entraa"}}, {Provider: Provider{Kind: "entra", Cloud: "mars"}}} {
		if got, err := s.Providers(); err == nil {
			t.Errorf("got %v", got)
		}
	}
}
