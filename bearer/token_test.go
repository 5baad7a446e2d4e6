package bearer_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// encode makes a part of a token by hand.
func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestTokens(t *testing.T) {
	i := newIssuer(t)
	whole, _ := json.Marshal(i.good())
	halved := bytes.Replace(whole, []byte(`"alice"`), []byte(`"a\ud800"`), 1)
	jwt := func(header string) string {
		b, _ := json.Marshal(i.good())
		return encode(header) + "." + encode(string(b)) + "." + encode("signature")
	}
	with := func(c claimSet) string { return sign(t, i.good().with(c), signer{}) }
	typ := func(typ any, c claimSet) string {
		return sign(t, i.good().with(c), signer{header: map[jose.HeaderKey]any{"typ": typ}})
	}
	pub, err := x509.MarshalPKIXPublicKey(rsaKeys()[0].Public())
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	good := sign(t, i.good(), signer{})
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")

	for _, row := range []struct {
		name   string
		token  string
		reason bearer.Reason // empty: accepted
	}{
		{"a good token is accepted", good, ""},

		{"attack 19 alg none is refused", jwt(`{"alg":"none","typ":"at+jwt","kid":"k1"}`), bearer.ReasonAlgorithm},
		{"attack 19 alg None in other case is refused", jwt(`{"alg":"NoNe","typ":"at+jwt","kid":"k1"}`), bearer.ReasonAlgorithm},
		{"attack 19 alg none with an empty signature is refused", encode(`{"alg":"none"}`) + "." + body + ".", bearer.ReasonAlgorithm},
		{"attack 19 HS256 with the public RSA key as secret is refused", sign(t, i.good(), signer{key: pub, alg: jose.HS256}), bearer.ReasonAlgorithm},
		{"attack 19 an algorithm the key does not fit is refused", sign(t, i.good(), signer{key: ecKey(t, elliptic.P256()), alg: jose.ES256}), bearer.ReasonKey},
		{"attack 19 a token without alg is refused", jwt(`{"typ":"at+jwt","kid":"k1"}`), bearer.ReasonOpaque},
		{"attack 19 alg of another JSON kind is refused", jwt(`{"alg":["RS256"],"kid":"k1"}`), bearer.ReasonMalformed},
		{"a signature by another key is refused", sign(t, i.good(), signer{key: rsaKeys()[1]}), bearer.ReasonSignature},
		{"claims changed after signing are refused", head + "." + strings.Split(with(claimSet{"sub": "mallory"}), ".")[1] + "." + sig, bearer.ReasonSignature},

		{"attack 20 RS-9 a missing aud is refused", with(claimSet{"aud": nil}), bearer.ReasonAudience},
		{"attack 20 RS-9 an empty aud is refused", with(claimSet{"aud": ""}), bearer.ReasonAudience},
		{"attack 20 RS-9 an empty list as aud is refused", with(claimSet{"aud": []string{}}), bearer.ReasonAudience},
		{"attack 20 RS-9 another resource is refused", with(claimSet{"aud": "https://other.example.com/mcp"}), bearer.ReasonAudience},
		{"attack 20 RS-9 the resource with a slash more is refused", with(claimSet{"aud": resource + "/"}), bearer.ReasonAudience},
		{"attack 20 RS-9 the resource in other case is refused", with(claimSet{"aud": strings.ToUpper(resource)}), bearer.ReasonAudience},
		{"attack 20 RS-9 a prefix of the resource is refused", with(claimSet{"aud": "https://mcp.example.com"}), bearer.ReasonAudience},
		{"attack 20 RS-9 a list without the resource is refused", with(claimSet{"aud": []string{"a", "b"}}), bearer.ReasonAudience},
		{"attack 20 a list with the resource is accepted", with(claimSet{"aud": []string{"a", resource}}), ""},
		{"attack 20 a list with something else than texts is refused", with(claimSet{"aud": []any{resource, 7}}), bearer.ReasonAudience},
		{"attack 20 aud as an object is refused", with(claimSet{"aud": claimSet{resource: true}}), bearer.ReasonAudience},

		{"attack 21 another issuer is refused", with(claimSet{"iss": "https://evil.example.com"}), bearer.ReasonIssuer},
		{"attack 21 the issuer with a slash more is refused", with(claimSet{"iss": i.URL + "/"}), bearer.ReasonIssuer},
		{"attack 21 a missing issuer is refused", with(claimSet{"iss": nil}), bearer.ReasonIssuer},
		{"attack 21 an issuer that is a list is refused", with(claimSet{"iss": []string{i.URL}}), bearer.ReasonIssuer},

		{"RS-10 attack 24 an expired token is refused", with(claimSet{"exp": at(-time.Hour)}), bearer.ReasonExpired},
		{"attack 24 expired within the leeway is accepted", with(claimSet{"exp": at(-59 * time.Second)}), ""},
		{"attack 24 expired by the leeway is refused", with(claimSet{"exp": at(-time.Minute)}), bearer.ReasonExpired},
		{"attack 24 nbf ahead within the leeway is accepted", with(claimSet{"nbf": at(time.Minute)}), ""},
		{"attack 24 nbf ahead beyond the leeway is refused", with(claimSet{"nbf": at(61 * time.Second)}), bearer.ReasonNotYet},
		{"attack 24 iat ahead beyond the leeway is refused", with(claimSet{"iat": at(61 * time.Second)}), bearer.ReasonNotYet},
		{"attack 24 a token without exp is refused", with(claimSet{"exp": nil}), bearer.ReasonLifetime},
		{"attack 24 exp in a hundred years is refused", with(claimSet{"exp": at(100 * 365 * 24 * time.Hour)}), bearer.ReasonLifetime},
		{"attack 24 exp beyond the year 9999 is refused", with(claimSet{"exp": 1e18}), bearer.ReasonLifetime},
		{"attack 24 exp that overflows is refused", with(claimSet{"exp": json.Number("1e400")}), bearer.ReasonLifetime},
		{"attack 24 a negative exp is refused", with(claimSet{"exp": -1}), bearer.ReasonLifetime},
		{"attack 24 exp as a text is refused", with(claimSet{"exp": "2000000000"}), bearer.ReasonLifetime},
		{"attack 24 exp null is refused", sign(t, []byte(`{"iss":"`+i.URL+`","aud":"`+resource+`","sub":"a","scope":"x","exp":null}`), signer{}), bearer.ReasonLifetime},
		{"attack 24 nbf as a text is refused", with(claimSet{"nbf": "0"}), bearer.ReasonMalformed},
		{"attack 24 a whole life longer than the most is refused near its end", with(claimSet{"iat": at(-49 * time.Hour), "exp": at(time.Hour)}), bearer.ReasonLifetime},
		{"Entra 15 a life of 28 hours is accepted", with(claimSet{"exp": at(28 * time.Hour)}), ""},
		{"a fraction in exp is accepted", with(claimSet{"exp": float64(at(time.Hour)) + 0.5}), ""},

		{"attack 25 an ID token with a nonce is refused", typ("JWT", claimSet{"nonce": "n"}), bearer.ReasonType},
		{"attack 25 an ID token with at_hash is refused", typ("JWT", claimSet{"at_hash": "h"}), bearer.ReasonType},
		{"attack 25 an ID token without a scope or client is refused", typ("JWT", claimSet{"scope": nil, "client_id": nil}), bearer.ReasonType},
		{"attack 25 a plain JWT with a client is accepted", typ("JWT", claimSet{"scope": nil}), ""},
		{"attack 25 a token without typ but with a scope is accepted", typ(nil, nil), ""},
		{"attack 25 typ spelled as a media type is accepted", typ("application/AT+JWT", nil), ""},
		{"attack 25 a refresh token by typ is refused", typ("rt+jwt", nil), bearer.ReasonType},
		{"attack 25 a logout token by typ is refused", typ("logout+jwt", nil), bearer.ReasonType},
		{"attack 25 a claim typ of an ID token is refused", typ("JWT", claimSet{"typ": "ID"}), bearer.ReasonType},
		{"attack 25 a claim typ of a refresh token is refused", typ("JWT", claimSet{"typ": "Refresh"}), bearer.ReasonType},
		{"attack 25 token_use id is refused", typ("JWT", claimSet{"token_use": "id"}), bearer.ReasonType},
		{"attack 25 token_use refresh is refused", typ("JWT", claimSet{"token_use": "refresh_token"}), bearer.ReasonType},
		{"a token bound to a key is refused, since nobody proved the key", with(claimSet{"cnf": claimSet{"jkt": "x"}}), bearer.ReasonType},

		{"attack 31 thousands of dots are refused", strings.Repeat(".", 10_000), bearer.ReasonOpaque},
		{"attack 31 a header and thousands of dots are refused", head + strings.Repeat(".", 10_000), bearer.ReasonMalformed},
		{"attack 31 more than the most bytes is refused", good + strings.Repeat("A", 16<<10), bearer.ReasonMalformed},
		{"attack 31 a giant header is refused", sign(t, i.good(), signer{header: map[jose.HeaderKey]any{"x": strings.Repeat("x", 4<<10)}}), bearer.ReasonOpaque},
		{"attack 31 no dots is refused", "abc", bearer.ReasonOpaque},
		{"attack 31 one dot is refused", head + "." + body, bearer.ReasonOpaque},
		{"attack 31 four parts are refused", good + ".x", bearer.ReasonMalformed},
		{"attack 31 an encrypted token is refused", encode(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d", bearer.ReasonMalformed},
		{"an empty signature is refused", head + "." + body + ".", bearer.ReasonMalformed},
		{"padding in base64 is refused", head + "." + body + "=." + sig, bearer.ReasonMalformed},
		{"the other base64 alphabet is refused", head + "." + body + "." + sig[:len(sig)-4] + "+/+/", bearer.ReasonMalformed},
		{"loose bits at the end of base64 are refused", head + "." + body + "." + loosen(sig), bearer.ReasonMalformed},
		{"claims that are a list are refused", sign(t, []byte(`[]`), signer{}), bearer.ReasonMalformed},
		{"claims twice are refused", sign(t, []byte(`{"sub":"alice","sub":"mallory"}`), signer{}), bearer.ReasonMalformed},
		{"claims twice by an escape are refused", sign(t, []byte(`{"sub":"alice","\u0073ub":"mallory"}`), signer{}), bearer.ReasonMalformed},
		{"members twice deep inside are refused", sign(t, []byte(`{"a":[{"b":1,"b":2}]}`), signer{}), bearer.ReasonMalformed},
		{"data behind the claims is refused", sign(t, []byte(`{}{}`), signer{}), bearer.ReasonMalformed},
		{"invalid UTF-8 in claims is refused", sign(t, []byte("{\"sub\":\"\xff\"}"), signer{}), bearer.ReasonMalformed},
		{"claims nested deeply are refused", sign(t, []byte(`{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`), signer{}), bearer.ReasonMalformed},
		{"a header with a member twice is refused", encode(`{"alg":"RS256","alg":"none"}`) + "." + body + "." + sig, bearer.ReasonOpaque},
		{"a critical extension is refused", jwt(`{"alg":"RS256","kid":"k1","crit":["exp"],"exp":1}`), bearer.ReasonMalformed},
		{"an unencoded payload is refused", jwt(`{"alg":"RS256","kid":"k1","b64":false}`), bearer.ReasonMalformed},
		{"a kid of another JSON kind is refused", jwt(`{"alg":"RS256","kid":7}`), bearer.ReasonMalformed},
		{"a giant kid is refused", jwt(`{"alg":"RS256","kid":"` + strings.Repeat("k", 600) + `"}`), bearer.ReasonMalformed},
		{"a typ of another JSON kind is refused", jwt(`{"alg":"RS256","typ":{}}`), bearer.ReasonMalformed},

		{"attack 56 claims without anything are refused", sign(t, []byte(`{}`), signer{}), bearer.ReasonIssuer},
		{"attack 56 a missing sub is refused", with(claimSet{"sub": nil}), bearer.ReasonSubject},
		{"attack 56 an empty sub is refused", with(claimSet{"sub": ""}), bearer.ReasonSubject},
		{"a sub of another JSON kind is refused", with(claimSet{"sub": 7}), bearer.ReasonSubject},
		{"a sub with a control character beyond ASCII is refused", with(claimSet{"sub": "a\u009bb"}), bearer.ReasonSubject},
		{"a sub with half a character, which every reader spells in its own way, is refused", sign(t, halved, signer{}), bearer.ReasonSubject},
		{"a sub with a character that could not be read is refused", with(claimSet{"sub": "a\ufffd"}), bearer.ReasonSubject},
		{"a client with a control character is refused", with(claimSet{"client_id": "cli\n"}), bearer.ReasonSubject},
		{"a sub with a control character is refused", with(claimSet{"sub": "a\x00b"}), bearer.ReasonSubject},
		{"a scope of another JSON kind is refused", with(claimSet{"scope": 7}), bearer.ReasonMalformed},
		{"a list of scopes with a number is refused", with(claimSet{"scope": []any{"execute", 7}}), bearer.ReasonMalformed},
		{"attack 56 scope null is a token without scopes", with(claimSet{"scope": json.RawMessage("null")}), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := guardFor(t, i, nil)
			agrees(t, g, row.token, row.reason)
			if row.reason == "" {
				accepted(t, g, row.token)
				return
			}
			refused(t, g, row.token, row.reason)
			// The same through Protect: 401 invalid_token with a complete challenge, and the handler never runs.
			if strings.Contains(row.token, "=.") { // not even a credential: Protect answers 400, see TestRequests
				return
			}
			resp, reached := call(g, request(row.token))
			if reached {
				t.Error("the handler was reached")
			}
			if c := expect(t, resp, http.StatusUnauthorized, "invalid_token"); strings.Join(c.Scopes, " ") != "execute" {
				t.Errorf("scope %q", c.Scopes)
			}
		})
	}
}

// loosen sets bits that the last character of base64 carries but that mean nothing.
func loosen(sig string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, sig[len(sig)-1])
	return sig[:len(sig)-1] + string(alphabet[last|1])
}

