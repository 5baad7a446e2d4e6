package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

func TestATokenIsKnownOnceItWasVerified(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	good := sign(t, i.good(), signer{})
	if g.Known(request(good)) {
		t.Error("a token nobody verified is known")
	}
	if _, err := g.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	twice := request(good)
	twice.Header.Add("Authorization", "Bearer "+good)
	basic := request("")
	basic.Header.Set("Authorization", "Basic "+good)
	for _, row := range []struct {
		name string
		r    *http.Request
		want bool
	}{
		{"a token that was verified is known", request(good), true},
		{"another is not", request(good + "x"), false},
		{"none is not", request(""), false},
		{"one that comes twice is not", twice, false},
		{"one under another scheme is not", basic, false},
	} {
		if got := g.Known(row.r); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestEveryRefusalIsTold(t *testing.T) {
	i := newIssuer(t)
	var told []bearer.Reason
	g := guardFor(t, i, func(c *bearer.Config) {
		c.OnRefuse = func(r *http.Request, e *bearer.Error) {
			if r == nil || e.Status < 400 {
				t.Errorf("told of %v", e)
			}
			told = append(told, e.Reason)
		}
	})
	h := g.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "admin")
	for _, token := range []string{"", "sesame", sign(t, i.good(), signer{})} {
		h.ServeHTTP(httptest.NewRecorder(), request(token))
	}
	if want := []bearer.Reason{bearer.ReasonMissing, bearer.ReasonOpaque, bearer.ReasonScope}; !slices.Equal(told, want) {
		t.Errorf("told of %v", told)
	}
}
