package doctor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/internal/doctor"
)

// world is a protected server and its authorization server, on one origin.
type world struct {
	*httptest.Server
	scope   string // what it asks for
	refuses string // what it says of every token

	mu    sync.Mutex
	asked []string
}

func newWorld(t *testing.T, scope string) *world {
	w := &world{scope: scope}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(rw, `{"resource":"%s/mcp","authorization_servers":["%s"]}`, w.URL, w.URL)
	case "/.well-known/oauth-authorization-server":
		fmt.Fprintf(rw, `{"issuer":"%s","token_endpoint":"%s/token","registration_endpoint":"%s/register"}`, w.URL, w.URL, w.URL)
	case "/mcp":
		challenge := fmt.Sprintf(`Bearer resource_metadata="%s/.well-known/oauth-protected-resource/mcp", scope="%s"`, w.URL, w.scope)
		if r.Header.Get("Authorization") != "" {
			challenge = fmt.Sprintf(`Bearer error="invalid_token", error_description="%s"`, w.refuses)
		}
		rw.Header().Set("WWW-Authenticate", challenge)
		rw.WriteHeader(http.StatusUnauthorized)
	default:
		rw.WriteHeader(http.StatusNotFound)
	}
}

// token is a JWT with these claims, signed by nobody.
func token(t *testing.T, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc(body) + "." + enc([]byte("signature"))
}

func (w *world) walk(t *testing.T, o doctor.Options) *doctor.Report {
	t.Helper()
	o.Server, o.Transport = w.URL+"/mcp", &http.Transport{}
	report, err := doctor.Walk(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func legOf(t *testing.T, r *doctor.Report, name string) doctor.Leg {
	t.Helper()
	for _, l := range r.Legs {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("no leg %s", name)
	return doctor.Leg{}
}

func TestTheTokenLegReadsWhatIsKept(t *testing.T) {
	const api = "66666666-7777-8888-9999-000000000000"
	now := time.Now()
	for _, row := range []struct {
		name   string
		scope  string // asked for
		claims func(resource string) map[string]any
		state  doctor.State
		saw    string
		cause  string
		next   advice.Next
	}{
		{"a good one", "execute", func(r string) map[string]any {
			return map[string]any{"aud": r, "scope": "execute time:read", "exp": now.Add(time.Hour).Unix()}
		}, doctor.OK, "scope execute time:read", "", ""},
		{"one that has expired", "execute", func(r string) map[string]any {
			return map[string]any{"aud": r, "scope": "execute", "exp": now.Add(-time.Hour).Unix()}
		}, doctor.Broken, "until 20", "has expired", advice.SignIn},
		{"one for another server", "execute", func(string) map[string]any {
			return map[string]any{"aud": "https://other.example.com/mcp", "scope": "execute"}
		}, doctor.Broken, "for https://other.example.com/mcp", "issued for https://other.example.com/mcp, not for this server", advice.SignIn},
		{"one with too little scope", "execute time:read", func(r string) map[string]any {
			return map[string]any{"aud": []string{r}, "scope": "openid time:read"}
		}, doctor.Note, "it lacks execute, so some tools may be closed", "", advice.MoreScope},
		{"one with no scope of the server", "execute", func(r string) map[string]any {
			return map[string]any{"aud": r, "scope": "openid offline_access"}
		}, doctor.Broken, "scope openid", "lacks execute", advice.MoreScope},
		{"one whose audience is a name", "execute", func(string) map[string]any { return map[string]any{"aud": "account", "scope": "execute"} },
			doctor.Note, "only the server knows", "", ""},
		{"Entra's, in short names", "api://" + api + "/execute", func(string) map[string]any {
			return map[string]any{"aud": api, "scp": "execute", "ver": "2.0", "tid": "t"}
		}, doctor.OK, "for " + api, "", ""},
		{"Entra's, of a program with a role of that name", "api://" + api + "/execute", func(string) map[string]any {
			return map[string]any{"aud": "api://" + api, "roles": []string{"execute"}}
		}, doctor.OK, "roles execute", "", ""},
		{"Entra 9: one for Graph", "api://" + api + "/execute", func(string) map[string]any {
			return map[string]any{"aud": "00000003-0000-0000-c000-000000000000", "scp": "User.Read"}
		}, doctor.Broken, "User.Read", "is for Microsoft Graph", advice.SignIn},
		{"one that nobody can read", "execute", nil, doctor.OK, "an opaque token", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, row.scope)
			w.refuses = "no"
			secret := "opaque-and-secret-to-everybody"
			if row.claims != nil {
				secret = token(t, row.claims(w.URL+"/mcp"))
			}
			r := w.walk(t, doctor.Options{Token: func(context.Context, *client.Discovery) (oauth2.TokenSource, error) {
				return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secret}), nil
			}})
			l := legOf(t, r, "token")
			if l.State != row.state || !strings.Contains(l.Saw, row.saw) || !strings.Contains(l.Cause, row.cause) || l.Next != row.next {
				t.Errorf("%+v", l)
			}
			if all := fmt.Sprintf("%+v", r); strings.Contains(all, secret) || strings.Contains(all, "c2lnbmF0dXJl") {
				t.Error("the report shows the token")
			}
		})
	}
}

