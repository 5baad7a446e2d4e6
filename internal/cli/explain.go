package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

func explainCommand(s streams) *cobra.Command {
	e := &explainer{streams: s}
	cmd := &cobra.Command{
		Use:   "explain [-|@FILE|TOKEN]",
		Short: "Say what a token is, and what a server says of it, rule by rule",
		Long: "Reads a token, from stdin where nothing else is named, and says what it is: whose, of what kind, with which claims. With the\n" +
			"settings of a server it also says what that server would: rule by rule, and tool by tool. The token is verified as serve\n" +
			"verifies it. It is not kept, not logged and not printed. It ends with 0 when the server lets the token in, and with 4 when\n" +
			"it does not.",
		Example: "  fastmcp-auth token | fastmcp-auth explain\n" +
			"  fastmcp-auth explain @token.txt --provider-kind keycloak \\\n    --provider-issuer https://sso.example.com/realms/main",
		Args: usageArgs(cobra.MaximumNArgs(1)),
	}
	config.Flags(cmd.Flags(), config.Show)
	cmd.Flags().BoolVar(&e.asJSON, "json", false, "Print one JSON document.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		settings, err := config.Load(config.Source{Command: config.Show, Flags: cmd.Flags(), Tools: app.ToolNames()})
		if err != nil {
			return err
		}
		token, err := e.token(firstOf(args))
		if err != nil {
			return err
		}
		return e.explain(cmd, settings, token)
	}
	return cmd
}

// explainer explains one token.
type explainer struct {
	streams
	asJSON bool
}

// token reads the token from where the argument says.
func (e *explainer) token(arg string) (string, error) {
	file, isFile := strings.CutPrefix(arg, "@")
	var raw string
	switch {
	case isFile:
		f, err := os.Open(file)
		if err != nil {
			return "", &usageError{err, "fastmcp-auth explain"}
		}
		defer f.Close()
		if raw, err = readToken(f); err != nil {
			return "", err
		}
	case arg == "" || arg == "-":
		var err error
		if raw, err = e.typed(); err != nil {
			return "", err
		}
	default:
		fmt.Fprintln(e.err, "fastmcp-auth: warning: a token on the command line stays in the shell's history and in the list of processes; give it on stdin")
		raw = arg
	}
	if raw = bare(raw); raw == "" {
		return "", &hintError{code: exitUsage, err: errors.New("no token was given"), hint: `run "fastmcp-auth token | fastmcp-auth explain"`}
	}
	return raw, nil
}

// typed reads stdin; where a person sits there, what is typed does not show.
func (e *explainer) typed() (string, error) {
	f, ok := e.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return readToken(e.in)
	}
	fmt.Fprint(e.err, "Paste the token (it does not show), then Enter: ")
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(e.err)
	return string(b), err
}

func readToken(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxStdin+1))
	if err == nil && len(b) > maxStdin {
		err = errors.New("the token is larger than 1 MiB")
	}
	return string(b), err
}

// bare takes off what people copy along: the header's name, the scheme, quotes and white space.
func bare(s string) string {
	s = strings.TrimSpace(s)
	for _, before := range []string{"authorization:", "bearer "} {
		if len(s) > len(before) && strings.EqualFold(s[:len(before)], before) {
			s = strings.TrimSpace(s[len(before):])
		}
	}
	return strings.Trim(s, `"'`)
}

func (e *explainer) explain(cmd *cobra.Command, s *config.Settings, token string) error {
	x, err := app.Explain(cmd.Context(), s, token)
	described := bearer.Describe(token)
	switch {
	case errors.Is(err, app.ErrNoProvider) || s.NoAuth:
		x = nil
	case err != nil:
		return err
	}
	now := time.Now()
	if e.asJSON {
		err = printJSON(e.out, explanationJSON(described, x, now))
	} else {
		e.show(described, x, now)
		err = nil
	}
	switch {
	case err != nil:
		return err
	case described.Form == bearer.FormNone:
		return &hintError{code: exitFailed, err: errors.New("that is no token"), hint: "give the access_token alone, whole, on stdin"}
	case x == nil || x.Refusal == nil:
		return nil
	}
	reason := x.Refusal.Reason
	if d := described.Use; d == bearer.UseID || d == bearer.UseRefresh || d == bearer.UseLogout {
		reason = bearer.ReasonType // whatever else it breaks
	}
	a, _ := advice.ForToken(string(reason))
	hint := a.Cure
	if hint == "" {
		hint = nextCommand(a.Next, "")
	}
	code := exitSignIn
	if x.Refusal.Reason == bearer.ReasonUnavailable {
		code = exitUnreachable
	}
	return &hintError{code: code, err: fmt.Errorf("the token is refused: %s", x.Refusal.Description), hint: hint}
}

