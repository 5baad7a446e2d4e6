package mcpserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
)

func TestT2Origins(t *testing.T) {
	settings := mcpserver.OriginOptions{
		Port:    8000,
		Hosts:   []string{"mcp.example.com", "Other.example.com:8443"},
		Origins: []string{"https://console.example.com"},
	}
	for _, row := range []struct {
		name    string
		method  string // "" means POST
		host    string // "" means 127.0.0.1:8000
		headers []string
		status  int
		said    string
	}{
		{"a program that is no browser passes", "", "", nil, 200, ""},
		{"localhost passes", "", "localhost:8000", nil, 200, ""},
		{"a host's name in another case passes", "", "LOCALHOST:8000", nil, 200, ""},
		{"loopback in IPv6 passes", "", "[::1]:8000", nil, 200, ""},
		{"an allowed host passes", "", "mcp.example.com", nil, 200, ""},
		{"an allowed host with the port of https passes", "", "mcp.example.com:443", nil, 200, ""},
		{"an allowed host with its own port passes", "", "other.example.com:8443", nil, 200, ""},
		{"attack 48 a rebound name is refused", "", "attacker.example:8000", nil, 403, `the host "attacker.example:8000" is not served here`},
		{"attack 48 a rebound name with our name in it is refused", "", "localhost.attacker.example:8000", nil, 403, "is not served here"},
		{"attack 48 another port of loopback is refused", "", "localhost:9000", nil, 403, "is not served here"},
		{"attack 48 loopback without the port is refused", "", "localhost", nil, 403, "is not served here"},
		{"attack 48 an allowed host on another port is refused", "", "mcp.example.com:8000", nil, 403, "is not served here"},
		{"attack 48 0.0.0.0 is refused", "", "0.0.0.0:8000", nil, 403, "is not served here"},
		{"attack 48 a trailing dot is refused", "", "localhost.:8000", nil, 403, "is not served here"},
		{"attack 48 a rebound name is refused for GET too", http.MethodGet, "attacker.example:8000", nil, 403, "is not served here"},
		{"T-2 an own page passes", "", "", []string{"Origin: http://127.0.0.1:8000"}, 200, ""},
		{"T-2 an own page by another name of loopback passes", "", "", []string{"Origin: http://localhost:8000"}, 200, ""},
		{"T-2 a page of an allowed host passes", "", "mcp.example.com", []string{"Origin: https://mcp.example.com"}, 200, ""},
		{"T-2 a page of an allowed host without TLS is refused", "", "mcp.example.com", []string{"Origin: http://mcp.example.com"}, 403, "may not call"},
		{"T-2 a page of an allowed origin passes", "", "", []string{"Origin: https://console.example.com", "Sec-Fetch-Site: cross-site"}, 200, ""},
		{"T-2 a page of another site is refused", "", "", []string{"Origin: https://attacker.example"}, 403, `pages of the origin "https://attacker.example" may not call this server`},
		{"T-2 a page of another port is refused", "", "", []string{"Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"}, 403, "may not call"},
		{"T-2 a page of a longer name is refused", "", "", []string{"Origin: https://console.example.com.attacker.example"}, 403, "may not call"},
		{"T-2 the origin null is refused", "", "", []string{"Origin: null"}, 403, `"null"`},
		{"T-2 an empty origin is refused", "", "", []string{"Origin: "}, 403, "may not call"},
		{"T-2 two origins are refused", "", "", []string{"Origin: http://127.0.0.1:8000", "Origin: https://attacker.example"}, 403, "more than one Origin"},
		{"T-2 an origin is checked for GET too", http.MethodGet, "", []string{"Origin: https://attacker.example"}, 403, "may not call"},
		{"attack 49 another site's page without Origin is refused", "", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403, "another site's page may not call this server"},
		{"attack 49 another site's page that loads without Origin is refused", http.MethodGet, "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403, "another site's page"},
		{"attack 49 another site's form is refused", "", "", []string{"Origin: https://attacker.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 403, "may not call"},
		{"a person who follows a link passes", http.MethodGet, "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200, ""},
		{"a person who types the address passes", http.MethodGet, "", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			origins, err := mcpserver.NewOrigins(settings)
			if err != nil {
				t.Fatal(err)
			}
			reached := false
			h := origins.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			r := httptest.NewRequest(orElse(row.method, http.MethodPost), "/any/route", nil)
			r.Host = orElse(row.host, "127.0.0.1:8000")
			for _, header := range row.headers {
				name, value, _ := strings.Cut(header, ": ")
				r.Header.Add(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != row.status || reached != (row.status == 200) || !strings.Contains(w.Body.String(), strings.ReplaceAll(row.said, `"`, `\"`)) {
				t.Errorf("status %d, reached %v: %s", w.Code, reached, w.Body)
			}
			if row.status == 403 && (w.Header().Get("Access-Control-Allow-Origin") != "" || !strings.Contains(w.Body.String(), w.Header().Get("X-Request-Id"))) {
				t.Errorf("got %v, %s", w.Header(), w.Body)
			}
		})
	}
}

func TestAPageOfAnAllowedOriginMayReadTheAnswer(t *testing.T) {
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{Port: 8000, Origins: []string{"https://console.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	h := origins.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	ask := func(method, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/mcp", nil)
		r.Host = "localhost:8000"
		r.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	t.Run("a preflight of an allowed origin is answered", func(t *testing.T) {
		w := ask(http.MethodOptions, "https://console.example.com")
		if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "https://console.example.com" ||
			!strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
	})
	t.Run("a preflight of another origin is refused", func(t *testing.T) {
		if w := ask(http.MethodOptions, "https://attacker.example"); w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
	})
	t.Run("an answer says who may read it", func(t *testing.T) {
		w := ask(http.MethodPost, "https://console.example.com")
		if w.Code != http.StatusTeapot || w.Header().Get("Access-Control-Allow-Origin") != "https://console.example.com" || w.Header().Get("Vary") != "Origin" {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
	})
	t.Run("an own page needs no leave", func(t *testing.T) {
		if w := ask(http.MethodPost, "http://localhost:8000"); w.Code != http.StatusTeapot || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("status %d, %v", w.Code, w.Header())
		}
	})
}

func TestThePortIsThatOfTheConnection(t *testing.T) {
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(origins.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	for host, want := range map[string]int{"localhost" + port: 200, "localhost:1": 403, "attacker.example" + port: 403} {
		r, err := http.NewRequest(http.MethodPost, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: status %d", host, res.StatusCode)
		}
	}
}

func TestNewOriginsRefuses(t *testing.T) {
	hosts := []string{"", "https://a.example", "a.example/path", "*.example.com", "user@a.example"}
	origins := []string{"", "*", "null", "a.example", "https://a.example/", "https://a.example/x", "ftp://a.example", "https://*.example.com"}
	_, err := mcpserver.NewOrigins(mcpserver.OriginOptions{Port: 70_000, Hosts: hosts, Origins: origins})
	if err == nil {
		t.Fatal("all were taken")
	}
	for _, want := range append(hosts, origins...) {
		if !strings.Contains(err.Error(), fmt.Sprintf("%q is not", want)) {
			t.Errorf("%q was taken", want)
		}
	}
	if !strings.Contains(err.Error(), "port 70000 is no port") {
		t.Error(err)
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