// Attack 22: a token must not bring its own key, in any of the ways JOSE has.
func TestAttack22_KeysInTheTokenAreIgnored(t *testing.T) {
	i := newIssuer(t)
	foreign := rsaKeys()[1]
	asked := make(chan string, 1)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{public("k1", foreign.Public(), nil)}})
	}))
	defer evil.Close()
	for name, header := range map[jose.HeaderKey]any{
		"jku": evil.URL + "/keys",
		"x5u": evil.URL + "/cert",
		"jwk": public("k1", foreign.Public(), nil),
		"x5c": []string{"AAAA"},
	} {
		t.Run("attack 22 "+string(name)+" is never used", func(t *testing.T) {
			g := guardFor(t, i, nil)
			token := sign(t, i.good(), signer{key: foreign, header: map[jose.HeaderKey]any{name: header}})
			refused(t, g, token, bearer.ReasonSignature)
			select {
			case path := <-asked:
				t.Errorf("the address in the token was asked for %s", path)
			default:
			}
		})
	}
	t.Run("attack 22 a JWKS address in the claims is never used", func(t *testing.T) {
		g := guardFor(t, i, nil)
		refused(t, g, sign(t, i.good().with(claimSet{"jwks_uri": evil.URL, "jku": evil.URL}), signer{key: foreign}), bearer.ReasonSignature)
		if len(asked) > 0 {
			t.Error("the address in the claims was asked")
		}
	})
}

