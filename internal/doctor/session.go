package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// stateless is the revision from which on there are no sessions.
const stateless = "2026-07-28"

// handshake opens a session, with the token that is kept.
func (w *walk) handshake(ctx context.Context, l *Leg) {
	if w.signsIn && w.o.NoAuth {
		l.Saw = "401"
		l.broken(SignIn, "the server wants a sign-in, and calls are made without a token", "leave --no-auth out")
		return
	}
	session, err := client.Connect(ctx, w.o.Server, client.Options{HTTPClient: &http.Client{Transport: w.clocks}, Token: w.source, ClientVersion: w.o.ClientVersion})
	if err != nil {
		w.refusedBy(l, err, "no session")
		return
	}
	w.session = session
	s := session.Server()
	era := "with a session"
	if s.ProtocolVersion >= stateless {
		era = "stateless"
	}
	name := "a server without a name"
	if s.ServerInfo != nil && s.ServerInfo.Name != "" {
		name = strings.TrimSpace(s.ServerInfo.Name + " " + s.ServerInfo.Version)
	}
	l.Saw = fmt.Sprintf("%s, MCP %s, %s", name, s.ProtocolVersion, era)
}

// tools lists them.
func (w *walk) tools(ctx context.Context, l *Leg) {
	list, err := w.session.Tools(ctx)
	if err != nil {
		w.refusedBy(l, err, "no list of tools")
		return
	}
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	switch {
	case len(names) == 0:
		l.State, l.Saw = Note, "none: this token may call nothing, or the server has no tools"
		return
	case len(names) > 8:
		names = append(names[:8], "…")
	}
	l.Saw = fmt.Sprintf("%d: %s", len(list), strings.Join(names, ", "))
}

// refusedBy says why the server would not.
func (w *walk) refusedBy(l *Leg, err error, saw string) {
	l.Saw = saw
	var token *client.UnauthorizedError
	var scope *client.ScopeError
	r := advice.Refusal{Server: w.o.Server}
	if w.discovery != nil {
		r.Issuer = w.discovery.Authorization.Issuer
	}
	switch {
	case errors.As(err, &scope):
		r.Code, r.Scopes = oauth.CodeInsufficientScope, scope.Challenge.Scopes
	case errors.As(err, &token) && token.Challenge != nil:
		r.Code = token.Challenge.Error
		l.Saw += "; the server says " + token.Challenge.ErrorDescription
		if r.Code == "" {
			r.Code = oauth.CodeInvalidToken
		}
	}
	if a, known := advice.For(r); known {
		l.advised(SignIn, a)
		return
	}
	if l.lost(err) {
		return
	}
	l.broken(Other, strings.TrimPrefix(err.Error(), "client: "), "see the log of the server")
}
