package devidp

import (
	"crypto/rand"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	deviceLife   = 15 * time.Minute
	deviceMemory = 10 * time.Minute // how long an expired code is still called expired
	slowStep     = 5 * time.Second  // RFC 8628, section 3.5
)

// device is a device that waits for a person (RFC 8628).
type device struct {
	code, userCode string
	client         *client
	scopes         []string
	resources      []string
	tenant         string // Entra: as the path names it
	expires        time.Time
	interval       time.Duration
	polled         time.Time
	grant          *grant // set once a person agreed
	refused        *refused
	used           bool
}

// serveDevice starts a device flow (RFC 8628, section 3.1).
func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request) {
	s.faults.count("device")
	answer, err := s.startDevice(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeSecret(w, http.StatusOK, answer)
}

func (s *Server) startDevice(r *http.Request) (map[string]any, error) {
	form, err := posted(r)
	if err != nil {
		return nil, err
	}
	c, err := s.deviceClient(r, form)
	if err != nil {
		return nil, err
	}
	d := &device{code: opaque(), userCode: s.newUserCode(), client: c, resources: slices.Compact(form["resource"]),
		tenant: r.PathValue("tenant"), expires: s.now().Add(deviceLife), interval: s.opts.DeviceInterval}
	if s.entra() {
		if d.scopes, err = s.entraAskable(r, form, c); err != nil {
			return nil, err
		}
	} else {
		if d.scopes, err = s.askable(form.Get("scope"), c); err != nil {
			return nil, err
		}
		if err = s.checkResources(d.resources); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	s.devices.put(d.code, d, d.expires.Add(deviceMemory), s.now())
	s.userCodes.put(plainCode(d.userCode), d.code, d.expires, s.now())
	s.mu.Unlock()
	answer := map[string]any{
		"device_code": d.code, "user_code": d.userCode, "verification_uri": s.base + "/device",
		"verification_uri_complete": s.base + "/device?user_code=" + d.userCode,
		"expires_in":                int(deviceLife / time.Second), "interval": int(d.interval / time.Second),
	}
	if s.entra() {
		s.entraDeviceAnswer(answer, d)
	}
	return answer, nil
}

// deviceClient finds who starts a device flow. With the Entra character an app that does not allow public client flows
// learns so only when it asks for its token.
func (s *Server) deviceClient(r *http.Request, form url.Values) (*client, error) {
	if s.entra() {
		if form.Get("client_id") == "" {
			return nil, refuseMissing.of("client_id")
		}
		return s.resolveClient(r.Context(), form.Get("client_id"))
	}
	c, err := s.authenticate(r, form)
	if err == nil && !c.uses(grantDevice) {
		err = refuseGrantForbidden.of(grantDevice)
	}
	return c, err
}

// Letters that cannot be mistaken for one another, and make no words (RFC 8628, section 6.1).
const (
	codeLetters      = "BCDFGHJKLMNPQRSTVWXZ"
	entraCodeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
)

func (s *Server) newUserCode() string {
	if s.entra() {
		return letters(entraCodeLetters, 9)
	}
	return letters(codeLetters, 4) + "-" + letters(codeLetters, 4)
}

func letters(from string, n int) string {
	var b strings.Builder
	for range n {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		b.WriteByte(from[i.Int64()])
	}
	return b.String()
}

// plainCode forgives what people do to codes: small letters, dashes, spaces.
func plainCode(typed string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, typed)
}

// redeemDevice answers the polling of a device (RFC 8628, sections 3.4 and 3.5).
func (s *Server) redeemDevice(r *http.Request, c *client, form url.Values) (map[string]any, error) {
	if form.Get("device_code") == "" {
		return nil, refuseMissing.of("device_code")
	}
	s.mu.Lock()
	g, t, err := s.pollDevice(r, c, form)
	var refresh string
	if err == nil && s.refreshable(g) {
		refresh = s.keepGrant(g)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.answer(g, t, issueOptions{}, refresh)
}

// pollDevice looks at a device code, and uses it up once a person decided. s.mu is held.
func (s *Server) pollDevice(r *http.Request, c *client, form url.Values) (*grant, target, error) {
	var none target
	now := s.now()
	d, ok := s.devices.get(form.Get("device_code"), now)
	switch {
	case !ok || d.client.ID != c.ID || d.used:
		return nil, none, refuseDeviceCode.of()
	case !now.Before(d.expires):
		return nil, none, refuseDeviceEnd.of()
	case d.refused != nil:
		d.used = true
		return nil, none, d.refused
	case d.grant == nil:
		early := !d.polled.IsZero() && now.Sub(d.polled) < d.interval
		d.polled = now
		if early {
			d.interval += slowStep
			return nil, none, refuseSlowDown.of()
		}
		return nil, none, refusePending.of()
	}
	d.used = true
	if err := s.goodFor(d.grant, refuseDeviceCode); err != nil {
		return nil, none, err
	}
	if s.faults.deviceFlowBlocked() {
		return nil, none, refuseBlocked.of()
	}
	t, err := s.target(r, d.grant, form, false)
	return d.grant, t, err
}

// ApproveDevice lets the device that shows userCode act for user, as choosing the user on the page does. It returns an
// error when no device waits with that code, or when the user may not sign in or have any of the scopes.
func (s *Server) ApproveDevice(userCode, user string) error {
	d, err := s.waiting(userCode)
	if err != nil {
		return err
	}
	u, tenant, scopes, err := s.admit(user, d.tenant, d.client, d.scopes)
	if err != nil {
		return err
	}
	return s.decide(d, func() {
		d.grant = &grant{id: opaque(), client: d.client, user: u, tenant: tenant, scopes: scopes, resources: d.resources,
			authTime: s.clock(), device: true}
	})
}

// DenyDevice refuses the device that shows userCode, as the page's Cancel does.
func (s *Server) DenyDevice(userCode string) error {
	d, err := s.waiting(userCode)
	if err != nil {
		return err
	}
	return s.decide(d, func() { d.refused = refuseDeviceNo.of() })
}

// decide settles a device once, and takes its user code out of use.
func (s *Server) decide(d *device, settle func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.userCodes.take(plainCode(d.userCode), s.now()); !ok {
		return refuseUserCode.of()
	}
	settle()
	return nil
}

// guesses counts wrong user codes, so that nobody tries them all (RFC 8628, section 5.1).
type guesses struct {
	wrong int
	since time.Time
}

const maxGuesses = 20 // in a minute

// waiting finds the device of a user code.
func (s *Server) waiting(userCode string) (*device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if now.Sub(s.guesses.since) > time.Minute {
		s.guesses = guesses{since: now}
	}
	if s.guesses.wrong >= maxGuesses {
		return nil, refuseGuessing.of()
	}
	code, ok := s.userCodes.get(plainCode(userCode), now)
	if ok {
		if d, ok := s.devices.get(code, now); ok {
			return d, nil
		}
	}
	s.guesses.wrong++
	return nil, refuseUserCode.of()
}
