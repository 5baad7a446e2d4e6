package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// scoped is a source that knows its scopes.
type scoped struct {
	oauth2.TokenSource
	scopes []string
}

func (s scoped) Scopes() []string { return s.scopes }

// grantor signs in as asked and notes what it was asked.
type grantor struct {
	world *world
	told  []*signin.Request
	gives func(asked []string) []string // nil means all
}

func (g *grantor) SignIn(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	g.told = append(g.told, r)
	scopes := r.Scopes()
	if g.gives != nil {
		scopes = g.gives(scopes)
	}
	return scoped{oauth2.StaticTokenSource(g.world.Issue(r.Resource.Resource, scopes...)), scopes}, nil
}

func TestC20_StepUp(t *testing.T) {
	open := func(t *testing.T, gives func([]string) []string) (*world, *grantor, *client.Session) {
		w := newWorld(t, modern)
		w.Needs["echo"], w.Needs["steps"] = "admin", "audit"
		g := &grantor{world: w, gives: gives}
		s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: g})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return w, g, s
	}
	call := func(t *testing.T, s *client.Session, tool string) error {
		_, err := s.Call(t.Context(), tool, map[string]any{"text": "x"}, nil)
		return err
	}

	t.Run("C-20 a 403 asks for earlier and challenged scopes, and the call is repeated", func(t *testing.T) {
		_, g, s := open(t, nil)
		if err := call(t, s, "echo"); err != nil {
			t.Fatal(err)
		}
		if err := call(t, s, "steps"); err != nil && !strings.Contains(err.Error(), "invalid") {
			t.Fatal(err)
		}
		last := g.told[len(g.told)-1]
		if !last.StepUp || last.Refused == "" || last.Previous == nil || strings.Join(last.Scopes(), " ") != "execute admin audit" {
			t.Errorf("told %v, scopes %v", last, last.Scopes())
		}
		if len(g.told) != 3 {
			t.Errorf("%d sign-ins", len(g.told))
		}
	})
	t.Run("C-20 a step-up that changes nothing is tried once for a call, and few times for an operation", func(t *testing.T) {
		_, g, s := open(t, func([]string) []string { return []string{"execute"} })
		for range 5 {
			var scope *client.ScopeError
			if err := call(t, s, "echo"); !errors.As(err, &scope) {
				t.Fatalf("error %v", err)
			}
		}
		if n := len(g.told) - 1; n != 3 {
			t.Errorf("%d step-ups, want 3", n)
		}
		if err := call(t, s, "steps"); err == nil {
			t.Error("it went through")
		}
		if n := len(g.told) - 1; n != 4 {
			t.Errorf("%d step-ups, want one more for another operation", n)
		}
		if _, err := s.Tools(t.Context()); err != nil {
			t.Errorf("the session does not go on: %v", err)
		}
	})
	t.Run("C-20 a person who declines keeps the token that is there", func(t *testing.T) {
		w := newWorld(t, modern)
		w.Needs["echo"] = "admin"
		n := 0
		s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: signInFunc(func(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
			if n++; n > 1 {
				return nil, signin.ErrDeclined
			}
			return oauth2.StaticTokenSource(w.Issue(r.Resource.Resource, r.Scopes()...)), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := call(t, s, "echo"); !errors.Is(err, signin.ErrDeclined) {
			t.Errorf("error %v", err)
		}
		if _, err := s.Tools(t.Context()); err != nil || n != 2 {
			t.Errorf("after %d sign-ins: %v", n, err)
		}
	})
}

func TestAClaimsChallengeLeadsToASignInWithTheClaims(t *testing.T) {
	const claims = `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
	for _, row := range []struct{ name, sent, want string }{
		{"in base64", base64.StdEncoding.EncodeToString([]byte(claims)), claims},
		{"in base64url without padding", base64.RawURLEncoding.EncodeToString([]byte(claims)), claims},
		{"that is no JSON object asks for a plain sign-in", base64.StdEncoding.EncodeToString([]byte(`["x"]`)), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, modern)
			g := &grantor{world: w}
			s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: g})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			w.Revoke()
			w.Challenge = func() string { return `Bearer error="insufficient_claims", claims="` + row.sent + `"` }
			w.Documents["/.well-known/oauth-protected-resource/mcp"] = document(w.Resource)
			if _, err := s.Call(t.Context(), "echo", map[string]any{"text": "x"}, nil); err != nil {
				t.Fatal(err)
			}
			if last := g.told[len(g.told)-1]; last.Claims != row.want || last.StepUp != (row.want != "") {
				t.Errorf("told %q", last.Claims)
			}
		})
	}
}

func TestC24_NoListIsUsedAgainForAnotherToken(t *testing.T) {
	w := newWorld(t, modern)
	s := w.connect(t)
	asked := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for _, h := range w.headers {
			if h.Get("Mcp-Method") == "tools/list" {
				n++
			}
		}
		return n
	}
	for range 2 {
		if _, err := s.Tools(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked(); n != 4 { // two pages each time
		t.Errorf("the server was asked %d times, want 4", n)
	}
}

func TestARequestByHandIsAuthorizedToo(t *testing.T) {
	w := newWorld(t, modern)
	var n atomic.Int64
	rt, err := client.Transport(w.URL, client.Options{SignIn: w.SignIn(&n)})
	if err != nil {
		t.Fatal(err)
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`
	req, err := http.NewRequest(http.MethodPost, w.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err != nil || resp.StatusCode != 200 || n.Load() != 1 {
		t.Fatalf("%v, error %v, %d sign-ins", resp, err, n.Load())
	}
	resp.Body.Close()
	if !slices.Contains(w.Asked(), "mcp /.well-known/oauth-protected-resource/mcp") {
		t.Errorf("asked %v", w.Asked())
	}
}
