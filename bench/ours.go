package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// beginOurs serves as the command serve does, with these settings.
func beginOurs(ctx context.Context, j job) (url string, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { os.RemoveAll(dir) })
	environ := append([]string{"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_REVERSE_DURATION=0s",
		"FASTMCP_AUTH_LIMITS_CALLER_RATE=1000000", "FASTMCP_AUTH_LIMITS_CALLER_CALLS=100000", "FASTMCP_AUTH_LIMITS_CALLS=100000"}, j.Settings...)
	if j.Recorded {
		rules := filepath.Join(dir, "policy.yaml")
		if err := os.WriteFile(rules, []byte(policyFile), 0o600); err != nil {
			return "", err
		}
		environ = append(environ, "FASTMCP_AUTH_POLICY_FILE="+rules, "FASTMCP_AUTH_AUDIT_FILE_PATH="+filepath.Join(dir, "audit.jsonl"),
			"FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0")
	}
	if j.Issuer == "" {
		environ = append(environ, "FASTMCP_AUTH_NO_AUTH=true")
	} else {
		environ = append(environ, "FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER="+j.Issuer)
	}
	settings, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: environ})
	if err != nil {
		return "", err
	}
	server, err := app.Listen(ctx, settings, app.Options{Version: "bench"})
	if err != nil {
		return "", err
	}
	go func() {
		if err := server.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return server.Addresses().MCP, nil
}

// policyFile is a policy with a condition over the caller before the rule, and one over the arguments in it.
const policyFile = `implies:
  execute: ["*"]
rules:
  - name: nothing for guests
    effect: deny
    tools: ["*"]
    when: identity.guest
  - name: short texts
    tools: [reverse_tool]
    kind: person
    scopes: [execute]
    when: size(arguments.query) <= 100
`
