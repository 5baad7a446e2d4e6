package workload

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// GitHub is the token endpoint of a job in GitHub Actions that has the permission id-token: write.
type GitHub struct {
	RequestURL   string        // what the job finds in ACTIONS_ID_TOKEN_REQUEST_URL
	RequestToken signin.Secret // what the job finds in ACTIONS_ID_TOKEN_REQUEST_TOKEN
	HTTPClient   *http.Client  // lends its Transport; nil means http.DefaultTransport
}

// Assertion asks GitHub for a token that says which repository, branch and workflow runs.
func (g GitHub) Assertion(ctx context.Context, audience string) (signin.Secret, error) {
	u, err := url.Parse(g.RequestURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" || g.RequestToken == "" {
		return "", errors.New("workload: GitHub gives this job no token endpoint: it needs the permission id-token: write")
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", errors.New("workload: GitHub's token endpoint is no URL")
	}
	req.Header.Set("Authorization", "bearer "+string(g.RequestToken))
	req.Header.Set("Accept", "application/json")
	var a struct {
		Value string `json:"value"`
	}
	if err := fetch(req, g.HTTPClient, "GitHub", &a); err != nil {
		return "", err
	}
	return checked(a.Value)
}
