package devidp

import (
	"net/http"
	"net/url"
	"strings"
)

// serveEndSession signs a person out (OpenID Connect RP-Initiated Logout 1.0). It asks first, unless a genuine ID token
// of that person comes along, and redirects only to where the client registered.
func (s *Server) serveEndSession(w http.ResponseWriter, r *http.Request) {
	form, err := parameters(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	c, hinted, err := s.signoutClient(r, form)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	to := form.Get("post_logout_redirect_uri")
	if to != "" && (c == nil || !allows(c.PostLogoutRedirectURIs, to)) {
		s.failPage(w, r, refuseSignOutURI.of())
		return
	}
	if state := form.Get("state"); to != "" && state != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + url.Values{"state": {state}}.Encode()
	}
	if se, _, ok := s.sessionOf(r); !ok || hinted != "" && hinted == s.subjectOf(se, c) {
		s.endSession(w, r, to)
		return
	}
	s.showSignout(w, r, c, to)
}

// signoutClient finds the client from its id or from the ID token, which may have expired. It returns the token's
// subject as well.
func (s *Server) signoutClient(r *http.Request, form url.Values) (*client, string, error) {
	id, subject := form.Get("client_id"), ""
	if hint := form.Get("id_token_hint"); hint != "" {
		claims, header, err := s.verified(hint)
		if err != nil || header["typ"] != "JWT" {
			return nil, "", refuseHint.of()
		}
		audience, _ := claims["aud"].(string)
		subject, _ = claims["sub"].(string)
		if audience == "" || id != "" && id != audience {
			return nil, "", refuseHint.of()
		}
		id = audience
	}
	if id == "" {
		return nil, "", nil
	}
	c, ok := s.clientNamed(id)
	if !ok {
		return nil, "", refuseClientUnknown.of(id)
	}
	return c, subject, nil
}

// subjectOf is the sub that c knows the person of se by.
func (s *Server) subjectOf(se *session, c *client) string {
	if s.entra() && c != nil {
		return pairwise(se.user, se.tenant, c.ID)
	}
	return se.user.subject()
}

// showSignout asks. Where to go afterwards is in the form, and bound to it by the form's token.
func (s *Server) showSignout(w http.ResponseWriter, r *http.Request, c *client, to string) {
	request := "end|" + to
	p := page{Title: "Sign out", Action: s.prefix + "/signout", Request: request, Token: s.formToken(s.browser(w, r), "signout", request)}
	if c != nil {
		p.Client = c.Name
	}
	if u, err := url.Parse(to); to != "" && err == nil {
		p.Redirect, p.formTarget = u.Host, formSource(u)
	}
	s.show(w, http.StatusOK, signoutPage, p)
}

// serveSignout takes the answer.
func (s *Server) serveSignout(w http.ResponseWriter, r *http.Request) {
	form, err := posted(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	request := form.Get("request")
	to, ok := strings.CutPrefix(request, "end|")
	if !ok || !s.ownForm(r, form, "signout", request) {
		s.failPage(w, r, refuseForm.of())
		return
	}
	if form.Get("choice") != "yes" {
		s.show(w, http.StatusOK, noticePage, page{Title: "Still signed in", Heading: "You are still signed in", Lines: []string{"You can close this page."}})
		return
	}
	s.endSession(w, r, to)
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request, to string) {
	if se, id, ok := s.sessionOf(r); ok {
		s.mu.Lock()
		s.sessions.remove(id)
		s.mu.Unlock()
		s.tellClients(r.Context(), se)
	}
	s.setCookie(w, "session", "")
	if to == "" {
		s.show(w, http.StatusOK, noticePage, page{Title: "Signed out", Heading: "You are signed out", Lines: []string{"You can close this page."}})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}
