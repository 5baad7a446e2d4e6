package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	deviceGrant     = "urn:ietf:params:oauth:grant-type:device_code"
	defaultInterval = 5 * time.Second // RFC 8628, section 3.2
	minInterval     = time.Second     // however eager the server is
	slowDown        = 5 * time.Second // RFC 8628, section 3.5
	maxBackoff      = time.Minute     // between polls that get no answer
	maxUserCode     = 64
)

// Device signs a person in on another device, or in any browser: it shows a code and an address and waits (RFC 8628).
// It is safe for concurrent use when Prompt is.
type Device struct {
	ClientID string             // a public client's id, wherever one signs in; empty means one of Clients
	Clients  Clients            // by which ids the program is known; required when ClientID is empty
	Prompt   func(DevicePrompt) // required: shows the code; it must return at once
	Scopes   []string           // nil means what the server asks for
	Resource Resource           // zero means what the server's metadata names
	Binding  Binding            // zero means where the server asks for bound tokens
	Provider *idp.Provider      // what is peculiar about the authorization server; nil means what its issuer tells
	Now      func() time.Time   // nil means time.Now
}

// DevicePrompt is what to show a person. The strings come from the authorization server, so a screen shows them with
// care.
type DevicePrompt struct {
	UserCode                string
	VerificationURI         string          // http or https, for typing
	VerificationURIComplete string          // the same with the code inside; empty at Entra
	Expires                 time.Time       // when the code ends
	Issuer                  string          // where one signs in
	Server                  string          // the MCP server that asks
	Scopes                  []string        // what is asked for; may be empty
	Done                    <-chan struct{} // closed when nobody waits for the code any more
}

// SignIn refreshes the refused token if it can, and else asks for a code, shows it, and polls until it is entered. It
// polls no faster than the authorization server asks, slows down when told to, and goes on when an answer is lost. Where
// the authorization server refuses a request without PKCE, it is sent once more with it.
//
// The error wraps [ErrDeclined], [ErrExpired] or [ErrNoDeviceFlow] where that is the reason, and ctx.Err() when ctx
// ended first.
func (d *Device) SignIn(ctx context.Context, r *Request) (oauth2.TokenSource, error) {
	if d.Prompt == nil {
		return nil, errors.New("signin: Device.Prompt is nil")
	}
	if source, err := renewed(ctx, r); source != nil || err != nil {
		return source, err
	}
	endpoint := r.Authorization.DeviceAuthorizationEndpoint
	if endpoint == "" {
		return nil, fmt.Errorf("%w: %s names no device_authorization_endpoint", ErrNoDeviceFlow, r.Authorization.Issuer)
	}
	g, err := newGrant(r, terms{d.Scopes, d.Resource, d.Binding, d.Provider, d.Now})
	if err != nil {
		return nil, err
	}
	clients := d.Clients.or(d.ClientID)
	if err := clients.choose(ctx, g, r, wanted{grants: []string{deviceGrant, grantRefresh}}); err != nil {
		return nil, err
	}
	code, err := g.deviceCode(ctx, endpoint)
	if asksForPKCE(err, &r.Authorization) {
		g.verifier = Secret(oauth.NewVerifier())
		code, err = g.deviceCode(ctx, endpoint)
	}
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	defer close(done)
	d.Prompt(DevicePrompt{
		UserCode:                code.UserCode,
		VerificationURI:         code.VerificationURI,
		VerificationURIComplete: code.VerificationURIComplete,
		Expires:                 g.now().Add(time.Duration(code.ExpiresIn)),
		Issuer:                  g.issuer,
		Server:                  r.Server,
		Scopes:                  g.scopes,
		Done:                    done,
	})
	answer, err := g.poll(ctx, code)
	if err != nil {
		return nil, err
	}
	return newTokens(g, answer)
}

// asksForPKCE reports whether the authorization server may have refused to give a code because PKCE is missing. RFC 8628
// knows none, so it is not sent unasked. Keycloak wants it (invalid_request, "Missing parameter: code_challenge_method")
// once a client is set to require it, in every flow; this may go when it no longer does. The text is not read.
func asksForPKCE(err error, m *oauth.ServerMetadata) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == oauth.CodeInvalidRequest && !refusesResource(err) && slices.Contains(m.CodeChallengeMethodsSupported, "S256")
}

// deviceAnswer is a device authorization response (RFC 8628, section 3.2).
type deviceAnswer struct {
	DeviceCode              string   `json:"device_code"`
	UserCode                string   `json:"user_code"`
	VerificationURI         string   `json:"verification_uri"`
	VerificationURL         string   `json:"verification_url"` // the name before the RFC, still Google's
	VerificationURIComplete string   `json:"verification_uri_complete"`
	ExpiresIn               seconds  `json:"expires_in"`
	Interval                *seconds `json:"interval"`
}

// deviceCode asks for a code (RFC 8628, section 3.1) and checks what came.
func (g *grant) deviceCode(ctx context.Context, endpoint string) (*deviceAnswer, error) {
	var a deviceAnswer
	form := g.form(g.scopes)
	if g.verifier != "" {
		form.Set("code_challenge", oauth.ChallengeS256(string(g.verifier)))
		form.Set("code_challenge_method", "S256")
	}
	if g.claims != "" {
		form.Set("claims", g.claims)
	}
	if err := g.checkAway("device endpoint", endpoint); err != nil {
		return nil, err
	}
	if err := g.post(ctx, endpoint, form, &a); err != nil {
		return nil, err
	}
	if a.VerificationURI == "" {
		a.VerificationURI = a.VerificationURL
	}
	if a.DeviceCode == "" || !isUserCode(a.UserCode) || a.ExpiresIn == 0 {
		return nil, fmt.Errorf("signin: the answer of %s lacks device_code, user_code or expires_in", g.issuer)
	}
	for _, page := range []string{a.VerificationURI, a.VerificationURIComplete} {
		if page == "" && a.VerificationURI != "" {
			continue // the one with the code inside is optional
		}
		if err := g.checkPage(page); err != nil {
			return nil, err
		}
		if err := g.checkAway("page", page); err != nil {
			return nil, err
		}
	}
	return &a, nil
}

func isUserCode(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return s != "" && len(s) <= maxUserCode
}

// poll asks for the token until the person has answered or the code ends (RFC 8628, sections 3.4 and 3.5).
func (g *grant) poll(ctx context.Context, code *deviceAnswer) (*tokenAnswer, error) {
	end := time.NewTimer(time.Duration(code.ExpiresIn))
	defer end.Stop()
	interval := defaultInterval
	if code.Interval != nil {
		interval = max(time.Duration(*code.Interval), minInterval)
	}
	for {
		wait := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		case <-end.C:
			wait.Stop()
			return nil, ErrExpired
		case <-wait.C:
		}
		form := g.form(g.scopes)
		form.Set("grant_type", deviceGrant)
		form.Set("device_code", code.DeviceCode)
		if g.verifier != "" {
			form.Set("code_verifier", string(g.verifier))
		}
		answer, err := g.token(ctx, form)
		var e *Error
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &e) && e.Code == oauth.CodeAuthorizationPending:
		case errors.As(err, &e) && e.Code == oauth.CodeSlowDown:
			interval += slowDown // for this and all that follow
		case temporary(err):
			interval = max(interval, min(2*interval, maxBackoff))
		default:
			return nil, err
		}
	}
}
