package devidp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// command is what a test in another process may ask of the provider. Only what is named is changed.
type command struct {
	RollKeys        bool              `json:"roll_keys"`
	ReplaceKeys     bool              `json:"replace_keys"`
	Down            *bool             `json:"down"`
	Unreachable     *bool             `json:"unreachable"`
	Delay           *string           `json:"delay"`          // such as "2s"
	TokenLifetime   *string           `json:"token_lifetime"` // such as "5s"
	ClockSkew       *string           `json:"clock_skew"`     // such as "-10m"
	BlockDeviceFlow *bool             `json:"block_device_flow"`
	RefuseResource  *bool             `json:"refuse_resource"`
	Disable         []string          `json:"disable"`
	Enable          []string          `json:"enable"`
	RevokeSignIns   []string          `json:"revoke_sign_ins"`
	ApproveDevice   map[string]string `json:"approve_device"` // user code to user
}

// serveControl takes commands over HTTP: POST changes, GET counts. It exists only where Options.Control is set, wants
// that as a bearer token, and refuses every browser.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	token, ok := bearerToken(r)
	if !ok || !sameSecret(token, s.opts.Control) || r.Header.Get("Origin") != "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="control"`)
		http.Error(w, "development only: the control token is wrong", http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodGet:
		writeSecret(w, http.StatusOK, s.faults.Counts())
	case http.MethodPost:
		if err := s.obey(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// obey reads one command, checks all of it, then does it.
func (s *Server) obey(body interface{ Read([]byte) (int, error) }) error {
	var c command
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	times := map[**string]func(time.Duration){
		&c.Delay: s.faults.SetDelay, &c.TokenLifetime: s.faults.SetTokenLifetime, &c.ClockSkew: s.faults.SetClockSkew,
	}
	var later []func()
	for text, set := range times {
		if *text == nil {
			continue
		}
		d, err := time.ParseDuration(**text)
		if err != nil {
			return fmt.Errorf("command: %w", err)
		}
		later = append(later, func() { set(d) })
	}
	for _, u := range slices.Concat(c.Disable, c.Enable, c.RevokeSignIns) {
		if s.userNamed(u) == nil {
			return fmt.Errorf("command: there is no user %q", u)
		}
	}
	for _, do := range later {
		do()
	}
	s.switchFaults(c)
	for code, u := range c.ApproveDevice {
		if err := s.ApproveDevice(code, u); err != nil {
			return fmt.Errorf("command: %w", err)
		}
	}
	return nil
}

func (s *Server) switchFaults(c command) {
	f := s.faults
	if c.RollKeys {
		f.RollKeys()
	}
	if c.ReplaceKeys {
		f.ReplaceKeys()
	}
	for on, set := range map[*bool]func(bool){c.Down: f.SetDown, c.Unreachable: f.SetUnreachable,
		c.BlockDeviceFlow: f.SetDeviceFlowBlocked, c.RefuseResource: f.SetResourceRefused} {
		if on != nil {
			set(*on)
		}
	}
	for _, u := range c.Disable {
		f.SetDisabled(u, true)
	}
	for _, u := range c.Enable {
		f.SetDisabled(u, false)
	}
	for _, u := range c.RevokeSignIns {
		f.RevokeSignIns(u)
	}
}
