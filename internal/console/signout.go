package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// signOut ends the session, or with ?everywhere=1 all of the person's, revokes the refresh token, and says where the
// provider ends its own session. What the provider cannot be told ends here all the same.
func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	s, err := h.current(r)
	if errors.Is(err, errNoSession) {
		h.signedOut(w, nil)
		return
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if !h.fromPage(r, s) {
		h.o.Refuse(w, r, http.StatusForbidden, "csrf", "the request does not come from a page of the console: its "+CSRFHeader+" header is missing or old")
		return
	}
	err = h.end(r.Context(), s.key)
	if err == nil && r.URL.Query().Get("everywhere") == "1" {
		err = h.endAll(r.Context(), ownerLog(s.Identity.Key()))
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.o.Logger.InfoContext(r.Context(), "signed out", "issuer", s.Issuer, "who", s.Identity.Subject)
	at, err := h.origin.endpoints(r.Context())
	if err != nil {
		h.signedOut(w, nil)
		return
	}
	h.revoke(r.Context(), at, s)
	h.signedOut(w, h.ticket(r.Context(), h.endSession(at, s)))
}

const ticketTime = time.Minute

func ticketKey(ticket string) string { return "end-session/" + digest(ticket) }

// ticket stands for where the browser goes, once: the place itself holds an ID token, which no script is to see.
func (h *Handler) ticket(ctx context.Context, to *url.URL) *url.URL {
	if to == nil {
		return nil
	}
	t := token()
	if _, err := h.o.Store.Put(ctx, ticketKey(t), []byte(to.String()), store.Write{TTL: ticketTime, Create: true}); err != nil {
		h.o.Logger.WarnContext(ctx, "the provider's session goes on", "cause", err)
		return nil
	}
	return &url.URL{Path: EndSessionPath, RawQuery: url.Values{"ticket": {t}}.Encode()}
}

// endSessionAt sends the browser to the provider's own end of the session.
func (h *Handler) endSessionAt(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	item, err := h.o.Store.Take(r.Context(), ticketKey(r.URL.Query().Get("ticket")))
	if err != nil {
		h.home(w, r, "signed_out", "1")
		return
	}
	http.Redirect(w, r, string(item.Value), http.StatusSeeOther)
}

// revoke tells the provider that the refresh token is not used any more (RFC 7009).
func (h *Handler) revoke(ctx context.Context, at *endpoints, s *session) {
	if at.RevocationEndpoint == "" || s.Refresh == "" {
		return
	}
	if _, err := h.origin.post(ctx, at.RevocationEndpoint, url.Values{"token": {s.Refresh}, "token_type_hint": {"refresh_token"}}); err != nil {
		h.o.Logger.WarnContext(ctx, "a refresh token was not revoked", "cause", err)
	}
}

// endSession is where the browser goes to end the provider's session (OpenID Connect RP-Initiated Logout 1.0).
func (h *Handler) endSession(at *endpoints, s *session) *url.URL {
	u, err := url.Parse(at.EndSessionEndpoint)
	if err != nil || at.EndSessionEndpoint == "" {
		return nil
	}
	v := u.Query()
	v.Set("client_id", h.o.Provider.ClientID)
	v.Set("post_logout_redirect_uri", h.o.Public+SignedOutPath)
	if s.IDToken != "" {
		v.Set("id_token_hint", s.IDToken)
	}
	u.RawQuery = v.Encode()
	return u
}

func (h *Handler) signedOut(w http.ResponseWriter, to *url.URL) {
	noStore(w)
	h.release(w)
	w.Header().Set("Clear-Site-Data", `"cache"`)
	w.Header().Set("Content-Type", "application/json")
	place := "/?signed_out=1"
	if to != nil {
		place = to.String()
	}
	json.NewEncoder(w).Encode(map[string]string{"redirect_to": place})
}
