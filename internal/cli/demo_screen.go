package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// device is the sign-in of the tour: the code on the screen, approved on the page, by a key, or by itself with --yes.
func (d *demo) device() *signin.Device {
	return &signin.Device{
		ClientID: d.at.ClientID,
		Scopes:   d.scopes(),
		Prompt: func(p signin.DevicePrompt) {
			d.screen = d.show(p)
			if d.yes {
				d.approve(p.UserCode)
			}
		},
	}
}

// closeScreen gives the terminal back and says how the sign-in went.
func (d *demo) closeScreen(ctx context.Context, err error) {
	switch {
	case d.screen == nil:
	case ctx.Err() != nil:
		d.screen.Close(errCancelled)
	default:
		d.screen.Close(err)
	}
}

var errCancelled = errors.New("cancelled")

// show draws the code. Keys are read where a person is at the keyboard.
func (d *demo) show(p signin.DevicePrompt) *tui.Screen {
	device := tui.Device{
		UserCode: p.UserCode, VerificationURI: p.VerificationURI, VerificationURIComplete: p.VerificationURIComplete,
		Expires: p.Expires, Server: p.Server,
	}
	if keys := d.keyboard(); keys != nil && !d.yes {
		device.Keys = keys
		device.Hint = "press Enter to approve as " + demoPerson + ", or choose somebody on the page"
		device.OnKey = func(key string) {
			switch key {
			case "enter", "y", "space":
				d.approve(p.UserCode)
			case "ctrl+c":
				d.cancel() // the terminal sends keys now, and no signal
			}
		}
	}
	return tui.DeviceScreen(d.err, device, d.look)
}

// keyboard is stdin where a person can press a key and the screen can react.
func (d *demo) keyboard() io.Reader {
	if f, ok := d.in.(*os.File); ok && d.look.Terminal && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func (d *demo) approve(code string) {
	if err := d.server.ApproveDevice(code, demoPerson); err != nil {
		d.steps.Failed("approve the sign-in", err)
	}
}

// scopes asks for everything, so that the tour can show what somebody else lacks.
func (d *demo) scopes() []string {
	var scopes []string
	for _, s := range []string{d.settings.Scopes.Execute, "time:read", "time:convert"} {
		scopes = append(scopes, d.at.ScopePrefix+s)
	}
	return append(scopes, "openid", "offline_access")
}

// challengeFacts lists what a challenge says, as a client reads it.
func challengeFacts(c *oauth.Challenge) []tui.Fact {
	if c == nil {
		return nil
	}
	var facts []tui.Fact
	for _, f := range []tui.Fact{
		{Name: "error", Value: c.Error},
		{Name: "error_description", Value: c.ErrorDescription},
		{Name: "scope", Value: strings.Join(c.Scopes, " ")},
		{Name: "resource_metadata", Value: c.ResourceMetadata},
	} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

// next says what to try while provider and server stay up.
func (d *demo) next() {
	d.steps.Heading("Yours to try: all of it stays up until Ctrl-C")
	d.steps.Facts(
		tui.Fact{Name: "console", Value: strings.TrimSuffix(d.at.MCP, "/mcp")},
		tui.Fact{Name: "MCP", Value: d.at.MCP},
		tui.Fact{Name: "metadata", Value: d.at.ResourceMetadata},
		tui.Fact{Name: "provider", Value: d.at.Issuer},
	)
	d.steps.Text("\nA token for a program, and a call with it:")
	d.steps.Code(d.curl())
	d.steps.Text("\nMCP Inspector (Node 22.19 or later), with that token:")
	d.steps.Code("npx @modelcontextprotocol/inspector --cli $MCP \\\n" +
		"  --transport http --method tools/list \\\n  --header \"Authorization: Bearer $TOKEN\"")
	d.steps.Text("\nClaude Code, which signs in by itself:")
	d.steps.Code(fmt.Sprintf("claude mcp add --transport http demo \\\n  %s", d.at.MCP))
	d.steps.Text("\nVS Code, in .vscode/mcp.json:")
	d.steps.Code(fmt.Sprintf("{\"servers\": {\"demo\": {\n  \"type\": \"http\", \"url\": %q}}}", d.at.MCP))
}

// curl is what to paste into a shell. Its lines fit a terminal of 80 columns.
func (d *demo) curl() string {
	return fmt.Sprintf(`MCP=%s
TOKEN=$(curl -s -u %s:%s \
  -d grant_type=client_credentials \
  %s %s |
  sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
curl -s $MCP -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
    "io.modelcontextprotocol/protocolVersion":"2026-07-28",
    "io.modelcontextprotocol/clientCapabilities":{}}}}'`,
		d.at.MCP, devidp.ClientService, devidp.ServiceSecret, d.tokenParameters(), d.tokenEndpoint)
}

// tokenParameters says what the token is for: Entra tells it by the scope, others by the resource (RFC 8707).
func (d *demo) tokenParameters() string {
	if d.at.ScopePrefix != "" {
		return "-d scope=" + d.at.ScopePrefix + ".default \\\n "
	}
	return "-d scope=" + d.at.Scope + " -d resource=$MCP \\\n "
}
