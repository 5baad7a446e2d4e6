package secrets_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

const secret = "s3cr3t/with+signs&of=its own"

// The search of the whole suite is only worth something if it can fail.
func TestASecretThatWasPlantedIsFound(t *testing.T) {
	known := &secrets.Known{}
	known.Learn("refresh_token", secret)
	known.Learn("access_token", "eyJhbGciOiJub25lIn0.eyJpc3MiOiJrZXllZCJ9.the-signature-of-it")
	for name, text := range map[string]string{
		"as it is":                           "level=ERROR msg=" + secret,
		"at the very end":                    secret,
		"escaped for a query":                "https://as.example/?refresh_token=" + url.QueryEscape(secret) + "&x=y",
		"escaped for a path":                 "https://as.example/" + url.PathEscape(secret),
		"in base64":                          base64.StdEncoding.EncodeToString([]byte(secret)),
		"in base64 without padding":          base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"in base64 behind one byte":          base64.StdEncoding.EncodeToString([]byte("a" + secret + "bc")),
		"in base64 behind two":               base64.StdEncoding.EncodeToString([]byte("ab" + secret)),
		"in the Authorization of its client": "Basic " + base64.StdEncoding.EncodeToString([]byte("client:"+url.QueryEscape(secret))),
		"only the signature of a JWT":        "invalid signature the-signature-of-it",
		"a JWT that nobody has handed in":    "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJzb21lYm9keSJ9.c2lnbmF0dXJl",
		"a refresh token of another process": "rt.abcdefgh.1.abcdefghijklmnopqrstu",
		"between two others of its length":   strings.Repeat("x", len(secret)) + secret + strings.Repeat("y", len(secret)),
	} {
		t.Run(name+" is found", func(t *testing.T) {
			found := known.Find([]byte(text))
			if len(found) == 0 {
				t.Fatalf("nothing in %s", text)
			}
			if said := found[0].String(); strings.Contains(said, secret) || len(found[0].Start) > 6 {
				t.Errorf("the finding tells it: %s", said)
			}
		})
	}
	for name, text := range map[string]string{
		"nothing": "", "a text without it": strings.Repeat("all is well\n", 100), "half of it": secret[:len(secret)/2], "in pieces": secret[:9] + "\n" + secret[9:],
	} {
		t.Run(name+" is not found", func(t *testing.T) {
			if found := known.Find([]byte(text)); len(found) > 0 {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestAProviderIsWatched(t *testing.T) {
	known := &secrets.Known{}
	h := known.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.PostForm.Get("code_verifier") == "" && r.Method == http.MethodPost {
			t.Error("the provider does not see the form")
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "cookie-that-is-set"})
		w.Header().Set("Location", "http://127.0.0.1:1/callback?code=code-in-an-address&state=not-a-secret")
		w.Write([]byte(`{"access_token":"token-in-an-answer","refresh_token":"another-in-an-answer","scope":"not-a-secret"}`))
	}))
	r := httptest.NewRequest(http.MethodPost, "/token?code=code-in-a-query", strings.NewReader("code_verifier=verifier-in-a-form&scope=not-a-secret"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("DPoP", "proof-in-a-header")
	r.SetBasicAuth("client", url.QueryEscape(secret))
	r.AddCookie(&http.Cookie{Name: "session", Value: "cookie-that-is-sent"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	bearer := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	bearer.Header.Set("Authorization", "Bearer token-in-a-header")
	h.ServeHTTP(httptest.NewRecorder(), bearer)
	for _, what := range []string{"cookie-that-is-set", "code-in-an-address", "token-in-an-answer", "another-in-an-answer", "code-in-a-query",
		"verifier-in-a-form", "proof-in-a-header", secret, "cookie-that-is-sent", "token-in-a-header"} {
		if len(known.Find([]byte("it says "+what+"."))) == 0 {
			t.Errorf("%s is not known", what)
		}
	}
	if found := known.Find([]byte("not-a-secret")); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "token-in-an-answer") || w.Header().Get("Location") == "" {
		t.Errorf("the answer is changed: %d %s", w.Code, w.Body)
	}
}

func TestASuiteIsSearched(t *testing.T) {
	s := secrets.NewSuite(t.TempDir())
	if _, _, err := s.Search(); err == nil {
		t.Error("a search of nothing finds nothing wrong")
	}
	s.Learn("access_token", secret)
	if err := s.Keep("call-stderr", "all is well"); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep("token-stdout", secret); err != nil {
		t.Fatal(err)
	}
	if lines, _, err := s.Search("token-stdout"); err != nil || len(lines) > 0 {
		t.Errorf("found %v, %v", lines, err)
	}
	s.Writer("serve-stderr").Write([]byte("token=" + url.QueryEscape(secret)))
	if lines, _, err := s.Search("token-stdout"); err != nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "serve-stderr") || !strings.Contains(lines[0], "escaped for a URL") {
		t.Errorf("found %v, %v", lines, err)
	}
	if lines, _, _ := s.Search(); len(lines) != 2 {
		t.Errorf("found %v", lines)
	}
}
