package workload_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
)

// platform answers with answer and notes what it was asked.
type platform struct {
	answer string
	status int
	asked  *http.Request
}

func (p *platform) RoundTrip(r *http.Request) (*http.Response, error) {
	p.asked = r
	rw := httptest.NewRecorder()
	if p.status == http.StatusFound {
		rw.Header().Set("Location", "https://evil.example/")
	}
	rw.WriteHeader(p.status)
	rw.WriteString(p.answer)
	return rw.Result(), nil
}

func TestATokenFileIsReadAnewEachTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, want := range []signin.Secret{"first", "second"} {
		if err := os.WriteFile(path, []byte(string(want)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := workload.TokenFile(path)(t.Context(), "ignored"); err != nil || got != want {
			t.Errorf("got %q, %v", string(got), err)
		}
	}
	for name, text := range map[string]string{"an empty file": "", "a file of words": "two words", "a giant file": strings.Repeat("x", 100_000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := workload.TokenFile(path)(t.Context(), ""); err == nil {
			t.Errorf("%s is taken for a token", name)
		}
	}
	if _, err := workload.TokenFile(path+"-gone")(t.Context(), ""); err == nil {
		t.Error("a file that is not there is taken for a token")
	}
}

func TestGitHubGivesAJobItsToken(t *testing.T) {
	p := &platform{answer: `{"value":"the-jwt"}`, status: 200}
	g := workload.GitHub{RequestURL: "https://actions.example/token?api-version=2", RequestToken: "hush", HTTPClient: &http.Client{Transport: p}}
	got, err := g.Assertion(t.Context(), "https://as.example")
	if err != nil || got != "the-jwt" {
		t.Fatalf("got %q, %v", string(got), err)
	}
	if q := p.asked.URL.Query(); q.Get("audience") != "https://as.example" || q.Get("api-version") != "2" || p.asked.Header.Get("Authorization") != "bearer hush" {
		t.Errorf("asked %v", p.asked.URL)
	}
	for _, bad := range []workload.GitHub{{}, {RequestURL: "http://actions.example/", RequestToken: "hush"}, {RequestURL: "https://actions.example/"}} {
		if _, err := bad.Assertion(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "id-token: write") || strings.Contains(err.Error(), "hush") {
			t.Errorf("error %v", err)
		}
	}
}

func TestAManagedIdentityGivesItsToken(t *testing.T) {
	p := &platform{answer: `{"access_token":"the-jwt"}`, status: 200}
	hc := &http.Client{Transport: p}
	if got, err := (workload.ManagedIdentity{HTTPClient: hc, ClientID: "id"}).Assertion(t.Context(), "api://AzureADTokenExchange"); err != nil || got != "the-jwt" {
		t.Fatalf("got %q, %v", string(got), err)
	}
	if q := p.asked.URL.Query(); p.asked.URL.Host != "169.254.169.254" || q.Get("resource") != "api://AzureADTokenExchange" || q.Get("client_id") != "id" || p.asked.Header.Get("Metadata") != "true" {
		t.Errorf("a machine asks %v", p.asked.URL)
	}
	if _, err := (workload.ManagedIdentity{Endpoint: "http://127.0.0.1:41/token", Header: "hush", HTTPClient: hc}).Assertion(t.Context(), "api://a"); err != nil {
		t.Fatal(err)
	}
	if p.asked.Header.Get("X-IDENTITY-HEADER") != "hush" || p.asked.URL.Host != "127.0.0.1:41" {
		t.Errorf("a function asks %v", p.asked.URL)
	}
	if _, err := (workload.ManagedIdentity{Endpoint: "http://127.0.0.1:41/token", HTTPClient: hc}).Assertion(t.Context(), "api://a"); err == nil {
		t.Error("an endpoint without its header is asked")
	}
}

func TestAPlatformThatGivesNoTokenIsAnError(t *testing.T) {
	for name, p := range map[string]*platform{
		"it says no":       {status: 403, answer: `{"value":"hush"}`},
		"it sends one on":  {status: 302},
		"it is no JSON":    {status: 200, answer: "hush"},
		"it gives nothing": {status: 200, answer: `{}`},
		"it gives a page":  {status: 200, answer: `{"value":"<p>hush hush</p>"}`},
		"it never ends":    {status: 200, answer: `{"value":"` + strings.Repeat("x", 100_000) + `"}`},
	} {
		g := workload.GitHub{RequestURL: "https://actions.example/", RequestToken: "hush", HTTPClient: &http.Client{Transport: p}}
		if _, err := g.Assertion(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "hush") || p.asked.URL.Host != "actions.example" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A job in Kubernetes signs in with the token that is mounted into it.
func ExampleTokenFile() {
	flow := &signin.Workload{ClientID: "nightly-report", Assertion: workload.TokenFile("/var/run/secrets/tokens/mcp")}
	_, err := flow.Assertion(context.Background(), "")
	fmt.Println(err != nil) // it is not mounted here
	// Output: true
}
