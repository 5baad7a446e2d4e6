package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// token looks at what is kept of an earlier sign-in. It may be refreshed; nobody is asked.
func (w *walk) token(ctx context.Context, l *Leg) {
	if w.nobodySignsIn(l) {
		return
	}
	source, err := w.kept(ctx)
	if err == nil {
		var t *oauth2.Token
		if t, err = fetch(ctx, source); err == nil {
			w.source = source
			w.judge(l, t)
			return
		}
	}
	var refused *signin.Error
	switch {
	case errors.As(err, &refused):
		l.Saw = "the kept sign-in cannot be refreshed"
		a, known := advice.For(advice.Refusal{Code: refused.Code, Codes: refused.Codes, Issuer: refused.Issuer, ClientID: w.clientID,
			Server: w.o.Server, CorrelationID: refused.CorrelationID, TraceID: refused.TraceID})
		l.advised(SignIn, a)
		if !known {
			l.Cause, l.Next = "the authorization server refuses to refresh it", advice.SignIn
		}
	case errors.Is(err, client.ErrSignInNeeded):
		l.Saw = "nobody is signed in"
		l.broken(SignIn, "no token for this server is kept on this machine", "")
		l.Next = advice.SignIn
	case l.lost(err):
		l.Saw = "the kept sign-in cannot be refreshed"
	default:
		l.Saw = "the kept sign-in cannot be read"
		l.broken(SignIn, "the store of tokens does not answer", "see where they are kept with fastmcp-auth whoami")
		l.Next = advice.SignIn
	}
}

func (w *walk) kept(ctx context.Context) (oauth2.TokenSource, error) {
	if w.o.Token == nil {
		return nil, client.ErrSignInNeeded
	}
	source, err := w.o.Token(ctx, w.discovery)
	if err == nil && source == nil {
		err = client.ErrSignInNeeded
	}
	return source, err
}

func fetch(ctx context.Context, source oauth2.TokenSource) (*oauth2.Token, error) {
	if s, ok := source.(interface {
		TokenContext(context.Context) (*oauth2.Token, error)
	}); ok {
		return s.TokenContext(ctx)
	}
	return source.Token()
}

// claims are what doctor reads of a token. Nothing is verified: the server decides.
type claims struct {
	Audience words       `json:"aud"`
	Scope    words       `json:"scope"`
	Scp      words       `json:"scp"`
	Roles    words       `json:"roles"`
	Expiry   json.Number `json:"exp"`
	Version  string      `json:"ver"`
	Tenant   string      `json:"tid"`
	Realm    struct {
		Roles words `json:"roles"`
	} `json:"realm_access"`
}

// words is a text of words, or a list.
type words []string

// UnmarshalJSON takes either, and anything else as nothing.
func (v *words) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*v = strings.Fields(text)
		return nil
	}
	var list []string
	json.Unmarshal(b, &list)
	*v = list
	return nil
}

const maxToken = 64 << 10

// readClaims decodes a JWT, or reports false for what is none.
func readClaims(token string) (c claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return c, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	return c, err == nil && json.Unmarshal(body, &c) == nil
}

// judge says what a token carries, and what of it the server will not like.
func (w *walk) judge(l *Leg, t *oauth2.Token) {
	c, isJWT := readClaims(t.AccessToken)
	if !isJWT {
		l.Saw = "an opaque token" + w.until(t.Expiry) + ": only its server can read it"
		return
	}
	end := t.Expiry
	if seconds, err := c.Expiry.Int64(); err == nil && seconds > 0 && seconds < 1<<40 {
		end = time.Unix(seconds, 0)
	}
	scopes := slices.Concat(c.Scp, c.Scope)
	l.Saw = "for " + orNothing(c.Audience) + ", scope " + orNothing(scopes)
	if roles := slices.Concat(c.Roles, c.Realm.Roles); len(roles) > 0 {
		l.Saw += ", roles " + strings.Join(roles, " ")
	}
	l.Saw += w.until(end)
	missing := w.missing(scopes, c.Roles)
	switch {
	case !end.IsZero() && end.Before(w.o.Now()):
		l.broken(SignIn, "the token has expired, and there is no refresh token that works", "")
		l.Next = advice.SignIn
	case !w.isForServer(c):
		w.wrongAudience(l, c)
	case len(missing) > 0 && permits(scopes, c.Roles):
		l.State, l.Next = Note, advice.MoreScope
		l.Saw += "; it lacks " + strings.Join(missing, " ") + ", so some tools may be closed"
	case len(missing) > 0:
		a, _ := advice.For(advice.Refusal{Code: "insufficient_scope", Scopes: missing, Server: w.o.Server})
		l.advised(SignIn, a)
	case w.isVague(c):
		l.State = Note
		l.Saw += "; its audience is not this server's URL, and only the server knows whether it will do"
	}
}