func TestAttack22_SameKeyIDAtTwoIssuersStaysApart(t *testing.T) {
	a, b := newIssuer(t), newIssuer(t)
	b.publish(public("k1", rsaKeys()[1].Public(), nil))
	g := guardFor(t, a, func(c *bearer.Config) { c.Providers = append(c.Providers, idp.OIDC(b.URL)) })
	accepted(t, g, sign(t, a.good(), signer{}))
	accepted(t, g, sign(t, b.good(), signer{key: rsaKeys()[1]}))
	refused(t, g, sign(t, a.good(), signer{key: rsaKeys()[1]}), bearer.ReasonSignature)
	refused(t, g, sign(t, b.good(), signer{}), bearer.ReasonSignature)
}

func TestAttack22_DiscoveryCannotSwapKeys(t *testing.T) {
	i, evil := newIssuer(t), newIssuer(t)
	evil.publish(public("k1", rsaKeys()[1].Public(), nil))
	forged := sign(t, i.good(), signer{key: rsaKeys()[1]})
	t.Run("attack 22 metadata that names another issuer is not used", func(t *testing.T) {
		i.mu.Lock()
		i.metadata = map[string]any{"issuer": evil.URL, "jwks_uri": evil.URL + "/keys"}
		i.mu.Unlock()
		g := guardFor(t, i, nil)
		refused(t, g, forged, bearer.ReasonUnavailable)
		if evil.keyReads.Load() != 0 {
			t.Error("the foreign keys were read")
		}
	})
	t.Run("attack 22 a redirect of the keys to another origin is not followed", func(t *testing.T) {
		i.mu.Lock()
		i.metadata = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/moved"}
		i.mu.Unlock()
		i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved" {
				http.Redirect(w, r, evil.URL+"/keys", http.StatusFound)
				return
			}
			i.serve(w, r)
		})
		g := guardFor(t, i, nil)
		refused(t, g, forged, bearer.ReasonUnavailable)
		if evil.keyReads.Load() != 0 {
			t.Error("the foreign keys were read")
		}
	})
}

