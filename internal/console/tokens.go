package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxAnswer = 1 << 20 // bytes of a provider's answer

// RefusedError is a refusal of the provider (RFC 6749, section 5.2).
type RefusedError struct {
	Code        string
	Description string // for the log
	Status      int
}

// Error says which one.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the provider refuses with %d %s: %s", e.Status, e.Code, e.Description)
}

// answer is a token response.
type answer struct {
	AccessToken  string      `json:"access_token"`
	TokenType    string      `json:"token_type"`
	ExpiresIn    json.Number `json:"expires_in"`
	RefreshToken string      `json:"refresh_token"`
	IDToken      string      `json:"id_token"`
	Scope        *string     `json:"scope"`
}

// life is how long the access token is good; a provider that does not say so is asked again soon.
func (a *answer) life() time.Duration {
	seconds, err := a.ExpiresIn.Int64()
	if err != nil || seconds <= 0 {
		return 5 * time.Minute
	}
	return time.Duration(min(seconds, int64(48*time.Hour/time.Second))) * time.Second
}

// redeem asks the token endpoint.
func (p *provider) redeem(ctx context.Context, form url.Values) (*answer, error) {
	at, err := p.endpoints(ctx)
	if err != nil {
		return nil, err
	}
	if p.Resource != "" {
		form.Set("resource", p.Resource)
	}
	body, err := p.post(ctx, at.TokenEndpoint, form)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, errors.New("the token endpoint's answer is not the JSON it should be") // the cause may quote a token
	}
	if a.AccessToken == "" || !strings.EqualFold(a.TokenType, "Bearer") {
		return nil, errors.New("the token endpoint's answer holds no bearer token")
	}
	return &a, nil
}

// post sends form with the client's credentials and returns what a 200 says.
func (p *provider) post(ctx context.Context, place string, form url.Values) ([]byte, error) {
	if p.Secret == "" {
		form.Set("client_id", p.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if p.Secret != "" { // RFC 6749, section 2.3.1: each part is encoded as in a form
		req.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(string(p.Secret)))
	}
	c := *p.http
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s cannot be read, or is too large", req.URL.Host)
	}
	if resp.StatusCode == http.StatusOK {
		return body, nil
	}
	refused := &RefusedError{Status: resp.StatusCode}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media == "application/json" {
		var said struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if json.Unmarshal(body, &said) == nil {
			refused.Code, refused.Description = word(said.Error), clip(said.Description)
		}
	}
	return nil, refused
}

// word is an error code as RFC 6749 spells them, or nothing: it may go into a URL and onto a page.
func word(s string) string {
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return ""
	}
	return s
}

func clip(s string) string {
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
