package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// world is a provider and a protected server in the process of the test, so that a script can do to them what it likes.
type world struct {
	provider *devidp.Server
	secrets  *secrets.Suite
	halt     func() // ends the protected server
	stop     func()

	mcp, issuer string

	mu     sync.Mutex
	down   bool             // no request is answered
	answer func(url.Values) // hears what a token request said once it is answered, and before that is sent
}

const worlds key = "worlds"

// worldCommands are the commands of scripts about signing in:
//
//	world [standard|entra [programs|company]]    start a provider and a protected server, and set $mcp, $issuer, $client and
//	                             $api, which stands before the API's scopes
//	idp WHAT [ARG…]              up, down, ill, disable USER, enable USER, revoke USER, lifetime DURATION, skew DURATION,
//	                             forget (clients that registered), blockdevice
//	counts KIND N                the provider had N requests of this kind since the last counts or world
//	signin USER CODE ARG…        run fastmcp-auth as exits does, while USER enters every code that it shows; - enters none
//	pasting USER CODE ARG…       run fastmcp-auth while USER opens the page it shows elsewhere, and pastes the address it ends at
//	together USER ARG…           run fastmcp-auth twice at once; USER signs in when the second has said where to. stderr is the
//	                             second's
//	scrub                        write stdout and stderr of the last command to the files out and err, without what differs
//	                             from run to run
//	age                          let an hour and more go by for every access token that is kept
//	hangingbus                   set DBUS_SESSION_BUS_ADDRESS to a bus that takes every connection and never answers
func worldCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"world": startWorld, "idp": command, "counts": counts, "signin": signIn, "scrub": scrub, "hangingbus": hangingBus, "pasting": pasting,
		"together": together, "age": age,
	}
}

