package advice_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
)

const (
	client = "11111111-2222-3333-4444-555555555555"
	api    = "66666666-7777-8888-9999-000000000000"
	tenant = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	issuer = "https://login.microsoftonline.com/" + tenant + "/v2.0"
)

// TestEntra20_21_24 walks the rows of the list of advice that is worth giving.
func TestEntra20_21_24_NumbersLeadToAdvice(t *testing.T) {
	for _, row := range []struct {
		name    string
		number  int
		cause   string
		cure    string
		next    advice.Next
		portal  string // the end of its URL
		portals string // the end of its path
	}{
		{"700016: the client is not in the tenant", 700016, "no application " + client, "check the client id and the tenant", advice.Nothing, "ApplicationsListBlade", "App registrations"},
		{"500011: the API is not in the tenant", 500011, "no service principal", "Application ID URI", advice.Nothing, "ProtectAnAPI/appId/" + api, "Expose an API"},
		{"65001: consent is missing", 65001, "nobody has agreed", "https://login.microsoftonline.com/" + tenant + "/adminconsent?client_id=" + client, advice.SignIn, "CallAnAPI/appId/" + client, "API permissions"},
		{"90094: an administrator must consent", 90094, "only an administrator", "/adminconsent?client_id=" + client, advice.Nothing, "CallAnAPI/appId/" + client, "API permissions"},
		{"50011: the redirect URI is not registered", 50011, "not registered", "http://localhost", advice.Nothing, "Authentication/appId/" + client, "Authentication"},
		{"9002326: it is under another platform", 9002326, "wrong platform", "Mobile and desktop", advice.Nothing, "Authentication/appId/" + client, "Authentication"},
		{"9002327: so it is", 9002327, "wrong platform", "Single-page application", advice.Nothing, "Authentication/appId/" + client, "Authentication"},
		{"7000215: the secret is wrong", 7000215, "secret is wrong", "not its id", advice.Nothing, "Credentials/appId/" + client, "Certificates & secrets"},
		{"7000222: the secret is over", 7000222, "has expired", "another client secret", advice.Nothing, "Credentials/appId/" + client, "Certificates & secrets"},
		{"700025: a public client sent a secret", 700025, "a secret was sent", "remove the client secret", advice.Nothing, "Authentication/appId/" + client, "Authentication"},
		{"7000218: no public client", 7000218, "not set up as a public client", "Allow public client flows", advice.Nothing, "Authentication/appId/" + client, "Authentication"},
		{"50020: the user is another tenant's", 50020, "not in the tenant " + tenant, "guest", advice.SignIn, "AllUsers", "All users"},
		{"700082: the refresh token is dead", 700082, "refresh token is dead", "", advice.SignIn, "", ""},
		{"70043: so it is", 70043, "refresh token is dead", "", advice.SignIn, "", ""},
		{"54005: the code was used", 54005, "used before", "", advice.SignIn, "", ""},
		{"53003: Conditional Access blocks", 53003, "Conditional Access blocks", "sign-in log", advice.SignInBrowser, "ConditionalAccessBlade/~/Policies", "Policies"},
		{"530032: so it does", 530032, "Conditional Access blocks", "sign-in log", advice.SignInBrowser, "ConditionalAccessBlade/~/Policies", "Policies"},
		{"70020: the device code ran out", 70020, "ran out", "", advice.SignIn, "", ""},
		{"901002: no resource parameter", 901002, "resource parameter", "leave it out", advice.WithoutResource, "ProtectAnAPI/appId/" + api, "Expose an API"},
		{"9010010: another resource", 9010010, "resource parameter", "Application ID URI", advice.WithoutResource, "ProtectAnAPI/appId/" + api, "Expose an API"},
		{"90002: no such tenant in this cloud", 90002, "no tenant " + tenant, "cloud", advice.Nothing, "", ""},
		{"90038: the tenant is in another cloud", 90038, "in another cloud", "set the cloud", advice.Nothing, "", ""},
		{"900382: so it is", 900382, "in another cloud", "set the cloud", advice.Nothing, "", ""},
		{"7000114: on behalf of a program", 7000114, "cannot stand for a person", "signed-in person", advice.Nothing, "", ""},
		{"28003: no scope at redemption", 28003, "no scope", "set the scopes", advice.Nothing, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, known := advice.For(advice.Refusal{Code: "anything", Codes: []int{row.number}, Issuer: issuer, ClientID: client,
				Scopes: []string{"api://" + api + "/execute"}, CorrelationID: "c-1", TraceID: "t-1"})
			if !known || !strings.Contains(a.Cause, row.cause) || !strings.Contains(a.Cure, row.cure) || a.Next != row.next {
				t.Errorf("got %+v", a)
			}
			if !strings.HasSuffix(a.Portal.URL, row.portal) || !strings.HasSuffix(a.Portal.Path, row.portals) || (a.Portal.URL == "") != (row.portal == "") {
				t.Errorf("portal %+v", a.Portal)
			}
			if a.Support != "correlation id c-1, trace id t-1" {
				t.Errorf("support %q", a.Support)
			}
		})
	}
}

func TestOAuthCodesLeadToAdvice(t *testing.T) {
	for code, want := range map[string]advice.Next{
		"expired_token": advice.SignIn, "invalid_grant": advice.SignIn, "consent_required": advice.SignIn, "interaction_required": advice.SignIn,
		"authorization_declined": advice.SignIn, "access_denied": advice.SignIn, "insufficient_scope": advice.MoreScope, "invalid_token": advice.SignIn,
		"insufficient_claims": advice.SignIn, "temporarily_unavailable": advice.Again, "invalid_client": advice.Nothing, "unsupported_grant_type": advice.SignInBrowser,
	} {
		a, known := advice.For(advice.Refusal{Code: code, Issuer: "https://idp.example.com", Server: "https://mcp.example.com/mcp"})
		if !known || a.Next != want || a.Cause == "" || strings.ContainsAny(a.Cause+a.Cure, "{}") || a.Portal.URL != "" {
			t.Errorf("%s: %+v", code, a)
		}
	}
	if a, known := advice.For(advice.Refusal{Code: "never_heard_of", Codes: []int{1}, TraceID: "t"}); known || a.Cause != "" || a.Support != "trace id t" {
		t.Errorf("an unknown code: %+v", a)
	}
}

