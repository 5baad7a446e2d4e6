package fastmcpauth_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheLinkerMayLeaveMethodsOut fails where code that the program can reach finds methods by a name that is known
// only when it runs, as text/template and html/template do. Then the linker keeps every exported method of every type, of
// the Redis client and the policy language above all: a third of the program. Write what the template wrote in Go, as
// devidp/markup.go does.
//
// The tag keeps golang.org/x/net/trace, which has templates, out of gRPC, which the protocol of OpenTelemetry's
// collector brings along though the program speaks HTTP to it. It can go when the OTLP exporters no longer import gRPC.
func TestTheLinkerMayLeaveMethodsOut(t *testing.T) {
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") == "" {
		t.Skip("left out: what the linker keeps. Set FASTMCP_AUTH_INTEGRATION=1 to run it.")
	}
	walk(t, ".go", func(string, string) {}) // so that the test cache notices when one changes
	contents(t, "go.sum")

	// With -race, because that is how the tests have built it all already.
	build := exec.Command("go", "build", "-race", "-tags", tags(t, contents(t, "Makefile")), "-ldflags=-dumpdep", "-o", os.DevNull, "./cmd/fastmcp-auth")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out[max(0, len(out)-4096):])
	}
	var reached int
	var finders []string
	for line := range strings.SplitSeq(string(out), "\n") {
		who, _, edge := strings.Cut(line, " -> ")
		if !edge {
			continue
		}
		reached++
		if name, finds := strings.CutSuffix(who, " <ReflectMethod>"); finds && !slices.Contains(finders, name) {
			finders = append(finders, name)
		}
	}
	if reached < 10_000 {
		t.Fatalf("the linker told of %d edges only: %.200s", reached, out)
	}
	if len(finders) > 0 {
		t.Errorf("these find methods by name, and so keep all of the whole program: %s", strings.Join(finders, ", "))
	}
}

// TestTagsOfTheImage holds what builds the image against the Makefile.
func TestTagsOfTheImage(t *testing.T) {
	if got, want := tags(t, contents(t, "deploy/docker/Dockerfile")), tags(t, contents(t, "Makefile")); got != want {
		t.Errorf("the image is built with the tags %q, bin/fastmcp-auth with %q", got, want)
	}
}

// tags are the build tags that text, a Makefile or a Dockerfile, builds the program with.
func tags(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^TAGS +:= (\S+)$|-tags (\w\S*)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no build tags found")
	}
	return m[1] + m[2]
}
