package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clients are both lines of the official TypeScript client, with each protocol version they are asked to speak.
var clients = []struct{ name, library, version, speaks string }{
	{"client 2 speaks 2026-07-28", "client", "2026-07-28", "2026-07-28"},
	{"client 2 finds out by itself and speaks 2026-07-28", "client", "auto", "2026-07-28"},
	{"client 2 speaks 2025-11-25", "client", "2025-11-25", "2025-11-25"},
	{"client 2 speaks 2025-06-18", "client", "2025-06-18", "2025-06-18"},
	{"client 2 speaks 2025-03-26", "client", "2025-03-26", "2025-03-26"},
	{"client 1 speaks 2025-11-25", "sdk", "", "2025-11-25"},
}

// options are the programs', which document them.
type options struct {
	Library      string         `json:"library"`
	Version      string         `json:"version,omitempty"`
	URL          string         `json:"url"`
	As           string         `json:"as,omitempty"`
	Token        string         `json:"token,omitempty"`
	ClientID     string         `json:"clientId,omitempty"`
	ClientSecret string         `json:"clientSecret,omitempty"`
	Scope        string         `json:"scope,omitempty"`
	Issuer       string         `json:"issuer,omitempty"`
	Calls        []call         `json:"calls,omitempty"`
	Cancel       bool           `json:"cancel,omitempty"`
	Again        bool           `json:"again,omitempty"`
	Request      map[string]any `json:"request,omitempty"`

	Command []string          `json:"command,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

type call struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

// event is one line a program told: the union of what they tell.
type event struct {
	Event   string
	Version string // connected
	Session *string
	Server  struct{ Name string }

	Tools []string

	Index           int // progress, result
	Progress, Total float64
	Message         string // error, too
	IsError         bool
	Structured      map[string]any

	Step, Name, RequiredScope, Description string // error
	ResourceMetadata                       string // challenge, too
	Code                                   any
	Status                                 int

	Header, Body, Scope, Error string // challenge

	Metadata map[string]any // resource, authorization-server
	URL      string         // authorize, too

	ID         string // client
	Registered bool

	Type      string // tokens
	ExpiresIn int
	Refreshes bool
}

// player is a running program.
type player struct {
	t      *testing.T
	lines  *bufio.Scanner
	cmd    *exec.Cmd
	ctx    context.Context
	stderr *syncBuffer
	seen   []event
}

// play starts a TypeScript program.
func play(t *testing.T, program string, o options) *player {
	t.Helper()
	readSources(t)
	given, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	p := &player{t: t, ctx: ctx, stderr: &syncBuffer{}}
	p.cmd = exec.CommandContext(ctx, nodePath, program)
	p.cmd.Env = environment(t, "OPTIONS="+string(given))
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	return p
}

// readSources opens the programs' files, so that a change of one makes go test forget what it knows of these tests: only
// what the test itself opens counts.
func readSources(t *testing.T) {
	t.Helper()
	sources, err := filepath.Glob("*.mjs")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no programs here: %v", err)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
}

// until reads on to the first event of a name.
func (p *player) until(name string) event {
	p.t.Helper()
	for p.lines.Scan() {
		if e := p.take(); e.Event == name {
			return e
		}
	}
	p.t.Fatalf("the program ended without %q, having told %+v\n%s", name, p.seen, p.stderr)
	panic("unreachable")
}

// end reads on to the end and gives every event there was.
func (p *player) end() []event {
	p.t.Helper()
	for p.lines.Scan() {
		p.take()
	}
	if err := p.cmd.Wait(); err != nil || p.ctx.Err() != nil {
		p.t.Fatalf("the program ended with %v, having told %+v\n%s", err, p.seen, p.stderr)
	}
	return p.seen
}

func (p *player) take() event {
	p.t.Helper()
	var e event
	if err := json.Unmarshal(p.lines.Bytes(), &e); err != nil {
		p.t.Fatalf("%v in %s", err, p.lines.Bytes())
	}
	p.seen = append(p.seen, e)
	return e
}

// only gives the events of a name.
func only(events []event, name string) []event {
	return slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.Event != name })
}

// one gives the event of a name, of which there must be exactly one.
func one(t *testing.T, events []event, name string) event {
	t.Helper()
	found := only(events, name)
	if len(found) != 1 {
		t.Fatalf("%d events are called %q, want one, among %+v", len(found), name, events)
	}
	return found[0]
}

// unharmed fails the test if the program met an error.
func unharmed(t *testing.T, events []event) {
	t.Helper()
	for _, e := range only(events, "error") {
		t.Fatalf("%s failed: %s: %s, among %+v", e.Step, e.Name, e.Message, events)
	}
}

func reverse(query string) call {
	return call{"reverse_tool", map[string]any{"query": query}}
}

func TestTypeScriptClientListsAndCallsTools(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	token := s.serviceToken(t, "execute")
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "token", Token: token,
				Calls: []call{
					reverse("añb"),
					{"random_number_tool", map[string]any{"min": 7, "max": 7}},
					{"get_current_time", map[string]any{"timezone": "Asia/Kathmandu"}},
					{"convert_time", map[string]any{"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Kathmandu"}},
					{"convert_time", map[string]any{"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Katmandoo"}},
				},
			}).end()
			unharmed(t, events)

			connected := one(t, events, "connected")
			if connected.Version != row.speaks {
				t.Errorf("they agreed on %q, want %q", connected.Version, row.speaks)
			}
			if modern := row.speaks >= "2026"; modern == (connected.Session != nil) {
				t.Errorf("a session at %s: %v, want one with the older versions only", row.speaks, connected.Session != nil)
			}
			tools := one(t, events, "tools").Tools
			slices.Sort(tools)
			if want := []string{"convert_time", "get_current_time", "random_number_tool", "reverse_tool"}; !slices.Equal(tools, want) {
				t.Errorf("tools are %v, want %v", tools, want)
			}

			results := map[int]event{}
			for _, e := range only(events, "result") {
				results[e.Index] = e
			}
			if got := results[0].Structured["reversed_query"]; got != "bña" {
				t.Errorf("reversed to %v", got)
			}
			if got := results[1].Structured["random_number"]; got != float64(7) {
				t.Errorf("the random number is %v", got)
			}
			if got := results[2].Structured["timezone"]; got != "Asia/Kathmandu" {
				t.Errorf("the time is of %v", got)
			}
			if got := results[3].Structured["time_difference"]; got != "+5.75h" {
				t.Errorf("the difference is %v", got)
			}
			if !results[4].IsError {
				t.Errorf("a time zone nobody knows gave %+v", results[4])
			}
		})
	}
}

func TestTypeScriptClientSeesProgress(t *testing.T) {
	s := serve(t, "--reverse-duration", "500ms")
	token := s.serviceToken(t, "execute")
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "token", Token: token,
				Calls: []call{reverse("first"), reverse("second")}, // at once: each must see its own
			}).end()
			unharmed(t, events)
			for index, want := range []string{"tsrif", "dnoces"} {
				seesProgress(t, slices.DeleteFunc(slices.Clone(events), func(e event) bool {
					return e.Event != "progress" && e.Event != "result" || e.Index != index
				}), want)
			}
		})
	}
}

// seesProgress holds the events of one call: progress that only grows, up to its total, each with a message, and then the
// result.
func seesProgress(t *testing.T, events []event, want string) {
	t.Helper()
	if len(events) < 3 {
		t.Fatalf("a call gave %d events, want progress more than once and a result: %+v", len(events), events)
	}
	result := events[len(events)-1]
	if result.Event != "result" || result.Structured["reversed_query"] != want {
		t.Errorf("the call ended with %+v, want %q", result, want)
	}
	last := -1.0
	for _, e := range events[:len(events)-1] {
		if e.Event != "progress" || e.Progress <= last || e.Progress > e.Total || e.Message == "" {
			t.Errorf("after progress %v of the same call came %+v", last, e)
		}
		last = e.Progress
	}
	if total := events[0].Total; last != total {
		t.Errorf("progress ended at %v of %v", last, total)
	}
}

// The tool would run for ten minutes: what the client sees comes while it runs, and giving up ends it. A call that went on
// would keep the server from ending, and serve holds it to that.
func TestTypeScriptClientSeesProgressWhileTheToolRunsAndCancels(t *testing.T) {
	s := serve(t, "--reverse-duration", "10m", "--limits-shutdown-grace", "10m")
	token := s.serviceToken(t, "execute")
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "token", Token: token,
				Calls: []call{reverse("never")}, Cancel: true,
			}).end()
			if one(t, events, "progress").Message == "" {
				t.Error("progress came without a message")
			}
			if e := one(t, events, "error"); e.Step != "call" || !strings.Contains(e.Message, "seen enough") {
				t.Errorf("the call ended with %+v", e)
			}
		})
	}
}
