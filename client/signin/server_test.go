package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// server is a tiny authorization server. It answers inside the test's own clock: no network, no waiting.
type server struct {
	mu      sync.Mutex
	device  func(url.Values) (int, any) // answers /device
	answers []any                       // what /token answers, in order; a function decides, an error breaks the line
	forms   []url.Values                // what was sent, to both
	times   []time.Duration             // when /token was asked, since the beginning
	began   time.Time
	page    int          // the status of the page, where somebody asks for it who is shown nothing; 0 means a way back
	pages   []url.Values // what was asked of it
}

type refusal struct {
	status int
	body   map[string]any
}

func refuse(code string) refusal { return refusal{400, map[string]any{"error": code}} }

func newServer(answers ...any) *server {
	return &server{began: time.Now(), answers: answers, device: func(url.Values) (int, any) {
		return 200, map[string]any{
			"device_code": "the-device-code", "user_code": "ABCD-EFGH", "verification_uri": "https://as.example/device",
			"expires_in": 900, "interval": 5,
		}
	}}
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		rw := httptest.NewRecorder()
		s.pages = append(s.pages, r.URL.Query())
		if s.page == 0 {
			http.Redirect(rw, r, r.URL.Query().Get("redirect_uri")+"?error=login_required", http.StatusFound)
		} else {
			rw.WriteHeader(s.page)
		}
		return rw.Result(), nil
	}
	s.forms = append(s.forms, r.PostForm)
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/device" {
		status, body := s.device(r.PostForm)
		rw.WriteHeader(status)
		json.NewEncoder(rw).Encode(body)
		return rw.Result(), nil
	}
	s.times = append(s.times, time.Since(s.began))
	if len(s.answers) == 0 {
		return nil, errors.New("the test expects no further request")
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	switch a := answer.(type) {
	case error:
		return nil, a
	case func(url.Values) any:
		answer = a(r.PostForm)
	case func(http.ResponseWriter):
		a(rw)
		return rw.Result(), nil
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a, ok := answer.(refusal); ok {
		rw.WriteHeader(a.status)
		answer = a.body
	}
	json.NewEncoder(rw).Encode(answer)
	return rw.Result(), nil
}

func token(access, refresh, scope string, life int) map[string]any {
	m := map[string]any{"access_token": access, "token_type": "Bearer"}
	if refresh != "" {
		m["refresh_token"] = refresh
	}
	if scope != "" {
		m["scope"] = scope
	}
	if life > 0 {
		m["expires_in"] = life
	}
	return m
}

func (s *server) request() *signin.Request {
	return &signin.Request{
		Server:    "https://mcp.example/mcp",
		Challenge: &oauth.Challenge{Scheme: "Bearer", Scopes: []string{"execute"}},
		Resource:  oauth.ResourceMetadata{Resource: "https://mcp.example/mcp", ScopesSupported: []string{"execute", "time:read"}},
		Authorization: oauth.ServerMetadata{
			Issuer: "https://as.example", TokenEndpoint: "https://as.example/token",
			AuthorizationEndpoint: "https://as.example/authorize", CodeChallengeMethodsSupported: []string{"S256"},
			DeviceAuthorizationEndpoint: "https://as.example/device", ScopesSupported: []string{"execute", "offline_access"},
		},
		HTTPClient: &http.Client{Transport: s},
	}
}

func (s *server) signIn(ctx context.Context, d *signin.Device) (oauth2.TokenSource, error) {
	if d == nil {
		d = &signin.Device{}
	}
	if d.ClientID == "" {
		d.ClientID = "dev-cli"
	}
	if d.Prompt == nil {
		d.Prompt = func(signin.DevicePrompt) {}
	}
	return d.SignIn(ctx, s.request())
}
