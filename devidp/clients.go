package devidp

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// Clients known from the start. The secrets are known to everyone: they are for development.
const (
	ClientCLI     = "dev-cli"     // public; loopback redirects on any port (RFC 8252), device flow
	ClientWeb     = "dev-web"     // confidential; loopback redirects on any port
	ClientService = "dev-service" // confidential; client credentials, with the app role RoleApp
	ClientAPI     = "dev-api"     // confidential; a protected API: introspects and exchanges the tokens it receives

	WebSecret     = "dev-web-secret"
	ServiceSecret = "dev-service-secret"
	APISecret     = "dev-api-secret"
)

// Grant types, as clients name them.
const (
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantService  = "client_credentials"
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	grantBearer   = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523; Entra's on-behalf-of
)

// Client is an application that may ask for tokens.
type Client struct {
	ID   string
	Name string // shown on the sign-in page; empty means the id
	// Secret authenticates the client. A client without secret and keys is public.
	Secret string
	// JWKS holds public keys, for private_key_jwt (RFC 7523) in place of a secret; nil means none. With the Entra character
	// each key comes with its certificate (x5c): Entra knows an application by certificates, not by bare keys.
	JWKS json.RawMessage
	// Federated are platforms whose tokens stand for a secret; nil means none.
	Federated []Federated
	// Apps are the authorization servers for which it may get ID-JAGs; nil means none. The Entra character gives none.
	Apps []App
	// RedirectURIs are compared exactly, except for the port of loopback addresses (RFC 8252, section 7.3).
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	// BackchannelLogoutURI is told when a person signs out (OpenID Connect Back-Channel Logout 1.0); empty means nobody is.
	BackchannelLogoutURI string
	// Grants are the grant types it may use; empty means authorization_code and refresh_token.
	Grants []string
	// Scopes limit what it may ask for; nil means every scope.
	Scopes []string
	// Roles are its app roles: in the tokens that it gets for itself.
	Roles []string
	// Audiences are those whose tokens it receives as a protected API, and so may introspect and exchange; "*" means
	// every audience.
	Audiences []string
}

// client is a Client as the provider keeps it.
type client struct {
	Client
	method  string // token_endpoint_auth_method; "secret" means basic or post
	keys    *jose.JSONWebKeySet
	keysURI string
	origin  string // "", "registered" or "document": who vouches for it

	federated []*federation
}

// loopbackRedirects are where native clients, command lines and MCP clients usually wait for their answer.
func loopbackRedirects() []string {
	var uris []string
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
		for _, path := range []string{"", "/", "/callback", "/oauth/callback", "/auth/callback", "/api/docs/oauth2-redirect.html"} {
			uris = append(uris, "http://"+host+path)
		}
	}
	return uris
}

// CLIClient is the client [ClientCLI], for callers that change something of it.
func CLIClient() Client {
	return Client{ID: ClientCLI, Name: "Development command line", RedirectURIs: loopbackRedirects(),
		PostLogoutRedirectURIs: []string{"http://127.0.0.1/signed-out", "http://localhost/signed-out"},
		Grants:                 []string{grantCode, grantRefresh, grantDevice}}
}

// WebClient is the client [ClientWeb], for callers that change something of it.
func WebClient() Client {
	return Client{ID: ClientWeb, Name: "Development web application", Secret: WebSecret, RedirectURIs: loopbackRedirects(),
		PostLogoutRedirectURIs: []string{"http://127.0.0.1/signed-out", "http://localhost/signed-out"},
		Grants:                 []string{grantCode, grantRefresh}}
}

func knownClients(o Options) []Client {
	cli := CLIClient()
	web := WebClient()
	service := Client{ID: ClientService, Name: "Development service", Secret: ServiceSecret, Grants: []string{grantService}, Roles: []string{RoleApp}}
	api := Client{ID: ClientAPI, Name: "Development API", Secret: APISecret, Grants: []string{grantService, grantExchange}, Audiences: []string{"*"}}
	known := []Client{cli, web, service, api}
	if o.Character != Entra {
		return known
	}
	for i, id := range []string{EntraCLI, EntraWeb, EntraService} { // the same applications under ids as Entra gives them
		c := known[i]
		c.ID = id
		known = append(known, c)
	}
	return append(known, Client{ID: EntraAPI, Name: "Development API", Secret: APISecret,
		RedirectURIs: loopbackRedirects(), Grants: []string{grantCode, grantRefresh, grantService, grantBearer}, Audiences: []string{EntraAPI}})
}

