package app

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

func TestProviderDownAtStart(t *testing.T) {
	p := provider(t, devidp.Options{})
	p.Faults().SetDown(true)
	h := open(t, Options{}, trusting(p)...)
	token := h.token(t, p.Server, devidp.UserAdmin, "execute")

	if a := h.get(t, "/healthz"); a.status != http.StatusOK {
		t.Errorf("the process is alive, but /healthz answers %d", a.status)
	}
	if a := h.get(t, "/readyz"); a.status != http.StatusServiceUnavailable {
		t.Errorf("no token can be checked, but /readyz answers %d", a.status)
	}
	a, err := h.reverse(token, "abc")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a token that cannot be checked is answered %d, Retry-After %q, challenge %q", a.status, a.header.Get("Retry-After"), a.header.Get("WWW-Authenticate"))
	}

	p.Faults().SetDown(false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for h.get(t, "/readyz").status != http.StatusOK {
		if ctx.Err() != nil {
			t.Fatal("the provider is back, but the server does not get ready")
		}
		runtime.Gosched()
	}
	if a, err := h.reverse(token, "abc"); err != nil || a.status != http.StatusOK || !strings.Contains(a.body, "cba") {
		t.Errorf("once the provider is back the call is answered %+v, %v", a, err)
	}
}

func TestProviderDownLater(t *testing.T) {
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, trusting(p)...)
	if a, err := h.reverse(h.token(t, p.Server, devidp.UserAdmin, "execute"), "abc"); err != nil || a.status != http.StatusOK {
		t.Fatalf("before: %+v, %v", a, err)
	}
	for name, set := range map[string]func(bool){"answers 503": p.Faults().SetDown, "drops connections": p.Faults().SetUnreachable} {
		t.Run("a provider that "+name+" stops nobody whose key is known", func(t *testing.T) {
			set(true)
			defer set(false)
			fresh := h.token(t, p.Server, devidp.UserAdmin, "execute")
			if a, err := h.reverse(fresh, "abc"); err != nil || a.status != http.StatusOK {
				t.Errorf("answered %+v, %v", a, err)
			}
		})
	}
}

func TestKeysRolledUnderLoad(t *testing.T) {
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, trusting(p)...)
	const callers, calls, rolls = 4, 60, 6
	var served atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range calls {
				token, err := p.MintToken(devidp.TokenRequest{User: devidp.UserAdmin, Audience: []string{h.at.MCP}, Scopes: []string{"execute"}})
				if err != nil {
					t.Error(err)
					return
				}
				a, err := h.reverse(token, "abc")
				if err != nil || a.status != http.StatusOK {
					t.Errorf("a valid request is answered %+v, %v", a, err)
					return
				}
				if n := served.Add(1); n%(callers*calls/rolls) == 0 {
					p.Faults().RollKeys()
				}
			}
		})
	}
	group.Wait()
	if n := served.Load(); n != callers*calls {
		t.Errorf("%d of %d valid requests were served", n, callers*calls)
	}
}

// TestAttack23FloodOfRandomKeyIDs sends tokens with key ids nobody knows, which must not make the server hammer its
// provider, nor keep anybody out whose key is known.
func TestAttack23FloodOfRandomKeyIDs(t *testing.T) {
	p := provider(t, devidp.Options{})
	h := open(t, Options{}, trusting(p)...)
	if a, err := h.reverse(h.token(t, p.Server, devidp.UserAdmin, "execute"), "abc"); err != nil || a.status != http.StatusOK {
		t.Fatalf("before the flood: %+v, %v", a, err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	before := p.Faults().JWKSFetches()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				a, err := h.reverse(forged(t, key, p.Issuer(), h.at.MCP), "abc")
				if err != nil || a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
					t.Errorf("a forged token is answered %+v, %v", a, err)
					return
				}
			}
		})
	}
	group.Wait()
	if n := p.Faults().JWKSFetches() - before; n > 1 {
		t.Errorf("200 unknown key ids made %d fetches, want at most 1 in the interval", n)
	}
	if a, err := h.reverse(h.token(t, p.Server, devidp.UserAdmin, "execute"), "abc"); err != nil || a.status != http.StatusOK {
		t.Errorf("after the flood a valid request is answered %+v, %v", a, err)
	}
}

// forged is a token like the provider's, signed by a stranger under a key id that nobody knows.
func forged(t *testing.T, key *rsa.PrivateKey, issuer, audience string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key},
		(&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", rand.Text()))
	if err != nil {
		t.Error(err)
		return ""
	}
	now := time.Now()
	token, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": issuer, "aud": audience, "sub": "admin", "scope": "execute", "client_id": "dev-cli",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Error(err)
	}
	return token
}

