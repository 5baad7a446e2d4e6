// Package doctor finds the broken leg between this machine and a tool.
//
// It walks the legs of a call in their order, says what it saw at each, and for a broken one the cause and what mends
// it. It changes nothing: it registers no client, asks nobody to sign in and calls no tool. It never holds a secret
// longer than a request, and what it reports has none in it.
//
//	walk             legs, their order and what each needs           doctor.go
//	dns … tls        from a name to a connection that is trusted     network.go
//	endpoint         is it MCP, and where else might it be           endpoint.go
//	challenge …      where one signs in, as the client finds it      metadata.go
//	registration …   who this client is there, and its way back      registration.go
//	clock            how far the clocks are apart                    clock.go
//	token            what is kept of an earlier sign-in              token.go
//	handshake, tools a session, and what it lists                    session.go
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Options says which server to walk to, and how. Server and Transport are required.
type Options struct {
	Server    string          // an absolute http or https URL
	Transport *http.Transport // proxy and TLS, as calls use them

	NoAuth   bool   // calls are made without a token
	Document string // URL of a client ID metadata document of ours; empty: there is none
	// Client is the client id that is known for an issuer, and where it comes from, for the report. Empty means that none
	// is; so does nil, everywhere.
	Client func(issuer string) (id, from string)
	// Redirect is the loopback address that a browser sign-in comes back to at this issuer; nil means /callback on some
	// port of 127.0.0.1. Empty means that the client has none there: it was registered to sign in by a code.
	Redirect func(issuer string) string

	// Token gives the tokens that are kept of an earlier sign-in. It asks nobody. The error wraps
	// [client.ErrSignInNeeded] where nobody is signed in; nil means that nothing is kept.
	Token func(ctx context.Context, d *client.Discovery) (oauth2.TokenSource, error)

	ClientVersion string
	Hear          func(Leg)        // hears each leg as soon as it was walked; nil means nobody does
	Now           func() time.Time // nil means time.Now
	Patience      time.Duration    // for one leg; 0 means 15 seconds
}

// State is how a leg is.
type State string

const (
	OK        State = "ok"
	Note      State = "note"       // it works, and there is something to know
	Broken    State = "broken"     // it does not work
	NotNeeded State = "not_needed" // this server has no such leg
	NotTried  State = "not_tried"  // what it needs is broken
)

// Kind says what sort of thing is broken, for exit codes.
type Kind string

const (
	Unreachable Kind = "unreachable" // nobody answers
	SignIn      Kind = "sign_in"     // signing in, or what came of it
	Other       Kind = "other"       // what answers is not what it should be
)

// Leg is one leg of the way and how it is. Its texts are safe to print and hold no secret.
type Leg struct {
	Name  string `json:"leg"`
	State State  `json:"state"`
	Saw   string `json:"saw,omitempty"`

	// What follows is said of a broken leg.
	Kind    Kind         `json:"kind,omitempty"`
	Cause   string       `json:"cause,omitempty"`
	Cure    string       `json:"cure,omitempty"`    // what to change, and where
	Setting string       `json:"setting,omitempty"` // the setting of ours to change, by its key
	Next    advice.Next  `json:"next,omitempty"`
	Portal  *advice.Page `json:"portal,omitempty"`
	Support string       `json:"support,omitempty"`
}

// Report is all that was found.
type Report struct {
	Server string `json:"server"`
	Whole  bool   `json:"whole"`            // nothing is broken
	Broken string `json:"broken,omitempty"` // the first broken leg
	Legs   []Leg  `json:"legs"`
}

// First returns the first broken leg, or nil.
func (r *Report) First() *Leg {
	for i := range r.Legs {
		if r.Legs[i].State == Broken {
			return &r.Legs[i]
		}
	}
	return nil
}

// leg is a step of the walk: what it needs, and how it is tried.
type leg struct {
	name  string
	needs []string // legs that must not be broken or untried
	try   func(*walk, context.Context, *Leg)
}

