package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Client is one client id at one authorization server.
type Client struct {
	// Issuer is the authorization server that knows the id, compared byte for byte. Empty means whichever is asked: for
	// a public client only, since a proof goes nowhere but to its own authorization server (C-10).
	Issuer string
	ID     string         // required
	Proof  Authentication // nil means a public client
}

// Clients says by which id a program is known at an authorization server. They are tried in the order of the fields
// (C-6); where none fits, signing in fails with a [*ClientIDError].
type Clients struct {
	// Known are the ids that an administrator configured.
	Known []Client
	// DocumentURL is a client ID metadata document: an https URL with a path, whose document names itself as client_id
	// (C-7). It is the client's id wherever the authorization server takes such ids. Empty means that there is none.
	DocumentURL string
	// Register is what the program says of itself where it registers (RFC 7591); redirect URIs, grant types and
	// application type are filled in. nil means that it does not register.
	Register *oauth.ClientMetadata
	// Registry remembers registrations; nil means that each sign-in registers anew.
	Registry Registry
}

// Registered is a client that registered itself at an authorization server.
type Registered struct {
	Issuer      string
	ID          string
	Secret      Secret    // empty: a public client
	Method      string    // how Secret is sent; empty with no secret
	RedirectURI string    // the one it was registered with
	Expires     time.Time // of the secret; zero means never
}

// Registry remembers the registrations of a program, one for each issuer. It is safe for concurrent use.
type Registry interface {
	// Registered returns the client of issuer, if there is one.
	Registered(issuer string) (Registered, bool)
	// Remember keeps r in place of what was known of r.Issuer.
	Remember(r Registered) error
}

// ClientIDError says that no client id is known at an authorization server, and that none can be had.
type ClientIDError struct {
	Issuer string
	Err    error // why registering failed; nil means that it is not offered or not wanted
}

// Error says where to get an id.
func (e *ClientIDError) Error() string {
	s := fmt.Sprintf("signin: no client id for %s: have one made there and configure it", e.Issuer)
	if e.Err != nil {
		s += fmt.Sprintf(" (registering failed: %v)", e.Err)
	}
	return s
}

// Unwrap returns why registering failed, or nil.
func (e *ClientIDError) Unwrap() error { return e.Err }

// Is reports that a ClientIDError is an [ErrClientIDNeeded].
func (e *ClientIDError) Is(target error) bool { return target == ErrClientIDNeeded }

// or returns c, or where c is empty the public client id, wherever one signs in.
func (c Clients) or(id string) *Clients {
	if id != "" {
		c.Known = append(slices.Clone(c.Known), Client{ID: id})
	}
	return &c
}

// wanted is what a flow needs of a client.
type wanted struct {
	redirectURI string // empty: the flow has none
	grants      []string
}

// choose finds the client for g's authorization server, and tells g (C-6).
func (c *Clients) choose(ctx context.Context, g *grant, r *Request, w wanted) error {
	for _, exact := range []bool{true, false} {
		for _, known := range c.Known {
			switch {
			case exact && known.Issuer != g.issuer, !exact && known.Issuer != "":
				continue
			case known.ID == "":
				return errors.New("signin: a configured client has no id")
			case known.Issuer == "" && known.Proof != nil:
				return fmt.Errorf("signin: the proof of client %s goes to its own authorization server only: name its issuer", line(known.ID))
			}
			g.clientID, g.proof = known.ID, known.Proof
			return nil
		}
	}
	if c.DocumentURL != "" && r.Authorization.ClientIDMetadataDocumentSupported {
		if err := checkDocumentURL(c.DocumentURL); err != nil {
			return err
		}
		g.clientID = c.DocumentURL
		return nil
	}
	if c.Register == nil || r.Authorization.RegistrationEndpoint == "" {
		return &ClientIDError{Issuer: g.issuer}
	}
	if known, ok := c.remembered(g); ok && known.RedirectURI == w.redirectURI {
		g.use(known)
		g.remembered = true
		return nil
	}
	return c.registerNow(ctx, g, r, w)
}

