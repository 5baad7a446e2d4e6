package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
)

// sdk is the same tool in a server of the official SDK, behind its RequireBearerToken with a verifier that checks
// signature, issuer, audience and expiry of each request's token.
func sdk(ctx context.Context, j job, url string) (http.Handler, error) {
	server := mcp.NewServer(&mcp.Implementation{Name: "peer", Version: "1"}, nil)
	for _, t := range tools.All(tools.Options{}) {
		server.AddTool(t.Definition, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			progress := func(done, total float64, message string) {
				if token := req.Params.GetProgressToken(); token != nil {
					req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: done, Total: total, Message: message})
				}
			}
			return t.Call(ctx, req.Params.Arguments, progress)
		})
	}
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: !j.Legacy, JSONResponse: !j.Legacy})
	if j.Issuer == "" {
		return handler, nil
	}
	provider, err := oidc.NewProvider(ctx, j.Issuer)
	if err != nil {
		return nil, err
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: url})
	verify := func(ctx context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		t, err := verifier.Verify(ctx, token)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", auth.ErrInvalidToken, err)
		}
		var claims struct {
			Scope string `json:"scope"`
		}
		if err := t.Claims(&claims); err != nil {
			return nil, errors.Join(auth.ErrInvalidToken, err)
		}
		return &auth.TokenInfo{Scopes: []string{claims.Scope}, Expiration: t.Expiry, UserID: t.Subject}, nil
	}
	return auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{Scopes: []string{"execute"}})(handler), nil
}
