package devidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const interactionLife = 10 * time.Minute

// interaction is an authorization request that waits for a person's choice. It belongs to one browser.
type interaction struct {
	id          string
	client      *client
	redirectURI string
	mode        string // response_mode: "query" or "fragment"
	state       string
	nonce       string
	challenge   string
	hint        string
	scopes      []string // asked for, as far as they are known
	resources   []string
	tenant      string // Entra: as the path names it
	capable     bool   // Entra: the client handles claims challenges
	stepped     bool   // Entra: the request answers a claims challenge
	version1    bool   // Entra: the endpoint without v2.0
}

// serveAuthorize takes an authorization request (RFC 6749, section 4.1.1). Until client and redirect URI are known to
// belong together the answer is a page; from then on errors go to the client.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	s.faults.count("authorize")
	form, err := parameters(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	in, err := s.addressee(r, form)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	if err := s.readRequest(r, form, in); err != nil {
		s.sendError(w, r, in, err)
		return
	}
	if prompts := strings.Fields(form.Get("prompt")); slices.Contains(prompts, "none") {
		s.silent(w, r, in, len(prompts) > 1)
		return
	}
	s.mu.Lock()
	s.interactions.put(in.id, in, s.now().Add(interactionLife), s.now())
	s.mu.Unlock()
	s.showSignin(w, r, in, nil)
}

// addressee finds who asks and where the answer goes. The redirect URI must be one of the client's, and must always be
// named: guessing it would let a client ask for one and get another.
func (s *Server) addressee(r *http.Request, form url.Values) (*interaction, error) {
	if form.Get("client_id") == "" {
		return nil, refuseMissing.of("client_id")
	}
	c, err := s.resolveClient(r.Context(), form.Get("client_id"))
	if err != nil {
		return nil, err
	}
	uri := form.Get("redirect_uri")
	if uri == "" {
		return nil, refuseMissing.of("redirect_uri")
	}
	if !allows(c.RedirectURIs, uri) {
		return nil, refuseRedirect.of(uri, c.ID)
	}
	return &interaction{id: opaque(), client: c, redirectURI: uri, state: form.Get("state"), tenant: r.PathValue("tenant")}, nil
}

// readRequest checks the rest of the request, and completes in.
func (s *Server) readRequest(r *http.Request, form url.Values, in *interaction) error {
	in.mode = orElse(form.Get("response_mode"), "query")
	if in.mode != "query" && in.mode != "fragment" {
		mode := in.mode
		in.mode = "query"
		return refuseResponseMode.of(mode)
	}
	switch {
	case form.Get("response_type") == "":
		return refuseMissing.of("response_type")
	case form.Get("response_type") != "code":
		return refuseResponseType.of(form.Get("response_type"))
	case form.Has("request"):
		return refuseRequestObj.of()
	case form.Has("request_uri"):
		return refuseRequestURI.of()
	case !in.client.uses(grantCode):
		return refuseGrantForbidden.of(grantCode)
	}
	if err := readChallenge(form, in); err != nil {
		return err
	}
	in.nonce, in.hint = form.Get("nonce"), form.Get("login_hint")
	if s.entra() {
		return s.readEntraRequest(r, form, in)
	}
	in.resources = slices.Compact(form["resource"])
	if err := s.checkResources(in.resources); err != nil {
		return err
	}
	var err error
	in.scopes, err = s.askable(form.Get("scope"), in.client)
	return err
}

// readChallenge takes the PKCE challenge (RFC 7636, section 4.3). A public client must send one, and plain, which is
// also what leaving out the method means, is refused.
func readChallenge(form url.Values, in *interaction) error {
	in.challenge = form.Get("code_challenge")
	switch {
	case in.challenge == "" && (in.client.public() || form.Has("code_challenge_method")):
		return refusePKCE.of()
	case in.challenge != "" && form.Get("code_challenge_method") != "S256":
		return refusePKCEPlain.of()
	case in.challenge != "" && len(in.challenge) != 43:
		return refuseMalformed.of("code_challenge is not a SHA-256")
	}
	return nil
}

// askable is what of a scope parameter exists and is open to c; an empty parameter means all of it. Unknown scopes are
// left out (RFC 6749, section 3.3), and it is an error when nothing remains.
func (s *Server) askable(raw string, c *client) ([]string, error) {
	asked, err := scopeList(raw)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		asked = s.opts.Scopes
	}
	scopes := s.grantable(asked, c, nil)
	if len(scopes) == 0 {
		return nil, refuseScope.of(raw)
	}
	return scopes, nil
}

// send redirects the browser to the client with answer, the state, and the issuer (RFC 9207).
func (s *Server) send(w http.ResponseWriter, r *http.Request, in *interaction, answer url.Values) {
	if in.state != "" {
		answer.Set("state", in.state)
	}
	if !s.entra() {
		answer.Set("iss", s.base)
	}
	to := in.redirectURI
	switch {
	case in.mode == "fragment":
		to += "#" + answer.Encode()
	case strings.Contains(to, "?"):
		to += "&" + answer.Encode()
	default:
		to += "?" + answer.Encode()
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// sendError tells the client what was wrong (RFC 6749, section 4.1.2.1).
func (s *Server) sendError(w http.ResponseWriter, r *http.Request, in *interaction, err error) {
	e := s.said(r, err)
	code := e.Code
	if code == oauth.CodeInvalidClient && !s.entra() {
		code = oauth.CodeUnauthorizedClient
	}
	answer := url.Values{"error": {code}, "error_description": {plain(e.Description)}}
	if e.URI != "" {
		answer.Set("error_uri", e.URI)
	}
	s.send(w, r, in, answer)
}

// plain keeps the characters that error_description may hold (RFC 6749, section 4.1.2.1).
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c == '\r' || c == '\n':
			return ' '
		case c < 0x20 || c > 0x7e:
			return '?'
		}
		return c
	}, text)
}

// permit makes the grant of in for u, and the code for it.
func (s *Server) permit(in *interaction, u *user, tenant string, scopes []string) string {
	g := &grant{id: opaque(), client: in.client, user: u, tenant: tenant, scopes: scopes, resources: in.resources,
		authTime: s.clock(), nonce: in.nonce, capable: in.capable, stepped: in.stepped, version1: in.version1}
	value := opaque()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes.put(value, &code{grant: g, redirectURI: in.redirectURI, challenge: in.challenge}, s.now().Add(codeLife), s.now())
	return value
}
