package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// CSRFHeader carries the proof that a page of this site asks.
const CSRFHeader = "X-CSRF-Token"

// Protect lets requests with a session through to next, with the caller's identity in the context, and all that bring a
// credential of their own, or none at all, to other. A request that changes something needs the session's CSRF token.
func (h *Handler) Protect(next, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) > 0 || len(r.CookiesNamed(h.session)) == 0 {
			other.ServeHTTP(w, r)
			return
		}
		s, err := h.current(r)
		if err == nil && !safe(r.Method) && !h.fromPage(r, s) {
			h.o.Refuse(w, r, http.StatusForbidden, "csrf", "the request does not come from a page of the console: its "+CSRFHeader+" header is missing or old")
			return
		}
		var id *identity.Identity
		if err == nil {
			id, err = h.identify(r.Context(), s)
		}
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		h.touch(r.Context(), s)
		next.ServeHTTP(w, r.WithContext(identity.NewContext(r.Context(), id)))
	})
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func (h *Handler) fromPage(r *http.Request, s *session) bool {
	given := r.Header[http.CanonicalHeaderKey(CSRFHeader)]
	return len(given) == 1 && subtle.ConstantTimeCompare([]byte(given[0]), []byte(s.CSRF)) == 1
}

// refuse answers for a session that is none, or that cannot be asked about: neither lets anybody in.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errNoSession):
		h.release(w)
		h.o.Refuse(w, r, http.StatusUnauthorized, "session_expired", "the session has ended; sign in again")
	case errors.Is(err, errAway), h.o.Unavailable(err):
		h.o.Logger.WarnContext(r.Context(), "a session cannot be judged", "cause", err)
		h.o.Refuse(w, r, http.StatusServiceUnavailable, "provider_unavailable", "the identity provider cannot be asked now; try again later")
	default:
		h.o.Logger.ErrorContext(r.Context(), "a session cannot be read", "cause", err)
		h.o.Refuse(w, r, http.StatusServiceUnavailable, "store_unavailable", "sessions cannot be read now; try again later")
	}
}

// identify says who has the session, as the access token does, which is refreshed when its end is near.
func (h *Handler) identify(ctx context.Context, s *session) (*identity.Identity, error) {
	if !h.o.Now().Before(s.Renew) {
		if err := h.renew(ctx, s); err != nil {
			return nil, err
		}
	}
	id, err := h.o.Verify(ctx, s.Access)
	if err == nil || h.o.Unavailable(err) {
		return id, err
	}
	// The provider no longer vouches for the token: its key is gone, or its time is up by another clock.
	h.o.Logger.InfoContext(ctx, "a session's token is refused", "cause", err)
	if s.Refresh == "" || errors.Is(h.refresh(ctx, s), errNoSession) {
		return nil, errors.Join(errNoSession, h.end(ctx, s.key))
	}
	if id, err = h.o.Verify(ctx, s.Access); err == nil || h.o.Unavailable(err) {
		return id, err
	}
	return nil, errors.Join(errNoSession, h.end(ctx, s.key))
}

// renew refreshes the access token, or lets whoever is at it finish. While the token at hand is good, a refresh that goes
// wrong is no reason to stop, but a dead refresh token is: the provider has ended the sign-in (attack 33).
func (h *Handler) renew(ctx context.Context, s *session) error {
	if s.Refresh == "" {
		if h.o.Now().Before(s.Expiry) {
			return nil
		}
		return errors.Join(errNoSession, h.end(ctx, s.key))
	}
	err := h.refresh(ctx, s)
	if err != nil && !errors.Is(err, errNoSession) && h.o.Now().Before(s.Expiry) {
		h.o.Logger.WarnContext(ctx, "a session was not refreshed", "cause", err)
		return nil
	}
	return err
}

// refresh redeems the refresh token once, however many requests and servers want it (attack 34): whoever is first takes
// a lock, and the others wait for what it brings.
func (h *Handler) refresh(ctx context.Context, s *session) error {
	ctx = context.WithoutCancel(ctx) // a refresh that was sent must be kept
	_, err := h.o.Store.Put(ctx, refreshKey(s.key), []byte("taken"), store.Write{TTL: refreshTime, Create: true})
	if errors.Is(err, store.ErrConflict) {
		return h.await(ctx, s)
	}
	if err != nil {
		return err
	}
	defer h.o.Store.Delete(ctx, refreshKey(s.key))
	newest, err := h.load(ctx, s.key)
	if err != nil {
		return err
	}
	if newest.Access != s.Access { // somebody was faster
		*s = *newest
		return nil
	}
	got, err := h.origin.redeem(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {newest.Refresh}, "scope": {strings.Join(newest.Asked, " ")}})
	var refused *RefusedError
	switch {
	case errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
		h.o.Logger.InfoContext(ctx, "the provider ended a session", "cause", err)
		return errors.Join(errNoSession, h.end(ctx, s.key))
	case err != nil:
		return fmt.Errorf("%w: %w", errAway, err)
	}
	newest.keep(got, h.o.Now())
	if id, err := h.o.Verify(ctx, newest.Access); err == nil {
		if id.Key() != newest.Identity.Key() {
			h.o.Logger.WarnContext(ctx, "a refresh brought another person's token", "issuer", id.Issuer)
			return errors.Join(errNoSession, h.end(ctx, s.key))
		}
		newest.Identity = *id
	}
	if err := h.saveOver(ctx, newest); err != nil {
		return err
	}
	*s = *newest
	return nil
}

const (
	refreshTime = 30 * time.Second // of one refresh, at the most
	lookAgain   = 50 * time.Millisecond
)

// await looks until another request has refreshed the session.
func (h *Handler) await(ctx context.Context, s *session) error {
	for end := time.Now().Add(refreshTime); time.Now().Before(end); time.Sleep(lookAgain) {
		newest, err := h.load(ctx, s.key)
		if err != nil {
			return err
		}
		if newest.Access != s.Access {
			*s = *newest
			return nil
		}
	}
	return fmt.Errorf("%w: nobody finished the refresh", errAway)
}

// saveOver keeps new tokens although the session may have been touched meanwhile, but not where it has ended.
func (h *Handler) saveOver(ctx context.Context, s *session) error {
	for {
		err := h.save(ctx, s)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		newest, err := h.load(ctx, s.key)
		if err != nil {
			return err
		}
		s.revision, s.Seen = newest.revision, newest.Seen
	}
}

// touch notes that the session is in use, now and then.
func (h *Handler) touch(ctx context.Context, s *session) {
	now := h.o.Now()
	if now.Sub(s.Seen) < min(time.Minute, h.o.Idle/10) {
		return
	}
	s.Seen = now
	if err := h.save(ctx, s); err != nil && !errors.Is(err, store.ErrConflict) {
		h.o.Logger.WarnContext(ctx, "a session's use was not noted", "cause", err)
	}
}
