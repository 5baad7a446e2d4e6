package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// callError is an error of a call to a server, with what advice about it needs to know.
type callError struct {
	err      error
	server   string
	clientID string   // who called; may be empty
	program  bool     // who called signs in without a person
	asked    []string // the scopes that were set
	scopes   []string // what to sign in for, where some are missing
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

func serverOf(err error) string {
	if call := (*callError)(nil); errors.As(err, &call) {
		return call.server
	}
	return ""
}

// adviceFor finds what is to be said about err, and the exit code. It reports false for errors that neither a sign-in
// nor a network brought.
func adviceFor(err error) (a advice.Advice, code int, found bool) {
	if platform := (*workload.Error)(nil); errors.As(err, &platform) {
		return ofPlatform(platform)
	}
	r, status := refusalOf(err)
	a, known := advice.For(r)
	if known {
		if status >= http.StatusInternalServerError {
			return a, exitUnreachable, true
		}
		return a, exitSignIn, true
	}
	if trouble, a := advice.Network(err); trouble != advice.NoTrouble {
		if trouble == advice.Refused && serverOf(err) == config.DefaultServer && strings.Contains(a.Cause, "(127.0.0.1:8000)") {
			a.Cure = `run "fastmcp-auth serve" to have a server there, or name yours with --server`
		}
		return a, exitUnreachable, true
	}
	switch {
	case status >= http.StatusInternalServerError:
		return advice.Advice{Cause: "the authorization server has a fault of its own", Next: advice.Again}, exitUnreachable, true
	case errors.Is(err, client.ErrSignInNeeded):
		return advice.Advice{Next: advice.SignIn}, exitSignIn, true
	case errors.As(err, new(*tokencache.AccountError)):
		return advice.Advice{Cause: "who signed in is kept, too; sign in once more, and choose the other account at the provider", Next: advice.SignIn}, exitSignIn, true
	case errors.As(err, new(*tokencache.KeepError)):
		return advice.Advice{Cure: "make room there, or name another folder with --store-dir"}, exitFailed, true
	case isDown(err):
		return advice.Advice{Cause: "the server, or its authorization server, has a fault of its own", Next: advice.Again}, exitUnreachable, true
	case otherName(err) != "":
		return advice.Advice{Cause: "the server goes by " + otherName(err), Cure: "call it by that: --server " + otherName(err)}, exitSignIn, true
	case errors.Is(err, signin.ErrOtherIssuer):
		return advice.Advice{Cause: "client.issuer says where your token may go", Next: advice.Diagnose}, exitSignIn, true
	case errors.As(err, new(*client.DiscoveryError)), errors.As(err, new(*signin.Error)):
		return advice.Advice{Next: advice.Diagnose, Support: a.Support}, exitSignIn, true
	}
	if errors.Is(err, signin.ErrProof) {
		return advice.Advice{}, exitSignIn, true
	}
	if errors.Is(err, signin.ErrForeignScope) {
		return advice.Advice{Cause: "a server needs a token for itself, not for another API"}, exitSignIn, true
	}
	for _, sentinel := range []error{signin.ErrDeclined, signin.ErrExpired, signin.ErrCodeUnknown} {
		if errors.Is(err, sentinel) {
			return advice.Advice{Next: advice.SignIn}, exitSignIn, true
		}
	}
	return advice.Advice{}, exitFailed, false
}

// ofPlatform is about a platform that gives the program no token.
func ofPlatform(e *workload.Error) (advice.Advice, int, bool) {
	code := exitSignIn
	if trouble, _ := advice.Network(e.Err); trouble != advice.NoTrouble || e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests {
		code = exitUnreachable
	}
	return advice.Advice{Cure: e.Cure}, code, true
}

// otherName is what a server on this machine calls itself, where it was called by another name of this machine, such as
// localhost for 127.0.0.1; or nothing. A token is for one of them only, so it is the person who changes the name.
func otherName(err error) string {
	var other *client.ResourceError
	if !errors.As(err, &other) {
		return ""
	}
	named, err1 := url.Parse(other.Named)
	called, err2 := url.Parse(other.Called)
	if err1 != nil || err2 != nil || !loopback(named.Hostname()) || !loopback(called.Hostname()) || named.Port() != called.Port() ||
		named.Scheme != called.Scheme || named.Path != called.Path || named.RawQuery != called.RawQuery || named.User != nil || named.Fragment != "" || named.String() != other.Named || clean(other.Named) != other.Named {
		return ""
	}
	return other.Named
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// isDown reports whether metadata were answered with a status that says nothing about them.
func isDown(err error) bool {
	var place *client.StatusError
	return errors.As(err, &place) && place.Status >= http.StatusInternalServerError
}

// refusalOf is what an authorization server or a protected server said, with the HTTP status where that tells
// something, or nothing.
func refusalOf(err error) (r advice.Refusal, status int) {
	call := (*callError)(nil)
	if errors.As(err, &call) {
		r.Server, r.ClientID, r.Program = call.server, call.clientID, call.program
	}
	var provider *signin.Error
	var nobody *signin.ClientIDError
	var scope *client.ScopeError
	var token *client.UnauthorizedError
	switch {
	case errors.As(err, &provider):
		r.Code, r.Codes, r.Issuer = provider.Code, provider.Codes, provider.Issuer
		r.CorrelationID, r.TraceID = provider.CorrelationID, provider.TraceID
		if call != nil {
			r.Scopes = call.asked
		}
		status = provider.Status
	case errors.As(err, &nobody):
		r.Code, r.Issuer = advice.NoClientID, nobody.Issuer
	case errors.As(err, &scope):
		r.Code, r.Scopes, r.Server = oauth.CodeInsufficientScope, scope.Challenge.Scopes, scope.Server
	case errors.As(err, &token) && token.Refused && token.Challenge != nil:
		r.Code, r.Scopes, r.Server = token.Challenge.Error, token.Challenge.Scopes, token.Server
	}
	for sentinel, code := range map[error]string{signin.ErrNoPKCE: advice.NoPKCE, signin.ErrForged: advice.Forged, signin.ErrNoDeviceFlow: advice.NoDeviceFlow} {
		if r.Code == "" && errors.Is(err, sentinel) {
			r.Code = code
		}
	}
	return r, status
}

// hints are the lines below an error: why, what to change and where, and the next command.
func hints(a advice.Advice, server string) []string {
	var lines []string
	for _, line := range []string{a.Cause, a.Cure, nextCommand(a.Next, server)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if a.Portal.URL != "" {
		lines = append(lines, fmt.Sprintf("in the Entra admin center: %s", a.Portal.Path), a.Portal.URL)
	}
	if a.Support != "" {
		lines = append(lines, "the sign-in log knows this as "+a.Support)
	}
	return lines
}

// nextCommand is what to type for the next step, as the end of a hint.
func nextCommand(next advice.Next, server string) string {
	command := map[advice.Next]string{
		advice.SignIn:          "login",
		advice.SignInBrowser:   "login --browser",
		advice.MoreScope:       "login",
		advice.Diagnose:        "doctor",
		advice.WithoutResource: "",
	}[next]
	switch {
	case next == advice.Again:
		return "try again in a while"
	case command == "":
		return ""
	}
	return fmt.Sprintf("run %q", strings.TrimSpace("fastmcp-auth "+command+" "+server))
}
