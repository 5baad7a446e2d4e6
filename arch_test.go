package fastmcpauth_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fastmcp-auth/fastmcp-auth/"

// plan says which rooms of the house each room may enter. Read it bottom-up: the ground floor knows only who is calling,
// the front door knows only the hall. Tests may enter any room. The serving half and the calling half meet in the hall.
var plan = map[string][]string{
	"cmd/fastmcp-auth": {"internal/cli"},

	// beside the door: what measures the house
	"conformance/client": {"client", "client/signin", "oauth"},
	"conformance/server": {"internal/mcpserver", "internal/toolbox", "policy"},
	"bench":              {"agent", "internal/app", "internal/config", "internal/tools", "bearer", "devidp", "identity", "idp", "policy"},

	"interop/console": {},
	"interop/program": {"interop/secrets"},
	"interop/secrets": {},

	// the hall
	"internal/cli": {
		"internal/arguments", "internal/bridge", "internal/editors", "internal/nearest",
		"internal/app", "internal/config", "internal/telemetry", "internal/tui", "internal/doctor", "client", "client/signin",
		"agent", "agent/mcptools", "agent/openai", "client/signin/opener", "client/signin/workload", "client/tokencache", "devidp", "oauth", "policy", "identity", "advice", "bearer"},

	// the serving half
	"internal/app": {"web", "internal/calls", "internal/console", "internal/rest", "store", "store/sqlite", "store/redis", "internal/config", "internal/limits", "internal/telemetry", "internal/mcpserver", "internal/toolbox", "internal/tools",
		"bearer", "devidp", "policy", "audit", "idp", "oauth", "identity"},
	"internal/mcpserver":  {"internal/limits", "internal/strictjson", "internal/toolbox", "bearer", "identity"},
	"internal/calls":      {"internal/toolbox", "identity", "store"},
	"internal/console":    {"idp", "identity", "internal/limits", "oauth", "store"},
	"internal/rest":       {"internal/calls", "internal/limits", "internal/strictjson", "internal/toolbox", "identity", "policy", "store"},
	"internal/toolbox":    {"internal/nearest", "policy", "audit", "identity"},
	"internal/tools":      {"internal/nearest"},
	"internal/config":     {"internal/nearest", "idp"},
	"internal/telemetry":  {"audit"},
	"internal/nearest":    {},
	"internal/strictjson": {},
	"internal/limits":     {},
	"web":                 {},
	"bearer":              {"idp", "oauth", "identity"},
	"devidp":              {"idp", "oauth"},

	// the calling half
	"internal/tui":           {},
	"internal/arguments":     {"internal/nearest"},
	"internal/bridge":        {},
	"internal/editors":       {},
	"agent":                  {},
	"agent/mcptools":         {"agent", "client"},
	"agent/openai":           {"agent"},
	"client":                 {"client/signin", "oauth"},
	"client/signin":          {"client/signin/dpop", "idp", "oauth"},
	"client/signin/dpop":     {},
	"client/signin/opener":   {},
	"client/signin/workload": {"client/signin"},
	"internal/doctor":        {"client", "client/signin", "oauth", "idp", "advice"},
	"client/tokencache":      {"client/signin"},

	// the ground floor
	"idp":      {"identity", "oauth"},
	"policy":   {"identity"},
	"audit":    {"identity"},
	"advice":   {"idp", "oauth"},
	"oauth":    {},
	"identity": {},
	"store":    {},

	"store/sqlite":    {"store"},
	"store/redis":     {"store"},
	"store/storetest": {"store"},
}

// fences keep a heavy dependency in the rooms that need it.
var fences = map[string][]string{
	"github.com/sashabaranov/": {"agent/openai"},
	"github.com/yuin/goldmark": {"internal/tui"},
	"github.com/spf13/cobra":   {"internal/cli"},
	"charm.land/bubbletea":     {"internal/tui"},
	"github.com/knadh/koanf":   {"internal/config"},
	"cel.dev/":                 {"policy"},
	"modernc.org/sqlite":       {"store/sqlite"},
	"github.com/redis/":        {"store/redis"},
	"github.com/prometheus/":   {"internal/telemetry"},
	"go.opentelemetry.io/":     {"internal/telemetry"},
	"github.com/zalando/":      {"client/tokencache"},
	"rsc.io/qr":                {"internal/tui"},
	"github.com/gofrs/":        {"agent", "client/tokencache"},
	"github.com/modelcontextprotocol/": {"bearer", "client", "agent/mcptools", "internal/toolbox", "internal/tools", "internal/mcpserver", "internal/calls", "internal/rest",
		"bench", "conformance/client", "conformance/server"},
}

func TestPlan(t *testing.T) {
	house := imports(t)
	for room, imps := range house {
		allowed, planned := plan[room]
		if !planned {
			t.Errorf("%s is not on the plan: give it a row in arch_test.go", room)
		}
		for _, imp := range imps {
			if other, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(allowed, other) {
				t.Errorf("%s may not import %s", room, other)
			}
			for prefix, rooms := range fences {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(rooms, room) {
					t.Errorf("%s may not import %s: only %v may", room, imp, rooms)
				}
			}
		}
	}
	for room := range plan {
		if house[room] == nil {
			t.Errorf("%s is on the plan but not in the house", room)
		}
	}
}

// TestMapNamesEveryRoom holds the README's map against the plan: each room has its sentence.
func TestMapNamesEveryRoom(t *testing.T) {
	readme := contents(t, "README.md")
	for room := range plan {
		if !strings.Contains(readme, room+"/") {
			t.Errorf("the README's map does not name %s/", room)
		}
	}
}

// TestOnlyMainExits and only config reads the environment: the two powers that would otherwise hide anywhere.
func TestOnlyMainExits(t *testing.T) {
	powers := map[string]string{
		"os.Exit(": "cmd/fastmcp-auth", "log.Fatal": "cmd/fastmcp-auth",
		"os.Getenv(": "internal/config", "os.LookupEnv(": "internal/config", "os.Environ(": "internal/config",
	}
	walk(t, ".go", func(name, text string) {
		room := path.Dir(filepath.ToSlash(name))
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(room, "examples/") || room == "bench" || strings.HasPrefix(room, "conformance/") || strings.HasPrefix(room, "interop/") {
			return
		}
		for power, owner := range powers {
			if room != owner && strings.Contains(text, power) {
				t.Errorf("%s uses %s): only %s may", name, power, owner)
			}
		}
	})
}

// imports reads what each folder's Go files import, tests left out. It reads the files itself, not through the go
// command, so that the test cache notices when one changes.
func imports(t *testing.T) map[string][]string {
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "examples" || skipped(d.Name())):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := path.Dir(filepath.ToSlash(name))
		if found[room] == nil {
			found[room] = []string{}
		}
		for _, spec := range file.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[room] = append(found[room], imp)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
