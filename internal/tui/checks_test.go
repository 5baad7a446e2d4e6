package tui

import (
	"bytes"
	"strings"
	"testing"
)

func TestChecks(t *testing.T) {
	draw := func(o Options) string {
		var out bytes.Buffer
		c := NewChecks(&out, o, []string{"ok", "note", "BROKEN", "not tried"}, []string{"dns", "authorization"})
		c.Show(Check{Passed, "ok", "dns", "mcp.example.com is 192.0.2.1", nil})
		c.Show(Check{Noted, "note", "tls", "TLS 1.3, signed by Intranet CA, until 2026-03-01: only 3 days, and the sentence is long", nil})
		c.Show(Check{Failed, "BROKEN", "authorization", "https://login.microsoftonline.com/common/v2.0 " + nasty, []Fact{
			{"cause", "it speaks for the issuer {tenantid}, and not for the one that the server names"},
			{"mend", "name the tenant by its id"},
			{"page", "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Overview/appId/1"},
			{"run", "fastmcp-auth doctor"},
		}})
		c.Show(Check{Skipped, "not tried", "token", "not tried: it needs authorization", nil})
		c.Show(Check{Skipped, "not tried", "handshake", "", nil})
		return out.String()
	}
	wide, slim := draw(Options{Terminal: true, Width: 80}), draw(Options{Terminal: true, Width: 40})
	golden(t, "checks-80", wide)
	golden(t, "checks-40", slim)
	for width, drawn := range map[int]string{80: wide, 40: slim} {
		for line := range strings.Lines(drawn) {
			if !strings.Contains(line, "https://entra") { // an address stays whole, so that it can be copied
				fits(t, line, width)
			}
		}
	}
	plain := draw(Options{})
	golden(t, "checks-plain", plain)
	if strings.ContainsAny(plain, "\x1b\x00\x07") {
		t.Errorf("plain lines hold escapes: %q", plain)
	}
	golden(t, "checks-plain-40", draw(Options{Width: 40}))
}