// show writes the explanation for people.
func (e *explainer) show(d bearer.Description, x *app.Explained, now time.Time) {
	look := lookAt(e.out)
	steps := tui.NewSteps(e.out, look)
	steps.Text(what(d))
	if facts := claimFacts(d, now); len(facts) > 0 {
		steps.Heading("Claims, as they stand in it")
		tui.NewChecks(e.out, look, nil, nil).Facts(facts)
	}
	if x == nil {
		steps.Heading("What a server says")
		steps.Text("Nobody: no provider is set (provider.kind), so no server would know its issuer.")
		return
	}
	steps.Heading("What the server at " + x.Resource + " says: " + ruling(x))
	var names, words []string
	for _, r := range x.Rules {
		names, words = append(names, string(r.Rule)), append(words, string(r.Verdict))
	}
	checks := tui.NewChecks(e.out, look, words, names)
	for _, r := range x.Rules {
		check := tui.Check{Outcome: tui.Passed, Word: string(r.Verdict), Name: string(r.Rule), Saw: r.Saw}
		switch r.Verdict {
		case bearer.Refuses:
			check.Outcome = tui.Failed
		case bearer.Unasked:
			check.Outcome, check.Saw = tui.Skipped, strings.TrimSuffix("not asked: "+r.Saw, ": ")
			if !look.Terminal {
				check.Saw = r.Saw
			}
		}
		if r.Wants != "" && r.Verdict != bearer.Holds {
			check.Facts = []tui.Fact{{Name: "wants", Value: r.Wants}}
		}
		checks.Show(check)
	}
	e.showTools(steps, look, x)
}

func (e *explainer) showTools(steps *tui.Steps, look tui.Options, x *app.Explained) {
	if len(x.Tools) == 0 {
		return
	}
	steps.Heading("What it opens, called without arguments")
	var names []string
	for _, t := range x.Tools {
		names = append(names, t.Operation)
	}
	checks := tui.NewChecks(e.out, look, []string{policy.Allow.String(), policy.NeedsScope.String(), policy.Deny.String()}, names)
	for _, t := range x.Tools {
		outcome := tui.Failed
		if t.Effect == policy.Allow {
			outcome = tui.Passed
		}
		checks.Show(tui.Check{Outcome: outcome, Word: t.Effect.String(), Name: t.Operation, Saw: t.Reason})
	}
}

func ruling(x *app.Explained) string {
	if x.Refusal != nil {
		return "refused"
	}
	return "let in"
}

// providers are the presets' names as people know them.
var providers = map[string]string{"entra": "Microsoft Entra ID", "keycloak": "Keycloak", "auth0": "Auth0", "okta": "Okta", "google": "Google", "github": "GitHub", "dev": "the development provider"}

// what says in a sentence or two what a token is.
func what(d bearer.Description) string {
	switch d.Form {
	case bearer.FormNone:
		return "This is no token: a token is one word of letters, digits and - . _ ~ + / and is 16 characters or longer."
	case bearer.FormEncrypted:
		return "An encrypted token (JWE): only its addressee can read it, and this server reads none."
	}
	kind := map[bearer.Use]string{bearer.UseAccess: "access token", bearer.UseID: "ID token", bearer.UseRefresh: "refresh token", bearer.UseLogout: "logout token", bearer.UseUnknown: "token"}[d.Use]
	article := "A"
	if strings.ContainsAny(kind[:1], "aI") {
		article = "An"
	}
	if d.Form == bearer.FormOpaque {
		kind, article = "opaque "+kind, "An"
	}
	s := article + " " + kind
	if name := providers[d.Provider]; name != "" {
		s += " of " + name
		if d.Version != "" {
			s += ", version " + d.Version
		}
	}
	switch {
	case d.Service != "":
		s += ", for " + d.Service
	case d.Kind == identity.App:
		s += ", about a program"
	case d.Kind == identity.Person:
		s += ", about a person"
	}
	if d.Why != "" {
		s += ": " + d.Why
	}
	return s + "." + useless(d)
}

// useless says why a token does not open a server, where its kind says so.
func useless(d bearer.Description) string {
	switch {
	case d.Service != "":
		return " It is not for an MCP server: ask for a scope of the API, such as api://<app>/<scope>; a scope without a resource before it means Graph."
	case d.Use == bearer.UseID:
		return " It tells a client who signed in; a server wants the access_token beside it."
	case d.Use == bearer.UseRefresh:
		return " It is a secret between client and provider: send it to no server."
	case d.Form == bearer.FormOpaque:
		return " Only its issuer can read it."
	}
	return ""
}

