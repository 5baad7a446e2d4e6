package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// eras are what the Inspector may be told to speak. It calls everything before 2026-07-28 legacy.
var eras = []string{"legacy", "auto", "modern"}

// Exit codes of the Inspector, as its documentation names them.
const (
	done         = 0
	failed       = 1
	authRequired = 3
	toolError    = 5
)

// inspector prepares one run of the Inspector's command line. Its secrets stay in memory, its files in an empty home.
func inspector(t *testing.T, ctx context.Context, mcp string, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join("node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	cmd := exec.CommandContext(ctx, nodePath, append([]string{path, "--cli", mcp, "--transport", "http", "--format", "json"}, args...)...)
	cmd.Env = environment(t, "MCP_INSPECTOR_SECRET_STORE=memory")
	return cmd
}

// inspect runs the Inspector to its end.
func inspect(t *testing.T, mcp string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return run(t, ctx, inspector(t, ctx, mcp, args...))
}

// printed is what the Inspector prints with --format json: on stdout a result, on stderr an error.
type printed struct {
	Result struct {
		Tools []struct {
			Name                      string
			InputSchema, OutputSchema map[string]any
		}
		Resources         []struct{ URI string }
		Contents          []struct{ URI, Text string }
		StructuredContent map[string]any
		IsError           bool
	}
	Error struct {
		Code, Message string
		Status        int
	}
}

// result reads what a run printed and holds it to its exit code.
func (o outcome) result(t *testing.T, code int) printed {
	t.Helper()
	if o.code != code {
		t.Fatalf("the Inspector ended with %d, want %d\n%s\n%s", o.code, code, o.stdout, o.stderr)
	}
	var p printed
	for _, line := range append(strings.Split(o.stdout, "\n"), strings.Split(o.stderr, "\n")...) {
		if strings.HasPrefix(line, "{") {
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
		}
	}
	return p
}

func bearing(token string) []string {
	return []string{"--header", "Authorization: Bearer " + token}
}

func TestInspectorListsTools(t *testing.T) {
	s := serve(t)
	token := s.serviceToken(t, "execute")
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			args := append(bearing(token), "--protocol-era", era, "--method", "tools/list", "--strict")
			var names []string
			for _, tool := range inspect(t, s.MCP, args...).result(t, done).Result.Tools {
				names = append(names, tool.Name)
				if tool.InputSchema["type"] != "object" || tool.OutputSchema["type"] != "object" {
					t.Errorf("%s has schemas %v and %v", tool.Name, tool.InputSchema, tool.OutputSchema)
				}
			}
			slices.Sort(names)
			if want := []string{"convert_time", "get_current_time", "random_number_tool", "reverse_tool"}; !slices.Equal(names, want) {
				t.Errorf("tools are %v, want %v", names, want)
			}
		})
	}
}

func TestInspectorListsAndReadsResources(t *testing.T) {
	s := serve(t)
	token := s.serviceToken(t, "execute")
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			args := append(bearing(token), "--protocol-era", era, "--method")
			var uris []string
			for _, r := range inspect(t, s.MCP, append(args, "resources/list")...).result(t, done).Result.Resources {
				uris = append(uris, r.URI)
			}
			slices.Sort(uris)
			if want := []string{"time://current", "time://timezones"}; !slices.Equal(uris, want) {
				t.Errorf("resources are %v, want %v", uris, want)
			}
			read := inspect(t, s.MCP, append(args, "resources/read", "--uri", "time://timezones")...).result(t, done)
			if len(read.Result.Contents) != 1 || !strings.Contains(read.Result.Contents[0].Text, "Asia/Kathmandu") {
				t.Errorf("time://timezones reads as %.200v", read.Result.Contents)
			}
		})
	}
}

func TestInspectorCallsTools(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	token := s.serviceToken(t, "execute")
	for _, era := range []string{"legacy", "modern"} {
		for _, row := range []struct {
			name, tool, args string
			code             int
			key              string
			want             any
		}{
			{"reverse_tool", "reverse_tool", `{"query":"añb"}`, done, "reversed_query", "bña"},
			{"random_number_tool", "random_number_tool", `{"min":7,"max":7}`, done, "random_number", 7.0},
			{"get_current_time", "get_current_time", `{"timezone":"Asia/Kathmandu"}`, done, "timezone", "Asia/Kathmandu"},
			{"convert_time", "convert_time", `{"source_timezone":"UTC","time":"12:00","target_timezone":"Asia/Kathmandu"}`,
				done, "time_difference", "+5.75h"},
			{"an unknown time zone is a tool's error", "get_current_time", `{"timezone":"Asia/Katmandoo"}`, toolError, "", nil},
		} {
			t.Run(era+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				args := append(bearing(token), "--protocol-era", era,
					"--method", "tools/call", "--tool-name", row.tool, "--tool-args-json", row.args)
				got := inspect(t, s.MCP, args...).result(t, row.code)
				if row.key != "" && got.Result.StructuredContent[row.key] != row.want {
					t.Errorf("it printed %v", got.Result.StructuredContent)
				}
			})
		}
	}
}

