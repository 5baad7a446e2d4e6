package cluster_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/program"
	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// world is a provider and a balancer, whose address is the servers' public one.
type world struct {
	t        *testing.T
	dir      string
	program  string
	provider *devidp.Running
	secrets  *secrets.Known // of the provider
	front    *httptest.Server
	behind   atomic.Pointer[[]*httputil.ReverseProxy]
	turn     atomic.Uint64
	key      string // file with the key of the store
}

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: several servers on one Redis; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

var build = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "cluster") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := build(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run it, as make test does")
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), program: filepath.Join(dir, "fastmcp-auth"), secrets: &secrets.Known{}}
	if _, err := os.Stat(w.program); err != nil {
		program.Build(t, dir)
	}
	w.front = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// Otherwise what is left of a request is closed when its answer begins, and a server that is quick loses the connection.
		if err := http.NewResponseController(rw).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		all := *w.behind.Load()
		all[w.turn.Add(1)%uint64(len(all))].ServeHTTP(rw, r)
	}))
	t.Cleanup(w.front.Close)
	ctx, cancel := context.WithCancel(context.Background())
	w.provider, err = devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Resources: []string{w.front.URL + "/mcp"}, Scopes: []string{"execute"}, Around: w.secrets.Watch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); w.provider.Wait() })
	w.key = filepath.Join(w.dir, "key")
	if err := os.WriteFile(w.key, []byte(strings.Repeat("k", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// serve starts one more server.
func (w *world) serve(settings ...string) *program.Process {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "serve")
	if err != nil {
		w.t.Fatal(err)
	}
	p := program.Serve(w.t, w.program, dir, append([]string{
		"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_PUBLIC_URL=" + w.front.URL, "FASTMCP_AUTH_REVERSE_DURATION=3s",
		"FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + w.provider.Issuer(),
		"FASTMCP_AUTH_CONSOLE_CLIENT_ID=" + devidp.ClientWeb, "FASTMCP_AUTH_CONSOLE_CLIENT_SECRET=" + devidp.WebSecret,
	}, settings...)...)
	p.Secrets = w.secrets
	return p
}

// onRedis are the settings of a server on r.
func (w *world) onRedis(r *redis) []string {
	return []string{"FASTMCP_AUTH_STORE_KIND=redis", "FASTMCP_AUTH_STORE_URL=redis://" + r.addr, "FASTMCP_AUTH_STORE_KEY_FILE=" + w.key}
}

// balance sends requests to all of servers in turn.
func (w *world) balance(servers ...*program.Process) {
	var all []*httputil.ReverseProxy
	for _, s := range servers {
		to := &url.URL{Scheme: "http", Host: s.Ready.Addr}
		all = append(all, &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host
		}})
	}
	w.behind.Store(&all)
}

// eventually waits until ok says so.
func (w *world) eventually(ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			w.t.Fatal("it did not come to that")
		}
	}
}

// redis is a real one on a port of its own, which keeps what it holds when it is killed.
type redis struct {
	t    *testing.T
	args []string
	addr string
	cmd  *exec.Cmd
}

func (w *world) redis() *redis {
	w.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		leaveOut(w.t, "install Redis to run it")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	r := &redis{t: w.t, addr: free.Addr().String()}
	_, port, _ := net.SplitHostPort(r.addr)
	free.Close()
	r.args = []string{path, "--bind", "127.0.0.1", "--port", port, "--dir", w.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	r.start()
	w.t.Cleanup(r.kill)
	return r
}

// start runs Redis and waits until it says that it answers.
func (r *redis) start() {
	r.t.Helper()
	r.cmd = exec.Command(r.args[0], r.args[1:]...)
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go io.Copy(io.Discard, out)
			return
		}
	}
	r.t.Fatal("redis ends")
}

func (r *redis) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}
