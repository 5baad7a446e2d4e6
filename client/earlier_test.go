package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// stepper is a server that always asks for one more scope, and whoever is asked to sign in there.
type stepper struct {
	party
	told *signin.Request
}

func (s *stepper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/mcp" {
		return s.party.RoundTrip(r)
	}
	rw := httptest.NewRecorder()
	rw.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="more"`)
	rw.WriteHeader(http.StatusForbidden)
	return rw.Result(), nil
}

func (s *stepper) SignIn(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	s.told = r
	return nil, errors.New("no")
}

// TestC20_WhatAnotherAuthorizationServerGrantedIsNotAskedFor: a server may name another one in a step-up, and what the first
// granted may be anything.
func TestC20_WhatAnotherAuthorizationServerGrantedIsNotAskedFor(t *testing.T) {
	for issuer, want := range map[string][]string{"https://h.example": {"Mail.Read"}, "https://evil.example": nil} {
		tokens, err := signin.Resume(signin.State{Issuer: issuer, TokenEndpoint: issuer + "/token", Server: "https://h.example/mcp", ClientID: "c",
			TokenType: "Bearer", Access: "a", Granted: []string{"Mail.Read"}}, signin.ResumeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := &stepper{}
		a, err := newAuthorizer("https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: s}, SignIn: s, Token: tokens})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.RoundTrip(request("POST", "https://h.example/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
		if err == nil || s.told == nil || !slices.Equal(s.told.Earlier, want) {
			t.Errorf("%s: told %+v, error %v", issuer, s.told, err)
		}
	}
}
