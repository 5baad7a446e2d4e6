package workload

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// azureMetadata is where a virtual machine asks for its identity's tokens. The address is link-local: it leads nowhere
// but to the machine's own host.
const azureMetadata = "http://169.254.169.254"

const (
	azure          = "the managed identity"
	azureTimeout   = 5 * time.Second
	azureDial      = 2 * time.Second // the endpoint is on this machine, or on its host
	azureCure      = "run it on a virtual machine, a container or a function in Azure that has a managed identity"
	azureRefused   = "give the machine a managed identity, or name the one it has with client.platform_id"
	azureElsewhere = "try again in a while"
)

// ManagedIdentity is the token endpoint of a managed identity in Azure. Its tokens are access tokens of Entra: made out
// to api://AzureADTokenExchange they prove a client whose federated credential names the identity. No proxy is asked: the
// endpoint is this machine's own, and whoever else answered would choose who the program is.
type ManagedIdentity struct {
	// Endpoint and Header are what App Service, Functions and Container Apps put into IDENTITY_ENDPOINT and
	// IDENTITY_HEADER; both empty means that a virtual machine's metadata service is asked.
	Endpoint string
	Header   signin.Secret
	// Host is where the metadata service is, as AZURE_POD_IDENTITY_AUTHORITY_HOST says it; empty means where Azure has it.
	Host string
	// ClientID chooses one of several identities; empty means the machine's own.
	ClientID   string
	HTTPClient *http.Client  // lends its Transport; nil means http.DefaultTransport
	Timeout    time.Duration // for an answer; 0 means five seconds
}

// Assertion asks for a token that is made out to audience, an App ID URI. Its error is an [*Error].
func (m ManagedIdentity) Assertion(ctx context.Context, audience string) (signin.Secret, error) {
	endpoint, version := strings.TrimSuffix(orElse(m.Host, azureMetadata), "/")+"/metadata/identity/oauth2/token", "2018-02-01"
	if m.Endpoint != "" {
		endpoint, version = m.Endpoint, "2019-08-01"
	}
	if (m.Endpoint != "") != (m.Header != "") {
		return "", &Error{Platform: azure, Cure: azureCure, Err: errors.New("the endpoint comes without its header, as on machines of Azure Arc, which are not supported")}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", &Error{Platform: azure, Cure: azureCure, Err: errors.New("its endpoint is no URL")}
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
		return "", &Error{Platform: azure, Cure: azureCure, Err: errors.New("its endpoint is no URL")}
	}
	req.Header.Set("Metadata", "true")
	if m.Header != "" {
		req.Header.Set("X-IDENTITY-HEADER", string(m.Header))
	}
	var a struct {
		AccessToken string `json:"access_token"`
	}
	status, err := fetch(req, direct(transport(m.HTTPClient)), orElse(m.Timeout, azureTimeout), &a)
	switch {
	case err != nil && status == 0:
		return "", &Error{Platform: azure, Cure: azureCure, Err: err}
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return "", &Error{Platform: azure, Status: status, Cure: azureElsewhere}
	case err != nil || status != http.StatusOK:
		return "", &Error{Platform: azure, Status: status, Cure: azureRefused, Err: err}
	}
	token, err := checked(a.AccessToken)
	if err != nil {
		return "", &Error{Platform: azure, Err: err}
	}
	return token, nil
}

// direct is rt without a proxy, and without patience for an address that is not there.
func direct(rt http.RoundTripper) http.RoundTripper {
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	t = t.Clone()
	t.Proxy, t.DisableKeepAlives = nil, true
	t.DialContext = (&net.Dialer{Timeout: azureDial}).DialContext
	return t
}