// The Inspector's command line takes progress in and shows none of it. So the test listens on the wire: the Inspector
// asked for progress, was sent it while the call ran, and printed the result that followed on the same stream.
func TestInspectorIsSentProgress(t *testing.T) {
	s := serve(t, "--reverse-duration", "300ms")
	token := s.serviceToken(t, "execute")
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			wire := listen(t, s.MCP)
			args := append(bearing(token), "--protocol-era", era, "--method", "tools/call",
				"--tool-name", "reverse_tool", "--tool-arg", "query=abc", "--tool-metadata", "progressToken=seven")
			got := inspect(t, wire.url, args...).result(t, done)
			if got.Result.StructuredContent["reversed_query"] != "cba" {
				t.Errorf("it printed %v", got.Result.StructuredContent)
			}
			notes := regexp.MustCompile(`(?m)^data: .*"notifications/progress".*"seven"|^data: .*"seven".*"notifications/progress"`).
				FindAllString(wire.heard(), -1)
			if len(notes) < 2 {
				t.Errorf("the Inspector was sent %d signs of progress, want several:\n%s", len(notes), wire.heard())
			}
		})
	}
}

func TestInspectorIsRefusedWithoutToken(t *testing.T) {
	s := serve(t)
	for era, says := range map[string]string{
		"legacy": "sign in", // the server's own sentence
		"auto":   "the server requires authorization (HTTP 401)",
		"modern": "the server requires authorization (HTTP 401)",
	} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			o := inspect(t, s.MCP, "--protocol-era", era, "--method", "tools/list", "--stored-auth-only")
			if got := o.result(t, authRequired).Error; got.Code != "auth_required" || !strings.Contains(got.Message, says) {
				t.Errorf("it printed %+v, want auth_required and %q", got, says)
			}
			if o.stdout != "" {
				t.Errorf("it printed a result: %s", o.stdout)
			}
		})
	}
}

func TestInspectorIsRefusedWithTooLittleScope(t *testing.T) {
	s := serve(t)
	token := s.personToken(t, "reader", "time:read")
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			args := append(bearing(token), "--protocol-era", era, "--method", "tools/call")
			refused := inspect(t, s.MCP, append(args, "--tool-name", "reverse_tool", "--tool-arg", "query=abc")...)
			if got := refused.result(t, failed).Error; got.Message != `Insufficient scope: required "execute"` {
				t.Errorf("it printed %+v, want the scope that is missing", got)
			}
			allowed := inspect(t, s.MCP, append(args, "--tool-name", "get_current_time", "--tool-arg", "timezone=UTC")...)
			if got := allowed.result(t, done).Result; got.StructuredContent["timezone"] != "UTC" {
				t.Errorf("the call that time:read allows gave %+v", got)
			}
		})
	}
}

// With nothing but the server's address the Inspector finds the provider, registers, and signs a person in. It says where
// to go, and waits on a loopback address for the browser to come back.
func TestInspectorSignsAPersonIn(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := inspector(t, ctx, s.MCP, "--protocol-era", era, "--callback-url", "http://127.0.0.1:0/oauth/callback",
				"--method", "tools/call", "--tool-name", "reverse_tool", "--tool-arg", "query=abc")
			cmd.Env = append(cmd.Env, "MCP_AUTO_OPEN_ENABLED=true")
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var said []string
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				said = append(said, lines.Text())
				if _, page, found := strings.Cut(lines.Text(), "Please navigate to: "); found {
					asksProperly(t, s, page)
					newBrowser(t).signIn(page, "user")
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
			}
			got := outcome{stdout: strings.TrimSpace(stdout.String())}.result(t, done).Result
			if got.StructuredContent["reversed_query"] != "cba" {
				t.Errorf("it printed %s", &stdout)
			}
		})
	}
}

// wire is a way to the server that keeps what went back.
type wire struct {
	url  string
	back *syncBuffer
}

func listen(t *testing.T, mcp string) *wire {
	t.Helper()
	target, err := url.Parse(mcp)
	if err != nil {
		t.Fatal(err)
	}
	back := &syncBuffer{}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			r.Out.Header.Set("Accept-Encoding", "identity")
		},
		ModifyResponse: func(res *http.Response) error {
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(res.Body, back), res.Body}
			return nil
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// Otherwise what is left of a request is closed when its answer begins, and a server that is quick loses the connection.
		if err := http.NewResponseController(rw).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	return &wire{front.URL + target.Path, back}
}

func (w *wire) heard() string { return w.back.String() }
