// Package workload gets the token that the platform a program runs on gives it.
//
// Each function returns what signin.Workload and signin.ClientAssertion take as their Assertion: it fetches the token
// anew each time, since platforms rotate them. Where the platform says which address and which secret to use, the caller
// passes them in: nothing is read from the environment here.
//
//	a file, as Kubernetes mounts it          TokenFile          file.go
//	GitHub Actions                           GitHub             github.go
//	a managed identity in Azure              ManagedIdentity    azure.go
package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

const (
	maxToken = 64 << 10 // bytes of a token or of the answer that holds it
	timeout  = 30 * time.Second
)

// Assertion fetches a token that is made out to audience.
type Assertion = func(ctx context.Context, audience string) (signin.Secret, error)

// fetch asks a platform and reads a JSON answer. No redirect is followed: the request carries a secret.
func fetch(req *http.Request, hc *http.Client, platform string, answer any) error {
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	if hc == nil {
		hc = http.DefaultClient
	}
	c := &http.Client{Transport: hc.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("workload: %s answers HTTP %d", platform, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxToken+1))
	if err != nil {
		return fmt.Errorf("workload: read the answer of %s: %w", platform, err)
	}
	if len(body) > maxToken || json.Unmarshal(body, answer) != nil {
		return fmt.Errorf("workload: the answer of %s is not the JSON it should be", platform)
	}
	return nil
}

// checked refuses what cannot be a token.
func checked(token string) (signin.Secret, error) {
	token = strings.TrimSpace(token)
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, " \t\r\n\x00") {
		return "", errors.New("workload: what the platform gives is no token")
	}
	return signin.Secret(token), nil
}
