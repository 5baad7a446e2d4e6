package devidp

import (
	"crypto/hmac"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const sessionLife = 8 * time.Hour

// session remembers who signed in with a browser, and what this person agreed to there. It only serves prompt=none
// and signing out: an interactive request always shows the page.
type session struct {
	user     *user
	tenant   string
	authTime time.Time
	agreed   map[string]bool
}

// serveSignin takes the choice made on the sign-in page.
func (s *Server) serveSignin(w http.ResponseWriter, r *http.Request) {
	form, err := posted(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.mu.Lock()
	in, ok := s.interactions.get(form.Get("request"), s.now())
	s.mu.Unlock()
	if !ok || !s.ownForm(r, form, "signin", form.Get("request")) {
		s.failPage(w, r, refuseForm.of())
		return
	}
	choice := form.Get("choice")
	if choice == "deny" {
		if !s.finish(in) {
			s.failPage(w, r, refuseForm.of())
			return
		}
		s.sendError(w, r, in, refuseDeclined.of())
		return
	}
	u, tenant, scopes, err := s.admit(choice, in.tenant, in.client, in.scopes)
	if err != nil {
		s.showSignin(w, r, in, err) // the person may choose another user
		return
	}
	if !s.finish(in) {
		s.failPage(w, r, refuseForm.of())
		return
	}
	s.startSession(w, r, u, tenant, in)
	s.send(w, r, in, url.Values{"code": {s.permit(in, u, tenant, scopes)}})
}

// finish uses an interaction up; it is false when another request did so first.
func (s *Server) finish(in *interaction) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.interactions.take(in.id, s.now())
	return ok
}

// admit decides whether the person called id may sign in, in which tenant, and which of the scopes asked for the
// client then gets.
func (s *Server) admit(id, path string, c *client, asked []string) (*user, string, []string, error) {
	u := s.userNamed(id)
	if u == nil {
		return nil, "", nil, refuseUserUnknown.of(id)
	}
	if s.isDisabled(u) {
		return nil, "", nil, refuseDisabled.of(u.id)
	}
	if s.entra() {
		tenant, scopes, err := s.entraAdmit(u, path, c, asked)
		return u, tenant, scopes, err
	}
	scopes := s.grantable(asked, c, u)
	if len(scopes) == 0 {
		return nil, "", nil, refuseNoScope.of(u.id, strings.Join(asked, " "))
	}
	return u, "", scopes, nil
}

// silent answers prompt=none (OpenID Connect Core, section 3.1.2.1): only for a person who is signed in with this
// browser and agreed there to this client, redirect URI and these scopes before.
func (s *Server) silent(w http.ResponseWriter, r *http.Request, in *interaction, mixed bool) {
	if mixed {
		s.sendError(w, r, in, refuseMalformed.of("prompt=none stands alone"))
		return
	}
	se, _, ok := s.sessionOf(r)
	if !ok {
		s.sendError(w, r, in, refuseLogin.of())
		return
	}
	s.mu.Lock()
	agreed := se.agreed[in.agreement()]
	s.mu.Unlock()
	if !agreed {
		s.sendError(w, r, in, refuseConsent.of(in.client.ID))
		return
	}
	u, tenant, scopes, err := s.admit(se.user.id, in.tenant, in.client, in.scopes)
	if err != nil {
		s.sendError(w, r, in, err)
		return
	}
	s.send(w, r, in, url.Values{"code": {s.permit(in, u, tenant, scopes)}})
}

// agreement names what a person agrees to on the page.
func (in *interaction) agreement() string {
	scopes := slices.Sorted(slices.Values(in.scopes))
	resources := slices.Sorted(slices.Values(in.resources))
	return strings.Join([]string{in.client.ID, in.redirectURI, strings.Join(scopes, " "), strings.Join(resources, " ")}, "\x00")
}

// startSession remembers u under a fresh id, so that an earlier session never becomes another person's.
func (s *Server) startSession(w http.ResponseWriter, r *http.Request, u *user, tenant string, in *interaction) {
	agreed := map[string]bool{}
	old, oldID, ok := s.sessionOf(r)
	s.mu.Lock()
	if ok {
		s.sessions.remove(oldID)
		if old.user == u && len(old.agreed) < 100 {
			agreed = old.agreed
		}
	}
	agreed[in.agreement()] = true
	id := opaque()
	s.sessions.put(id, &session{user: u, tenant: tenant, authTime: s.clock(), agreed: agreed}, s.now().Add(sessionLife), s.now())
	s.mu.Unlock()
	s.setCookie(w, "session", id)
}

func (s *Server) sessionOf(r *http.Request) (*session, string, bool) {
	c, err := r.Cookie(s.cookieName("session"))
	if err != nil {
		return nil, "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	se, ok := s.sessions.get(c.Value, s.now())
	return se, c.Value, ok
}

// browser is the name that the provider gave to a browser, and gives to one that has none yet. Forms are bound to it.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(s.cookieName("browser")); err == nil && len(c.Value) == 43 {
		return c.Value
	}
	name := opaque()
	s.setCookie(w, "browser", name)
	return name
}

// ownForm reports whether a posted form came from a page that this browser got from us: by the token bound to browser,
// kind and subject, and by what the browser says of the request's origin.
func (s *Server) ownForm(r *http.Request, form url.Values, kind, subject string) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return false
		}
	}
	c, err := r.Cookie(s.cookieName("browser"))
	return err == nil && subject != "" && hmac.Equal([]byte(form.Get("csrf")), []byte(s.formToken(c.Value, kind, subject)))
}

func (s *Server) formToken(browser, kind, subject string) string {
	return s.mac("form", browser+"\x00"+kind+"\x00"+subject)
}

// cookieName differs for each provider: cookies are shared by all ports of a host.
func (s *Server) cookieName(kind string) string { return "devidp_" + kind + "_" + hashed(s.base)[:8] }

func (s *Server) setCookie(w http.ResponseWriter, kind, value string) {
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(kind), Value: value, Path: orElse(s.prefix, "/"), HttpOnly: true,
		Secure: strings.HasPrefix(s.base, "https://"), SameSite: http.SameSiteLaxMode})
}
