package client

import "net/http"

// Transport is a round tripper for requests to the MCP server at the URL server: it adds the token, signs in and steps up
// as a session does, and lets everything else pass. It is for clients that speak the protocol themselves, such as a
// bridge. It takes no request to another URL.
//
// The errors of [Connect] come wrapped by net/http; errors.As finds them. HTTPClient, SignIn, Token and AssumeIssuer of o
// are used.
func Transport(server string, o Options) (http.RoundTripper, error) {
	a, err := newAuthorizer(server, o)
	if err != nil {
		return nil, err
	}
	a.connected() // there is no phase of connecting
	return a, nil
}
