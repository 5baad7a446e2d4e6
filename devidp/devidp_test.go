package devidp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

const callback = "http://127.0.0.1:7777/callback"

// start runs a provider for one test.
func start(t *testing.T, o devidp.Options) *devidp.Running {
	t.Helper()
	p, err := devidp.Start(t.Context(), "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// refused checks status and error code of an answer.
func (a answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.str("error") != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	if a.str("error_description") == "" {
		t.Errorf("%s comes without a description", code)
	}
}

func (a answer) ok(t *testing.T) answer {
	t.Helper()
	if a.status/100 != 2 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	return a
}

func do(t *testing.T, req *http.Request) answer {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(body)}
	json.Unmarshal(body, &a.json)
	return a
}

// post sends a form; edit changes the request first.
func post(t *testing.T, to string, form url.Values, edit ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, e := range edit {
		e(req)
	}
	return do(t, req)
}

func get(t *testing.T, from string, edit ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(req)
	}
	return do(t, req)
}

func withBasic(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
}

// cli is dev-cli as x/oauth2 knows it.
func cli(p *devidp.Running, scopes ...string) *oauth2.Config {
	return &oauth2.Config{ClientID: devidp.ClientCLI, RedirectURL: callback, Scopes: scopes, Endpoint: oauth2.Endpoint{
		AuthURL: p.URL + "/authorize", TokenURL: p.URL + "/token", DeviceAuthURL: p.URL + "/device_authorization", AuthStyle: oauth2.AuthStyleInParams}}
}

// signIn goes through the page and redeems the code.
func signIn(t *testing.T, c *oauth2.Config, user string, opts ...oauth2.AuthCodeOption) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	to := visit(t, c.AuthCodeURL("state", append(opts, oauth2.S256ChallengeOption(verifier))...), user)
	if to.Query().Get("code") == "" {
		t.Fatalf("no code in %s", to)
	}
	tok, err := c.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func visit(t *testing.T, authURL, user string) *url.URL {
	t.Helper()
	to, err := new(devidp.Visitor).SignIn(t.Context(), authURL, user)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// claims reads a token without checking it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	tok, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := tok.UnsafeClaimsWithoutVerification(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func header(t *testing.T, token string) jose.Header {
	t.Helper()
	tok, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Headers[0]
}

// through asks a provider that no listener serves.
func through(t *testing.T, s *devidp.Server, method, to string) answer {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, to, nil))
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	json.Unmarshal(w.Body.Bytes(), &a.json)
	return a
}
