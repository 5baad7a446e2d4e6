package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// told is what a page may know of its session: never a token.
type told struct {
	SignedIn bool               `json:"signed_in"`
	Mode     string             `json:"mode"` // "sign-in", "open" where nobody signs in, or "unset" where nobody can
	Unset    *toldUnset         `json:"unset,omitempty"`
	Provider *toldProvider      `json:"provider,omitempty"`
	CSRF     string             `json:"csrf,omitempty"`
	Identity *identity.Identity `json:"identity,omitempty"`
	Claims   json.RawMessage    `json:"claims,omitempty"` // of the ID token
	Scopes   []string           `json:"scopes,omitempty"`
	Idle     *time.Time         `json:"idle_expires_at,omitempty"`
	Absolute *time.Time         `json:"expires_at,omitempty"`
	MCP      string             `json:"mcp_url"`
	ClientID string             `json:"client_id,omitempty"` // for programs that sign in
}

// toldUnset is what is missing, where nobody can sign in.
type toldUnset struct {
	Setting     string `json:"setting"`
	RedirectURI string `json:"redirect_uri"` // for the client at the provider
}

type toldProvider struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
}

// Open answers GET /console/session where nobody signs in.
func Open(mcp string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeTold(w, &told{Mode: "open", MCP: mcp}) }
}

// Unset answers GET /console/session where people sign in, but the console has no client to sign in as: it says what to
// set, and what the provider must let it do. public is the base URL that browsers see.
func Unset(public, mcp string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeTold(w, &told{Mode: "unset", MCP: mcp, Unset: &toldUnset{Setting: "console.client_id", RedirectURI: public + CallbackPath}})
	}
}

func (h *Handler) tell(w http.ResponseWriter, r *http.Request) {
	t := &told{Mode: "sign-in", Provider: &toldProvider{h.o.Provider.Name, h.o.Provider.Issuer.Name}, MCP: h.o.MCP, ClientID: h.o.ClientID}
	s, err := h.current(r)
	var id *identity.Identity
	if err == nil {
		id, err = h.identify(r.Context(), s)
	}
	switch {
	case errors.Is(err, errNoSession):
		if len(r.CookiesNamed(h.session)) > 0 {
			h.release(w)
		}
		writeTold(w, t)
		return
	case err != nil:
		h.refuse(w, r, err)
		return
	}
	idle, absolute := s.Seen.Add(h.o.Idle), s.Begun.Add(h.o.Absolute)
	t.SignedIn, t.CSRF, t.Identity, t.Claims, t.Scopes, t.Idle, t.Absolute = true, s.CSRF, id, s.Claims, s.Granted, &idle, &absolute
	writeTold(w, t)
}

func writeTold(w http.ResponseWriter, t *told) {
	noStore(w)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(t)
}

// events tells a page when its session has ended, wherever that happened.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	s, err := h.current(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	who := s.Identity.Key()
	if !h.o.Streams.Enter(who) {
		w.Header().Set("Retry-After", "5")
		h.o.Refuse(w, r, http.StatusTooManyRequests, "busy", "you follow as much at once as one may; close what you do not watch")
		return
	}
	defer h.o.Streams.Leave(who)
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	woken, err := h.o.Store.Watch(ctx, changesLog(s.key))
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	noStore(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		if control.SetWriteDeadline(time.Now().Add(30*time.Second)) != nil {
			return false
		}
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	over := time.NewTimer(h.left(s))
	defer over.Stop()
	for send(": \n\n") {
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-alive.C:
		case <-over.C:
		}
		s, err := h.load(ctx, s.key)
		if errors.Is(err, errNoSession) {
			send("event: session\ndata: {\"signed_in\":false}\n\n")
			return
		}
		if err == nil {
			over.Reset(h.left(s))
		}
	}
}
