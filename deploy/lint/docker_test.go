package lint

import (
	"bytes"
	"context"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"
)

const dockerfile = root + "/deploy/docker/Dockerfile"

// offline says of every image that it is a bare one, so that nothing is fetched.
type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, digest.FromString(ref), []byte(`{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/go/bin:/usr/bin:/bin"]}}`), nil
}

// findings are what the checks of "docker build --check" say.
func findings(t *testing.T, body []byte) []string {
	t.Helper()
	platform := platforms.MustParse("linux/amd64")
	opt := dockerfile2llb.ConvertOpt{MetaResolver: offline{}, TargetPlatform: &platform,
		SourceMap: &llb.SourceMap{Filename: "Dockerfile", Data: body, Definition: &llb.Definition{}}}
	opt.BuildPlatforms = append(opt.BuildPlatforms, platform)
	results, err := dockerfile2llb.DockerfileLint(t.Context(), body, opt)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	if results.Error != nil {
		found = append(found, results.Error.Message)
	}
	for _, w := range results.Warnings {
		found = append(found, w.RuleName+": "+w.Detail)
	}
	return found
}

func TestDockerfileHasNoFindings(t *testing.T) {
	for _, found := range findings(t, read(t, dockerfile)) {
		t.Error(found)
	}
	// A file that is wrong has some: the checks do run.
	if bad := findings(t, []byte("from scratch\nCMD serve\nENV SECRET_TOKEN=x\n")); len(bad) < 3 {
		t.Errorf("a bad file has only these findings: %q", bad)
	}
}

// stages are what the Dockerfile says, stage by stage.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(bytes.NewReader(read(t, dockerfile)))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func TestImageHoldsOneProgramThatNobodyElseOwns(t *testing.T) {
	all := stages(t)
	final := all[len(all)-1]
	if final.BaseName != "scratch" {
		t.Errorf("the image stands on %s", final.BaseName)
	}
	entry := ""
	check := []string{}
	copied := []string{}
	labels := []string{}
	user := ""
	command := []string{}
	for _, c := range final.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entry = c.CmdLine[0]
		case *instructions.CmdCommand:
			command = c.CmdLine
		case *instructions.HealthCheckCommand:
			check = c.Health.Test
		case *instructions.CopyCommand:
			copied = append(copied, c.DestPath)
			if c.From == "" {
				t.Errorf("%s comes from the context, not from the build", c.DestPath)
			}
		case *instructions.LabelCommand:
			for _, l := range c.Labels {
				labels = append(labels, strings.Trim(l.Key, `"`))
			}
		case *instructions.RunCommand:
			t.Errorf("something runs in an image without a shell: %v", c.CmdLine)
		}
	}
	uid, gid, _ := strings.Cut(user, ":")
	for _, id := range []string{uid, gid} {
		if n, err := strconv.Atoi(id); err != nil || n == 0 {
			t.Errorf("the user is %q, not a number other than root's", user)
		}
	}
	if want := append([]string{"CMD", entry, "health"}, command[1:]...); command[0] != "serve" || !slices.Equal(check, want) {
		t.Errorf("the health check is %q, want %q, with the address that %q has", check, want, command)
	}
	for _, path := range []string{entry, "/etc/ssl/certs/ca-certificates.crt", "/LICENSE", "/var/log/fastmcp-auth"} {
		if !slices.Contains(copied, path) {
			t.Errorf("the image has no %s", path)
		}
	}
	for _, label := range []string{"title", "description", "licenses", "source", "version", "revision"} {
		if !slices.Contains(labels, "org.opencontainers.image."+label) {
			t.Errorf("the image has no label %s", label)
		}
	}
}

// TestBuildLineMakesAStaticProgram runs the line of the Dockerfile, here, with what .dockerignore lets into the context.
func TestBuildLineMakesAStaticProgram(t *testing.T) {
	var line string
	var commands []instructions.Command
	for _, s := range stages(t) {
		commands = append(commands, s.Commands...)
	}
	for _, c := range commands {
		if run, ok := c.(*instructions.RunCommand); ok && strings.Contains(run.CmdLine[0], "go build") {
			line = run.CmdLine[0]
		}
	}
	if line == "" {
		t.Fatal("nothing is built")
	}
	out := t.TempDir()
	build := exec.Command("sh", "-ec", strings.ReplaceAll(line, "/out/", out+"/"))
	build.Dir = buildContext(t)
	build.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=amd64", "VERSION=v1.2.3-test")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, text)
	}

	built := filepath.Join(out, "fastmcp-auth")
	f, err := elf.Open(built)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program asks for %v, which an empty image has not", p.Type)
		}
	}
	if libs, err := f.ImportedLibraries(); err != nil || len(libs) > 0 {
		t.Errorf("the program needs %v, %v", libs, err)
	}
	if f.Machine != elf.EM_X86_64 {
		t.Errorf("built for %v", f.Machine)
	}
	if text, err := exec.Command(built, "--version").Output(); err != nil || !strings.Contains(string(text), "v1.2.3-test") {
		t.Errorf("--version says %q, %v", text, err)
	}
}

// buildContext copies what the build sees.
func buildContext(t *testing.T) string {
	t.Helper()
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, root+"/.dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || name == "." {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(filepath.ToSlash(name))
		switch {
		case err != nil:
			return err
		case skip && d.IsDir():
			return filepath.SkipDir
		case skip || !d.IsDir() && !d.Type().IsRegular():
			return nil
		case d.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o755)
		case strings.HasSuffix(name, "_test.go"), strings.HasPrefix(name, ".git/"):
			t.Errorf("%s goes into the image's build", name)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), body, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
