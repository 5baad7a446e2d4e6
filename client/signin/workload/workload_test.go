package workload_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		var no *workload.Error
		if _, err := bad.Assertion(t.Context(), "a"); !errors.As(err, &no) || !strings.Contains(no.Cure, "id-token: write") || strings.Contains(err.Error(), "hush") || !errors.Is(err, signin.ErrProof) {
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
		"it is too busy":   {status: 503},
		"it never ends":    {status: 200, answer: `{"value":"` + strings.Repeat("x", 100_000) + `"}`},
	} {
		g := workload.GitHub{RequestURL: "https://actions.example/", RequestToken: "hush", HTTPClient: &http.Client{Transport: p}}
		if _, err := g.Assertion(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "hush") || p.asked.URL.Host != "actions.example" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// flaky fails as often as failures says, then answers.
type flaky struct {
	failures int
	asked    int
}

func (f *flaky) RoundTrip(*http.Request) (*http.Response, error) {
	f.asked++
	rw := httptest.NewRecorder()
	if f.asked <= f.failures {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	rw.WriteString(`{"value":"the-jwt"}`)
	return rw.Result(), nil
}

func TestAPlatformThatIsBusyIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for failures, good := range map[int]bool{0: true, 2: true, 3: false} {
			f := &flaky{failures: failures}
			_, err := workload.GitHub{RequestURL: "https://actions.example/", RequestToken: "hush", HTTPClient: &http.Client{Transport: f}}.Assertion(t.Context(), "a")
			if (err == nil) != good || f.asked != min(failures+1, 3) {
				t.Errorf("%d failures: %v after %d requests", failures, err, f.asked)
			}
			var no *workload.Error
			if !good && (!errors.As(err, &no) || no.Status != http.StatusServiceUnavailable) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAPlatformThatNeverAnswersIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hc := &http.Client{Transport: silent{}}
		for name, row := range map[string]struct {
			ask  workload.Assertion
			wait time.Duration
		}{
			"GitHub": {workload.GitHub{RequestURL: "https://actions.example/", RequestToken: "hush", HTTPClient: hc}.Assertion, 10 * time.Second},
			"Azure":  {workload.ManagedIdentity{HTTPClient: hc}.Assertion, 5 * time.Second},
		} {
			began := time.Now()
			_, err := row.ask(t.Context(), "a")
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != row.wait {
				t.Errorf("%s: %v after %s", name, err, time.Since(began))
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := (workload.ManagedIdentity{HTTPClient: hc}).Assertion(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("called off: %v", err)
		}
	})
}

// A proxy that answered in the place of a machine's own endpoint would choose who the program is.
func TestAManagedIdentityIsAskedForWithoutAProxy(t *testing.T) {
	imds := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token":"of-%s"}`, r.URL.Path)
	}))
	defer imds.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"evil"}`) }))
	defer proxy.Close()
	there, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(there)}}
	got, err := workload.ManagedIdentity{Host: imds.URL, HTTPClient: hc}.Assertion(t.Context(), "api://a")
	if err != nil || got != "of-/metadata/identity/oauth2/token" {
		t.Errorf("got %q, %v", string(got), err)
	}
}

func TestATokenThatEndedLongAgoIsNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for age, good := range map[time.Duration]bool{-time.Hour: true, time.Minute: true, time.Hour: false} {
		claims := fmt.Sprintf(`{"exp":%d}`, time.Now().Add(-age).Unix())
		if err := os.WriteFile(path, []byte("e30."+base64.RawURLEncoding.EncodeToString([]byte(claims))+".c2ln"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := workload.TokenFile(path)(t.Context(), ""); (err == nil) != good {
			t.Errorf("%s after its end: %v", age, err)
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