func TestAlgorithms(t *testing.T) {
	i := newIssuer(t)
	p256, p384, ed := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), edKey(t)
	i.publish(
		public("rsa", rsaKeys()[0].Public(), nil),
		public("pinned", rsaKeys()[1].Public(), map[string]any{"alg": "RS256"}),
		public("p256", p256.Public(), nil),
		public("p384", p384.Public(), nil),
		public("ed", ed.Public(), nil),
		public("enc", rsaKeys()[2].Public(), map[string]any{"use": "enc"}),
		public("ops", rsaKeys()[2].Public(), map[string]any{"key_ops": []string{"encrypt"}}),
		map[string]any{"kty": "oct", "kid": "oct", "k": encode(strings.Repeat("k", 32))},
		map[string]any{"kty": "future", "kid": "future"},
	)
	for _, row := range []struct {
		name   string
		signer signer
		reason bearer.Reason
	}{
		{"RS256 is accepted", signer{kid: "rsa"}, ""},
		{"RS512 is accepted", signer{kid: "rsa", alg: jose.RS512}, ""},
		{"PS256 is accepted", signer{kid: "rsa", alg: jose.PS256}, ""},
		{"ES256 is accepted", signer{kid: "p256", key: p256, alg: jose.ES256}, ""},
		{"ES384 is accepted", signer{kid: "p384", key: p384, alg: jose.ES384}, ""},
		{"EdDSA is accepted", signer{kid: "ed", key: ed, alg: jose.EdDSA}, ""},
		{"a key's own alg is respected", signer{kid: "pinned", key: rsaKeys()[1]}, ""},
		{"a key with an alg checks no other", signer{kid: "pinned", key: rsaKeys()[1], alg: jose.PS256}, bearer.ReasonKey},
		{"a key for encryption checks nothing", signer{kid: "enc", key: rsaKeys()[2]}, bearer.ReasonKey},
		{"a key for other operations checks nothing", signer{kid: "ops", key: rsaKeys()[2]}, bearer.ReasonKey},
		{"ES256 with an RSA key's id is refused", signer{kid: "rsa", key: p256, alg: jose.ES256}, bearer.ReasonKey},
		{"a token without kid is refused where several keys fit", signer{kid: "-"}, bearer.ReasonKey},
		{"a token without kid is given the only key that fits", signer{kid: "-", key: ed, alg: jose.EdDSA}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := guardFor(t, i, nil)
			token := sign(t, i.good(), row.signer)
			if row.reason == "" {
				accepted(t, g, token)
			} else {
				refused(t, g, token, row.reason)
			}
		})
	}
	t.Run("attack 19 a symmetric key in the set is never used", func(t *testing.T) {
		g := guardFor(t, i, nil)
		refused(t, g, sign(t, i.good(), signer{kid: "oct", key: []byte(strings.Repeat("k", 32)), alg: jose.HS256}), bearer.ReasonAlgorithm)
	})
	t.Run("attack 19 an algorithm that the provider does not use is refused", func(t *testing.T) {
		g := guardFor(t, i, func(c *bearer.Config) { c.Providers[0].Algorithms = []string{"RS256"} })
		accepted(t, g, sign(t, i.good(), signer{kid: "rsa"}))
		refused(t, g, sign(t, i.good(), signer{kid: "p256", key: p256, alg: jose.ES256}), bearer.ReasonAlgorithm)
	})
}

func TestErrorsAreTyped(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	_, err := g.Verify(context.Background(), sign(t, i.good().with(claimSet{"exp": 1}), signer{}))
	var e *bearer.Error
	if !errors.As(err, &e) || e.Reason != bearer.ReasonExpired || e.Status != 401 || e.Code != "invalid_token" || e.Provider != "oidc" || e.Cause == nil {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(err.Error(), "expired") || bearer.ReasonOf(errors.New("x")) != bearer.ReasonUnavailable {
		t.Errorf("%v", err)
	}
}