// TestTermUnderLoad ends the server while calls run: each gets its whole answer, or a whole refusal, or no connection.
func TestTermUnderLoad(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REVERSE_DURATION=300ms", "FASTMCP_AUTH_LIMITS_SHUTDOWN_GRACE=30s")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	var served atomic.Int64
	running := make(chan struct{})
	var once sync.Once
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				a, err := h.reverse(token, "abc")
				switch {
				case err != nil && isRefusedConnection(err):
					return
				case err != nil:
					t.Errorf("a request was half answered: %v", err)
					return
				case a.status == http.StatusOK && strings.Contains(a.body, `"reversed_query":"cba"`) && whole(a.body):
					served.Add(1)
				case strings.Contains(a.body, "the server is shutting down") && whole(a.body):
					return
				default:
					t.Errorf("answered %d %s", a.status, a.body)
					return
				}
				once.Do(func() { close(running) })
			}
		})
	}
	<-running
	if err := h.stop(); err != nil {
		t.Errorf("every call could finish, but the server ended with %v", err)
	}
	group.Wait()
	if served.Load() == 0 {
		t.Error("no call was served")
	}
}

// TestTermCancelsWhatCannotFinish ends the server without grace while a long call runs.
func TestTermCancelsWhatCannotFinish(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_REVERSE_DURATION=10m", "FASTMCP_AUTH_LIMITS_SHUTDOWN_GRACE=0s")
	token := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	answered := make(chan *answer, 1)
	go func() {
		a, err := h.reverse(token, "abc")
		if err != nil {
			t.Errorf("the cancelled call got no answer: %v", err)
		}
		answered <- a
	}()
	for len(h.box.Running()) == 0 {
		runtime.Gosched()
	}
	err := h.stop()
	var cut *CutOffError
	if !errors.As(err, &cut) || len(cut.Calls) != 1 || !strings.HasPrefix(cut.Calls[0], "reverse_tool (") {
		t.Errorf("the server ended with %v, want the one call named", err)
	}
	if a := <-answered; a != nil && (!whole(a.body) || strings.Contains(a.body, "reversed_query")) {
		t.Errorf("the cancelled call was answered %d %s", a.status, a.body)
	}
}

// whole reports whether a body is one JSON document, or event streams of them.
func whole(body string) bool {
	if json.Valid([]byte(body)) {
		return true
	}
	for event := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
		for line := range strings.Lines(event) {
			data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
			if ok && data != "" && !json.Valid([]byte(data)) {
				return false
			}
		}
	}
	return strings.Contains(body, "data: ")
}

func isRefusedConnection(err error) bool {
	text := err.Error()
	return strings.Contains(text, "connection refused") || strings.Contains(text, "EOF") && !strings.Contains(text, "unexpected") ||
		strings.Contains(text, "connection reset") || strings.Contains(text, "server closed idle connection")
}

// TestMemoryStaysFlat sends garbage of every kind: nothing of it may stay.
func TestMemoryStaysFlat(t *testing.T) {
	h := open(t, Options{})
	good := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	garbage := func(n int) {
		for i := range n {
			noise := rand.Text()
			for _, send := range []func() (*answer, error){
				func() (*answer, error) { return h.reverse(noise+"."+noise+"."+noise, "abc") },
				func() (*answer, error) { return h.post(good, "{"+noise, nil) },
				func() (*answer, error) {
					return h.post(good, strings.Repeat("[", 500), map[string]string{"Mcp-Session-Id": noise})
				},
				func() (*answer, error) { return h.call(good, noise, "", "") },
				func() (*answer, error) { return h.call(good, "tools/call", noise, fmt.Sprintf(`"name":%q,`, noise)) },
			} {
				a, err := send()
				if err != nil {
					t.Fatal(err)
				}
				if a.status < 400 || a.status >= 500 {
					t.Fatalf("garbage %d is answered %d %s", i, a.status, a.body)
				}
			}
		}
	}
	garbage(100)
	before := heap()
	garbage(400)
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("2000 requests of garbage left %d bytes behind", grown)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestNoDefaultSecrets(t *testing.T) {
	for name, env := range map[string][]string{
		"attack 51 every interface without a provider is refused": {"FASTMCP_AUTH_ADDR=0.0.0.0:0"},
		"attack 51 a public URL without a provider is refused":    {"FASTMCP_AUTH_PUBLIC_URL=https://mcp.example.com"},
		"attack 51 no sign-in beyond this machine is refused":     {"FASTMCP_AUTH_ADDR=0.0.0.0:0", "FASTMCP_AUTH_NO_AUTH=true"},
		"RS-9 Google without the client id is refused":            {"FASTMCP_AUTH_PROVIDER_KIND=google"},
		"attack 20 an audience that is set to nothing is refused": {"FASTMCP_AUTH_PROVIDER_KIND=oidc", "FASTMCP_AUTH_PROVIDER_ISSUER=https://id.example.com", "FASTMCP_AUTH_PROVIDER_AUDIENCE="},
		"attack 21 every tenant without an allow-list is refused": {"FASTMCP_AUTH_PROVIDER_KIND=entra", "FASTMCP_AUTH_PROVIDER_TENANT=common", "FASTMCP_AUTH_PROVIDER_AUDIENCE=6b2c8a36-1f1e-4a52-9d3a-0c3f5e8b7a10"},
		"attack 20 Entra without the API's client id is refused":  {"FASTMCP_AUTH_PROVIDER_KIND=entra", "FASTMCP_AUTH_PROVIDER_TENANT=6b2c8a36-1f1e-4a52-9d3a-0c3f5e8b7a10"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(), Environ: env}); err == nil {
				t.Error("the settings were accepted")
			}
		})
	}
}
