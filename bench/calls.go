package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// callTimes is how often the command line calls; what is reported is the median.
const callTimes = 21

// commandLine measures "fastmcp-auth call" from the start of the process to its end, with a token that is kept, against
// the same call of a bare HTTP client on a connection of its own.
func commandLine(ctx context.Context, o options, idp *devidp.Running) ([]budget, error) {
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "bench-home")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	addr, err := free()
	if err != nil {
		return nil, err
	}
	var ready struct{ Addr string }
	server, err := start(ctx, &ready, []string{
		"FASTMCP_AUTH_ADDR=" + addr, "FASTMCP_AUTH_REVERSE_DURATION=0s",
		"FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + idp.Issuer(), "HOME=" + home,
	}, binary, "serve")
	if err != nil {
		return nil, err
	}
	defer server.stop()
	url := "http://" + addr + "/mcp"
	env := append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "CI=", "DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=")
	if err := signIn(ctx, binary, url, env, idp); err != nil {
		return nil, err
	}
	token, err := mint(idp, url, 0)
	if err != nil {
		return nil, err
	}
	var ours, bare []time.Duration
	for range callTimes {
		took, err := bareCall(ctx, url, token)
		if err != nil {
			return nil, err
		}
		bare = append(bare, took)
		cmd := exec.CommandContext(ctx, binary, "call", url, tool, "query=Hello", "--json", "--no-input")
		cmd.Env, cmd.Dir = env, home
		began := time.Now()
		out, err := cmd.Output()
		ours = append(ours, time.Since(began))
		if err != nil || !strings.Contains(string(out), "olleH") {
			return nil, fmt.Errorf("call: %w: %s", errors.Join(err, errWrong), out)
		}
	}
	slices.Sort(ours)
	slices.Sort(bare)
	more := ours[callTimes/2] - bare[callTimes/2]
	return []budget{{"command_call_over_bare_client", more.Seconds() * 1e3, "ms", 60, true}}, nil
}

// signIn signs in once as a person does, by a code that is approved on the provider's page.
func signIn(ctx context.Context, binary, url string, env []string, idp *devidp.Running) error {
	cmd := exec.CommandContext(ctx, binary, "login", url, "--client-flow", "device", "--client-id", devidp.ClientCLI)
	cmd.Env = env
	screen, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var said strings.Builder
	for lines := bufio.NewScanner(io.TeeReader(screen, &said)); lines.Scan(); {
		if code, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "enter "); ok {
			if err := idp.ApproveDevice(code, devidp.UserAdmin); err != nil {
				return err
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("sign in: %w: %s", err, said.String())
	}
	return nil
}

// bareCall makes the call with net/http and nothing else.
func bareCall(ctx context.Context, url, token string) (time.Duration, error) {
	t := &http.Transport{}
	defer t.CloseIdleConnections()
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(message(modern, false))))
	if err != nil {
		return 0, err
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": modern, "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took := time.Since(began)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %d %.300s", errWrong, resp.StatusCode, body)
	}
	return took, err
}
