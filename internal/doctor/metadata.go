package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// nobodySignsIn reports that this leg is about a sign-in that nobody asks for.
func (w *walk) nobodySignsIn(l *Leg) bool {
	switch {
	case !w.signsIn:
		l.State, l.Saw = NotNeeded, "the server asks nobody to sign in"
	case w.o.NoAuth:
		l.State, l.Saw = NotNeeded, "calls are made without a token (--no-auth)"
	default:
		return false
	}
	return true
}

// challenge looks at what the 401 says, and follows it: the client walks these legs in one go, so the later ones only
// tell what was found.
func (w *walk) challenge(ctx context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	var err error
	w.discovery, err = client.Discover(ctx, w.hc, w.o.Server, w.asks)
	if errors.As(err, &w.refused) {
		w.lost = w.refused.Err
	}
	switch {
	case w.asks == nil:
		l.State, l.Saw = Note, "the 401 has no Bearer challenge, so the well-known places have to do"
	case w.asks.ResourceMetadata == "":
		l.State, l.Saw = Note, "it names no resource_metadata, so the well-known places have to do"
	default:
		l.Saw = "the metadata are at " + w.asks.ResourceMetadata
	}
	if w.asks != nil && len(w.asks.Scopes) > 0 {
		l.Saw += "; scope " + strings.Join(w.asks.Scopes, " ")
	}
	if w.refused != nil && w.refused.Leg == client.LegChallenge {
		l.broken(SignIn, w.refused.Err.Error(), "have the server name a resource_metadata URL that is https (RFC 9728, section 5.1)")
	}
}

// resource tells what the server says of itself (RFC 9728).
func (w *walk) resource(_ context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	if w.refused != nil && w.refused.Leg == client.LegResource {
		l.Saw = w.refused.URL
		if l.lost(w.lost) {
			w.misdirected(l, "public_url", "the server names metadata at an address where nobody answers; have it name how clients reach it (with fastmcp-auth serve: public_url)")
			return
		}
		cure := fmt.Sprintf("have the server publish metadata there with resource %s and its authorization server; with fastmcp-auth serve, set public_url to how clients reach it", w.o.Server)
		l.broken(SignIn, strings.TrimPrefix(w.refused.Err.Error(), "no document there: "), cure)
		if w.asks == nil {
			l.Cause += ", and the 401 has no Bearer challenge that names another place"
		}
		l.Setting = "public_url"
		return
	}
	l.Saw = fmt.Sprintf("%s signs in at %s", w.discovery.Resource.Resource, w.discovery.Resource.AuthorizationServers[0])
	if n := len(w.discovery.Resource.AuthorizationServers); n > 1 {
		l.Saw += fmt.Sprintf(" (the first of %d)", n)
	}
}

// misdirected replaces the cure for an address that nobody typed: it is the server that names it.
func (w *walk) misdirected(l *Leg, setting, cure string) {
	if u, err := url.Parse(w.refused.URL); err == nil && u.Host != w.url.Host && l.Setting == "" && !errors.As(w.lost, new(*client.StatusError)) {
		l.Setting, l.Cure, l.Next = setting, cure, advice.Nothing
	}
}

// authorization tells what the authorization server says of itself (RFC 8414, OpenID Connect Discovery).
func (w *walk) authorization(_ context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	if w.refused != nil {
		l.Saw = w.refused.URL
		if l.lost(w.lost) {
			w.misdirected(l, "provider.issuer", "start the authorization server that the server names, or have the server name another (with fastmcp-auth serve: provider.issuer)")
			return
		}
		issuer := w.discovery.Resource.AuthorizationServers[0]
		l.broken(SignIn, strings.TrimPrefix(w.refused.Err.Error(), "no document there: "),
			"the issuer in the provider's document and the one that the server names must be the same, letter for letter; with fastmcp-auth serve, set provider.issuer to the provider's own spelling")
		l.Setting = "provider.issuer"
		if idp.Recognize(issuer).Name == "entra" {
			l.Cure, l.Setting = "name the tenant by its id, not by a domain; with fastmcp-auth serve, that is provider.tenant", "provider.tenant"
			id, _ := w.known(issuer)
			if page := advice.Portal(issuer, id); page.URL != "" {
				l.Portal = &page
			}
		}
		return
	}
	a := w.discovery.Authorization
	var ways []string
	for _, way := range []struct{ name, endpoint string }{
		{"browser", a.AuthorizationEndpoint}, {"device code", a.DeviceAuthorizationEndpoint},
	} {
		if way.endpoint != "" {
			ways = append(ways, way.name)
		}
	}
	if len(ways) == 0 {
		ways = []string{"programs only"}
	}
	l.Saw = fmt.Sprintf("%s, for %s", a.Issuer, strings.Join(ways, " and "))
	// C-13; a preset may state what the metadata omit, as for Entra.
	if a.AuthorizationEndpoint != "" && !slices.Contains(a.CodeChallengeMethodsSupported, "S256") && !idp.Recognize(a.Issuer).OmitsPKCEMetadata {
		l.State = Note
		l.Saw += "; it does not say that it protects codes by PKCE with S256, so the browser sign-in is refused"
	}
}