// newWorld starts a world. Its protected server listens at host, which may be empty for loopback's usual address.
func newWorld(ctx context.Context, character devidp.Character, host string, known *secrets.Suite, change ...func(*devidp.Options)) (*world, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &world{secrets: known, issuer: "http://" + l.Addr().String()}
	o := devidp.Options{Issuer: w.issuer, Character: character, Algorithm: "ES256", DeviceInterval: time.Second, RefreshGrace: time.Minute}
	if character == devidp.Entra {
		o.Resources = []string{azureAudience}
	}
	for _, c := range change {
		c(&o)
	}
	w.provider, err = devidp.New(o)
	if err != nil {
		return nil, err
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	srv.Listener.Close()
	srv.Listener = l
	srv.Start()
	addr := "127.0.0.1:0"
	if host != "" { // nobody else listens there, so the port stays free once the server is down
		if addr, err = freePort(host); err != nil {
			return nil, err
		}
	}
	environ := []string{
		"FASTMCP_AUTH_ADDR=" + addr, "FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + w.provider.Issuer(),
		"FASTMCP_AUTH_REVERSE_DURATION=50ms",
	}
	if host != "" {
		environ = append(environ, "FASTMCP_AUTH_ALLOWED_HOSTS="+addr)
	}
	if character == devidp.Entra {
		environ = append(environ, "FASTMCP_AUTH_PROVIDER_AUDIENCE="+devidp.EntraAPI, "FASTMCP_AUTH_PROVIDER_SCOPE_PREFIX=api://"+devidp.EntraAPI+"/")
	}
	settings, err := config.Load(config.Source{Command: config.Serve, Environ: environ, Dir: os.TempDir()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	server, err := app.Listen(ctx, settings, app.Options{Version: "test"})
	if err != nil {
		cancel()
		return nil, err
	}
	w.mcp, w.issuer = server.Addresses().MCP, w.provider.Issuer()
	done := make(chan struct{})
	go func() { defer close(done); server.Run(ctx) }()
	w.halt = func() { cancel(); <-done }
	w.stop = func() { w.halt(); srv.CloseClientConnections(); srv.Close() }
	return w, nil
}

// freePort is an address at host that nobody listens at.
func freePort(host string) (string, error) {
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve is the provider, and remembers every secret that passes.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form, _ := url.ParseQuery(string(body))
	kept := httptest.NewRecorder()
	w.secrets.Watch(w.provider).ServeHTTP(kept, r)
	w.mu.Lock()
	answer := w.answer
	w.mu.Unlock()
	if answer != nil && form.Get("grant_type") != "" {
		answer(form)
	}
	for name, values := range kept.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(kept.Code)
	rw.Write(kept.Body.Bytes())
}

func startWorld(ts *testscript.TestScript, _ bool, args []string) {
	character, client, api := devidp.Standard, devidp.ClientCLI, ""
	if len(args) > 0 && args[0] == "entra" {
		character, client, api = devidp.Entra, devidp.EntraCLI, "api://"+devidp.EntraAPI+"/"
	}
	ctx, cancel := context.WithCancel(context.Background())
	var change []func(*devidp.Options)
	if len(args) > 1 {
		change = append(change, map[string]func(*testscript.TestScript) func(*devidp.Options){"programs": ofPrograms, "company": ofCompany}[args[1]](ts))
	}
	w, err := newWorld(ctx, character, ts.Getenv("host"), suite, change...)
	ts.Check(err)
	ts.Defer(func() { cancel(); w.stop() })
	ts.Value(worlds).(map[string]*worldOf)["it"] = &worldOf{w, map[string]int64{}}
	ts.Setenv("mcp", w.mcp)
	ts.Setenv("issuer", w.issuer)
	ts.Setenv("client", client)
	ts.Setenv("api", api)
	counted(ts)
}

// worldOf is the world of a script, and what had been counted there.
type worldOf struct {
	*world
	before map[string]int64
}

func here(ts *testscript.TestScript) *worldOf { return ts.Value(worlds).(map[string]*worldOf)["it"] }

func counted(ts *testscript.TestScript) map[string]int64 {
	w := here(ts)
	now, since := w.provider.Faults().Counts(), map[string]int64{}
	for kind, n := range now {
		since[kind] = n - w.before[kind]
	}
	w.before = now
	return since
}

func counts(ts *testscript.TestScript, _ bool, args []string) {
	since := counted(ts)
	for i := 0; i+1 < len(args); i += 2 {
		if want, err := strconv.ParseInt(args[i+1], 10, 64); err != nil || since[args[i]] != want {
			ts.Fatalf("%d requests of kind %s, want %s", since[args[i]], args[i], args[i+1])
		}
	}
}

func command(ts *testscript.TestScript, _ bool, args []string) {
	w, f := here(ts), here(ts).provider.Faults()
	arg := ""
	if len(args) > 1 {
		arg = args[1]
	}
	switch args[0] {
	case "up", "down":
		w.mu.Lock()
		w.down = args[0] == "down"
		w.mu.Unlock()
	case "ill":
		f.SetDown(true)
	case "disable", "enable":
		f.SetDisabled(arg, args[0] == "disable")
	case "revoke":
		f.RevokeSignIns(arg)
	case "forget":
		f.ForgetRegistrations()
	case "blockdevice":
		f.SetDeviceFlowBlocked(true)
	case "lifetime", "skew":
		d, err := time.ParseDuration(arg)
		ts.Check(err)
		map[string]func(time.Duration){"lifetime": f.SetTokenLifetime, "skew": f.SetClockSkew}[args[0]](d)
	default:
		ts.Fatalf("idp does not know %s", args[0])
	}
}

func hangingBus(ts *testscript.TestScript, _ bool, _ []string) {
	socket := filepath.Join(os.TempDir(), fmt.Sprintf("bus-%d-%d", os.Getpid(), time.Now().UnixNano())) // a short path
	l, err := net.Listen("unix", socket)
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+socket)
}

var shownCode = regexp.MustCompile(`^ *enter +(\S+)`)

// signIn runs the program while somebody enters the codes that it shows.
func signIn(ts *testscript.TestScript, _ bool, args []string) {
	user := args[0]
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := program(ts, args[2:])
	cmd.Stdout = ts.Stdout()
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		fmt.Fprintln(ts.Stderr(), lines.Text())
		code := shownCode.FindStringSubmatch(lines.Text())
		if code == nil || user == "-" {
			continue
		}
		if user == devidp.Cancel {
			err = (&devidp.Visitor{}).ApproveDevice(context.Background(), here(ts).provider.Issuer()+"/device", code[1], user)
		} else {
			err = here(ts).provider.ApproveDevice(code[1], user)
		}
		if err != nil {
			fmt.Fprintf(ts.Stderr(), "%s cannot sign in: %v\n", user, err)
			cmd.Process.Signal(os.Interrupt)
		}
	}
	if got := codeOf(ts, cmd.Wait()); got != want {
		ts.Fatalf("fastmcp-auth %s: exit code %d, want %d", strings.Join(args[2:], " "), got, want)
	}
}

var shownPage = regexp.MustCompile(`^ *(http\S+/authorize\?\S+)`)

func pasting(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := program(ts, args[2:])
	cmd.Stdout = ts.Stdout()
	paste, err := cmd.StdinPipe()
	ts.Check(err)
	said, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		fmt.Fprintln(ts.Stderr(), lines.Text())
		if page := shownPage.FindStringSubmatch(lines.Text()); page != nil {
			to, err := new(devidp.Visitor).SignIn(context.Background(), page[1], args[0])
			ts.Check(err)
			fmt.Fprintln(paste, to)
		}
	}
	if got := codeOf(ts, cmd.Wait()); got != want {
		ts.Fatalf("fastmcp-auth %s: exit code %d, want %d", strings.Join(args[2:], " "), got, want)
	}
}

func together(ts *testscript.TestScript, _ bool, args []string) {
	var code string
	run := func(hear func(line string)) (wait func()) {
		cmd := program(ts, args[1:])
		said, err := cmd.StderrPipe()
		ts.Check(err)
		ts.Check(cmd.Start())
		heard, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			first := true
			for lines := bufio.NewScanner(said); lines.Scan(); {
				hear(lines.Text())
				if m := shownCode.FindStringSubmatch(lines.Text()); m != nil && first {
					code, first = m[1], false
					close(heard)
				}
			}
		}()
		<-heard
		return func() {
			<-done
			if got := codeOf(ts, cmd.Wait()); got != 0 {
				ts.Fatalf("fastmcp-auth %s: exit code %d", strings.Join(args[1:], " "), got)
			}
		}
	}
	one := run(func(string) {})
	two := run(func(line string) { fmt.Fprintln(ts.Stderr(), line) })
	ts.Check(here(ts).provider.ApproveDevice(code, args[0]))
	one()
	two()
}

