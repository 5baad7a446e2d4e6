package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// refusedAt is the error of dialing an address where nobody listens.
func refusedAt(address string) error {
	return &net.OpError{Op: "dial", Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)), Err: syscall.ECONNREFUSED}
}

func TestErrorsOfSignInAndNetworkEndWithTheCodeThatFits(t *testing.T) {
	const server = "https://mcp.example.com/mcp"
	refused := func(e signin.Error) error {
		return &callError{err: fmt.Errorf("connect: %w", &e), server: server, clientID: "c"}
	}
	for _, row := range []struct {
		name string
		err  error
		code int
		says []string
	}{
		{"a refresh token that is dead", refused(signin.Error{Code: "invalid_grant"}), 4, []string{`hint: run "fastmcp-auth login https://mcp.example.com/mcp"`}},
		{"Conditional Access against the device flow", refused(signin.Error{Code: "invalid_grant", Codes: []int{53003}, CorrelationID: "c-1", TraceID: "t-1"}), 4,
			[]string{`run "fastmcp-auth login --browser https://mcp.example.com/mcp"`, "Conditional Access › Policies", "https://entra.microsoft.com/#view/", "correlation id c-1, trace id t-1"}},
		{"a code that nobody has heard of", refused(signin.Error{Code: "strange", TraceID: "t-1"}), 4, []string{`"fastmcp-auth doctor`, "trace id t-1"}},
		{"a provider that is down", refused(signin.Error{Status: 503}), 6, []string{"try again"}},
		{"a provider that says it is down", refused(signin.Error{Status: 503, Code: "temporarily_unavailable"}), 6, []string{"try again"}},
		{"no sign-in", &callError{err: &client.UnauthorizedError{Server: server}, server: server}, 4, []string{`"fastmcp-auth login https://mcp.example.com/mcp"`}},
		{"a token that is refused", &client.UnauthorizedError{Server: server, Refused: true, Challenge: &oauth.Challenge{Error: "invalid_token"}}, 4, []string{"does not accept the token"}},
		{"too little scope", &client.ScopeError{Server: server, Challenge: &oauth.Challenge{Scopes: []string{"execute"}}}, 4, []string{"lacks execute"}},
		{"metadata that do not hold", &callError{err: &client.DiscoveryError{Leg: client.LegResource, Err: errors.New("no")}, server: server}, 4, []string{`"fastmcp-auth doctor https://mcp.example.com/mcp"`}},
		{"no device flow", fmt.Errorf("a: %w", signin.ErrNoDeviceFlow), 4, []string{"login --browser"}},
		{"no client id", fmt.Errorf("a: %w", &signin.ClientIDError{Issuer: "https://login.microsoftonline.com/t/v2.0"}), 4, []string{"client.id", "App registrations"}},
		{"no PKCE", fmt.Errorf("a: %w", signin.ErrNoPKCE), 4, []string{"S256", "doctor"}},
		{"an answer from elsewhere", fmt.Errorf("a: %w", signin.ErrForged), 4, []string{"nothing of it was used"}},
		{"somebody said no", fmt.Errorf("a: %w", signin.ErrDeclined), 4, []string{"login"}},
		{"a name that is none", &net.DNSError{Name: "mcp.example.com", IsNotFound: true}, 6, []string{"no host mcp.example.com"}},
		{"metadata of a server that is down", &client.DiscoveryError{Err: &client.StatusError{Status: 503}}, 6, []string{"try again"}},
		{"metadata that nobody serves", &client.DiscoveryError{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, 6, []string{"nothing listens"}},
		{"serve that does not run", &callError{err: refusedAt("127.0.0.1:8000"), server: config.DefaultServer}, 6, []string{`hint: run "fastmcp-auth serve"`}},
		{"the provider of serve that does not run", &callError{err: refusedAt("127.0.0.1:9"), server: config.DefaultServer}, 6, []string{"start the server"}},
		{"too slow", context.DeadlineExceeded, 6, []string{"in time"}},
		{"a hang-up of ours", context.Canceled, 3, []string{"cancelled"}},
		{"an address that is taken", fmt.Errorf("listen: %w", &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}), 1, nil},
		{"anything else", errors.New("disk full"), 1, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			report(&out, row.err)
			if got := exitCode(row.err); got != row.code {
				t.Errorf("exit code %d, want %d", got, row.code)
			}
			for _, want := range row.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it says\n%s without %q", &out, want)
				}
			}
			if row.says == nil && strings.Contains(out.String(), "hint:") {
				t.Errorf("it gives a hint:\n%s", &out)
			}
		})
	}
}

// TestAttack59AServersOtherNameIsNoCommand to copy: what it adds to its address is not shown as one.
func TestAttack59AServersOtherNameIsNoCommand(t *testing.T) {
	for named, want := range map[string]string{
		"http://localhost:8000/mcp":             "http://localhost:8000/mcp",
		"http://localhost:8000/mcp?$(id)":       "",
		"http://localhost:8000/mcp?;id":         "",
		"http://$(id)@localhost:8000/mcp":       "",
		"http://localhost:8000/mcp#$(id)":       "",
		"http://mcp.example.com:8000/mcp":       "",
		"http://localhost:8000/mcp/../../$(id)": "",
	} {
		if got := otherName(&client.ResourceError{Named: named, Called: "http://127.0.0.1:8000/mcp"}); got != want {
			t.Errorf("%s: %q, want %q", named, got, want)
		}
	}
}
