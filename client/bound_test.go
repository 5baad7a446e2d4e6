package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// sealed is a source of bound tokens. Its proofs say what they are for.
type sealed struct{}

func (sealed) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "bound", TokenType: "DPoP"}, nil
}

func (sealed) Proof(method, url, token, nonce string) (string, error) {
	return strings.Join([]string{method, url, token, nonce}, " "), nil
}

// guard is a server that wants its nonce in each proof.
type guard struct {
	nonce string
	heard []http.Header
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.heard = append(g.heard, r.Header.Clone())
	rw := httptest.NewRecorder()
	if !strings.HasSuffix(r.Header.Get("DPoP"), " "+g.nonce) {
		rw.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		rw.Header().Set("DPoP-Nonce", g.nonce)
		rw.WriteHeader(http.StatusUnauthorized)
		return rw.Result(), nil
	}
	body, err := io.ReadAll(r.Body)
	rw.Write(body)
	return rw.Result(), err
}

func TestABoundTokenGoesWithAProofOfThisRequestAndTheServersNonce(t *testing.T) {
	g := &guard{nonce: "n1"}
	a, err := newAuthorizer("https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: g}, Token: sealed{}})
	if err != nil {
		t.Fatal(err)
	}
	for round, want := range []int{2, 3, 5} { // the nonce is remembered, until another is asked for
		if round == 2 {
			g.nonce = strings.Repeat("n", maxNonce) // a nonce may be a sealed document
		}
		resp, err := a.RoundTrip(request("POST", "https://h.example/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		if err != nil || resp.StatusCode != 200 || len(g.heard) != want {
			t.Fatalf("%v, error %v, %d requests", resp, err, len(g.heard))
		}
		last := g.heard[len(g.heard)-1]
		if last.Get("Authorization") != "DPoP bound" || last.Get("DPoP") != "POST https://h.example/mcp bound "+g.nonce {
			t.Errorf("sent %v", last)
		}
	}
}

func TestABoundTokenWithoutItsKeyIsNotSent(t *testing.T) {
	g := &guard{}
	bound := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "bound", TokenType: "DPoP"})
	a, err := newAuthorizer("https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: g}, Token: bound})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.RoundTrip(request("POST", "https://h.example/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
	if err == nil || len(g.heard) != 0 {
		t.Errorf("error %v, %d requests", err, len(g.heard))
	}
}