// ofHome is the environment of this process for another whose home is dir: nothing that a test runs touches the home of
// whoever runs it.
func ofHome(dir string) []string {
	environ := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "XDG_") || strings.HasPrefix(s, "STATE_DIRECTORY=") })
	return append(environ, "HOME="+dir)
}

func TestNoProcessIsStartedInTheHomeOfThePerson(t *testing.T) {
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	inherits := regexp.MustCompile(`\.Env = .*os\.Environ\(\)`)
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if line := inherits.Find(body); line != nil {
			t.Errorf("%s: %s: use ofHome", name, line)
		}
	}
}

// program is the program, as the script runs it.
func program(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binDir(ts), "fastmcp-auth"), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(scriptEnv(ts), secrets.Folder+"="+ts.Getenv(secrets.Folder))
	return cmd
}

// scriptEnv is the environment of the script, as exec hands it on.
func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range append(strings.Fields(ts.Getenv("PASS")), "HOME", "PATH", "WORK", "GORACE", "TMPDIR", "CI", "BROWSER", "PERSON", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS") {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// what differs from run to run.
var differing = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}\b`), "CODE"},
	{regexp.MustCompile(`(?m)^( *enter +)\S+$`), "${1}CODE"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "TIME"},
	{regexp.MustCompile(`\((\d+d)?(\d+h)?\d+[ms]\)`), "(LEFT)"},
	{regexp.MustCompile(`good for (\d+h)?(\d+m)?\d+s`), "good for LEFT"},
	{regexp.MustCompile(`(state|code_challenge|code|nonce)=[A-Za-z0-9_~.%-]+`), "$1=…"},
	{regexp.MustCompile(`127\.0\.0\.\d(:|%3A)\d+`), "HOST"},
	{regexp.MustCompile(`localhost:\d+`), "localhost:PORT"},
	{regexp.MustCompile(`"client_id": "[A-Za-z0-9_-]{20,}"`), `"client_id": "REGISTERED"`},
	{regexp.MustCompile(`client( +)[A-Za-z0-9_-]{20,}`), "client${1}REGISTERED"},
	{regexp.MustCompile(`client_id=[A-Za-z0-9_-]{20,}`), "client_id=REGISTERED"},
	{regexp.MustCompile(`((?i)(correlation|trace)( id)?:? )[0-9a-f-]{36}`), "${1}ID"},
	{regexp.MustCompile(`client id [A-Za-z0-9_-]{20,}`), "client id REGISTERED"},
	{regexp.MustCompile(`(done in|failed after|cancelled after) \d+\.\d s`), "$1 S s"},
	{regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]+`), "TOKEN"},
	{regexp.MustCompile(`TIME, in [^()\n]+ \(`), "TIME, in LEFT ("},
	{regexp.MustCompile(`TIME, (now|[^()\n]+ ago) \(`), "TIME, AGO ("},
	{regexp.MustCompile(`kid "[\w-]+"`), `kid "KID"`},
	{regexp.MustCompile(`(?m)^( +(?:header kid|jti|sid|aio|rh|uti) +)\S+`), "${1}RANDOM"},
	{regexp.MustCompile(`(?m)^( +client_id +)[\w-]{20,}`), "${1}REGISTERED"},
	{regexp.MustCompile(`\d+ bytes`), "N bytes"},
	{regexp.MustCompile(`fastmcp-auth devel[\w.-]*,`), "fastmcp-auth VERSION,"},
	{regexp.MustCompile(`\.new-\d+`), ".new-N"},
	{regexp.MustCompile(`signin-[\w-]+\.sealed`), "signin-HASH.sealed"},
	{regexp.MustCompile(`"request_id":"\w+"`), `"request_id":"ID"`},
}

func scrub(ts *testscript.TestScript, _ bool, _ []string) {
	for file, from := range map[string]string{"out": "stdout", "err": "stderr"} {
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(scrubbed(ts, ts.ReadFile(from))), 0o600))
	}
}

// scrubbed is text without what differs from run to run.
func scrubbed(ts *testscript.TestScript, text string) string {
	for _, world := range []struct{ value, name string }{{ts.Getenv("mcp"), "MCP"}, {ts.Getenv("issuer"), "ISSUER"}, {ts.Getenv("WORK"), "WORK"}} {
		if world.value != "" {
			text = strings.ReplaceAll(text, world.value, world.name)
			text = strings.ReplaceAll(text, url.QueryEscape(world.value), world.name)
		}
	}
	for _, d := range differing {
		text = d.pattern.ReplaceAllString(text, d.name)
	}
	return text
}
