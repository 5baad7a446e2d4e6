package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/cli"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// raceOptions leave out the second that a process built with the race detector waits before it ends.
var raceOptions = strings.TrimSpace("atexit_sleep_ms=0 " + os.Getenv("GORACE"))

func TestMain(m *testing.M) {
	os.Setenv("GORACE", raceOptions)
	testscript.Main(searched{m}, map[string]func(){
		"fastmcp-auth": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, transcribed("stdout", os.Stdout), transcribed("stderr", os.Stderr)))
		},
		"person": person, "byhand": byHand,
	})
}

// TestScripts runs the real main as testdata/script/*.txtar say. Beside the usual commands there are:
//
//	exits CODE ARG…    run fastmcp-auth and expect this exit code; stdout and stderr are compared as after exec
//	start NAME ARG…    run it in the background, wait for its ready line, and set $NAME_mcp, $NAME_issuer, …
//	hangup NAME TEXT   send SIGHUP and wait until its stderr says TEXT
//	terminate NAME CODE  send SIGTERM and expect this exit code; its stderr is then the file NAME.log
//	interrupted CODE TEXT ARG…   run it, send SIGINT once its stderr says TEXT, and expect this exit code
//	broken NAME WAY    start a server that is wrong in one way: broken_test.go
//	provider, fault, mint, bycode, secretless    development providers inside the test, and their tokens: parties_test.go
//	BROWSER=person PERSON=NAME    a browser in which this user of a development provider signs in: parties_test.go
//	model FILE         a server of language models that answers as the file says: agent_test.go
//	played NAME        the same as a recorded one of agent/openai
//	azure FILE         the same as a deployment at Azure, for tokens of the world's provider alone
//	elsewhere DIR      open the only conversation in DIR in another process than fastmcp-auth, the test's own: agent_test.go
//	envfile NAME FROM  write the file NAME with what stands in FROM, its $variables filled in
//	http METHOD URL [HEADER…]    ask, and write status line, headers and body to stdout
//
// Those about signing in stand at worldCommands, those about programs that do so by themselves at programCommands. All that the program says in all scripts is searched for secrets at the
// end.
func TestScripts(t *testing.T) {
	cmds := worldCommands()
	maps.Copy(cmds, programCommands())
	maps.Copy(cmds, map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "start": start, "hangup": hangup, "terminate": terminate, "http": ask, "interrupted": interrupted, "envfile": envfile, "model": model, "azure": azure, "played": played, "elsewhere": elsewhere,
		"broken": broken, "provider": provider, "fault": fault, "mint": mint, "bycode": bycode, "secretless": secretless,
	})
	t.Run("scripts", func(t *testing.T) { // ends when all have ended
		testscript.Run(t, testscript.Params{
			Dir: filepath.Join("testdata", "script"),
			Setup: func(env *testscript.Env) error {
				env.Setenv("HOME", env.WorkDir)
				env.Setenv("GORACE", raceOptions)
				env.Setenv(secrets.Folder, os.Getenv(secrets.Folder))
				env.Values[running] = map[string]*process{}
				env.Values[providers] = map[string]*devidp.Running{}
				env.Values[vouched] = map[string]*vouching{}
				env.Values[worlds] = map[string]*worldOf{}
				return nil
			},
			Cmds:          cmds,
			UpdateScripts: *update,
		})
	})
	t.Run("C-19, C-21, attack 59: no output holds a secret", func(t *testing.T) {
		suite.Learn("nothing", "a secret that nobody has") // a run of one script may need none
		lines, looked, err := suite.Search(tokensPrinted)
		t.Log(looked)
		if err != nil {
			t.Error(err)
		}
		for _, line := range lines {
			t.Error(line)
		}
	})
}

var update = flag.Bool("update", false, "write the goldens of the scripts anew")

type key string

const running key = "running"

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("fastmcp-auth", args[1:]...)
	if shown := ts.ReadFile("ttyout"); shown != "" {
		ts.Check(suite.Keep("terminal", shown))
	}
	if got := codeOf(ts, err); neg || got != want {
		ts.Fatalf("fastmcp-auth %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func codeOf(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Check(err)
	return -1
}

// process is a command in the background.
type process struct {
	cmd    *exec.Cmd
	stdout io.Reader
	stderr heard
}

// heard is a stderr that may be read while it is written.
type heard struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // gets one when more was written
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case h.more <- struct{}{}:
	default:
	}
	return h.buf.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

func start(ts *testscript.TestScript, _ bool, args []string) {
	p := &process{cmd: exec.Command(filepath.Join(binDir(ts), "fastmcp-auth"), args[1:]...), stderr: heard{more: make(chan struct{}, 1)}}
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = append(ofHome(ts.Getenv("HOME")), secrets.Folder+"="+ts.Getenv(secrets.Folder))
	for _, name := range strings.Fields(ts.Getenv("PASS")) {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	ts.Defer(func() { p.cmd.Process.Kill() })
	ts.Value(running).(map[string]*process)[args[0]] = p

	reader := bufio.NewReader(out)
	line, err := reader.ReadBytes('\n')
	if err != nil {
		p.cmd.Wait()
		ts.Fatalf("no ready line: %v\n%s", err, p.stderr.String())
	}
	var ready map[string]any
	ts.Check(json.Unmarshal(line, &ready))
	for name, value := range ready {
		ts.Setenv(args[0]+"_"+name, fmt.Sprint(value))
	}
	p.stdout = reader
}

func binDir(ts *testscript.TestScript) string {
	return strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0]
}

func hangup(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(running).(map[string]*process)[args[0]]
	before := len(p.stderr.String())
	ts.Check(p.cmd.Process.Signal(syscall.SIGHUP))
	patience := time.After(30 * time.Second)
	for !strings.Contains(p.stderr.String()[before:], args[1]) {
		select {
		case <-p.stderr.more:
		case <-patience:
			ts.Fatalf("%s does not say %q:\n%s", args[0], args[1], p.stderr.String())
		}
	}
}

func terminate(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(running).(map[string]*process)[args[0]]
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	more, err := io.ReadAll(p.stdout)
	ts.Check(err)
	got := codeOf(ts, p.cmd.Wait())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), []byte(p.stderr.String()), 0o600))
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d\n%s", args[0], got, want, p.stderr.String())
	}
	if len(more) > 0 {
		ts.Fatalf("%s wrote more than its ready line to stdout:\n%s", args[0], more)
	}
}

func envfile(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, []byte(os.Expand(ts.ReadFile(args[1]), ts.Getenv)), 0o600))
}

func interrupted(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	stderr := heard{more: make(chan struct{}, 1)}
	var stdout bytes.Buffer
	cmd := exec.Command(filepath.Join(binDir(ts), "fastmcp-auth"), args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(ofHome(ts.Getenv("HOME")), secrets.Folder+"="+ts.Getenv(secrets.Folder))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ts.Check(cmd.Start())
	ts.Defer(func() { cmd.Process.Kill() })
	patience := time.After(30 * time.Second)
	for !strings.Contains(stderr.String(), args[1]) {
		select {
		case <-stderr.more:
		case <-patience:
			ts.Fatalf("it does not say %q:\n%s", args[1], stderr.String())
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	got := codeOf(ts, cmd.Wait())
	fmt.Fprint(ts.Stdout(), stdout.String())
	fmt.Fprint(ts.Stderr(), stderr.String())
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, stderr.String())
	}
}

func ask(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	for _, header := range args[2:] {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Add(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%d\n", res.StatusCode)
	ts.Check(res.Header.Write(ts.Stdout()))
	_, err = io.Copy(ts.Stdout(), res.Body)
	ts.Check(err)
}
