package workload

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// azureMetadata is where a virtual machine asks for its identity's tokens. The address is link-local: it leads nowhere
// but to the machine's own host.
const azureMetadata = "http://169.254.169.254/metadata/identity/oauth2/token"

// ManagedIdentity is the token endpoint of a managed identity in Azure. Its tokens are access tokens of Entra: made out
// to api://AzureADTokenExchange they prove a client whose federated credential names the identity.
type ManagedIdentity struct {
	// Endpoint and Header are what App Service and Functions put into IDENTITY_ENDPOINT and IDENTITY_HEADER; empty means
	// that a virtual machine's metadata service is asked.
	Endpoint string
	Header   signin.Secret
	// ClientID chooses one of several identities; empty means the machine's own.
	ClientID   string
	HTTPClient *http.Client // lends its Transport; nil means http.DefaultTransport
}

// Assertion asks for a token that is made out to audience, an App ID URI.
func (m ManagedIdentity) Assertion(ctx context.Context, audience string) (signin.Secret, error) {
	endpoint, version := azureMetadata, "2018-02-01"
	if m.Endpoint != "" {
		endpoint, version = m.Endpoint, "2019-08-01"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (m.Endpoint != "") != (m.Header != "") {
		return "", errors.New("workload: the managed identity lacks a usable endpoint or its header")
	}
	q := u.Query()
	q.Set("api-version", version)
	q.Set("resource", strings.TrimSuffix(audience, "/.default"))
	if m.ClientID != "" {
		q.Set("client_id", m.ClientID)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", errors.New("workload: the managed identity's endpoint is no URL")
	}
	req.Header.Set("Metadata", "true")
	if m.Header != "" {
		req.Header.Set("X-IDENTITY-HEADER", string(m.Header))
	}
	var a struct {
		AccessToken string `json:"access_token"`
	}
	if err := fetch(req, m.HTTPClient, "the managed identity", &a); err != nil {
		return "", err
	}
	return checked(a.AccessToken)
}
