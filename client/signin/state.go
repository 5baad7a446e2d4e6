package signin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// State is all of a sign-in that a later process needs to go on with it. Printed, logged or encoded with package json it
// shows no secret; [State.Reveal] is the one way to write it down whole.
type State struct {
	Issuer             string // the authorization server, as it was validated: what client id and tokens belong to
	TokenEndpoint      string
	RevocationEndpoint string // empty: it offers none

	Server        string // the URL of the MCP server that the tokens are for
	Resource      string // the resource parameter as it is sent; empty means none
	ResourceFixed bool   // Resource is sent even where Entra refuses it

	ClientID     string
	ClientSecret Secret // of a client that registered itself (RFC 7591); a configured secret is not part of the state
	SecretMethod string // how ClientSecret is sent, such as "client_secret_basic"; empty with no secret

	Scopes  []string // asked for; nil means that the parameter was omitted
	Granted []string // nil means that neither side said

	TokenType string // "Bearer" or "DPoP"
	Access    Secret
	Expiry    time.Time // zero means unknown
	RefreshAt time.Time // when to refresh ahead; zero means never
	Refresh   Secret    // empty means that the sign-in ends with its access token

	Account Account
	DPoPKey Secret // the private JWK that the tokens are bound to (RFC 9449); empty means that they are not
}

// writtenState is a State as it is written down.
type writtenState struct {
	Version            int       `json:"version"`
	Issuer             string    `json:"issuer"`
	TokenEndpoint      string    `json:"token_endpoint"`
	RevocationEndpoint string    `json:"revocation_endpoint,omitempty"`
	Server             string    `json:"server"`
	Resource           string    `json:"resource,omitempty"`
	ResourceFixed      bool      `json:"resource_fixed,omitempty"`
	ClientID           string    `json:"client_id"`
	ClientSecret       string    `json:"client_secret,omitempty"`
	SecretMethod       string    `json:"client_secret_method,omitempty"`
	Scopes             []string  `json:"scopes,omitempty"`
	Granted            []string  `json:"granted"`
	TokenType          string    `json:"token_type"`
	Access             string    `json:"access_token"`
	Expiry             time.Time `json:"expiry,omitzero"`
	RefreshAt          time.Time `json:"refresh_at,omitzero"`
	Refresh            string    `json:"refresh_token,omitempty"`
	Account            Account   `json:"account,omitzero"`
	DPoPKey            string    `json:"dpop_key,omitempty"`
}

const stateVersion = 1

// Reveal writes s down as JSON, its secrets in clear. Encrypt what it returns before it is kept.
func (s State) Reveal() ([]byte, error) {
	return json.Marshal(writtenState{
		Version: stateVersion,
		Issuer:  s.Issuer, TokenEndpoint: s.TokenEndpoint, RevocationEndpoint: s.RevocationEndpoint,
		Server: s.Server, Resource: s.Resource, ResourceFixed: s.ResourceFixed,
		ClientID: s.ClientID, ClientSecret: string(s.ClientSecret), SecretMethod: s.SecretMethod,
		Scopes: s.Scopes, Granted: s.Granted,
		TokenType: s.TokenType, Access: string(s.Access), Expiry: s.Expiry, RefreshAt: s.RefreshAt, Refresh: string(s.Refresh),
		Account: s.Account, DPoPKey: string(s.DPoPKey),
	})
}

// ReadState reads what [State.Reveal] wrote. It refuses anything that [Resume] would not go on with; the error quotes
// nothing of b.
func ReadState(b []byte) (State, error) {
	var w writtenState
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || d.More() {
		return State{}, errors.New("signin: the kept sign-in is not the JSON it should be")
	}
	if w.Version != stateVersion {
		return State{}, fmt.Errorf("signin: the kept sign-in has version %d, not %d", w.Version, stateVersion)
	}
	s := State{
		Issuer: w.Issuer, TokenEndpoint: w.TokenEndpoint, RevocationEndpoint: w.RevocationEndpoint,
		Server: w.Server, Resource: w.Resource, ResourceFixed: w.ResourceFixed,
		ClientID: w.ClientID, ClientSecret: Secret(w.ClientSecret), SecretMethod: w.SecretMethod,
		Scopes: w.Scopes, Granted: w.Granted,
		TokenType: w.TokenType, Access: Secret(w.Access), Expiry: w.Expiry, RefreshAt: w.RefreshAt, Refresh: Secret(w.Refresh),
		Account: w.Account, DPoPKey: Secret(w.DPoPKey),
	}
	return s, s.check()
}

// check names what keeps a sign-in from being gone on with.
func (s *State) check() error {
	switch {
	case s.Issuer == "" || s.Server == "" || s.ClientID == "":
		return errors.New("signin: the kept sign-in lacks issuer, server or client id")
	case !isSafeEndpoint(s.TokenEndpoint):
		return errors.New("signin: the kept sign-in names no token endpoint that a secret may go to")
	case s.RevocationEndpoint != "" && !isSafeEndpoint(s.RevocationEndpoint):
		return errors.New("signin: the kept sign-in names no revocation endpoint that a secret may go to")
	case s.TokenType != tokenBearer && s.TokenType != tokenDPoP:
		return fmt.Errorf("signin: the kept sign-in has tokens of type %q", line(s.TokenType))
	case (s.TokenType == tokenDPoP) != (s.DPoPKey != ""):
		return errors.New("signin: the kept sign-in has bound tokens without their key, or a key without bound tokens")
	case s.Access == "" && s.Refresh == "":
		return errors.New("signin: the kept sign-in has no token")
	case s.Access != "" && !isB64Token(string(s.Access)):
		return errors.New("signin: the kept sign-in has a token that no header can carry")
	}
	return nil
}

// isSafeEndpoint reports whether raw is https, or http on this machine.
func isSafeEndpoint(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

// Types of tokens that this package takes.
const (
	tokenBearer = "Bearer"
	tokenDPoP   = "DPoP"
)
