package signin_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// nonced is an authorization server that makes bound tokens, and wants its nonce in each proof.
type nonced struct {
	proofs []map[string]any
	kind   string // of the tokens
	nonce  string // that it wants; empty means none
}

func (n *nonced) RoundTrip(r *http.Request) (*http.Response, error) {
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	signed, err := jose.ParseSignedCompact(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify(signed.Signatures[0].Header.JSONWebKey)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	n.proofs = append(n.proofs, claims)
	if n.nonce != "" && claims["nonce"] != n.nonce {
		rw.Header().Set("DPoP-Nonce", n.nonce)
		rw.WriteHeader(http.StatusBadRequest)
		rw.WriteString(`{"error":"use_dpop_nonce"}`)
		return rw.Result(), nil
	}
	rw.WriteString(`{"access_token":"bound","token_type":"` + n.kind + `","expires_in":100,"refresh_token":"r"}`)
	return rw.Result(), nil
}

func (n *nonced) request() *signin.Request {
	r := newServer().request()
	r.HTTPClient = &http.Client{Transport: n}
	r.Authorization.DPoPSigningAlgValuesSupported = []string{"RS256", "ES256"}
	r.Challenge.Scheme = "DPoP"
	return r
}

func TestTokensAreBoundToAKeyAndStaySo(t *testing.T) {
	n := &nonced{kind: "DPoP", nonce: "n1"}
	r := n.request()
	now := time.Now()
	bound := ""
	b := &signin.Browser{ClientID: "c", Now: func() time.Time { return now }, Prompt: func(p signin.BrowserPrompt) {
		u, _ := url.Parse(p.URL)
		bound = u.Query().Get("dpop_jkt")
	}, Open: answered(t, r, func(url.Values) {})}
	source, err := b.SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	tokens := source.(*signin.Tokens)
	if got, err := tokens.Token(); err != nil || got.Type() != "DPoP" {
		t.Errorf("token %v, %v", got.Type(), err)
	}
	if len(n.proofs) != 2 || n.proofs[0]["jti"] == n.proofs[1]["jti"] || n.proofs[1]["htu"] != "https://as.example/token" || n.proofs[1]["htm"] != "POST" {
		t.Errorf("proofs %v", n.proofs)
	}

	state := tokens.State()
	written, err := state.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	if state, err = signin.ReadState(written); err != nil {
		t.Fatal(err)
	}
	later, err := signin.Resume(state, signin.ResumeOptions{HTTPClient: &http.Client{Transport: n}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	proof, err := later.Proof("POST", mcpURL, "bound", "n2")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if jkt := thumbprint(t, signed.Signatures[0].Header.JSONWebKey); jkt != bound || bound == "" {
		t.Errorf("the key of the later process is %s, the code was bound to %s", jkt, bound)
	}
	now = now.Add(90 * time.Second)
	if _, err := later.Token(); err != nil || len(n.proofs) != 4 {
		t.Errorf("%d proofs, error %v", len(n.proofs), err)
	}
}

func thumbprint(t *testing.T, k *jose.JSONWebKey) string {
	t.Helper()
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func TestWhenTokensAreBound(t *testing.T) {
	for _, row := range []struct {
		name    string
		binding signin.Binding
		edit    func(*signin.Request)
		kind    string // of the tokens that come
		bound   bool
		err     string
	}{
		{"when the challenge asks for it", signin.BindWhenAsked, nil, "DPoP", true, ""},
		{"when the metadata asks for it", signin.BindWhenAsked, func(r *signin.Request) {
			r.Challenge.Scheme, r.Resource.DPoPBoundAccessTokensRequired = "Bearer", true
		}, "DPoP", true, ""},
		{"not when nobody asks", signin.BindWhenAsked, func(r *signin.Request) { r.Challenge.Scheme = "Bearer" }, "Bearer", false, ""},
		{"always, when told so", signin.BindAlways, func(r *signin.Request) { r.Challenge.Scheme = "Bearer" }, "DPoP", true, ""},
		{"never, when told so", signin.BindNever, nil, "Bearer", false, ""},
		{"not by a server that cannot", signin.BindWhenAsked, func(r *signin.Request) { r.Authorization.DPoPSigningAlgValuesSupported = nil }, "", false, "does not say that it makes them"},
		{"and a token that is not is refused", signin.BindWhenAsked, nil, "Bearer", false, `of type "Bearer", not DPoP`},
	} {
		t.Run(row.name, func(t *testing.T) {
			n := &nonced{kind: row.kind}
			r := n.request()
			if !row.bound && row.err == "" {
				r.HTTPClient = newServer(token("plain", "", "", 100)).request().HTTPClient
			}
			if row.edit != nil {
				row.edit(r)
			}
			b := &signin.Browser{ClientID: "c", Binding: row.binding, Open: answered(t, r, func(url.Values) {})}
			source, err := b.SignIn(t.Context(), r)
			if row.err != "" {
				if err == nil || !strings.Contains(err.Error(), row.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := source.(*signin.Tokens).State(); (s.DPoPKey != "") != row.bound {
				t.Errorf("bound: %v", s.DPoPKey != "")
			}
		})
	}
}