// chooseKnown is choose for a flow that sends a person to a page: a registration that is remembered, and that the
// authorization server has forgotten, would lead to an error there from which nobody comes back. It is made anew.
func (c *Clients) chooseKnown(ctx context.Context, g *grant, r *Request, w wanted) error {
	if err := c.choose(ctx, g, r, w); err != nil || !g.remembered {
		return err
	}
	switch g.isKnown(ctx, r, w.redirectURI) {
	case known:
		return nil
	case forgotten:
		if c.registerNow(ctx, g, r, w) == nil {
			return nil
		}
	}
	g.doubtful = true // the page may know the program after all
	return ctx.Err()
}

// registerNow registers the program, and remembers that.
func (c *Clients) registerNow(ctx context.Context, g *grant, r *Request, w wanted) error {
	made, err := g.register(ctx, r, c.Register, w)
	if err != nil {
		return &ClientIDError{g.issuer, err}
	}
	if c.Registry != nil {
		if err := c.Registry.Remember(made); err != nil {
			return fmt.Errorf("signin: keep the registration at %s: %w", g.issuer, err)
		}
	}
	g.use(made)
	g.remembered = false
	return nil
}

// remembered is the registration that is known of g's authorization server, if it is still good.
func (c *Clients) remembered(g *grant) (Registered, bool) {
	if c.Registry == nil {
		return Registered{}, false
	}
	known, ok := c.Registry.Registered(g.issuer)
	good := ok && known.Issuer == g.issuer && known.ID != "" && (known.Expires.IsZero() || g.now().Before(known.Expires))
	return known, good
}

// use makes r the client that asks.
func (g *grant) use(r Registered) {
	g.clientID, g.clientSecret, g.secretMethod = r.ID, r.Secret, r.Method
}

// checkDocumentURL holds the URL of a client ID metadata document to its form (C-7).
func checkDocumentURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || u.Path == "" || u.Path == "/" ||
		slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return fmt.Errorf("signin: the client document %q is not an https URL with a path", line(raw))
	}
	return nil
}

// register registers the program (RFC 7591, section 3.1), as the native application that it is (C-9).
func (g *grant) register(ctx context.Context, r *Request, m *oauth.ClientMetadata, w wanted) (Registered, error) {
	asked := *m
	asked.GrantTypes, asked.ApplicationType = w.grants, first(m.ApplicationType, "native")
	if w.redirectURI != "" {
		asked.RedirectURIs, asked.ResponseTypes = []string{w.redirectURI}, []string{"code"}
	}
	asked.TokenEndpointAuthMethod = first(m.TokenEndpointAuthMethod, registeredMethod(r.Authorization.TokenEndpointAuthMethodsSupported))
	asked.Scope = first(m.Scope, strings.Join(g.scopes, " "))
	body, err := json.Marshal(asked)
	if err != nil {
		return Registered{}, err
	}
	var a oauth.ClientRegistration
	if err := g.send(ctx, r.Authorization.RegistrationEndpoint, "application/json", body, http.Header{}, http.StatusCreated, &a); err != nil {
		return Registered{}, err
	}
	made := Registered{Issuer: g.issuer, ID: a.ClientID, Secret: Secret(a.ClientSecret), RedirectURI: w.redirectURI}
	if made.ID == "" || line(made.ID) != made.ID {
		return Registered{}, fmt.Errorf("the answer of %s holds no usable client_id", g.issuer)
	}
	if a.ClientSecretExpiresAt > 0 {
		made.Expires = time.Unix(a.ClientSecretExpiresAt, 0)
	}
	switch method := first(a.TokenEndpointAuthMethod, asked.TokenEndpointAuthMethod); method {
	case methodNone:
		made.Secret = "" // what it may have sent along is not to be used
	case methodBasic, methodPost:
		made.Method = method
	default:
		return Registered{}, fmt.Errorf("%s wants the client to authenticate by %q", g.issuer, line(method))
	}
	return made, nil
}

// registeredMethod is how the program asks to authenticate: not at all where that is offered, for it can keep no
// secret; else as the server lists.
func registeredMethod(listed []string) string {
	if len(listed) == 0 || slices.Contains(listed, methodNone) {
		return methodNone
	}
	return secretMethod(listed)
}