func TestWhatIsKeptMayBeGone(t *testing.T) {
	for _, row := range []struct {
		name  string
		err   error
		cause string
		next  advice.Next
		kind  doctor.Kind
	}{
		{"nobody is signed in", fmt.Errorf("a: %w", client.ErrSignInNeeded), "no token for this server", advice.SignIn, doctor.SignIn},
		{"the refresh token is dead", &signin.Error{Code: "invalid_grant", Codes: []int{700082}, CorrelationID: "c-1"}, "refresh token is dead", advice.SignIn, doctor.SignIn},
		{"a code nobody knows", &signin.Error{Code: "strange"}, "refuses to refresh", advice.SignIn, doctor.SignIn},
		{"the provider does not answer", context.DeadlineExceeded, "in time", advice.Again, doctor.Unreachable},
		{"the store is broken", errors.New("disk"), "store of tokens", advice.SignIn, doctor.SignIn},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, "execute")
			r := w.walk(t, doctor.Options{Token: func(context.Context, *client.Discovery) (oauth2.TokenSource, error) { return nil, row.err }})
			l := legOf(t, r, "token")
			if l.State != doctor.Broken || !strings.Contains(l.Cause, row.cause) || l.Next != row.next || l.Kind != row.kind || r.Broken != "token" {
				t.Errorf("%+v", l)
			}
			if h := legOf(t, r, "handshake"); h.State != doctor.NotTried || h.Saw != "it needs token" {
				t.Errorf("%+v", h)
			}
		})
	}
}

// The server has the last word: what it says of a token is told, and what mends it.
func TestAHandshakeTellsWhatTheServerSays(t *testing.T) {
	w := newWorld(t, "execute")
	w.refuses = "the token was issued for another resource"
	r := w.walk(t, doctor.Options{Token: func(context.Context, *client.Discovery) (oauth2.TokenSource, error) {
		return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "opaque-and-secret-to-everybody"}), nil
	}})
	l := legOf(t, r, "handshake")
	if r.Broken != "handshake" || !strings.Contains(l.Saw, w.refuses) || !strings.Contains(l.Cause, "does not accept the token") || l.Next != advice.SignIn {
		t.Errorf("%+v", l)
	}
}

func TestDoctorChangesNothing(t *testing.T) {
	w := newWorld(t, "execute")
	w.walk(t, doctor.Options{})
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, asked := range w.asked {
		if strings.Contains(asked, "/register") || strings.Contains(asked, "/token") {
			t.Errorf("it asked %s", asked)
		}
	}
}

// What strangers say must not move the cursor, nor be without end.
func TestStrangersWordsAreCleaned(t *testing.T) {
	evil := "\x1b[2J\u202e" + strings.Repeat("x", 5000)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("WWW-Authenticate", `Bearer error="x", scope="a"`)
		rw.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			rw.WriteHeader(http.StatusUnauthorized)
		}
		b, _ := json.Marshal(map[string]any{"resource": evil, "authorization_servers": []string{evil}})
		rw.Write(b)
	}))
	defer s.Close()
	r, err := doctor.Walk(t.Context(), doctor.Options{Server: s.URL + "/mcp", Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Legs {
		if all := l.Saw + l.Cause + l.Cure; strings.ContainsAny(all, "\x1b\u202e") || len(all) > 3000 {
			t.Errorf("%s: %.200q", l.Name, all)
		}
	}
}

func TestProxies(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		cause  string
	}{
		{"one that wants a password", http.StatusProxyAuthRequired, "wants a name and a password"},
		{"one that forbids", http.StatusForbidden, "answers 403 to CONNECT mcp.example.com:443"},
	} {
		t.Run(row.name, func(t *testing.T) {
			proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.WriteHeader(row.status)
				io.WriteString(rw, "no")
			}))
			defer proxy.Close()
			at, _ := http.NewRequest("GET", proxy.URL, nil)
			r, err := doctor.Walk(t.Context(), doctor.Options{Server: "https://mcp.example.com/mcp", Transport: &http.Transport{Proxy: http.ProxyURL(at.URL)}})
			if err != nil {
				t.Fatal(err)
			}
			if l := legOf(t, r, "proxy"); r.Broken != "proxy" || !strings.Contains(l.Cause, row.cause) || legOf(t, r, "dns").State != doctor.NotNeeded {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestASlowLegEnds(t *testing.T) {
	block := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer s.Close()
	defer close(block)
	r, err := doctor.Walk(t.Context(), doctor.Options{Server: s.URL, Transport: &http.Transport{}, Patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if l := legOf(t, r, "endpoint"); r.Broken != "endpoint" || l.Kind != doctor.Unreachable || !strings.Contains(l.Cause, "in time") {
		t.Errorf("%+v", l)
	}
}

// The page says what breaks each leg.
func TestThePageNamesEveryLeg(t *testing.T) {
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range doctor.Names() {
		if !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("docs/doctor.md has no row for %s", name)
		}
	}
}
