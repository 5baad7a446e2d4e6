package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/doctor"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func doctorCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor [SERVER]",
		Short: "Find the broken leg between here and a tool",
		Long: "Walks from the server's name to a list of its tools, one leg after the other, and says what it saw at each. For a broken\n" +
			"leg it names the cause, the setting to change and, for Entra ID, the page of the portal. It changes nothing, asks nobody to\n" +
			"sign in, and prints no secret. It ends with 0 when the way is whole, and else with the exit code of the first broken leg.",
		Example: "  fastmcp-auth doctor https://mcp.example.com/mcp\n  fastmcp-auth doctor --json",
		Args:    usageArgs(cobra.MaximumNArgs(1)),
	}
	c.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.load(cmd, firstOf(args)); err != nil {
			return err
		}
		return c.diagnose(cmd)
	}
	return cmd
}

// diagnose walks, tells what was found, and makes an error of the first broken leg.
func (c *caller) diagnose(cmd *cobra.Command) error {
	hc, err := c.httpClient()
	if err != nil {
		return err
	}
	transport, ok := hc.Transport.(*http.Transport)
	if !ok {
		return errors.New("doctor needs a transport that it can look into")
	}
	o := doctor.Options{
		Server: c.server, Transport: transport, NoAuth: c.noAuth, Document: c.settings.Client.DocumentURL, ClientVersion: version(),
	}
	if !c.noAuth {
		cache, err := c.cache()
		if err != nil {
			return err
		}
		o.Client, o.Redirect = c.knownClient(cache), c.redirect(cache)
		o.Token = func(ctx context.Context, d *client.Discovery) (oauth2.TokenSource, error) {
			return c.heldToken(ctx, hc, d)
		}
	}
	if !c.asJSON {
		checks := tui.NewChecks(c.out, lookAt(c.out), doctorWords, doctor.Names())
		o.Hear = func(l doctor.Leg) { checks.Show(c.check(l)) }
	}
	report, err := doctor.Walk(cmd.Context(), o)
	if err != nil {
		return err
	}
	if c.asJSON {
		if err := printJSON(c.out, c.diagnosis(report)); err != nil {
			return err
		}
	}
	first := report.First()
	if first == nil {
		return nil
	}
	return &hintError{code: doctorExit(first), err: fmt.Errorf("%s: %s", first.Name, first.Cause), hint: c.remedy(first)}
}

// knownClient finds the client id for an issuer: the one that is set, else the one of an earlier registration.
func (c *caller) knownClient(cache *tokencache.Cache) func(issuer string) (id, from string) {
	return func(issuer string) (id, from string) {
		if s := c.settings.Client; s.ID != "" && (s.Issuer == "" || s.Issuer == issuer) {
			return s.ID, c.settings.OriginOf("client.id")
		}
		if made, ok := cache.Clients().Registered(issuer); ok {
			return made.ID, "an earlier registration"
		}
		return "", ""
	}
}

// redirect is where a browser sign-in would come back to. The client of an earlier sign-in by a code has no such place.
func (c *caller) redirect(cache *tokencache.Cache) func(issuer string) string {
	return func(issuer string) string {
		if made, ok := cache.Clients().Registered(issuer); ok && c.settings.Client.ID == "" {
			return made.RedirectURI
		}
		port := c.settings.Client.Port
		if port == 0 {
			port = 49152 // as the kernel would choose
		}
		return fmt.Sprintf("http://127.0.0.1:%d/callback", port)
	}
}

// heldToken is what calls would send: a program's own token, or the kept one of a person. It asks nobody.
func (c *caller) heldToken(ctx context.Context, hc *http.Client, d *client.Discovery) (oauth2.TokenSource, error) {
	if c.isUnattended() {
		flow, err := c.unattended(hc)
		if err != nil {
			return nil, err
		}
		return flow.SignIn(ctx, &signin.Request{Server: d.Server, Challenge: d.Challenge, Resource: d.Resource, Authorization: d.Authorization, HTTPClient: hc})
	}
	tokens, err := c.kept.Tokens(c.server, c.use(hc))
	if tokens == nil {
		return nil, err
	}
	return tokens, err
}

// doctorExit is the exit code of a broken leg.
func doctorExit(l *doctor.Leg) int {
	return map[doctor.Kind]int{doctor.Unreachable: exitUnreachable, doctor.SignIn: exitSignIn, doctor.Other: exitFailed}[l.Kind]
}

// doctorWords are how a leg is, in words.
var doctorWords = []string{"ok", "note", "BROKEN", "not needed", "not tried"}

// check is a leg as a line of the list.
func (c *caller) check(l doctor.Leg) tui.Check {
	check := tui.Check{Name: l.Name, Saw: l.Saw}
	switch l.State {
	case doctor.OK:
		check.Outcome, check.Word = tui.Passed, "ok"
	case doctor.Note:
		check.Outcome, check.Word = tui.Noted, "note"
	case doctor.Broken:
		check.Outcome, check.Word = tui.Failed, "BROKEN"
	case doctor.NotNeeded:
		check.Outcome, check.Word = tui.Skipped, "not needed"
	case doctor.NotTried:
		check.Outcome, check.Word = tui.Skipped, "not tried"
		check.Saw = "not tried: " + l.Saw
		if !lookAt(c.out).Terminal {
			check.Saw = l.Saw
		}
	}
	facts := []tui.Fact{{Name: "cause", Value: l.Cause}, {Name: "mend", Value: l.Cure}}
	if l.Setting != "" {
		facts = append(facts, tui.Fact{Name: "setting", Value: l.Setting + " (" + config.EnvName(l.Setting) + ")"})
	}
	if l.Portal != nil {
		facts = append(facts, tui.Fact{Name: "portal", Value: "Entra admin center › " + l.Portal.Path}, tui.Fact{Name: "page", Value: l.Portal.URL})
	}
	facts = append(facts, tui.Fact{Name: "run", Value: c.command(l)}, tui.Fact{Name: "ids", Value: l.Support})
	for _, f := range facts {
		if f.Value != "" {
			check.Facts = append(check.Facts, f)
		}
	}
	return check
}

// command is what to type next, or empty.
func (c *caller) command(l doctor.Leg) string {
	command, ok := strings.CutPrefix(nextCommand(l.Next, c.server), "run ")
	if !ok {
		return ""
	}
	return strings.Trim(command, `"`)
}

// remedy is the hint for a broken leg: the next command, else what to change.
func (c *caller) remedy(l *doctor.Leg) string {
	if next := nextCommand(l.Next, c.server); next != "" && l.Cure == "" {
		return next
	}
	return l.Cure
}

// lookAt says how to draw on out.
func lookAt(out io.Writer) tui.Options {
	if w, ok := out.(*watched); ok {
		out = w.w
	}
	f, ok := out.(*os.File)
	if !ok {
		return tui.Options{}
	}
	look := tui.OptionsFor(f, config.Terminal)
	look.Width = tui.WidthOf(f)
	return look
}

// diagnosis is a report as JSON; docs/doctor.md describes it.
type diagnosis struct {
	*doctor.Report
	ExitCode int         `json:"exit_code"`
	Legs     []diagnosed `json:"legs"`
}

type diagnosed struct {
	doctor.Leg
	Run string `json:"run,omitempty"`
}

func (c *caller) diagnosis(r *doctor.Report) diagnosis {
	d := diagnosis{Report: r}
	if first := r.First(); first != nil {
		d.ExitCode = doctorExit(first)
	}
	for _, l := range r.Legs {
		d.Legs = append(d.Legs, diagnosed{l, c.command(l)})
	}
	return d
}