// newClient checks c and fills what was left out.
func newClient(c Client) (*client, error) {
	if c.ID == "" || len(c.ID) > maxParam {
		return nil, fmt.Errorf("devidp: a client has no id, or too long a one")
	}
	for _, uri := range append(slices.Clone(c.RedirectURIs), c.PostLogoutRedirectURIs...) {
		if err := checkRedirectURI(uri); err != nil {
			return nil, fmt.Errorf("devidp: client %s: %w", c.ID, err)
		}
	}
	c.Name = orElse(c.Name, c.ID)
	if len(c.Grants) == 0 {
		c.Grants = []string{grantCode, grantRefresh}
	}
	known := &client{Client: c, method: "none"}
	if c.Secret != "" {
		known.method = "secret"
	}
	if c.JWKS != nil {
		keys, err := publicKeys(c.JWKS)
		if err != nil {
			return nil, fmt.Errorf("devidp: client %s: %w", c.ID, err)
		}
		known.keys = keys
		if c.Secret == "" {
			known.method = "private_key_jwt"
		}
	}
	for _, f := range c.Federated {
		one, err := newFederation(f)
		if err != nil {
			return nil, fmt.Errorf("devidp: client %s: %w", c.ID, err)
		}
		known.federated = append(known.federated, one)
	}
	if len(known.federated) > 0 && known.public() {
		known.method, known.keys = "private_key_jwt", &jose.JSONWebKeySet{}
	}
	return known, nil
}

func (c *client) public() bool { return c.method == "none" }

func (c *client) uses(grant string) bool { return slices.Contains(c.Grants, grant) }

// may is what the client may have of scopes.
func (c *client) may(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(sc string) bool { return c.Scopes != nil && !slices.Contains(c.Scopes, sc) })
}

// receives reports whether tokens for one of these audiences are meant for the client itself.
func (c *client) receives(audience []string) bool {
	return slices.ContainsFunc(audience, func(a string) bool {
		return slices.Contains(c.Audiences, a) || slices.Contains(c.Audiences, "*")
	})
}

// checkRedirectURI accepts https URLs, and http URLs on loopback, without user, fragment, backslash, dot segment or
// encoded slash. Everything else, such as javascript: or http beyond loopback, is refused.
func checkRedirectURI(raw string) error {
	u, err := url.Parse(raw)
	lower := strings.ToLower(raw)
	switch {
	case err != nil || len(raw) > maxParam || strings.ContainsAny(raw, "\\ \t\r\n\"'<>`*"):
		return fmt.Errorf("redirect URI %.100q is not a URL", raw)
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("redirect URI %.100q is neither https nor loopback http", raw)
	case u.Scheme == "http" && !loopbackHost(u.Hostname()):
		return fmt.Errorf("redirect URI %.100q uses http beyond loopback", raw)
	case u.Port() != "" && !isPort(u.Port()):
		return fmt.Errorf("redirect URI %.100q has no port that there is", raw)
	case u.User != nil || u.Fragment != "" || strings.Contains(raw, "#"):
		return fmt.Errorf("redirect URI %.100q has a user or a fragment", raw)
	case strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "%2e") || dotSegment(u.Path):
		return fmt.Errorf("redirect URI %.100q hides a path", raw)
	}
	for _, c := range []byte(raw) {
		if c < 0x21 || c > 0x7e {
			return fmt.Errorf("redirect URI %.100q is not plain ASCII", raw)
		}
	}
	return nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func dotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(seg string) bool { return seg == "." || seg == ".." })
}

// allows reports whether uri is one of the registered ones: byte for byte, except that a loopback URI may have any
// port (RFC 8252, section 7.3).
func allows(registered []string, uri string) bool {
	if slices.Contains(registered, uri) {
		return true
	}
	bare, ok := withoutLoopbackPort(uri)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		reg, ok := withoutLoopbackPort(r)
		return ok && reg == bare
	})
}

// withoutLoopbackPort drops the port of an http URI whose host is spelled exactly as a loopback name.
func withoutLoopbackPort(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "http://")
	if !ok || checkRedirectURI(uri) != nil {
		return "", false
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, port := rest[:end], ""
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
		if strings.Contains(h, ":") {
			host = "[" + h + "]"
		}
		if !isPort(port) {
			return "", false
		}
	}
	if host != "127.0.0.1" && host != "localhost" && host != "[::1]" {
		return "", false
	}
	return host + rest[end:], true
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// clientNamed finds a client by id: known, registered, or described by a document at its id.
func (s *Server) clientNamed(id string) (*client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clients[id]; ok {
		return c, true
	}
	if c, ok := s.registered.get(id, s.now()); ok {
		return c, true
	}
	return s.documents.get(id, s.now())
}

// publicKeys reads a JWK set that must hold at least one key, and public asymmetric ones only.
func publicKeys(raw json.RawMessage) (*jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, &oauth.Error{Code: "invalid_client_metadata", Description: "jwks is not a JWK set", Cause: err}
	}
	if len(set.Keys) == 0 || len(set.Keys) > 20 {
		return nil, &oauth.Error{Code: "invalid_client_metadata", Description: "jwks holds no key, or more than 20"}
	}
	for _, k := range set.Keys {
		if _, symmetric := k.Key.([]byte); symmetric || !k.IsPublic() || !k.Valid() {
			return nil, &oauth.Error{Code: "invalid_client_metadata", Description: "jwks must hold public keys only"}
		}
	}
	return &set, nil
}
