package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// FuzzVerify holds that no token but the one that was signed is accepted, and that every refusal has a reason.
func FuzzVerify(f *testing.F) {
	i := newIssuer(f)
	g := guardFor(f, i, func(c *bearer.Config) { c.CacheSize = -1 })
	good := sign(f, i.good(), signer{})
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	for _, s := range []string{good, "", ".", "..", "...", head, head + ".", head + ".." + sig, good + ".", good + "=", encode(`{"alg":"none"}`) + "." + body + ".",
		encode(`{"alg":"HS256"}`) + "." + body + "." + sig, encode(`{"alg":"RS256","kid":"k1","crit":[]}`) + "." + body + "." + sig, "opaque", head + "." + encode(`{"iss":{}}`) + "." + sig} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		id, err := g.Verify(t.Context(), token)
		if (id == nil) == (err == nil) {
			t.Fatalf("%v and %v", id, err)
		}
		if err == nil && token != good {
			t.Fatalf("accepted %q", token)
		}
		if err != nil && bearer.ReasonOf(err) == "" {
			t.Fatalf("no reason: %v", err)
		}
	})
}

// FuzzClaims holds that signed claims of any content never panic, and that who is accepted has a subject, this audience
// and an expiry.
func FuzzClaims(f *testing.F) {
	i := newIssuer(f)
	g := guardFor(f, i, func(c *bearer.Config) { c.CacheSize = -1 })
	for _, s := range []string{`{}`, `null`, `[]`, `{"iss":"` + i.URL + `","aud":["` + resource + `"],"sub":"a","exp":1800000100,"scope":"x"}`,
		`{"iss":"` + i.URL + `","aud":"` + resource + `","sub":"a","exp":1.8e9,"scope":null,"roles":[[]],"groups":{}}`, `{"exp":1e400}`, `{"aud":[null]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		id, err := g.Verify(t.Context(), sign(t, claims, signer{}))
		if err == nil && (id.Subject == "" || id.Issuer != i.URL || id.Expiry.IsZero() || !strings.Contains(string(claims), "aud")) {
			t.Fatalf("accepted %q as %+v", claims, id)
		}
	})
}

// FuzzAuthorization holds that no header but the good token's reaches the handler, and that every refusal is a challenge
// that parses.
func FuzzAuthorization(f *testing.F) {
	i := newIssuer(f)
	g := guardFor(f, i, nil)
	good := sign(f, i.good(), signer{})
	for _, s := range []string{"", "Bearer", "Bearer " + good, "bearer  " + good + "  ", "Basic x", "Bearer a b", "Bearer \"a\"", "Bearer\t" + good, "\x00", "Bearer a,Bearer b", "é"} {
		f.Add(s, "")
	}
	f.Add("Bearer "+good, "access_token=x")
	f.Add("Bearer "+good, "%61ccess_token&;=")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Authorization"] = []string{header}
		r.URL.RawQuery = query
		resp, reached := call(g, r)
		if reached {
			if !strings.HasSuffix(strings.TrimRight(header, " "), " "+good) || !strings.EqualFold(header[:7], "bearer ") || strings.Contains(query, "access_token=") {
				t.Fatalf("reached by %q with %q", header, query)
			}
			return
		}
		all, err := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
		if err != nil || len(all) != 1 || all[0].ResourceMetadata == "" {
			t.Fatalf("%v: %q", err, resp.Header.Values("WWW-Authenticate"))
		}
	})
}

// FuzzIntrospection holds that an answer of any content lets nobody in without active, subject, audience and expiry.
func FuzzIntrospection(f *testing.F) {
	i := newIssuer(f)
	var answer []byte
	g := guardFor(f, i, func(c *bearer.Config) {
		c.CacheSize = -1
		c.Introspection = &bearer.Introspection{URL: "http://127.0.0.1/introspect", ClientID: "a", ClientSecret: "b", CacheFor: -1}
		c.HTTPClient = &http.Client{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(answer) })}}
	})
	for _, s := range []string{`{"active":true,"sub":"a","aud":"` + resource + `","exp":1800000100}`, `{"active":false}`, `{"active":"true"}`, `{"active":true}`, `{"active":true,"active":false}`, `[]`, ``, `{"active":true,"aud":[1]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		answer = b
		id, err := g.Verify(t.Context(), "opaque")
		if (id == nil) == (err == nil) {
			t.Fatalf("%v and %v", id, err)
		}
		if s := string(b); err == nil && (id.Subject == "" || id.Expiry.IsZero() || !strings.Contains(s, "true")) {
			t.Fatalf("accepted %q as %+v", s, id)
		}
	})
}
