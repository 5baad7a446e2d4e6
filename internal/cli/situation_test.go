package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// characters are the ways of the development provider, as scripts name them.
var characters = []string{devidp.Standard.String(), devidp.Entra.String()}

// TestEveryCommandInEverySituation runs the scripts of testdata/situation, each at a provider of either character. A script
// puts the program into a situation and runs the commands in it:
//
//	world          start a provider and a protected server, which the commands then call by themselves
//	run [<FILE] ARG…   run the real main, with FILE as stdin. $PERSON does what it asks for: enters the code, or signs in
//	               with the browser; who cannot presses Ctrl-C
//	server down    end the protected server
//	age, broken, counts, hangingbus, idp   as in testdata/script
//	[entra] stop   what follows is for the other character alone, or does not depend on the provider
//
// What was said stands in the script's file "said", one command after the other as on a terminal: first the command, then its
// stdout, then its stderr, where each line begins with "2> ", then its exit code. A command that says one thing at one
// character and another at the other stands there twice, marked. -update writes the files anew: read them then.
func TestEveryCommandInEverySituation(t *testing.T) {
	heard := &transcripts{dir: filepath.Join("testdata", "situation"), said: map[string][]string{}}
	cmds := worldCommands()
	maps.Copy(cmds, map[string]func(*testscript.TestScript, bool, []string){"broken": broken, "world": arrive, "run": heard.run, "server": server})
	t.Run("at", func(t *testing.T) { // ends when all have ended
		for i, character := range characters {
			t.Run(character, func(t *testing.T) {
				t.Parallel()
				testscript.Run(t, testscript.Params{
					Dir: heard.dir,
					Setup: func(env *testscript.Env) error {
						for name, value := range map[string]string{
							"HOME": env.WorkDir, "GORACE": raceOptions, secrets.Folder: os.Getenv(secrets.Folder), "BROWSER": "true", "PERSON": devidp.UserUser,
							"character": character, "alone": fmt.Sprint("127.0.0.", 2+i), // an address for a server whose port must stay free
						} {
							env.Setenv(name, value)
						}
						env.Values[worlds] = map[string]*worldOf{}
						return nil
					},
					Cmds:      cmds,
					Condition: func(said string) (bool, error) { return said == character, nil },
				})
			})
		}
	})
	if *update {
		heard.write(t)
	} else {
		heard.whole(t)
	}
}

// passed are the settings of the commands in a situation.
const passed = "FASTMCP_AUTH_SERVER FASTMCP_AUTH_CLIENT_ID FASTMCP_AUTH_PROVIDER_KIND FASTMCP_AUTH_PROVIDER_ISSUER FASTMCP_AUTH_PROVIDER_AUDIENCE " +
	"FASTMCP_AUTH_PROVIDER_SCOPE_PREFIX FASTMCP_AUTH_PUBLIC_URL"

// arrive starts the world, and sets what the commands need to know of it: those that call the server, and explain, which
// is told what the server is told.
func arrive(ts *testscript.TestScript, _ bool, _ []string) {
	startWorld(ts, false, []string{ts.Getenv("character")})
	ts.Setenv("PASS", passed)
	ts.Setenv("FASTMCP_AUTH_SERVER", ts.Getenv("mcp"))
	ts.Setenv("FASTMCP_AUTH_PUBLIC_URL", strings.TrimSuffix(ts.Getenv("mcp"), "/mcp"))
	ts.Setenv("elsewhere", strings.Replace(ts.Getenv("mcp"), "127.0.0.1", "localhost", 1))
	ts.Setenv("FASTMCP_AUTH_PROVIDER_KIND", "dev")
	ts.Setenv("FASTMCP_AUTH_PROVIDER_ISSUER", ts.Getenv("issuer"))
	if ts.Getenv("character") == devidp.Entra.String() {
		ts.Setenv("FASTMCP_AUTH_CLIENT_ID", ts.Getenv("client"))
		ts.Setenv("FASTMCP_AUTH_PROVIDER_AUDIENCE", devidp.EntraAPI)
		ts.Setenv("FASTMCP_AUTH_PROVIDER_SCOPE_PREFIX", ts.Getenv("api"))
	}
}

// age refreshes each kept sign-in by a clock that is two hours slow: what comes looks an hour over to whoever reads it.
func age(ts *testscript.TestScript, _ bool, _ []string) {
	slow := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	cache, err := tokencache.New(tokencache.Options{Dir: filepath.Join(ts.Getenv("HOME"), ".config", "fastmcp-auth", "sign-ins"), Now: slow})
	ts.Check(err)
	all, err := cache.SignIns()
	ts.Check(err)
	for _, k := range all {
		tokens, err := cache.Tokens(k.State.Server, tokencache.Use{Account: k.State.Account.Subject, Resume: signin.ResumeOptions{Now: slow}})
		ts.Check(err)
		if done, err := tokens.Renew(context.Background(), k.State.Access); err != nil || !done {
			ts.Fatalf("age %s: %v, %v", k.State.Account, done, err)
		}
	}
}

func server(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || args[0] != "down" {
		ts.Fatalf("server does not know %q", args)
	}
	here(ts).halt()
}

// transcripts are what commands said, by script and character.
type transcripts struct {
	dir string

	mu   sync.Mutex
	said map[string][]string
}

