package bearer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const resource = "https://mcp.example.com/mcp"

// now is when the tests happen, where they do not run by the real clock.
var now = time.Unix(1_800_000_000, 0)

func clock() time.Time { return now }

// rsaKeys are made once: they are dear.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 3 {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
})

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issuer is a small provider: metadata and keys over real HTTP.
type issuer struct {
	*httptest.Server
	mu       sync.Mutex
	keys     []map[string]any
	metadata map[string]any
	down     bool
	gate     chan struct{} // when set, the key set waits for it to be closed
	entered  chan struct{} // receives when the key set is asked for, if somebody listens

	metadataReads, keyReads atomic.Int64
}

// newIssuer serves the first RSA key under the id "k1".
func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{entered: make(chan struct{}, 1)}
	i.Server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	i.metadata = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
	i.publish(public("k1", rsaKeys()[0].Public(), nil))
	return i
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	down, gate, keys := i.down, i.gate, i.keys
	i.mu.Unlock()
	isKeys := r.URL.Path == "/keys"
	if isKeys {
		i.keyReads.Add(1)
		select {
		case i.entered <- struct{}{}:
		default:
		}
		if gate != nil {
			<-gate
		}
	} else {
		i.metadataReads.Add(1)
	}
	if down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/keys":
		writeKeys(w, keys) // as they were when asked for
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(i.metadata)
	default:
		http.NotFound(w, r)
	}
}

func writeKeys(w io.Writer, keys []map[string]any) {
	json.NewEncoder(w).Encode(map[string]any{"keys": keys})
}

func (i *issuer) publish(keys ...map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

func (i *issuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) setGate(gate chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gate = gate
}

// public is a key as a JWK, with further members.
func public(kid string, key crypto.PublicKey, more map[string]any) map[string]any {
	b, err := jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	maps.Copy(m, more)
	return m
}

type claimSet map[string]any

// with is a copy with changes; nil takes a claim away.
func (c claimSet) with(more claimSet) claimSet {
	all := maps.Clone(c)
	for k, v := range more {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return all
}

// good are the claims of a token that i's guard accepts at now.
func (i *issuer) good() claimSet {
	return claimSet{
		"iss": i.URL, "aud": resource, "sub": "alice", "client_id": "cli", "scope": "execute time:read",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": "t-1",
	}
}

// signer says how a token is signed. The zero value is the issuer's first key, RS256, kid "k1", typ "at+jwt".
type signer struct {
	key    any
	alg    jose.SignatureAlgorithm
	kid    string
	header map[jose.HeaderKey]any
}

func sign(t testing.TB, c any, s signer) string {
	t.Helper()
	b, ok := c.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(c); err != nil {
			t.Fatal(err)
		}
	}
	if s.key == nil {
		s.key = rsaKeys()[0]
	}
	if s.alg == "" {
		s.alg = jose.RS256
	}
	if s.kid == "" {
		s.kid = "k1"
	}
	opts := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"typ": "at+jwt"}}
	if s.kid != "-" {
		opts.ExtraHeaders["kid"] = s.kid
	}
	for k, v := range s.header {
		if opts.ExtraHeaders[k] = v; v == nil {
			delete(opts.ExtraHeaders, k)
		}
	}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := js.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// guardFor accepts i's tokens for resource, by the tests' clock.
func guardFor(t testing.TB, i *issuer, change func(*bearer.Config)) *bearer.Guard {
	t.Helper()
	cfg := bearer.Config{Resource: resource, Providers: []idp.Provider{idp.OIDC(i.URL)}, Scopes: []string{"execute"}, Now: clock}
	if change != nil {
		change(&cfg)
	}
	g, err := bearer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// refused checks that the guard refuses token for reason.
func refused(t testing.TB, g *bearer.Guard, token string, reason bearer.Reason) {
	t.Helper()
	id, err := g.Verify(context.Background(), token)
	if err == nil {
		t.Fatalf("accepted as %+v, want refusal %s", id, reason)
	}
	if got := bearer.ReasonOf(err); got != reason {
		t.Fatalf("refused for %s (%v), want %s", got, err, reason)
	}
}

// agrees holds what Explain says, rule by rule, against the verdict: a token is refused where one rule refuses it, and
// only there.
func agrees(t testing.TB, g *bearer.Guard, token string, reason bearer.Reason) {
	t.Helper()
	x := g.Explain(context.Background(), token)
	refuses := 0
	for _, r := range x.Rules {
		if r.Verdict == bearer.Refuses {
			refuses++
		}
	}
	if (x.Identity != nil) != (reason == "") || (x.Refusal == nil) != (reason == "") || reason != bearer.ReasonUnavailable && (refuses > 0) != (reason != "") {
		t.Errorf("%q, but explained as %+v (%v)", reason, x.Rules, x.Refusal)
	}
}

func accepted(t testing.TB, g *bearer.Guard, token string) {
	t.Helper()
	if _, err := g.Verify(context.Background(), token); err != nil {
		t.Fatalf("refused: %v", err)
	}
}

// call sends a request through Protect to a handler that notes whether it was reached.
func call(g *bearer.Guard, r *http.Request) (answer *http.Response, reached bool) {
	w := httptest.NewRecorder()
	g.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })).ServeHTTP(w, r)
	return w.Result(), reached
}

func request(token string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/mcp", bytes.NewBufferString("{}"))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// expect checks a refusal as the client sees it: status, error code, and a complete challenge.
func expect(t testing.TB, resp *http.Response, status int, code string) oauth.Challenge {
	t.Helper()
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d", resp.StatusCode, status)
	}
	all, err := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
	if err != nil || len(all) != 1 {
		t.Fatalf("challenges %v, %v: %q", all, err, resp.Header.Values("WWW-Authenticate"))
	}
	c := all[0]
	if !c.Is("Bearer") || c.Error != code || (c.ErrorDescription == "") != (code == "") {
		t.Errorf("challenge %q, want error %q with a description", resp.Header.Get("WWW-Authenticate"), code)
	}
	if c.ResourceMetadata != "https://mcp.example.com/.well-known/oauth-protected-resource/mcp" {
		t.Errorf("resource_metadata %q", c.ResourceMetadata)
	}
	var body struct {
		Error       *string `json:"error"`
		Description string  `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Description == "" {
		t.Errorf("body: %v, %+v", err, body)
	}
	if (body.Error == nil) != (code == "") || body.Error != nil && *body.Error != code {
		t.Errorf("error in the body is not %q", code)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", resp.Header)
	}
	return c
}

// logbook keeps what is logged.
type logbook struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
