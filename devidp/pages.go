package devidp

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// styleHash is what a content security policy calls the style that all pages have.
var styleHash = hashStyle()

func hashStyle() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what a layout shows.
type page struct {
	Title, Heading, Problem  string
	Client, ClientID, Vouch  string
	Scopes, Resources, Lines []string
	Redirect                 string
	Local                    bool
	Code                     string
	Action, Request, Token   string
	Cards                    []card
	Details, Clients         []detail
	formTarget               string // the origin that the answer to the form redirects to
}

type detail struct{ Name, Value string }

// card is one user to choose.
type card struct {
	ID, Name, Note, Gets, Initial string
	Current, First                bool
}

// show writes a page. Nothing may frame it, no script runs on it, and its forms go here or to where they redirect.
func (s *Server) show(w http.ResponseWriter, status int, write layout, p page) {
	var out sheet
	write.on(&out, &p)
	h := w.Header()
	forms := "'self'"
	if p.formTarget != "" {
		forms += " " + p.formTarget // browsers hold redirects of a form's answer to the policy too
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; form-action "+forms+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make the Origin of our own forms null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, out.b.String())
}

// showSignin shows the page on which one chooses who to be; problem says why the last choice was refused.
func (s *Server) showSignin(w http.ResponseWriter, r *http.Request, in *interaction, problem error) {
	p := s.asks(in.client, in.scopes, in.resources)
	p.Title, p.Action, p.Request = "Sign in", s.prefix+"/signin", in.id
	if u, err := url.Parse(in.redirectURI); err == nil {
		p.Redirect, p.Local, p.formTarget = u.Host, loopbackHost(u.Hostname()), formSource(u)
	}
	p.Token = s.formToken(s.browser(w, r), "signin", in.id)
	p.Cards = s.cards(r, in.tenant, in.client, in.scopes, in.hint)
	s.show(w, s.explain(r, &p, problem), signinPage, p)
}

// formSource is where an answer that goes to u may lead, as a content security policy writes it. A program on this
// computer may send the browser on to another port. There are no words for an IPv6 address.
func formSource(u *url.URL) string {
	switch {
	case strings.HasPrefix(u.Host, "["):
		return u.Scheme + ":"
	case loopbackHost(u.Hostname()):
		return "http://127.0.0.1:* http://localhost:*"
	}
	return u.Scheme + "://" + u.Host
}

// asks tells which client asks for what. A client that nobody vouches for is shown as such.
func (s *Server) asks(c *client, scopes, resources []string) page {
	p := page{Client: c.Name, ClientID: c.ID, Scopes: scopes, Resources: resources}
	switch c.origin {
	case "registered":
		p.Vouch = "This application registered itself; nobody checked its name."
	case "document":
		u, _ := url.Parse(c.ID)
		p.Vouch = "This application is described by " + u.Host + "; nobody else checked its name."
		if !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return strings.HasPrefix(uri, "https://") }) {
			p.Vouch += " Its answers only go to programs on this computer, and any of them can use its name."
		}
	}
	return p
}

// explain puts problem on the page and returns the page's status.
func (s *Server) explain(r *http.Request, p *page, problem error) int {
	if problem == nil {
		return http.StatusOK
	}
	e := s.said(r, problem)
	p.Problem = sentence(withoutTrace(e.Description))
	return orElse(e.Status, http.StatusBadRequest)
}

// withoutTrace drops the ids that Entra's descriptions end with: a page shows them beside.
func withoutTrace(text string) string {
	text, _, _ = strings.Cut(text, " Trace ID: ")
	return text
}

func sentence(text string) string {
	if text == "" {
		return "Something went wrong."
	}
	return strings.TrimSuffix(strings.ToUpper(text[:1])+text[1:], ".") + "."
}

// cards are the users, with what the client would get from each. A hinted or signed-in one comes first for the keyboard.
func (s *Server) cards(r *http.Request, tenant string, c *client, asked []string, hint string) []card {
	var current *user
	if se, _, ok := s.sessionOf(r); ok {
		current = se.user
	}
	var cards []card
	for _, u := range s.users {
		k := card{ID: u.id, Name: u.name, Note: u.note, Initial: strings.ToUpper(u.id[:1]), Current: u == current,
			First: hint != "" && (hint == u.id || hint == u.email)}
		_, _, scopes, err := s.admit(u.id, tenant, c, asked)
		switch {
		case err != nil:
			k.Gets = "will be refused"
		case len(asked) == 0:
			k.Gets = "nothing asked"
		default:
			k.Gets = "grants " + strings.Join(shortScopes(scopes), ", ")
		}
		cards = append(cards, k)
	}
	if i := slices.IndexFunc(cards, func(k card) bool { return k.First }); i < 0 {
		cards[max(slices.IndexFunc(cards, func(k card) bool { return k.Current }), 0)].First = true
	}
	return cards
}

// shortScopes leaves out what is no news on a card: OpenID Connect's scopes, and the API's name before a scope.
func shortScopes(scopes []string) []string {
	var short []string
	for _, sc := range scopes {
		if !slices.Contains(oidcScopes, sc) {
			short = append(short, sc[strings.LastIndexByte(sc, '/')+1:])
		}
	}
	if len(short) == 0 {
		return []string{"who this is"}
	}
	return short
}

// failPage tells a person that err ended it. Nothing is sent to any client.
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	e := s.said(r, err)
	p := page{Title: "Cannot go on", Heading: "This cannot go on", Problem: sentence(withoutTrace(e.Description)),
		Lines: []string{"Nothing was sent to the application. Go back to it and start again."}, Details: []detail{{"Error", e.Code}}}
	for _, name := range []string{"trace_id", "correlation_id", "timestamp"} {
		if v, ok := e.Extra[name].(string); ok {
			p.Details = append(p.Details, detail{name, v})
		}
	}
	if e.Code == "server_error" {
		s.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	}
	status := orElse(e.Status, http.StatusBadRequest)
	if status == http.StatusUnauthorized {
		status = http.StatusBadRequest // a browser would ask for a password
	}
	s.show(w, status, noticePage, p)
}

// home tells what stands where.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	p := page{Title: "Identity provider", Heading: "as the RFCs say", Action: s.prefix + "/device",
		Details: []detail{{"Issuer", s.Issuer()}, {"Metadata", s.Issuer() + "/.well-known/openid-configuration"}}}
	if s.entra() {
		p.Heading, p.Action = "like Microsoft Entra ID", s.prefix+"/devicelogin"
		p.Details = append(p.Details, detail{"Tenant", EntraTenant}, detail{"API", EntraAPI}, detail{"API URI", EntraAPIURI})
	}
	for _, u := range s.users {
		k := card{ID: u.id, Note: u.note, Gets: strings.Join(u.scopes, ", ")}
		if s.isDisabled(u) {
			k.Gets = "no sign-in"
		}
		p.Cards = append(p.Cards, k)
	}
	s.mu.Lock()
	for id, c := range s.clients {
		p.Clients = append(p.Clients, detail{id, c.Name})
	}
	s.mu.Unlock()
	slices.SortFunc(p.Clients, func(a, b detail) int { return strings.Compare(a.Name, b.Name) })
	s.show(w, http.StatusOK, homePage, p)
}