func (h *transcripts) run(ts *testscript.TestScript, _ bool, args []string) {
	step := converse(ts, args)
	character := ts.Getenv("character")
	key := ts.Name() + " " + character
	h.mu.Lock()
	i := len(h.said[key])
	h.said[key] = append(h.said[key], step)
	h.mu.Unlock()
	if *update {
		return
	}
	golden := goldenOf(ts.ReadFile("said"), character)
	if i >= len(golden) {
		ts.Fatalf("said does not know this command yet; write it with -update:\n%s", step)
	}
	if golden[i] != step {
		ts.Fatalf("%s", diff.Diff("golden", []byte(golden[i]), "said", []byte(step)))
	}
}

// converse runs one command to its end, and returns how it looked.
func converse(ts *testscript.TestScript, args []string) string {
	cmd := program(ts, args)
	if len(args) == 0 {
	} else if from, ok := strings.CutPrefix(args[0], "<"); ok {
		cmd = program(ts, args[1:])
		cmd.Stdin = strings.NewReader(ts.ReadFile(from))
		args = append(args[1:], "<"+from)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	defer time.AfterFunc(runPatience, func() { cmd.Process.Kill() }).Stop()
	var said, marked, happened strings.Builder
	page := ""
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if m := shownDevicePage.FindStringSubmatch(lines.Text()); m != nil {
			page = m[1]
		}
		if err := oblige(page, lines.Text(), ts.Getenv("PERSON")); err != nil {
			fmt.Fprintf(&happened, "%s cannot sign in (%v) and presses Ctrl-C\n", ts.Getenv("PERSON"), err)
			cmd.Process.Signal(os.Interrupt)
		}
	}
	code := codeOf(ts, cmd.Wait())
	ts.Stdout().Write(out.Bytes())
	ts.Stderr().Write([]byte(said.String()))
	for line := range strings.Lines(scrubbed(ts, said.String())) {
		fmt.Fprint(&marked, "2> ", line)
	}
	command := scrubbed(ts, "$ fastmcp-auth "+strings.Join(args, " "))
	return fmt.Sprintf("%s\n%s%s%sexit %d\n", command, lined(scrubbed(ts, out.String())), marked.String(), happened.String(), code)
}

// runPatience is how long a command may take at most.
const runPatience = 2 * time.Minute

// oblige does what a line asks a person for: to enter a code at page, or to sign in with a browser.
func oblige(page, line, person string) error {
	if m := shownCode.FindStringSubmatch(line); m != nil {
		return new(devidp.Visitor).ApproveDevice(context.Background(), page, m[1], person)
	}
	m := shownPage.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	back, err := new(devidp.Visitor).SignIn(context.Background(), m[1], person)
	if err != nil {
		return err
	}
	resp, err := http.Get(back.String())
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

var shownDevicePage = regexp.MustCompile(`^ *open +(\S+)`)

// lined is text that ends with a line's end, and says so where it did not.
func lined(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "(no end of line)\n"
}

var stepStart = regexp.MustCompile(`^(?:\[(\w+)\] )?\$ `)

// goldenOf reads what each command says at a provider of this character.
func goldenOf(said, character string) (steps []string) {
	ours := false
	for line := range strings.Lines(said) {
		if m := stepStart.FindStringSubmatch(line); m != nil {
			if ours = m[1] == "" || m[1] == character; ours {
				steps = append(steps, "")
				line = strings.TrimPrefix(line, "["+m[1]+"] ")
			}
		}
		if ours && len(steps) > 0 {
			steps[len(steps)-1] += line
		}
	}
	for i := range steps {
		steps[i] = strings.TrimRight(steps[i], "\n") + "\n"
	}
	return steps
}

// whole holds that every command of the goldens was run.
func (h *transcripts) whole(t *testing.T) {
	for key, steps := range h.said {
		script, character, _ := strings.Cut(key, " ")
		golden := goldenOf(h.golden(t, script), character)
		if len(steps) < len(golden) && !t.Failed() {
			t.Errorf("%s at %s ran %d commands, and its golden has %d; write it with -update", script, character, len(steps), len(golden))
		}
	}
}

func (h *transcripts) golden(t *testing.T, script string) string {
	archive, err := txtar.ParseFile(filepath.Join(h.dir, script+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "said" {
			return string(f.Data)
		}
	}
	t.Fatalf("%s has no file said", script)
	return ""
}

// write writes the goldens anew.
func (h *transcripts) write(t *testing.T) {
	for key, one := range h.said {
		script, character, _ := strings.Cut(key, " ")
		if character != characters[0] {
			continue
		}
		other := h.said[script+" "+characters[1]]
		var b strings.Builder
		for i := range max(len(one), len(other)) {
			if i < len(one) && i < len(other) && one[i] == other[i] {
				b.WriteString(one[i] + "\n")
				continue
			}
			for at, steps := range [][]string{one, other} {
				if i < len(steps) {
					fmt.Fprintf(&b, "[%s] %s\n", characters[at], steps[i])
				}
			}
		}
		path := filepath.Join(h.dir, script+".txtar")
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "said" })
		archive.Files = append(archive.Files, txtar.File{Name: "said", Data: []byte(strings.TrimSuffix(b.String(), "\n"))})
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
