package app

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// stoppedClock is a clock that a test moves. It begins now, since tokens must be valid by it.
type stoppedClock struct{ at atomic.Int64 }

func newStoppedClock() *stoppedClock {
	c := &stoppedClock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func (c *stoppedClock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *stoppedClock) pass(by time.Duration) { c.at.Add(int64(by)) }

// check holds an answer to one of 429, and others to status.
func check(t *testing.T, what string, a *answer, err error, status int, retryAfter string) {
	t.Helper()
	if err != nil || a.status != status || a.header.Get("Retry-After") != retryAfter {
		t.Fatalf("%s: answered %+v, %v; want %d and Retry-After %q", what, a, err, status, retryAfter)
	}
	if status == http.StatusTooManyRequests && (!strings.Contains(a.body, `"error":"too_many_requests"`) || !strings.Contains(a.body, a.header.Get("X-Request-Id")) || a.header.Get("WWW-Authenticate") != "") {
		t.Errorf("%s: says %s", what, a.body)
	}
}

func TestACallerWhoSendsTooMuchIsTurnedAwayAlone(t *testing.T) {
	c := newStoppedClock()
	h := open(t, Options{Now: c.now}, "FASTMCP_AUTH_LIMITS_CALLER_RATE=2")
	mallory, again := h.token(t, h.provider.Server, devidp.UserUser, "execute"), h.token(t, h.provider.Server, devidp.UserUser, "execute")
	ada := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	for range 20 {
		a, err := h.reverse(mallory, "abc")
		check(t, "within the limit", a, err, 200, "")
	}
	a, err := h.reverse(mallory, "abc")
	check(t, "beyond it", a, err, 429, "1")
	a, err = h.reverse(again, "abc")
	check(t, "with another token of the same person", a, err, 429, "1")
	a, err = h.reverse(ada, "abc")
	check(t, "another person", a, err, 200, "")
	c.pass(time.Second)
	for range 2 {
		a, err = h.reverse(mallory, "abc")
		check(t, "a second later", a, err, 200, "")
	}
	a, err = h.reverse(mallory, "abc")
	check(t, "and too much again", a, err, 429, "1")
}

func TestAnAddressWhoseRequestsFailIsTurnedAwayButNotWhoIsSignedInThere(t *testing.T) {
	c := newStoppedClock()
	log := &buffer{}
	h := open(t, Options{Now: c.now, Logger: jsonLog(log)}, "FASTMCP_AUTH_LIMITS_ADDRESS_RATE=1")
	ada := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	narrow := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	for range 20 { // good requests are not counted, nor is a scope that is missing
		a, err := h.reverse(ada, "abc")
		check(t, "a good request", a, err, 200, "")
		a, err = h.reverse(narrow, "abc")
		check(t, "too little scope", a, err, 403, "")
	}
	for i := range 10 {
		token := []string{"", "sesame"}[i%2]
		a, err := h.reverse(token, "abc")
		check(t, "a failure within the limit", a, err, 401, "")
	}
	for _, token := range []string{"", "sesame", h.token(t, h.provider.Server, devidp.UserUser, "execute")} {
		a, err := h.reverse(token, "abc")
		check(t, "beyond it", a, err, 429, "1")
	}
	a, err := h.reverse(ada, "abc")
	check(t, "who is signed in already", a, err, 200, "")
	if a := h.get(t, "/.well-known/oauth-protected-resource/mcp"); a.status != 200 {
		t.Errorf("the metadata answers %d", a.status)
	}
	if n := strings.Count(log.String(), "too many requests fail to sign in"); n != 1 {
		t.Errorf("said %d times that too many fail", n)
	}
	c.pass(time.Second)
	a, err = h.reverse("", "abc")
	check(t, "a second later", a, err, 401, "")
}

// TestAFloodDoesNotFillTheRecord shows that what is over a limit is no event.
func TestAFloodDoesNotFillTheRecord(t *testing.T) {
	c := newStoppedClock()
	path := t.TempDir() + "/audit.jsonl"
	h := open(t, Options{Now: c.now}, "FASTMCP_AUTH_LIMITS_ADDRESS_RATE=1", "FASTMCP_AUTH_AUDIT_FILE_PATH="+path)
	for range 50 {
		if _, err := h.reverse("sesame", "abc"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(events(t, path)); n != 10 {
		t.Errorf("there are %d events", n)
	}
}

func TestZeroLimitsNothing(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_LIMITS_ADDRESS_RATE=0", "FASTMCP_AUTH_LIMITS_CALLER_RATE=0")
	if h.addresses != nil || h.callers != nil {
		t.Error("there is a limit")
	}
	a, err := h.reverse("", "abc")
	check(t, "a failure", a, err, 401, "")
}

func TestAResultOverTheLimitIsNotGiven(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_LIMITS_RESULT=1KiB")
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	a, err := h.reverse(token, strings.Repeat("a", 2000))
	if err != nil || !strings.Contains(a.body, "larger than this server answers with") || !strings.Contains(a.body, a.header.Get("X-Request-Id")) {
		t.Errorf("answered %+v, %v", a, err)
	}
}

func TestWhatCountsAsOneAddress(t *testing.T) {
	for _, row := range []struct{ name, address, want string }{
		{"an IPv4 address is itself", "192.0.2.7", "192.0.2.7"},
		{"one dressed as IPv6 is itself", "::ffff:192.0.2.7", "192.0.2.7"},
		{"of IPv6 the first 64 bits count", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"so another in the same 64 is the same", "2001:db8:1:2::1", "2001:db8:1:2::/64"},
		{"a zone does not count", "fe80::1%eth0", "fe80::/64"},
		{"what is no address is itself", "@", "@"},
	} {
		if got := network(row.address); got != row.want {
			t.Errorf("%s: %s", row.name, got)
		}
	}
}

// TestAStrangersHeaderChangesNoAddress: X-Forwarded-For of one who is no trusted proxy is not read, so nobody can spend
// another's share or have a fresh one for each request.
func TestAStrangersHeaderChangesNoAddress(t *testing.T) {
	s := &Server{}
	s.settings = settingsOf(t)
	for _, forwarded := range []string{"", "198.51.100.1", "198.51.100.2, 127.0.0.1"} {
		r := httptest.NewRequest("POST", "/mcp", nil)
		r.RemoteAddr = "192.0.2.7:1234"
		r.Header.Set("X-Forwarded-For", forwarded)
		if got := s.address(r); got != "192.0.2.7" {
			t.Errorf("%q makes it %s", forwarded, got)
		}
	}
}

// TestACallerWithTooManyRunningCallsIsTold holds one call open and begins another.
func TestACallerWithTooManyRunningCallsIsTold(t *testing.T) {
	path := t.TempDir() + "/audit.jsonl"
	h := open(t, Options{}, "FASTMCP_AUTH_LIMITS_CALLER_CALLS=1", "FASTMCP_AUTH_REVERSE_DURATION=10m", "FASTMCP_AUTH_AUDIT_FILE_PATH="+path, "FASTMCP_AUTH_LIMITS_SHUTDOWN_GRACE=0s")
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	other := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.reverse(token, "abc") // ends with the server
	}()
	for len(h.box.Running()) == 0 {
		runtime.Gosched()
	}
	random := func(token string) (*answer, error) {
		return h.call(token, "tools/call", "random_number_tool", `"name":"random_number_tool","arguments":{"min":1,"max":1},`)
	}
	a, err := random(token)
	if err != nil || a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, `"code":-32000`) || !strings.Contains(a.body, "too many calls are running") {
		t.Errorf("answered %+v, %v", a, err)
	}
	if got := of(events(t, path), a); len(got) != 2 || got[1].Outcome == nil || got[1].Outcome.Result != "busy" {
		t.Errorf("recorded %+v", got)
	}
	a, err = random(other)
	check(t, "another person", a, err, 200, "")
	h.stop()
	<-ended
}
