package bearer

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Refuse answers err, an error of [Guard.Verify]: status, challenge and a JSON body. It logs the cause and tells
// strangers only the code and one sentence. Any other error is answered as a provider that is unavailable: what cannot
// be judged is not let in. An X-Request-Id that is already set on w stands in the body too. It is for handlers that
// call Verify themselves; [Guard.Protect] does it all.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = unavailable(0, err)
	}
	g.record(r, e)
	if g.cfg.OnRefuse != nil {
		g.cfg.OnRefuse(r, e)
	}
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	if e.Status == http.StatusServiceUnavailable {
		head.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	} else {
		head.Add("WWW-Authenticate", g.challenge(e).String())
	}
	if g.cfg.Answer != nil && g.cfg.Answer(w, r, e, g.asked(e)) {
		return
	}
	w.WriteHeader(e.Status)
	if r.Method == http.MethodHead {
		return
	}
	json.NewEncoder(w).Encode(struct {
		Error       string `json:"error,omitempty"`
		Description string `json:"error_description"`
		Scope       string `json:"scope,omitempty"`
		Metadata    string `json:"resource_metadata,omitempty"`
		RequestID   string `json:"request_id,omitempty"`
	}{e.Code, e.Description, strings.Join(g.asked(e), " "), g.metaURL, head.Get("X-Request-Id")})
}

// InsufficientScope answers 403 for an operation that needs all of scopes, named without prefix: the challenge holds all
// of them at once (RS-12, RS-13), so that a client asks the person once. Nothing may have been written to w.
func (g *Guard) InsufficientScope(w http.ResponseWriter, r *http.Request, scopes []string) {
	e := refusal(ReasonScope, nil)
	e.Scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !oauth.ValidScope(s) })
	switch len(e.Scopes) {
	case 0:
	case 1:
		e.Description = "this request needs the scope " + e.Scopes[0]
	default:
		e.Description = "this request needs the scopes " + strings.Join(e.Scopes, " ")
	}
	g.Refuse(w, r, e)
}

// challenge is what WWW-Authenticate says (RFC 6750, section 3; RFC 9728, section 5.1): always where to read about
// signing in, and which scopes to ask for (RS-3 … RS-5). Without a token it names no error (RS-11).
func (g *Guard) challenge(e *Error) oauth.Challenge {
	c := oauth.Challenge{Scheme: "Bearer", Error: e.Code, Scopes: g.asked(e), ResourceMetadata: g.metaURL}
	if e.Code != "" {
		c.ErrorDescription = e.Description
	}
	return c
}

// asked are the scopes to ask for, as the authorization server spells them.
func (g *Guard) asked(e *Error) []string {
	if e.Reason != ReasonScope {
		return g.scopes
	}
	var scopes []string
	for _, s := range e.Scopes {
		scopes = append(scopes, g.cfg.ScopePrefix+s)
	}
	return scopes
}

// record logs a refusal: a request without a token is every client's first, a provider that is down wants a person. The
// query is left out, since a token may stand in it.
func (g *Guard) record(r *http.Request, e *Error) {
	level := slog.LevelInfo
	switch e.Reason {
	case ReasonMissing:
		level = slog.LevelDebug
	case ReasonUnavailable:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.Int("status", e.Status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path)}
	if e.Provider != "" {
		attrs = append(attrs, slog.String("provider", e.Provider))
	}
	if len(e.Scopes) > 0 {
		attrs = append(attrs, slog.Any("scopes", e.Scopes))
	}
	if e.Cause != nil {
		attrs = append(attrs, slog.String("cause", e.Cause.Error()))
	}
	g.log.LogAttrs(r.Context(), level, "request refused", attrs...)
}