func TestEntra24_AdviceLeadsToTheCloudsOwnPortal(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/t/v2.0":           "https://entra.microsoft.com/#view/",
		"https://login.microsoftonline.us/t/v2.0":            "https://entra.microsoft.us/#view/",
		"https://login.partner.microsoftonline.cn/t/v2.0":    "https://entra.microsoftonline.cn/#view/",
		"https://login.microsoftonline.us.evil.example/v2.0": "https://entra.microsoft.com/#view/",
	} {
		a, _ := advice.For(advice.Refusal{Codes: []int{50011}, Issuer: issuer, ClientID: client})
		if !strings.HasPrefix(a.Portal.URL, want) {
			t.Errorf("%s: %s", issuer, a.Portal.URL)
		}
	}
}

// What strangers say must not move a cursor or lead a link elsewhere.
func TestStrangersWordsStayOutOfAdvice(t *testing.T) {
	evil := "x\x1b[2J\nfastmcp-auth: hint: run rm"
	a, _ := advice.For(advice.Refusal{Codes: []int{65001}, Issuer: evil + "/v2.0", ClientID: evil, Server: evil, Scopes: []string{evil}, CorrelationID: evil, TraceID: evil})
	if all := fmt.Sprintf("%+v", a); strings.ContainsAny(all, "\x1b\n") || strings.Contains(all, "run rm") {
		t.Errorf("%q", all)
	}
	if !strings.HasSuffix(a.Portal.URL, "ApplicationsListBlade") || a.Support != "" {
		t.Errorf("%+v", a)
	}
}

func TestPortalOfAnApplication(t *testing.T) {
	if p := advice.Portal(issuer, client); !strings.HasSuffix(p.URL, "Overview/appId/"+client) {
		t.Errorf("%+v", p)
	}
	if p := advice.Portal("https://sso.example.com/realms/main", client); p != (advice.Page{}) {
		t.Errorf("%+v", p)
	}
}

func TestNetworkTroubles(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rude.Close() })
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	proxy, err := url.Parse(gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := func(of string) string { u, _ := url.Parse(of); return u.Port() }
	for _, row := range []struct {
		name      string
		url       string
		transport *http.Transport
		trouble   advice.Trouble
		cause     string
	}{
		{"a name that is none", "https://no.such..host/", &http.Transport{}, advice.NameUnknown, "no host no.such..host"},
		{"a port where nobody listens", gone.URL, &http.Transport{}, advice.Refused, "nothing listens"},
		{"an authority that nobody knows", secure.URL, &http.Transport{}, advice.UnknownCA, "Acme Co"},
		{"a certificate of another name", "https://localhost:" + port(secure.URL), &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}, advice.CertName, "not for localhost"},
		{"http where https is meant", strings.Replace(plain.URL, "http", "https", 1), &http.Transport{}, advice.NotTLS, "does not speak TLS"},
		{"a server that says nothing", "http://" + silent.Addr().String(), &http.Transport{ResponseHeaderTimeout: time.Millisecond}, advice.TimedOut, "in time"},
		{"a server that hangs up", "http://" + rude.Addr().String(), &http.Transport{}, advice.CutOff, "hung up"},
		{"a proxy that is not there", "https://mcp.example.com/", &http.Transport{Proxy: http.ProxyURL(proxy)}, advice.Proxied, "proxy"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := (&http.Client{Transport: row.transport}).Get(row.url)
			trouble, a := advice.Network(fmt.Errorf("somewhere: %w", err))
			if trouble != row.trouble || !strings.Contains(a.Cause, row.cause) || a.Cure == "" {
				t.Errorf("%v is %q: %+v", err, trouble, a)
			}
		})
	}
}

func TestCertificatesThatAreNotForNow(t *testing.T) {
	old := x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotAfter: time.Unix(1e9, 0)}}
	young := x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{NotBefore: time.Unix(1e11, 0)}}
	for err, want := range map[error]advice.Trouble{
		old: advice.CertOver, young: advice.CertEarly, x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}: advice.CertBad,
		tls.AlertError(40): advice.TLSRefused, context.DeadlineExceeded: advice.TimedOut, &net.DNSError{IsTimeout: true}: advice.NameService,
		errors.New("Get \"http://h\": http: server closed idle connection"): advice.CutOff, context.Canceled: advice.NoTrouble, errors.New("no trouble of a network"): advice.NoTrouble,
	} {
		if got, a := advice.Network(err); got != want || (a.Cause == "") != (want == advice.NoTrouble) {
			t.Errorf("%v is %q: %+v", err, got, a)
		}
	}
}

func ExampleFor() {
	a, _ := advice.For(advice.Refusal{Code: "invalid_client", Codes: []int{7000218}, ClientID: "11111111-2222-3333-4444-555555555555"})
	fmt.Println(a.Cause)
	fmt.Println(a.Cure)
	fmt.Println(a.Portal.Path)
	// Output:
	// 11111111-2222-3333-4444-555555555555 is not set up as a public client
	// set Allow public client flows to Yes, or give the client a secret or certificate
	// App registrations › 11111111-2222-3333-4444-555555555555 › Authentication
}
