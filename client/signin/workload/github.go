package workload

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

const (
	gitHub          = "GitHub Actions"
	gitHubTimeout   = 10 * time.Second
	gitHubCure      = "run it in a job of GitHub Actions that has the permission id-token: write"
	gitHubRefused   = "see that the job has the permission id-token: write, and has not ended"
	gitHubElsewhere = "see https://www.githubstatus.com, and try again in a while"
)

// GitHub is the token endpoint of a job in GitHub Actions that has the permission id-token: write.
type GitHub struct {
	RequestURL   string        // what the job finds in ACTIONS_ID_TOKEN_REQUEST_URL
	RequestToken signin.Secret // what the job finds in ACTIONS_ID_TOKEN_REQUEST_TOKEN
	HTTPClient   *http.Client  // lends its Transport; nil means http.DefaultTransport
	Timeout      time.Duration // for an answer; 0 means ten seconds
}

// Assertion asks GitHub for a token that says which repository, branch and workflow runs. Its error is an [*Error].
func (g GitHub) Assertion(ctx context.Context, audience string) (signin.Secret, error) {
	if g.RequestURL == "" || g.RequestToken == "" {
		return "", &Error{Platform: gitHub, Cure: gitHubCure, Err: errors.New("this process is in no job that may have a token")}
	}
	u, err := url.Parse(g.RequestURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && u.Hostname() == "127.0.0.1") {
		return "", &Error{Platform: gitHub, Cure: gitHubCure, Err: errors.New("its token endpoint is no https URL")}
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", &Error{Platform: gitHub, Cure: gitHubCure, Err: errors.New("its token endpoint is no URL")}
	}
	req.Header.Set("Authorization", "bearer "+string(g.RequestToken))
	req.Header.Set("Accept", "application/json")
	var a struct {
		Value string `json:"value"`
	}
	status, err := fetch(req, transport(g.HTTPClient), orElse(g.Timeout, gitHubTimeout), &a)
	switch {
	case err != nil && status == 0 || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return "", &Error{Platform: gitHub, Status: status, Cure: gitHubElsewhere, Err: err}
	case err != nil || status != http.StatusOK:
		return "", &Error{Platform: gitHub, Status: status, Cure: gitHubRefused, Err: err}
	}
	token, err := checked(a.Value)
	if err != nil {
		return "", &Error{Platform: gitHub, Err: err}
	}
	return token, nil
}

// transport is what hc sends with.
func transport(hc *http.Client) http.RoundTripper {
	if hc == nil || hc.Transport == nil {
		return http.DefaultTransport
	}
	return hc.Transport
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
