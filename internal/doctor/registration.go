package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// registration says who this client is to the authorization server: C-6's order, with nothing registered.
func (w *walk) registration(_ context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	a := w.discovery.Authorization
	id, from := w.known(a.Issuer)
	switch {
	case id != "":
		w.clientID = id
		l.Saw = "client id " + id + ", from " + from
	case a.ClientIDMetadataDocumentSupported && w.o.Document != "":
		w.clientID = w.o.Document
		l.Saw = "by the client ID metadata document " + w.o.Document
	case a.RegistrationEndpoint != "":
		l.Saw = "it registers clients by itself (RFC 7591)"
	default:
		l.Saw = "no client id is set, and it registers none by itself"
		l.broken(SignIn, "this client is nobody at "+a.Issuer, "create a public client at the provider and set its id (client.id)")
		l.Setting = "client.id"
		if page := advice.Portal(a.Issuer, ""); page.URL != "" {
			l.Cure = "create an app registration with the platform Mobile and desktop applications and http://localhost, and set its Application (client) ID (client.id)"
			l.Portal = &page
		}
	}
}

func (w *walk) known(issuer string) (id, from string) {
	if w.o.Client == nil {
		return "", ""
	}
	return w.o.Client(issuer)
}

// redirect asks the authorization server, as a browser would, whether it would send a person back to this machine. With
// prompt=none it shows no page to sign in (OpenID Connect Core, section 3.1.2.1), and gives no code unless somebody is
// signed in, which nobody is without cookies.
func (w *walk) redirect(ctx context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	a := w.discovery.Authorization
	back := "http://127.0.0.1:49152/callback" // a port of the kernel's choice, as a sign-in has
	if w.o.Redirect != nil {
		back = w.o.Redirect(a.Issuer)
	}
	switch {
	case a.AuthorizationEndpoint == "":
		l.State, l.Saw = NotNeeded, "no browser sign-in there"
		return
	case w.clientID == "":
		l.Saw = "registered together with the client"
		return
	case back == "":
		l.State, l.Saw = NotNeeded, "registered to sign in by a code; a sign-in by browser registers anew"
		return
	}
	resource := w.discovery.Resource.Resource
	if idp.Recognize(a.Issuer).RefusesResource {
		resource = ""
	}
	status, to, err := w.authorize(ctx, a.AuthorizationEndpoint, back, resource)
	without := false
	if err == nil && to != nil && to.Query().Get("error") == oauth.CodeInvalidTarget && resource != "" {
		if s, again, err := w.authorize(ctx, a.AuthorizationEndpoint, back, ""); err == nil && again != nil && again.Query().Get("error") != oauth.CodeInvalidTarget {
			status, to, without = s, again, true
		}
	}
	switch {
	case err != nil:
		l.Saw = "no answer of the authorization endpoint"
		if !l.lost(err) {
			l.broken(Other, "the authorization endpoint does not speak HTTP", "check the provider's metadata")
		}
	case to != nil && sameAddress(to, back):
		w.sentBack(l, to.Query(), back)
		if without && l.State == OK {
			l.State, l.Saw = Note, l.Saw+", but no resource parameter: sign in with client.resource set to omit where that is not found out"
		}
	case status < 400:
		l.State, l.Saw = Note, fmt.Sprintf("%d: it does not say before somebody signs in", status)
	default:
		l.Saw = fmt.Sprintf("%d with a page, instead of a way back to %s", status, back)
		w.unregistered(l, a.Issuer, back)
	}
}

// unregistered says that the authorization server sends nobody back here.
func (w *walk) unregistered(l *Leg, issuer, back string) {
	l.broken(SignIn, "the authorization server refuses the client or its redirect URI", "allow "+back+" for the client, with any port (RFC 8252, section 7.3), and check the client id")
	l.Setting = "client.id"
	if idp.Recognize(issuer).Name == "entra" {
		a, _ := advice.For(advice.Refusal{Codes: []int{50011}, Issuer: issuer, ClientID: w.clientID})
		l.Cure, l.Portal = a.Cure, &a.Portal
	}
}

// sentBack reads what came with the way back. That nobody is signed in is what was expected.
func (w *walk) sentBack(l *Leg, q url.Values, back string) {
	code := q.Get("error")
	l.Saw = back + " is accepted"
	switch code {
	case "", "login_required", "interaction_required", "consent_required", "account_selection_required", oauth.CodeAccessDenied:
		return
	}
	a, known := advice.For(advice.Refusal{Code: code, Issuer: w.discovery.Authorization.Issuer, ClientID: w.clientID, Server: w.o.Server, Scopes: w.wanted()})
	if !known {
		l.State, l.Saw = Note, l.Saw+", with the error "+code
		return
	}
	l.Saw += ", but the request is refused: " + code
	l.advised(SignIn, a)
}

// wanted are the scopes that a sign-in would ask for (C-12).
func (w *walk) wanted() []string {
	if w.asks != nil && len(w.asks.Scopes) > 0 {
		return w.asks.Scopes
	}
	return w.discovery.Resource.ScopesSupported
}

// authorize sends an authorization request as a sign-in would, and follows nothing. to is where it leads, or nil.
func (w *walk) authorize(ctx context.Context, endpoint, back, resource string) (status int, to *url.URL, err error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return 0, nil, err
	}
	q := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": w.clientID, "redirect_uri": back, "state": rand.Text(), "prompt": "none",
		"code_challenge": oauth.ChallengeS256(oauth.NewVerifier()), "code_challenge_method": "S256",
		"scope": strings.Join(w.wanted(), " "), "resource": resource,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := w.hc.Do(req)
	if err != nil {
		return 0, nil, err
	}
	resp.Body.Close()
	to, _ = resp.Location()
	return resp.StatusCode, to, nil
}

// sameAddress reports whether to is back with a query.
func sameAddress(to *url.URL, back string) bool {
	bare := *to
	bare.RawQuery, bare.Fragment = "", ""
	return bare.String() == back
}
