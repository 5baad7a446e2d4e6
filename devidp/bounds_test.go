package devidp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAttack13PublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "2606:4700::1111": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false, "198.18.0.1": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false,
	} {
		if got := publicAddress(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %t, want %t", text, got, want)
		}
	}
}

func TestShelfIsBoundedAndExpires(t *testing.T) {
	now := time.Unix(1000, 0)
	sh := newShelf[int](3)
	for i := range 5 {
		sh.put(fmt.Sprint(i), i, now.Add(time.Minute), now)
	}
	if _, ok := sh.get("1", now); ok || sh.len() != 3 {
		t.Errorf("%d values, the oldest too: %t", sh.len(), ok)
	}
	if v, ok := sh.get("4", now); !ok || v != 4 {
		t.Error("the youngest is gone")
	}
	if !sh.full(now) {
		t.Error("it is not full")
	}
	if _, ok := sh.get("4", now.Add(time.Minute)); ok {
		t.Error("a value outlived its time")
	}
	if sh.full(now.Add(time.Minute)) {
		t.Error("expired values fill it")
	}
	sh = newShelf[int](3)
	sh.put("a", 1, now.Add(time.Minute), now)
	if v, ok := sh.take("a", now); !ok || v != 1 || sh.len() != 0 {
		t.Error("taking leaves it there")
	}
	if _, ok := sh.take("a", now); ok {
		t.Error("it was taken twice")
	}
}

// A flood from strangers cannot grow the state without end (attacks 8 and 16).
func TestAttack16FloodsAreBounded(t *testing.T) {
	s, err := New(Options{Issuer: "http://127.0.0.1:9000"})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, kind, body string) {
		r := httptest.NewRequest(method, "http://127.0.0.1:9000"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	authorize := "/authorize?" + url.Values{"client_id": {ClientCLI}, "redirect_uri": {"http://127.0.0.1/callback"}, "response_type": {"code"}, "state": {"x"},
		"code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"}}.Encode()
	for range s.interactions.room + 50 {
		send(http.MethodGet, authorize, "", "")
	}
	for range s.devices.room + 50 {
		send(http.MethodPost, "/device_authorization", "application/x-www-form-urlencoded", "client_id="+ClientCLI)
	}
	for range s.registered.room + 50 {
		send(http.MethodPost, "/register", "application/json", `{"redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none"}`)
	}
	for name, n := range map[string][2]int{"interactions": {s.interactions.len(), s.interactions.room}, "devices": {s.devices.len(), s.devices.room},
		"user codes": {s.userCodes.len(), s.userCodes.room}, "registered": {s.registered.len(), s.registered.room}} {
		if n[0] != n[1] {
			t.Errorf("%s: %d kept, want %d", name, n[0], n[1])
		}
	}
}

func TestAssertionsAreNotForgottenUnderAFlood(t *testing.T) {
	s, err := New(Options{Issuer: "http://127.0.0.1:9000"})
	if err != nil {
		t.Fatal(err)
	}
	s.assertions.room = 3
	for i := range 3 {
		if err := s.firstUse(fmt.Sprint(i), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if s.firstUse("4", time.Minute) == nil {
		t.Error("a fourth pushed one out")
	}
	if s.firstUse("0", time.Minute) == nil {
		t.Error("the first can be played again")
	}
}

func FuzzRedirectURI(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1/callback", "https://a.example.org/x?y=z", "javascript:alert(1)", "http://[::1]:80/", "http://127.0.0.1:1@x/", "//x", "\\\\x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !allows([]string{"http://127.0.0.1/callback"}, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/callback" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
			t.Errorf("%q passes for the loopback redirect", uri)
		}
	})
}

func FuzzRefreshToken(f *testing.F) {
	s, err := New(Options{Issuer: "http://127.0.0.1:9000"})
	if err != nil {
		f.Fatal(err)
	}
	g := &grant{id: opaque(), client: s.clients[ClientCLI]}
	s.mu.Lock()
	good := s.keepGrant(g)
	s.mu.Unlock()
	for _, seed := range []string{good, "rt.", "rt..", "rt.x.1.y", "", good + "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, _, ok := s.findGrant(token); ok && token != good {
			t.Errorf("%q was never given out", token)
		}
	})
}