// claimFacts are the claims with their meaning: those of the protocol first, the rest by name.
func claimFacts(d bearer.Description, now time.Time) []tui.Fact {
	first := []string{"iss", "aud", "sub", "exp", "nbf", "iat"}
	var order []string
	for _, name := range first {
		if _, has := d.Claims[name]; has {
			order = append(order, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Claims)) {
		if !slices.Contains(first, name) {
			order = append(order, name)
		}
	}
	var facts []tui.Fact
	for _, name := range []string{"alg", "kid", "typ"} {
		if v, has := d.Header[name]; has {
			facts = append(facts, tui.Fact{Name: "header " + name, Value: valueOf(name, v, now)})
		}
	}
	for _, name := range order {
		value := valueOf(name, d.Claims[name], now)
		if meaning := oauth.ClaimMeaning(name); meaning != "" {
			value += " (" + meaning + ")"
		}
		facts = append(facts, tui.Fact{Name: name, Value: value})
	}
	return facts
}

// valueOf is a claim's value as people read it.
func valueOf(name string, v any, now time.Time) string {
	if t, ok := timeOf(name, v); ok {
		return t.Local().Format(time.RFC3339) + ", " + relative(t, now)
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "unreadable"
	}
	return string(b)
}

func timeOf(name string, v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok || !oauth.IsTimeClaim(name) {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// relative is how far t is from now, in the two largest units.
func relative(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	if d.Abs() < time.Second {
		return "now"
	}
	var parts []string
	left := d.Abs()
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := int(left / unit.size); n > 0 && len(parts) < 2 {
			left -= time.Duration(n) * unit.size
			name := unit.name
			if n > 1 {
				name += "s"
			}
			parts = append(parts, fmt.Sprint(n, " ", name))
		}
	}
	if d < 0 {
		return strings.Join(parts, " ") + " ago"
	}
	return "in " + strings.Join(parts, " ")
}

// tokenJSON is an explanation as JSON; docs/explain.md describes it.
type tokenJSON struct {
	Form     bearer.Form    `json:"form"`
	Use      bearer.Use     `json:"use"`
	Why      string         `json:"why,omitempty"`
	Service  string         `json:"service,omitempty"`
	Provider string         `json:"provider,omitempty"`
	Version  string         `json:"version,omitempty"`
	Kind     identity.Kind  `json:"kind,omitempty"`
	Header   map[string]any `json:"header,omitempty"`
	Claims   []claimJSON    `json:"claims,omitempty"`
	Server   *serverJSON    `json:"server"` // null where no provider is set
}

type claimJSON struct {
	Name    string `json:"name"`
	Value   any    `json:"value"`
	Meaning string `json:"meaning,omitempty"`
	Time    string `json:"time,omitempty"`       // for times: RFC 3339
	Seconds *int64 `json:"in_seconds,omitempty"` // for times: from now
}

type serverJSON struct {
	Resource    string             `json:"resource"`
	Accepted    bool               `json:"accepted"`
	Reason      string             `json:"reason,omitempty"`
	Description string             `json:"description,omitempty"`
	Rules       []ruleJSON         `json:"rules"`
	Identity    *identity.Identity `json:"identity,omitempty"`
	Tools       []toolJSON         `json:"tools"`
}

type ruleJSON struct {
	Rule    bearer.Rule    `json:"rule"`
	Verdict bearer.Verdict `json:"verdict"`
	Saw     string         `json:"saw"`
	Wants   string         `json:"wants,omitempty"`
}

type toolJSON struct {
	Operation string   `json:"operation"`
	Decision  string   `json:"decision"`
	Rule      string   `json:"rule"`
	Reason    string   `json:"reason"`
	Scopes    []string `json:"scopes,omitempty"`
	Listed    bool     `json:"listed"`
}

func explanationJSON(d bearer.Description, x *app.Explained, now time.Time) tokenJSON {
	j := tokenJSON{Form: d.Form, Use: d.Use, Why: d.Why, Service: d.Service, Provider: d.Provider, Version: d.Version, Kind: d.Kind, Header: d.Header}
	for _, name := range slices.Sorted(maps.Keys(d.Claims)) {
		c := claimJSON{Name: name, Value: d.Claims[name], Meaning: oauth.ClaimMeaning(name)}
		if t, ok := timeOf(name, c.Value); ok {
			in := int64(t.Sub(now).Seconds())
			c.Time, c.Seconds = t.UTC().Format(time.RFC3339), &in
		}
		j.Claims = append(j.Claims, c)
	}
	if x == nil {
		return j
	}
	j.Server = &serverJSON{Resource: x.Resource, Accepted: x.Refusal == nil, Identity: x.Identity, Rules: []ruleJSON{}, Tools: []toolJSON{}}
	if x.Refusal != nil {
		j.Server.Reason, j.Server.Description = string(x.Refusal.Reason), x.Refusal.Description
	}
	for _, r := range x.Rules {
		j.Server.Rules = append(j.Server.Rules, ruleJSON(r))
	}
	for _, t := range x.Tools {
		j.Server.Tools = append(j.Server.Tools, toolJSON{t.Operation, t.Effect.String(), t.Rule, t.Reason, t.Scopes, t.Listed})
	}
	return j
}
