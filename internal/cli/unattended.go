package cli

import (
	"context"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// isUnattended reports whether the settings describe a sign-in without a person. What it brings is not kept: it can be
// had again at any time, and must not take the place of a person's.
func (c *caller) isUnattended() bool {
	switch c.settings.Client.Flow {
	case flowAuto:
		return c.settings.Client.HasProof()
	case flowBrowser, flowDevice, flowPaste:
		return false
	}
	return true
}

// unattended is how a program signs in.
func (c *caller) unattended(hc *http.Client) (client.SignIn, error) {
	s := &c.settings.Client
	scopes, resource, habits := s.Scopes, signin.Resource(s.Resource), s.Preset()
	proof, err := c.proof(hc)
	if err != nil {
		return nil, err
	}
	switch s.Flow {
	case "workload":
		return &signin.Workload{Clients: c.clients(nil), Assertion: c.assertion(hc), Audience: s.Audience, Issuer: s.Issuer, Scopes: scopes, Resource: resource, Provider: habits}, nil
	case "exchange":
		return &signin.Exchange{Clients: c.clients(proof), Subject: c.subject(), Audience: s.Audience, Issuer: s.Issuer, Scopes: scopes, Resource: resource, Provider: habits}, nil
	case "enterprise":
		e := &s.Enterprise
		provider := signin.EnterpriseIDP{Issuer: e.Issuer, TokenEndpoint: e.TokenEndpoint, ClientID: e.ClientID}
		if secret := e.Secret(); secret != "" {
			provider.Proof = signin.ClientSecret{Secret: signin.Secret(secret)}
		}
		return onlyAt{s.Issuer, &signin.Enterprise{IDP: provider, Subject: c.subject(), Clients: c.clients(proof), Scopes: scopes, Resource: resource, Provider: habits}}, nil
	}
	if proof == nil {
		proof = signin.ClientAssertion{Assertion: c.assertion(hc), Audience: s.Audience}
	}
	return onlyAt{s.Issuer, &signin.ClientCredentials{Clients: c.clients(proof), Scopes: scopes, Resource: resource, Provider: habits}}, nil
}

// onlyAt signs in at one authorization server, where that is said: a client with a proof is no other client elsewhere.
type onlyAt struct {
	issuer string
	inner  client.SignIn
}

func (o onlyAt) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	if asked := r.Authorization.Issuer; o.issuer != "" && o.issuer != asked {
		return nil, fmt.Errorf("%w: the client is known to %s only, and the server names %s", signin.ErrOtherIssuer, o.issuer, asked)
	}
	return o.inner.SignIn(ctx, r)
}

// proof is how the client shows who it is, or nil.
func (c *caller) proof(hc *http.Client) (signin.Authentication, error) {
	s := &c.settings.Client
	switch {
	case s.Secret != "":
		return signin.ClientSecret{Secret: signin.Secret(s.Secret)}, nil
	case s.Key() != nil:
		key, err := signin.ReadPrivateKey(s.Key())
		if err != nil {
			return nil, &hintError{code: exitUsage, err: fmt.Errorf("client.key_file: %s: %s", s.KeyFile, plain(err)),
				hint: "write one private key into it as PEM, not encrypted: RSA of 2048 bits or more, or P-256; and below it its certificate, where there is one"}
		}
		return key, nil
	case s.Platform != "":
		return signin.ClientAssertion{Assertion: c.assertion(hc), Audience: s.Audience}, nil
	}
	return nil, nil
}

// assertion fetches what the platform says of the program.
func (c *caller) assertion(hc *http.Client) workload.Assertion {
	s, p := &c.settings.Client, config.ReadPlatform()
	switch s.Platform {
	case "github":
		return workload.GitHub{RequestURL: p.GitHubURL, RequestToken: signin.Secret(p.GitHubToken), HTTPClient: hc}.Assertion
	case "azure":
		return workload.ManagedIdentity{Endpoint: p.AzureEndpoint, Header: signin.Secret(p.AzureHeader), Host: p.AzureHost, ClientID: s.PlatformID, HTTPClient: hc}.Assertion
	}
	return workload.TokenFile(s.TokenFile)
}

// subject is the token of the one for whom another is wanted.
func (c *caller) subject() signin.Subject {
	read := workload.TokenFile(c.settings.Client.TokenFile)
	return signin.Subject{Token: func(ctx context.Context) (signin.Secret, error) { return read(ctx, "") }}
}
