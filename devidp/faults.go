package devidp

import (
	"maps"
	"sync"
	"time"
)

// Faults commands faults of a running provider and counts its requests. It is safe for concurrent use.
type Faults struct {
	s *Server

	mu       sync.Mutex
	mode     faultMode
	delay    time.Duration
	life     time.Duration
	skewed   time.Duration
	blocked  bool // device flow
	noTarget bool // resource parameter
	counts   map[string]int64
	disabled map[string]bool // overrides, by user
	revoked  map[string]time.Time
	stepUp   map[string]bool
}

type faultMode int

const (
	healthy faultMode = iota
	down
	unreachable
)

// RollKeys makes keys that sign from now on. The old ones stay in the key set, so that their tokens stay good.
func (f *Faults) RollKeys() { f.s.keys.roll(false); f.s.appKeys.roll(false) }

// ReplaceKeys makes keys that sign from now on and takes all old ones out of the key set: every token signed before
// is worthless.
func (f *Faults) ReplaceKeys() { f.s.keys.roll(true); f.s.appKeys.roll(true) }

// SetDown makes every endpoint answer 503, until it is called with false.
func (f *Faults) SetDown(on bool) { f.setMode(down, on) }

// SetUnreachable makes every connection end without an answer, until it is called with false.
func (f *Faults) SetUnreachable(on bool) { f.setMode(unreachable, on) }

func (f *Faults) setMode(m faultMode, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on {
		f.mode = m
	} else if f.mode == m {
		f.mode = healthy
	}
}

// SetDelay makes every answer wait for d first; 0 ends that.
func (f *Faults) SetDelay(d time.Duration) { f.set(func() { f.delay = d }) }

// SetTokenLifetime makes access tokens live for d, in whole seconds; 0 means the usual lifetime again.
func (f *Faults) SetTokenLifetime(d time.Duration) { f.set(func() { f.life = d }) }

// SetClockSkew makes the provider's clock run ahead by d, or behind for a negative d, in everything it tells others.
func (f *Faults) SetClockSkew(d time.Duration) { f.set(func() { f.skewed = d }) }

// SetDisabled disables or enables a user. A disabled user cannot sign in or refresh; tokens given out before are no
// longer active.
func (f *Faults) SetDisabled(user string, on bool) { f.set(func() { f.disabled[user] = on }) }

// RevokeSignIns ends every sign-in of user made before now: refresh tokens are refused. With the Entra character an
// access token of a client that handles claims challenges gets one at the userinfo endpoint.
func (f *Faults) RevokeSignIns(user string) {
	at := f.s.clock()
	f.set(func() { f.revoked[user] = at })
}

// ForgetRegistrations makes the provider forget every client that registered itself.
func (f *Faults) ForgetRegistrations() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.registered = newShelf[*client](f.s.registered.room)
}

// SetDeviceFlowBlocked makes Conditional Access refuse the device flow, and refresh tokens that stem from it
// (AADSTS53003). It works with the Entra character only.
func (f *Faults) SetDeviceFlowBlocked(on bool) { f.set(func() { f.blocked = on && f.s.entra() }) }

// SetResourceRefused makes the resource parameter an error whatever it says (AADSTS901002), as before March 2026. It
// works with the Entra character only.
func (f *Faults) SetResourceRefused(on bool) { f.set(func() { f.noTarget = on && f.s.entra() }) }

// SetStepUp makes on-behalf-of answer interaction_required with claims for user, until the person signs in again with
// these claims. It works with the Entra character only.
func (f *Faults) SetStepUp(user string, on bool) { f.set(func() { f.stepUp[user] = on }) }

// JWKSFetches is how often a key set was fetched.
func (f *Faults) JWKSFetches() int64 { return f.Counts()["jwks"] }

// TokenRequests is how many requests the token endpoint had, refused ones too.
func (f *Faults) TokenRequests() int64 { return f.Counts()["token"] }

// Counts is how many requests there were, by kind: authorize, device, discovery, introspect, jwks, register, revoke,
// token and userinfo. A fault that keeps a request from its endpoint keeps it from being counted.
func (f *Faults) Counts() map[string]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

func (f *Faults) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *Faults) count(kind string) { f.set(func() { f.counts[kind]++ }) }

func (f *Faults) state() (m faultMode)             { f.set(func() { m = f.mode }); return m }
func (f *Faults) wait() (d time.Duration)          { f.set(func() { d = f.delay }); return d }
func (f *Faults) lifetime() (d time.Duration)      { f.set(func() { d = f.life }); return d }
func (f *Faults) skew() (d time.Duration)          { f.set(func() { d = f.skewed }); return d }
func (f *Faults) deviceFlowBlocked() (b bool)      { f.set(func() { b = f.blocked }); return b }
func (f *Faults) resourceRefused() (b bool)        { f.set(func() { b = f.noTarget }); return b }
func (f *Faults) needsStepUp(user string) (b bool) { f.set(func() { b = f.stepUp[user] }); return b }

func (f *Faults) isDisabled(u *user) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if on, set := f.disabled[u.id]; set {
		return on
	}
	return u.disabled
}

// signInsRevoked reports whether the sign-ins of user were revoked at or after at.
func (f *Faults) signInsRevoked(user string, at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	end, ok := f.revoked[user]
	return ok && !at.After(end)
}
