package devidp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	codeMetadata    = "invalid_client_metadata" // RFC 7591, section 3.2.2
	codeRedirectURI = "invalid_redirect_uri"    // RFC 7591, section 3.2.2

	registrationLife = 24 * time.Hour
	maxName          = 100
	maxURIs          = 20
)

// registration is a client's metadata with what OpenID Connect adds (RP-Initiated Logout 1.0, section 3.1).
type registration struct {
	oauth.ClientRegistration
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
}

// serveRegister registers a client dynamically (RFC 7591, section 3).
func (s *Server) serveRegister(w http.ResponseWriter, r *http.Request) {
	s.faults.count("register")
	answer, err := s.register(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeSecret(w, http.StatusCreated, answer)
}

func (s *Server) register(r *http.Request) (*registration, error) {
	if r.Method != http.MethodPost {
		return nil, &oauth.Error{Status: http.StatusMethodNotAllowed, Code: oauth.CodeInvalidRequest, Description: "send a POST"}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &oauth.Error{Code: oauth.CodeInvalidRequest, Description: "the body is not application/json"}
	}
	body, err := io.ReadAll(r.Body) // bounded by ServeHTTP
	if err != nil {
		return nil, &oauth.Error{Status: http.StatusRequestEntityTooLarge, Code: oauth.CodeInvalidRequest, Description: reasonOf(err), Cause: err}
	}
	var m registration
	if err := strictJSON(body, &m); err != nil {
		return nil, &oauth.Error{Code: codeMetadata, Description: "the body " + err.Error(), Cause: err}
	}
	m.TokenEndpointAuthMethod = orElse(m.TokenEndpointAuthMethod, "client_secret_basic") // RFC 7591, section 2
	id := "reg-" + opaque()
	c, err := clientFrom(id, m.ClientMetadata, m.PostLogoutRedirectURIs, s.knownNames())
	if err != nil {
		return nil, registrationError(err)
	}
	c.origin = "registered"
	m.ClientID, m.ClientSecret, m.ClientIDIssuedAt = id, "", s.clock().Unix()
	if strings.HasPrefix(c.method, "client_secret") {
		c.Secret = opaque()
		m.ClientSecret = c.Secret
	}
	m.GrantTypes, m.ResponseTypes = c.Grants, []string{"code"}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered.put(id, c, s.now().Add(registrationLife), s.now())
	return &m, nil
}

func registrationError(err error) error {
	var e *oauth.Error
	if errors.As(err, &e) {
		return e
	}
	return &oauth.Error{Code: codeMetadata, Description: plain(err.Error())}
}

// clientFrom makes a client of what it says of itself, whether by registration or in a document.
func clientFrom(id string, m oauth.ClientMetadata, signedOut, taken []string) (*client, error) {
	if err := checkName(m.ClientName, taken); err != nil {
		return nil, err
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{grantCode, grantRefresh}
	}
	for _, g := range m.GrantTypes {
		if !slices.Contains([]string{grantCode, grantRefresh, grantDevice}, g) {
			return nil, fmt.Errorf("asks for the grant type %.60s, which only clients known from the start may use", g)
		}
	}
	for _, rt := range m.ResponseTypes {
		if rt != "code" {
			return nil, fmt.Errorf("asks for the response type %.60s; there is only code", rt)
		}
	}
	if err := checkURIs(m, signedOut); err != nil {
		return nil, err
	}
	for _, page := range []string{m.ClientURI, m.LogoURI} {
		if page != "" && !absoluteURL(page) {
			return nil, fmt.Errorf("names %.60q, which is not an http or https URL", page)
		}
	}
	c := &client{Client: Client{ID: id, Name: orElse(m.ClientName, id), RedirectURIs: m.RedirectURIs,
		PostLogoutRedirectURIs: signedOut, Grants: m.GrantTypes}, method: m.TokenEndpointAuthMethod}
	// The scope of a registration is where a client begins, not its limit: MCP clients register with what their first
	// request needs and step up later. What a person may have is the limit.
	if scopes, err := scopeList(m.Scope); err != nil || len(scopes) > 100 {
		return nil, errors.New("has an unreadable scope")
	}
	return c, addKeys(c, m)
}

func checkURIs(m oauth.ClientMetadata, signedOut []string) error {
	if slices.Contains(m.GrantTypes, grantCode) && len(m.RedirectURIs) == 0 {
		return &oauth.Error{Code: codeRedirectURI, Description: "redirect_uris is missing"}
	}
	if len(m.RedirectURIs) > maxURIs || len(signedOut) > maxURIs {
		return &oauth.Error{Code: codeRedirectURI, Description: "there are more than 20 redirect URIs"}
	}
	for _, uri := range append(slices.Clone(m.RedirectURIs), signedOut...) {
		if err := checkRedirectURI(uri); err != nil {
			return &oauth.Error{Code: codeRedirectURI, Description: plain(err.Error())}
		}
	}
	return nil
}

// addKeys takes the client's public keys where it authenticates with them.
func addKeys(c *client, m oauth.ClientMetadata) error {
	switch c.method {
	case "none", "client_secret_basic", "client_secret_post":
		return nil
	case "private_key_jwt":
	default:
		return fmt.Errorf("asks for the authentication method %.60s, which is not supported", c.method)
	}
	if (len(m.JWKS) == 0) == (m.JWKSURI == "") {
		return errors.New("must have either jwks or jwks_uri")
	}
	if m.JWKSURI != "" {
		if !strings.HasPrefix(m.JWKSURI, "https://") || !absoluteURL(m.JWKSURI) {
			return errors.New("has a jwks_uri that is no https URL")
		}
		c.keysURI = m.JWKSURI
		return nil
	}
	keys, err := publicKeys(json.RawMessage(m.JWKS))
	c.keys = keys
	return err
}

// checkName refuses names that cannot be shown on one line, and those of known clients, which people trust.
func checkName(name string, taken []string) error {
	if len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return errors.New("has a client_name that is too long or cannot be shown")
	}
	for _, t := range taken {
		if name != "" && skeleton(name) == skeleton(t) {
			return errors.New("has the client_name of a known client")
		}
	}
	return nil
}

// skeleton drops what makes two names different to a computer and alike to a person: case, spaces, punctuation.
func skeleton(name string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(c))
	}, name)
}

// knownNames are the ids and names of the clients known from the start.
func (s *Server) knownNames() []string {
	var names []string
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.clients {
		names = append(names, id, c.Name)
	}
	return names
}
