package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// console is a terminal that a program runs on, and all that was drawn on it.
type console struct {
	master, slave *os.File

	mu    sync.Mutex
	drawn bytes.Buffer
	more  chan struct{} // closed, and made anew, with each piece
}

// newConsole opens a terminal of 80 by 24 (pty(7)).
func newConsole(t *testing.T) *console {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	unlocked, number := int32(0), int32(0)
	size := [4]uint16{24, 80}
	control(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	control(t, slave, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	c := &console{master: master, slave: slave, more: make(chan struct{})}
	go func() {
		piece := make([]byte, 4096)
		for {
			n, err := master.Read(piece)
			if err != nil {
				return
			}
			c.mu.Lock()
			c.drawn.Write(piece[:n])
			close(c.more)
			c.more = make(chan struct{})
			c.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		slave.Close()
		master.Close()
		if raw, _ := c.raw(0); suite.Keep("terminal", raw) != nil {
			t.Error("the search for secrets does not see what was drawn")
		}
	})
	return c
}

func control(t *testing.T, f *os.File, request uintptr, with unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(with)); errno != 0 {
		t.Fatal(errno)
	}
}

// mode is how the terminal treats keys and output.
func (c *console) mode(t *testing.T) (m syscall.Termios) {
	t.Helper()
	control(t, c.slave, syscall.TCGETS, unsafe.Pointer(&m))
	return m
}

var sequence = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)

// text is what was drawn since, without colours and movements, and without spaces, of which those that stood there already
// are not drawn again.
func (c *console) text(since int) (text string, more <-chan struct{}) {
	raw, more := c.raw(since)
	return strings.ReplaceAll(sequence.ReplaceAllString(raw, ""), " ", ""), more
}

// raw is all that was drawn since; more is closed when there is more.
func (c *console) raw(since int) (raw string, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.drawn.Bytes()[since:]), c.more
}

// isLeft waits until the full screen is left.
func (c *console) isLeft(t *testing.T) {
	t.Helper()
	for {
		raw, more := c.raw(0)
		on, off := strings.LastIndex(raw, "\x1b[?1049h"), strings.LastIndex(raw, "\x1b[?1049l")
		if on >= 0 && off > on {
			return
		}
		select {
		case <-more:
		case <-time.After(time.Minute):
			t.Fatalf("the screen is not left: on at %d, off at %d", on, off)
		}
	}
}

func (c *console) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drawn.Len()
}

// sees waits until words are drawn.
func (c *console) sees(t *testing.T, since int, words string) {
	t.Helper()
	words = strings.ReplaceAll(words, " ", "")
	for {
		text, more := c.text(since)
		if strings.Contains(text, words) {
			return
		}
		select {
		case <-more:
		case <-time.After(time.Minute):
			t.Fatalf("%q is not drawn: %q", words, text)
		}
	}
}

// types presses keys, and returns where what comes of it begins.
func (c *console) types(t *testing.T, keys string) (since int) {
	t.Helper()
	since = c.len()
	if _, err := c.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	return since
}

// idle is how the last line ends when nothing is going on.
const idle = "· /help"

// TestTheAgentOnATerminal presses the keys of a person: a call is refused by Esc, by n and with a reason, and allowed for
// always; Ctrl-C twice leaves, and so does SIGTERM in the middle of a question. The terminal is then as it was.
func TestTheAgentOnATerminal(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "writing", Version: "1"}, nil)
	made := make(chan string, 16)
	server.AddTool(&mcp.Tool{Name: "write", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		made <- string(r.Params.Arguments)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "written"}}}, nil
	})
	tools := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true}))
	defer tools.Close()
	answers := make(chan string, 16) // what the model hears of each call
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Messages []struct{ Role, Content string } `json:"messages"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		last := q.Messages[len(q.Messages)-1]
		delta, finish := `{"content":"I see."}`, "stop"
		if last.Role == "user" {
			delta, finish = `{"tool_calls":[{"index":0,"id":"c","function":{"name":"write","arguments":"{\"path\":\"x\"}"}}]}`, "tool_calls"
		} else {
			answers <- last.Content
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%q}]}\n\ndata: [DONE]\n\n", delta, finish)
	}))
	defer model.Close()

	dir := t.TempDir()
	c := newConsole(t)
	before := c.mode(t)
	start := func(args ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command("fastmcp-auth", append([]string{"agent", tools.URL, "--no-auth", "--dir", "kept"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(ofHome(dir), "TERM=xterm", "CI=", "NO_COLOR=", "OPENAI_BASE_URL="+model.URL+"/v1", "OPENAI_MODEL=scripted", "OPENAI_API_KEY=", "GORACE="+raceOptions, secrets.Folder+"="+os.Getenv(secrets.Folder))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.slave, c.slave, c.slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd
	}
	ask := func() {
		t.Helper()
		since := c.types(t, "write\r")
		c.sees(t, since, "May write be called?")
	}
	hears := func(since int, words string) {
		t.Helper()
		if got := <-answers; !strings.Contains(got, words) {
			t.Errorf("the model hears %s, want %q", got, words)
		}
		c.sees(t, since, idle)
	}
	left := func(cmd *exec.Cmd, code int) {
		t.Helper()
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("it ends with %d, want %d", got, code)
		}
		if c.mode(t) != before {
			t.Error("the terminal is not as it was")
		}
		c.isLeft(t)
	}

	cmd := start()
	c.sees(t, 0, idle)
	ask()
	hears(c.types(t, "\x1b"), "this call was not made: the person does not want it")
	ask()
	hears(c.types(t, "n"), "this call was not made: the person does not want it")
	ask()
	hears(c.types(t, "rnot on a Friday\r"), "this call was not made: the person says: not on a Friday")
	ask()
	since := c.len()
	for pressed := false; !pressed; { // a key that comes too soon allows nothing
		c.types(t, "a")
		select {
		case <-made:
			pressed = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	hears(since, `"outcome":"done"`)
	c.types(t, "\x03\x03")
	left(cmd, 0)
	c.sees(t, 0, "go on with: fastmcp-auth agent --resume ")
	if rules, err := os.ReadFile(dir + "/kept/rules.json"); err != nil || !strings.Contains(string(rules), `"path": "x"`) {
		t.Errorf("kept %s %v", rules, err)
	}
	if err := os.Remove(dir + "/kept/rules.json"); err != nil {
		t.Fatal(err)
	}
	since = c.len()
	cmd = start("--resume", "last")
	c.sees(t, since, idle)
	ask()
	cmd.Process.Signal(syscall.SIGTERM)
	left(cmd, 3)
	if len(made) != 0 {
		t.Error("a call was made that nobody allowed")
	}
}
