package console

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// failure is why a sign-in came to nothing: a word for the page, and the cause for the log.
type failure struct {
	word  string
	cause error
}

// callback is where the provider sends the browser back to.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) {
	noStore(w)
	h.setCookie(w, h.visitor, "", http.SameSiteLaxMode, -1)
	s, back, fail := h.comeBack(r)
	if fail != nil {
		h.o.Logger.InfoContext(r.Context(), "sign-in failed", "why", fail.word, "cause", fail.cause)
		h.home(w, r, "sign_in_error", fail.word)
		return
	}
	id, err := h.open(r.Context(), s)
	if err != nil {
		h.o.Logger.ErrorContext(r.Context(), "a session cannot be kept", "cause", err)
		h.home(w, r, "sign_in_error", "store_unavailable")
		return
	}
	h.hold(w, id)
	h.o.Logger.InfoContext(r.Context(), "signed in", "issuer", s.Issuer, "who", s.Identity.Subject)
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// comeBack makes a session of what the provider sends along. The checks that cost nothing come first, and the code is
// redeemed only for the browser that began (attack 2).
func (h *Handler) comeBack(r *http.Request) (s *session, back string, fail *failure) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > 16<<10 {
		return nil, "", &failure{"invalid_response", errors.New("the query cannot be read")}
	}
	for name, values := range q { // RFC 6749, section 3.1: no parameter comes twice
		if len(values) > 1 {
			return nil, "", &failure{"invalid_response", errors.New(clip(name) + " stands there twice")}
		}
	}
	a, fail := h.attempt(r, q.Get("state"))
	if fail != nil {
		return nil, "", fail
	}
	switch {
	case q.Has("iss") && q.Get("iss") != a.Issuer: // RFC 9207, section 2.4, of errors too
		return nil, "", &failure{"wrong_issuer", errors.New("the answer is from another issuer")}
	case q.Has("error"):
		return nil, "", &failure{orWord(q.Get("error")), errors.New(clip(q.Get("error_description")))}
	case q.Get("code") == "":
		return nil, "", &failure{"invalid_response", errors.New("no code")}
	}
	if s, fail = h.exchange(r.Context(), a, q.Get("code")); fail != nil {
		return nil, "", fail
	}
	for _, earlier := range []string{a.Earlier, cookie(r, h.present)} {
		if earlier != "" {
			s.earlier = append(s.earlier, earlier)
		}
	}
	return s, a.ReturnTo, nil
}

// attempt takes the sign-in that state stands for, which ends it, and holds it against the browser.
func (h *Handler) attempt(r *http.Request, state string) (*attempt, *failure) {
	if state == "" || len(state) > 200 {
		return nil, &failure{"invalid_response", errors.New("no state")}
	}
	item, err := h.o.Store.Take(r.Context(), attemptKey(state))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, &failure{"sign_in_expired", errors.New("the state is unknown, used or too old")}
	case err != nil:
		return nil, &failure{"store_unavailable", err}
	}
	var a attempt
	if err := json.Unmarshal(item.Value, &a); err != nil {
		return nil, &failure{"store_unavailable", err}
	}
	browser := cookie(r, h.visitor)
	if browser == "" || subtle.ConstantTimeCompare([]byte(digest(browser)), []byte(a.Browser)) != 1 {
		return nil, &failure{"another_browser", errors.New("the browser is not the one that began")}
	}
	return &a, nil
}

// exchange redeems the code and holds both tokens against each other and against what was asked.
func (h *Handler) exchange(ctx context.Context, a *attempt, code string) (*session, *failure) {
	got, err := h.origin.redeem(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {h.o.Public + CallbackPath},
		"code_verifier": {a.Verifier}, "scope": {strings.Join(a.Scopes, " ")}})
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return nil, &failure{orWord(refused.Code), err}
	case err != nil:
		return nil, &failure{"provider_unavailable", err}
	}
	who, err := h.origin.person(ctx, got.IDToken)
	if err != nil {
		return nil, &failure{"invalid_id_token", err}
	}
	if subtle.ConstantTimeCompare([]byte(who.Nonce), []byte(a.Nonce)) != 1 {
		return nil, &failure{"invalid_id_token", errors.New("another nonce")}
	}
	id, err := h.o.Verify(ctx, got.AccessToken)
	switch {
	case err != nil && h.o.Unavailable(err):
		return nil, &failure{"provider_unavailable", err}
	case err != nil:
		return nil, &failure{"not_admitted", err}
	case !who.is(id):
		return nil, &failure{"not_admitted", errors.New("the access token is another person's than the ID token")}
	}
	now := h.o.Now()
	s := &session{Issuer: who.Issuer, Subject: who.Subject, Provider: who.Session, Begun: now, Seen: now, CSRF: token(), Asked: a.Scopes, Identity: *id, Claims: who.claims}
	s.keep(got, now)
	return s, nil
}

func orWord(code string) string {
	if code = word(code); code == "" {
		return "provider_refused"
	}
	return code
}
