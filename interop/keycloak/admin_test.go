//go:build unix

package keycloak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// adminToken is the administrator's, which lives for a minute.
type adminToken struct {
	value string
	until time.Time
}

// administer asks the admin interface. path begins after /admin. A body that is not nil is sent as JSON; into, where it
// is not nil, takes the answer. It returns the id of what was created.
func (k *running) administer(ctx context.Context, method, at string, body, into any) (id string, err error) {
	if time.Now().After(k.token.until) {
		granted, err := k.ask(ctx, "master", "token", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {k.Administrator}, "password": {k.password}})
		if err != nil {
			return "", err
		}
		k.token = adminToken{granted.AccessToken, time.Now().Add(30 * time.Second)}
	}
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return "", err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, k.URL+"/admin"+at, content)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+k.token.value)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode/100 != 2 {
		return "", fmt.Errorf("%s /admin%s: %s: %s", method, at, res.Status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			return "", fmt.Errorf("%s /admin%s: %w", method, at, err)
		}
	}
	return path.Base(res.Header.Get("Location")), nil
}

// answer is what Keycloak's OAuth endpoints say, as far as a test looks at it.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`

	DeviceCode              string `json:"device_code"`
	VerificationURIComplete string `json:"verification_uri_complete"`

	Active *bool `json:"active"`
}

// refused is an OAuth error that Keycloak answers with.
type refused struct {
	Status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *refused) Error() string {
	return fmt.Sprintf("keycloak answers %d %s: %s", e.Status, e.Code, e.Description)
}

// ask posts a form to an OAuth endpoint of a realm. A refusal is a [*refused].
func (k *running) ask(ctx context.Context, realm, endpoint string, form url.Values) (*answer, error) {
	at := k.URL + "/realms/" + realm + "/protocol/openid-connect/" + endpoint
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		e := &refused{Status: res.StatusCode}
		if json.Unmarshal(text, e) != nil {
			e.Description = string(text)
		}
		return nil, e
	}
	a := &answer{}
	if len(text) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("%s: %w", endpoint, err)
	}
	return a, nil
}
