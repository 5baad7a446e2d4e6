package dpop_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin/dpop"
)

func newKey(t *testing.T) *dpop.Key {
	t.Helper()
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// opened verifies a proof with the key that it carries, as a server does.
func opened(t *testing.T, proof string) (jose.Header, map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := signed.Signatures[0].Header
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

func TestAProofIsForOneRequest(t *testing.T) {
	key := newKey(t)
	now := time.Unix(1_800_000_000, 0)
	proof, err := key.Proof(dpop.Request{Method: "POST", URL: "https://mcp.example/mcp?a=1#b", Token: "the-token", Nonce: "n", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := opened(t, proof)
	sum := sha256.Sum256([]byte("the-token"))
	for name, want := range map[string]any{
		"htm": "POST", "htu": "https://mcp.example/mcp", "nonce": "n", "iat": float64(now.Unix()),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if header.ExtraHeaders["typ"] != "dpop+jwt" || !header.JSONWebKey.IsPublic() {
		t.Errorf("header %v", header)
	}
	again, err := key.Proof(dpop.Request{Method: "POST", URL: "https://mcp.example/mcp", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, other := opened(t, again); other["jti"] == claims["jti"] || other["ath"] != nil || other["nonce"] != nil {
		t.Errorf("claims %v", other)
	}
}

func TestAKeyIsReadBack(t *testing.T) {
	key := newKey(t)
	written, err := key.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := dpop.ReadKey(written)
	if err != nil || read.Thumbprint() != key.Thumbprint() || key.Thumbprint() == "" {
		t.Errorf("%v, want %v: %v", read, key, err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", key, key, key, key); strings.Contains(shown, `"d"`) {
		t.Errorf("it shows itself: %s", shown)
	}
}

func TestWhatIsNoPrivateKeyIsRefused(t *testing.T) {
	for _, jwk := range []string{"", "{}", `{"kty":"oct","k":"c2VjcmV0"}`,
		`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`} {
		if _, err := dpop.ReadKey(jwk); err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%q: error %v", jwk, err)
		}
	}
}

func ExampleKey_Proof() {
	key, err := dpop.NewKey()
	if err != nil {
		panic(err)
	}
	proof, err := key.Proof(dpop.Request{Method: "POST", URL: "https://mcp.example.com/mcp", Token: "a-token", Now: time.Now()})
	fmt.Println(strings.Count(proof, "."), err)
	// Output: 2 <nil>
}
