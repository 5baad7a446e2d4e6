package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// built is a build in small.
func built(t *testing.T) fstest.MapFS {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("console.log(1)"))
	z.Close()
	return fstest.MapFS{
		"index.html":                {Data: []byte(`<script type="module" nonce="{{nonce}}" src="/assets/main-1.js"></script>`)},
		"docs/index.html":           {Data: []byte(`docs {{nonce}}`)},
		"docs/oauth2-redirect.html": {Data: []byte(`back {{nonce}}`)},
		"assets/main-1.js.br":       {Data: []byte("brotli")},
		"assets/main-1.js.gz":       {Data: packed.Bytes()},
	}
}

func get(t *testing.T, o Options, path string, header ...string) *http.Response {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	c.Register(mux)
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPagesAreTheConsolesOwnPathsAlone(t *testing.T) {
	for path, want := range map[string]int{
		"/tools": 200, "/tools/reverse_tool": 200, "/calls": 200, "/calls/abc": 200, "/resources": 200, "/me": 200, "/connect": 200,
		"/settings": 200, "/api/docs": 200, "/api/docs/": 200, "/api/docs/oauth2-redirect.html": 200,
		"/tools/a/b": 404, "/admin": 404, "/index.html": 404, "/assets/none.js": 404, "/assets/": 404, "/assets/../index.html": 307,
	} {
		if r := get(t, Options{Files: built(t)}, path); r.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestEachPageHasItsOwnNonceAndAPolicyWithoutUnsafe(t *testing.T) {
	seen := map[string]bool{}
	for range 3 {
		for _, path := range []string{"/tools", "/api/docs", "/api/docs/oauth2-redirect.html"} {
			r := get(t, Options{Files: built(t)}, path)
			policy := r.Header.Get("Content-Security-Policy")
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
				t.Errorf("%s has the policy %s", path, policy)
			}
			_, rest, found := strings.Cut(policy, "'nonce-")
			nonce, _, _ := strings.Cut(rest, "'")
			if !found || len(nonce) < 22 || seen[nonce] {
				t.Errorf("%s has the nonce %q, which is short or was used before", path, nonce)
			}
			seen[nonce] = true
			if body := text(t, r); !strings.Contains(body, nonce) || strings.Contains(body, placeholder) {
				t.Errorf("%s does not carry its nonce: %s", path, body)
			}
			if r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be kept: a nonce would be used twice", path)
			}
		}
	}
}

func TestOnlyTheDocumentationMayAskForTokens(t *testing.T) {
	o := Options{Files: built(t), TokenURL: func(context.Context) string { return "https://login.example.com/token?x=1" }}
	for path, want := range map[string]bool{"/tools": false, "/api/docs": true, "/api/docs/oauth2-redirect.html": false} {
		if got := strings.Contains(get(t, o, path).Header.Get("Content-Security-Policy"), "connect-src 'self' https://login.example.com;"); got != want {
			t.Errorf("%s may talk to the provider: %v, want %v", path, got, want)
		}
	}
}

func TestAnAddressCannotWriteThePolicy(t *testing.T) {
	for _, at := range []string{"https://a.example;script-src *", "https://*/token", "javascript:x", "//a.example", "https://a'b/"} {
		o := Options{Files: built(t), TokenURL: func(context.Context) string { return at }}
		if got := get(t, o, "/api/docs").Header.Get("Content-Security-Policy"); !strings.Contains(got, "connect-src 'self';") {
			t.Errorf("%q made the policy %s", at, got)
		}
	}
}

func TestAssetsAreSentAsTheClientTakesThem(t *testing.T) {
	for _, row := range []struct{ name, accepts, encoding string }{
		{"a browser gets brotli", "gzip, deflate, br, zstd", "br"},
		{"one without brotli gets gzip", "gzip", "gzip"},
		{"a refused encoding is not sent", "br;q=0, gzip;q=0.5", "gzip"},
		{"one that takes no encoding gets the plain file", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := get(t, Options{Files: built(t)}, "/assets/main-1.js", "Accept-Encoding", row.accepts)
			if got := r.Header.Get("Content-Encoding"); got != row.encoding || r.StatusCode != 200 {
				t.Errorf("it answers %d in %q, want 200 in %q", r.StatusCode, got, row.encoding)
			}
			if body := text(t, r); row.encoding == "" && body != "console.log(1)" {
				t.Errorf("the plain file is %q", body)
			}
			if got := r.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
				t.Errorf("it is %q", got)
			}
			if got := r.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
				t.Errorf("it may be kept %q, want for good", got)
			}
		})
	}
}

func TestWithoutTheBuildAPageSaysHowToGetIt(t *testing.T) {
	r := get(t, Options{Files: fstest.MapFS{".keep": {}}}, "/tools")
	if body := text(t, r); r.StatusCode != http.StatusNotImplemented || !strings.Contains(body, "make web") {
		t.Errorf("it answers %d: %s", r.StatusCode, body)
	}
}

func TestABrowserIsToldFromAProgram(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true,
		"*/*": false, "": false, "application/json": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", accept)
		if got := Wanted(r); got != want {
			t.Errorf("%q wants a page: %v, want %v", accept, got, want)
		}
	}
}
