package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// party is a server that knows one token, its authorization server, and a person who signs in: what stands on both
// sides of an authorizer.
type party struct {
	sent    []string // URL and token of each request to the server
	signIns int
}

func (p *party) RoundTrip(r *http.Request) (*http.Response, error) {
	rw := httptest.NewRecorder()
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteString(`{"resource":"https://h.example/mcp","authorization_servers":["https://h.example"]}`)
	case "/.well-known/oauth-authorization-server":
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteString(`{"issuer":"https://h.example","token_endpoint":"https://h.example/token"}`)
	default:
		p.sent = append(p.sent, r.URL.String()+" "+r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") != "Bearer good" {
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}
	return rw.Result(), nil
}

func (p *party) SignIn(context.Context, *signin.Request) (oauth2.TokenSource, error) {
	p.signIns++
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "good"}), nil
}

func newParty(t *testing.T) (*party, *authorizer) {
	t.Helper()
	p := &party{}
	a, err := newAuthorizer("https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: p}, SignIn: p,
		Token: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "old"})})
	if err != nil {
		t.Fatal(err)
	}
	return p, a
}

func request(method, url, body string) *http.Request {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}

func TestOnlyWhatSomebodyWaitsForLeadsToASignIn(t *testing.T) {
	for _, row := range []struct {
		name, method, body string
		signIns, status    int // status 0 is an UnauthorizedError
	}{
		{"a call does", "POST", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, 1, 200},
		{"a call with a name for an id does", "POST", `{"jsonrpc":"2.0","id":"a","method":"tools/call"}`, 1, 200},
		{"a notification does not", "POST", `{"jsonrpc":"2.0","method":"notifications/cancelled"}`, 0, 0},
		{"an answer does not", "POST", `{"jsonrpc":"2.0","id":1,"result":{}}`, 0, 0},
		{"a stream does not", "GET", "", 0, 401},
		{"the end of a session does not", "DELETE", "", 0, 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, a := newParty(t)
			resp, err := a.RoundTrip(request(row.method, "https://h.example/mcp", row.body))
			var refused *UnauthorizedError
			switch {
			case p.signIns != row.signIns:
				t.Errorf("%d sign-ins", p.signIns)
			case row.status == 0 && !errors.As(err, &refused):
				t.Errorf("error %v", err)
			case row.status != 0 && (err != nil || resp.StatusCode != row.status):
				t.Errorf("answer %v, error %v", resp, err)
			}
		})
	}
}

func TestC18_NoTokenGoesToAnotherURL(t *testing.T) {
	for _, url := range []string{"https://h.example/other", "https://h.example/mcp?a=1", "https://evil.example/mcp", "http://h.example/mcp"} {
		p, a := newParty(t)
		_, err := a.RoundTrip(request("POST", url, `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		var redirect *RedirectError
		if !errors.As(err, &redirect) || redirect.To != url || len(p.sent) != 0 {
			t.Errorf("%s: sent %q, error %v", url, p.sent, err)
		}
	}
}

func TestA401OfATokenThatWasReplacedMeanwhileStartsNoOtherSignIn(t *testing.T) {
	p, a := newParty(t)
	_, generation := a.current()
	for range 3 {
		if _, err := a.authorize(t.Context(), generation, "old", &demand{challenge: &oauth.Challenge{}}, "tools/call"); err != nil {
			t.Fatal(err)
		}
	}
	if p.signIns != 1 {
		t.Errorf("%d sign-ins, want 1", p.signIns)
	}
}