// legs are all of them, in their order.
var legs = []leg{
	{"dns", nil, (*walk).dns},
	{"proxy", nil, (*walk).proxyLeg},
	{"connect", []string{"dns", "proxy"}, (*walk).connect},
	{"tls", []string{"connect"}, (*walk).tls},
	{"endpoint", []string{"tls"}, (*walk).endpoint},
	{"challenge", []string{"endpoint"}, (*walk).challenge},
	{"resource", []string{"challenge"}, (*walk).resource},
	{"authorization", []string{"resource"}, (*walk).authorization},
	{"registration", []string{"authorization"}, (*walk).registration},
	{"redirect", []string{"registration"}, (*walk).redirect},
	{"clock", []string{"endpoint"}, (*walk).clock},
	{"token", []string{"authorization"}, (*walk).token},
	{"handshake", []string{"endpoint", "token"}, (*walk).handshake},
	{"tools", []string{"handshake"}, (*walk).tools},
}

// Names are the legs' names, in their order.
func Names() []string {
	var names []string
	for _, l := range legs {
		names = append(names, l.name)
	}
	return names
}

// walk is one walk, with what was learnt on the way.
type walk struct {
	o      Options
	url    *url.URL
	clocks *clocks
	hc     *http.Client // follows no redirect
	states map[string]State

	proxy     *url.URL // nil: none
	signsIn   bool     // the server wants a token
	asks      *oauth.Challenge
	discovery *client.Discovery // as far as it came
	refused   *client.DiscoveryError
	lost      error // of discovery, from the network
	clientID  string
	source    oauth2.TokenSource
	session   *client.Session
}

// Walk walks all legs. The error is for a server that is no URL, and ctx's; a broken leg is no error.
func Walk(ctx context.Context, o Options) (*Report, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" {
		return nil, errors.New("doctor: the server is not an absolute URL")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = 15 * time.Second
	}
	w := &walk{o: o, url: u, clocks: newClocks(o.Transport, o.Now), states: map[string]State{}}
	w.hc = &http.Client{Transport: w.clocks, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer w.close()
	report := &Report{Server: o.Server, Whole: true}
	for _, l := range legs {
		found := w.one(ctx, l)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.states[l.name] = found.State
		report.Legs = append(report.Legs, found)
		if found.State == Broken && report.Whole {
			report.Whole, report.Broken = false, l.name
		}
		if o.Hear != nil {
			o.Hear(found)
		}
	}
	return report, nil
}

// one tries a leg, where what it needs is there.
func (w *walk) one(ctx context.Context, l leg) Leg {
	found := Leg{Name: l.name, State: OK}
	for _, need := range l.needs {
		if s := w.states[need]; s == Broken || s == NotTried {
			found.State, found.Saw = NotTried, "it needs "+need
			return found
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Patience)
	defer cancel()
	l.try(w, ctx, &found)
	found.Saw, found.Cause, found.Cure = clean(found.Saw), clean(found.Cause), clean(found.Cure)
	return found
}

func (w *walk) close() {
	if w.session != nil {
		w.session.Close()
	}
	w.o.Transport.CloseIdleConnections()
}

// broken says that a leg is, why, and what mends it.
func (l *Leg) broken(kind Kind, cause, cure string) {
	l.State, l.Kind, l.Cause, l.Cure = Broken, kind, cause, cure
}

// advised takes over advice.
func (l *Leg) advised(kind Kind, a advice.Advice) {
	l.broken(kind, a.Cause, a.Cure)
	l.Next, l.Support = a.Next, a.Support
	if a.Portal.URL != "" {
		l.Portal = &a.Portal
	}
}

// lost says that the network brought no answer, where err is of that kind.
func (l *Leg) lost(err error) bool {
	if place := (*client.StatusError)(nil); errors.As(err, &place) && place.Status >= http.StatusInternalServerError {
		l.broken(Unreachable, fmt.Sprintf("it answers %d: what stands there has a fault", place.Status), "see its log, and try again in a while")
		return true
	}
	trouble, a := advice.Network(err)
	if trouble == advice.NoTrouble {
		return false
	}
	l.advised(Unreachable, a)
	if trouble == advice.UnknownCA {
		l.Setting = "ca_file"
	}
	return true
}