// permits reports whether a token carries anything that a server could go by, besides what OpenID Connect is about.
func permits(scopes, roles []string) bool {
	about := []string{"openid", "profile", "email", "address", "phone", offlineAccess}
	return len(roles) > 0 || slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(about, s) })
}

const offlineAccess = "offline_access"

// isVague reports whether the audience is a name that is neither the resource nor one that this provider is known to
// write in its place.
func (w *walk) isVague(c claims) bool {
	d := w.discovery
	return !slices.Contains(c.Audience, d.Resource.Resource) && !slices.Contains(c.Audience, w.o.Server) &&
		len(w.apis()) == 0 && !idp.Recognize(d.Authorization.Issuer).AudienceApart
}

func (w *walk) until(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return ", until " + end.UTC().Format("2006-01-02 15:04:05Z")
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, " ")
}

// isForServer reports whether the audience is the resource, or is one that this provider writes in its place.
func (w *walk) isForServer(c claims) bool {
	d := w.discovery
	if slices.Contains(c.Audience, d.Resource.Resource) || slices.Contains(c.Audience, w.o.Server) {
		return true
	}
	if graph(c.Audience) != "" {
		return false
	}
	apis := w.apis()
	if len(apis) == 0 {
		return len(c.Audience) > 0 && !isResource(c.Audience)
	}
	for _, api := range apis {
		if slices.Contains(c.Audience, api) || slices.Contains(c.Audience, strings.TrimPrefix(api, "api://")) {
			return true
		}
	}
	return false
}

// isResource reports whether an audience is a URL, and so another server's.
func isResource(audience []string) bool {
	return slices.ContainsFunc(audience, func(a string) bool { return strings.HasPrefix(a, "https://") || strings.HasPrefix(a, "http://") })
}

// apis are the prefixes of the scopes that the server asks for: at Entra the App ID URI of the API.
func (w *walk) apis() []string {
	var all []string
	for _, s := range w.wanted() {
		if i := strings.LastIndex(s, "/"); i > 0 && strings.Contains(s, "://") && !slices.Contains(all, s[:i]) {
			all = append(all, s[:i])
		}
	}
	return all
}

// graph names the service that a token is for, where that is a well-known one.
func graph(audience []string) string {
	foreign := idp.Entra("common").ForeignAudiences
	for _, a := range audience {
		if foreign[a] != "" {
			return foreign[a]
		}
	}
	return ""
}

func (w *walk) wrongAudience(l *Leg, c claims) {
	cure := "ask for a token for " + w.discovery.Resource.Resource + ": let the provider know it as a resource, or add it to the audience of the client's tokens"
	cause := "the token was issued for " + orNothing(c.Audience) + ", not for this server"
	if service := graph(c.Audience); service != "" {
		cause = "the token is for " + service + ", not for this server"
		cure = "ask for the scope " + orNothing(w.wanted()) + "; a scope without a resource before it means Graph to Entra"
	}
	l.broken(SignIn, cause, cure)
	l.Setting, l.Next = "client.scopes", advice.SignIn
	if page := advice.Portal(w.discovery.Authorization.Issuer, w.clientID); page.URL != "" {
		l.Portal = &page
	}
}

// missing are the scopes that the server asks for and the token lacks. A role of that name does as well.
func (w *walk) missing(scopes, roles []string) []string {
	var lacking []string
	for _, s := range w.wanted() {
		short := s[strings.LastIndex(s, "/")+1:]
		if !slices.Contains(scopes, s) && !slices.Contains(scopes, short) && !slices.Contains(roles, short) {
			lacking = append(lacking, s)
		}
	}
	return lacking
}

// clean makes a stranger's words one bounded line.
func clean(s string) string {
	const most = 600
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || isHidden(r) }), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// isHidden reports whether r turns or hides text.
func isHidden(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}
