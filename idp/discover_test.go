package idp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// site answers paths with texts; "->" in front of a text redirects.
func site(t *testing.T, pages map[string]string) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		page, ok := pages[r.URL.Path]
		page = strings.ReplaceAll(page, "SELF", s.URL)
		switch to, redirect := strings.CutPrefix(page, "->"); {
		case !ok:
			http.NotFound(w, r)
		case redirect:
			http.Redirect(w, r, to, http.StatusFound)
		case page == "500":
			w.WriteHeader(500)
		default:
			fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

func TestDiscover(t *testing.T) {
	const (
		oidc = "/.well-known/openid-configuration"
		rfc  = "/.well-known/oauth-authorization-server"
		good = `{"issuer":"SELF","jwks_uri":"SELF/keys","introspection_endpoint":"SELF/introspect"}`
	)
	for _, row := range []struct {
		name  string
		pages map[string]string
		path  string // of the issuer
		asked []string
		fault error  // nil with text empty: found
		text  string // in the error
	}{
		{"as OpenID Connect places it", map[string]string{oidc: good}, "", []string{oidc}, nil, ""},
		{"as RFC 8414 places it", map[string]string{rfc: good}, "", []string{oidc, rfc}, nil, ""},
		{"C-3 with a path, appended", map[string]string{"/t" + oidc: `{"issuer":"SELF/t"}`}, "/t", []string{"/t" + oidc}, nil, ""},
		{"C-3 with a path, inserted as RFC 8414 says", map[string]string{rfc + "/t": `{"issuer":"SELF/t"}`}, "/t", []string{"/t" + oidc, rfc + "/t"}, nil, ""},
		{"C-3 with a path, inserted for OpenID", map[string]string{oidc + "/t": `{"issuer":"SELF/t"}`}, "/t", []string{"/t" + oidc, rfc + "/t", oidc + "/t"}, nil, ""},
		{"a redirect within the origin is followed", map[string]string{oidc: "->/moved", "/moved": good}, "", []string{oidc, "/moved"}, nil, ""},
		{"C-4 attack 22 another issuer is refused, and nothing else tried", map[string]string{oidc: `{"issuer":"https://evil.example.com","jwks_uri":"SELF/keys"}`, rfc: good}, "", []string{oidc}, idp.ErrIssuerMismatch, ""},
		{"C-4 a slash more is another issuer", map[string]string{oidc: `{"issuer":"SELF/"}`}, "", []string{oidc}, idp.ErrIssuerMismatch, ""},
		{"C-4 a document without an issuer is refused", map[string]string{oidc: `{"jwks_uri":"SELF/keys"}`}, "", []string{oidc}, idp.ErrIssuerMismatch, ""},
		{"a key set over http off loopback is refused", map[string]string{oidc: `{"issuer":"SELF","jwks_uri":"http://keys.example.com"}`}, "", []string{oidc}, idp.ErrInsecureURL, ""},
		{"a key set in a file is refused", map[string]string{oidc: `{"issuer":"SELF","jwks_uri":"file:///etc/passwd"}`}, "", []string{oidc}, nil, "jwks_uri"},
		{"no JSON is refused", map[string]string{oidc: `<html>`}, "", []string{oidc}, nil, "not the JSON"},
		{"members of another JSON kind are refused", map[string]string{oidc: `{"issuer":["SELF"]}`}, "", []string{oidc}, nil, "not the JSON"},
		{"a fault of the server ends the search", map[string]string{oidc: "500", rfc: good}, "", []string{oidc}, nil, "answered 500"},
		{"nothing anywhere", nil, "", []string{oidc, rfc}, nil, "answered 404"},
		{"a redirect without end is cut off", map[string]string{oidc: "->" + oidc}, "", nil, nil, "too many redirects"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, asked := site(t, row.pages)
			m, err := idp.Discover(t.Context(), nil, s.URL+row.path)
			if row.fault == nil && row.text == "" {
				if err != nil || m.Issuer != s.URL+row.path {
					t.Errorf("%+v, %v", m, err)
				}
			} else if m != nil || err == nil || row.fault != nil && !errors.Is(err, row.fault) || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%+v, %v", m, err)
			}
			if row.asked != nil && !slices.Equal(*asked, row.asked) {
				t.Errorf("asked %q, want %q", *asked, row.asked)
			}
		})
	}
	t.Run("attack 22 a redirect to another origin is refused", func(t *testing.T) {
		evil, asked := site(t, map[string]string{oidc: good})
		s, _ := site(t, map[string]string{oidc: "->" + evil.URL + oidc})
		if m, err := idp.Discover(t.Context(), nil, s.URL); err == nil || !strings.Contains(err.Error(), "another origin") || len(*asked) != 0 {
			t.Errorf("%+v, %v, asked %q", m, err, *asked)
		}
	})
	t.Run("attack 22 a provider on the network cannot name keys on this machine", func(t *testing.T) {
		var s *httptest.Server
		s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"http://127.0.0.1:9/keys"}`, s.URL)
		}))
		defer s.Close()
		if m, err := idp.Discover(t.Context(), s.Client(), s.URL); !errors.Is(err, idp.ErrInsecureURL) {
			t.Errorf("%+v, %v", m, err)
		}
	})
	t.Run("an endless document is cut off", func(t *testing.T) {
		s, _ := site(t, map[string]string{oidc: `{"issuer":"SELF","x":"` + strings.Repeat("x", 1<<20) + `"}`})
		if _, err := idp.Discover(t.Context(), nil, s.URL); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Error(err)
		}
	})
	t.Run("the caller's end ends it", func(t *testing.T) {
		s, _ := site(t, map[string]string{oidc: good})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := idp.Discover(ctx, nil, s.URL); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for _, issuer := range []string{"", "idp", "http://idp.example.com", "https://a?b", "https://a#b", "https://u:p@a", "ftp://a", "http://127.0.0.1.evil.example", "http://localhost.evil.example"} {
		if m, err := idp.Discover(t.Context(), nil, issuer); err == nil {
			t.Errorf("%q is accepted: %+v", issuer, m)
		}
	}
}

func TestEntra7_DiscoveryOfTemplates(t *testing.T) {
	const doc = "/t/v2.0/.well-known/openid-configuration"
	for _, row := range []struct {
		name   string
		issuer string // in the document
		many   bool
		ok     bool
	}{
		{"the template where many tenants are meant", "SELF/{tenantid}/v2.0", true, true},
		{"the template where one is meant", "SELF/{tenantid}/v2.0", false, false},
		{"one tenant", "SELF/" + tenant + "/v2.0", false, true},
		{"one tenant where many are meant", "SELF/" + tenant + "/v2.0", true, true},
		{"a tenant that is no GUID", "SELF/common/v2.0", true, false},
		{"another template", "SELF/{tenant}/v2.0", true, false},
		{"another host", "https://evil.example.com/" + tenant + "/v2.0", true, false},
	} {
		s, _ := site(t, map[string]string{doc: `{"issuer":"` + row.issuer + `"}`})
		m, err := idp.Issuer{Name: s.URL + "/{tenantid}/v2.0", Discovery: s.URL + doc}.Discover(t.Context(), nil, row.many)
		if (err == nil) != row.ok || !row.ok && !errors.Is(err, idp.ErrIssuerMismatch) {
			t.Errorf("%s: %+v, %v", row.name, m, err)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://a": true, "https://a:8443/b?c": true, "http://localhost:1": true, "http://127.0.0.1:1": true, "http://127.8.9.1": true, "http://[::1]:1": true, "http://[::ffff:127.0.0.1]": true,
		"http://a": false, "http://10.0.0.1": false, "http://localhost.": false, "http://LOCALHOST.evil": false, "https://": false, "https://:443": false, "//a": false, "https://a#": false, "https://u@a": false, "": false,
	} {
		if _, err := idp.CheckURL(raw); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
