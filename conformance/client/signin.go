package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// documentURL is where the suite pretends that the client's metadata document stands.
const documentURL = "https://conformance-test.local/client-metadata.json"

// signIn chooses how to sign in: in a browser, unless the scenario is about a program that does so by itself.
func (s *scenario) signIn(ctx context.Context) (client.SignIn, error) {
	switch s.name {
	case "auth/client-credentials-basic":
		clients, err := s.clients(ctx, signin.ClientSecret{Secret: signin.Secret(s.context.ClientSecret)})
		return &signin.ClientCredentials{Clients: clients}, err
	case "auth/client-credentials-jwt":
		key, err := signin.ReadPrivateKey([]byte(s.context.PrivateKey))
		if err != nil {
			return nil, err
		}
		key.Algorithm = s.context.SigningAlgorithm
		clients, err := s.clients(ctx, key)
		return &signin.ClientCredentials{Clients: clients}, err
	case "auth/enterprise-managed-authorization":
		clients, err := s.clients(ctx, signin.ClientSecret{Secret: signin.Secret(s.context.ClientSecret)})
		return &signin.Enterprise{
			IDP: signin.EnterpriseIDP{Issuer: s.context.IDPIssuer, TokenEndpoint: s.context.IDPTokenEndpoint, ClientID: s.context.IDPClientID},
			Subject: signin.Subject{Token: func(context.Context) (signin.Secret, error) {
				return signin.Secret(s.context.IDPToken), nil
			}},
			Clients: clients,
		}, err
	case "auth/wif-jwt-bearer":
		return &signin.Workload{ClientID: s.context.ClientID, Assertion: func(context.Context, string) (signin.Secret, error) {
			return signin.Secret(s.context.ValidJWT), nil
		}}, nil
	}
	b := &signin.Browser{Open: browse, Clients: signin.Clients{
		DocumentURL: documentURL,
		Register:    &oauth.ClientMetadata{ClientName: "conformance"},
	}}
	if s.context.ClientID != "" && s.context.Issuer != "" {
		b.Clients.Known = []signin.Client{{Issuer: s.context.Issuer, ID: s.context.ClientID,
			Proof: signin.ClientSecret{Secret: signin.Secret(s.context.ClientSecret)}}}
	}
	return b, nil
}

// clients is the client that the suite has registered, at the authorization server that the server names: an
// administrator would have written its issuer down.
func (s *scenario) clients(ctx context.Context, proof signin.Authentication) (signin.Clients, error) {
	d, err := client.Discover(ctx, nil, s.server, nil)
	if err != nil {
		return signin.Clients{}, err
	}
	return signin.Clients{Known: []signin.Client{{Issuer: d.Authorization.Issuer, ID: s.context.ClientID, Proof: proof}}}, nil
}

// browse does what a browser does when a person has nothing to say: it follows where it is sent, and so comes back.
func browse(ctx context.Context, page string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the browser ended at HTTP %d: %v", resp.StatusCode, err)
	}
	return nil
}
