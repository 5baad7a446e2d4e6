package devidp_test

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func startDevice(t *testing.T, p *devidp.Running, pairs ...string) answer {
	t.Helper()
	return post(t, p.URL+"/device_authorization", form(url.Values{"client_id": {devidp.ClientCLI}, "scope": {"execute"}}, pairs...))
}

func poll(t *testing.T, p *devidp.Running, code string, pairs ...string) answer {
	t.Helper()
	return post(t, p.URL+"/token", form(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {devidp.ClientCLI}, "device_code": {code}}, pairs...))
}

func TestAttack39DeviceFlow(t *testing.T) {
	now := newClock()
	p := start(t, devidp.Options{Now: now.Now})
	t.Run("the answer is complete", func(t *testing.T) {
		a := startDevice(t, p).ok(t)
		if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(a.str("user_code")) || a.json["interval"] != 5.0 || a.json["expires_in"] != 900.0 ||
			a.str("verification_uri") != p.URL+"/device" || a.str("verification_uri_complete") != p.URL+"/device?user_code="+a.str("user_code") {
			t.Errorf("got %s", a.body)
		}
	})
	t.Run("polling in time is pending, too early is told to slow down, and the interval grows", func(t *testing.T) {
		code := startDevice(t, p).str("device_code")
		poll(t, p, code).refused(t, 400, "authorization_pending")
		now.advance(4 * time.Second)
		poll(t, p, code).refused(t, 400, "slow_down")
		now.advance(6 * time.Second)
		poll(t, p, code).refused(t, 400, "slow_down")
		now.advance(15 * time.Second)
		poll(t, p, code).refused(t, 400, "authorization_pending")
	})
	t.Run("a device code works once", func(t *testing.T) {
		a := startDevice(t, p)
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err != nil {
			t.Fatal(err)
		}
		poll(t, p, a.str("device_code")).ok(t)
		poll(t, p, a.str("device_code")).refused(t, 400, "invalid_grant")
	})
	t.Run("one of many parallel polls wins", func(t *testing.T) {
		a := startDevice(t, p)
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var wg sync.WaitGroup
		won := 0
		for range 8 {
			wg.Go(func() {
				if poll(t, p, a.str("device_code")).status == 200 {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("%d polls won", won)
		}
	})
	t.Run("a user code works once", func(t *testing.T) {
		a := startDevice(t, p)
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err != nil {
			t.Fatal(err)
		}
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserAdmin); err == nil {
			t.Error("a second person approved the same code")
		}
	})
	t.Run("cancelling is told to the device", func(t *testing.T) {
		a := startDevice(t, p)
		if err := new(devidp.Visitor).ApproveDevice(t.Context(), a.str("verification_uri"), a.str("user_code"), devidp.Cancel); err != nil {
			t.Fatal(err)
		}
		poll(t, p, a.str("device_code")).refused(t, 400, "access_denied")
	})
	t.Run("another client cannot use the code", func(t *testing.T) {
		a := startDevice(t, p)
		poll(t, p, a.str("device_code"), "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret).refused(t, 400, "unauthorized_client")
	})
	t.Run("a client without the device flow is refused", func(t *testing.T) {
		startDevice(t, p, "client_id", devidp.ClientWeb, "client_secret", devidp.WebSecret).refused(t, 400, "unauthorized_client")
	})
	t.Run("an expired code is called expired, and its user code is unknown", func(t *testing.T) {
		a := startDevice(t, p)
		now.advance(16 * time.Minute)
		poll(t, p, a.str("device_code")).refused(t, 400, "expired_token")
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err == nil {
			t.Error("an expired code was approved")
		}
		now.advance(time.Hour)
		poll(t, p, a.str("device_code")).refused(t, 400, "invalid_grant")
	})
	t.Run("a disabled person cannot approve, and the device waits on", func(t *testing.T) {
		a := startDevice(t, p)
		if err := new(devidp.Visitor).ApproveDevice(t.Context(), a.str("verification_uri"), a.str("user_code"), devidp.UserDisabled); err == nil || !strings.Contains(err.Error(), "disabled") {
			t.Errorf("got %v", err)
		}
		poll(t, p, a.str("device_code")).refused(t, 400, "authorization_pending")
	})
	t.Run("the page shows the code, warns of phishing, and says who asks for what", func(t *testing.T) {
		a := startDevice(t, p)
		page := get(t, a.str("verification_uri_complete")).ok(t)
		for _, words := range []string{a.str("user_code"), "only if you started this yourself", "cancel: they would act in your name", "Development command line", "<code>execute</code>", "Development only"} {
			if !strings.Contains(page.body, words) {
				t.Errorf("the page lacks %q", words)
			}
		}
		poll(t, p, a.str("device_code")).refused(t, 400, "authorization_pending") // looking is not approving
	})
	t.Run("text from a stranger cannot become markup", func(t *testing.T) {
		page := get(t, p.URL+"/device?user_code="+url.QueryEscape(`<script>alert(1)</script>`))
		if page.status != 404 || strings.Contains(page.body, "<script") {
			t.Errorf("got %d %s", page.status, page.body)
		}
	})
	t.Run("attack 9 a form that the page did not make is refused", func(t *testing.T) {
		a := startDevice(t, p)
		refusedPage(t, post(t, p.URL+"/device", url.Values{"user_code": {a.str("user_code")}, "choice": {"admin"}, "csrf": {"x"}}), 403, "does not belong")
	})
	t.Run("guessing is stopped, and starts again a minute later", func(t *testing.T) {
		a := startDevice(t, p)
		now.advance(2 * time.Minute)
		last := 0
		for range 25 {
			last = get(t, p.URL+"/device?user_code=BBBB-BBBB").status
		}
		if last != 429 {
			t.Errorf("after 25 wrong codes: %d", last)
		}
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err == nil {
			t.Error("a right code was accepted amid the guessing")
		}
		now.advance(2 * time.Minute)
		if err := p.ApproveDevice(a.str("user_code"), devidp.UserUser); err != nil {
			t.Error(err)
		}
	})
}
