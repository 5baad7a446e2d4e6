//go:build unix

package keycloak_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium is a real browser without a window, told what to do over a pair of pipes (the Chrome DevTools Protocol, with
// --remote-debugging-pipe): messages are JSON, each ended by a zero byte.
type chromium struct {
	t       *testing.T
	to      io.WriteCloser
	from    *bufio.Reader
	session string // of the one page
	sent    int
	log     *lines // what it complains of
}

// message is a command, its answer, or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	Session   string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Complaint *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// newChromium starts the browser of this machine with a profile of its own, for one test.
func newChromium(t *testing.T) *chromium {
	t.Helper()
	at, err := exec.LookPath("chromium")
	if err != nil {
		leaveOut(t, "install Chromium (the command chromium) to run what a real browser does")
	}
	profile, err := os.MkdirTemp("", "chromium") // a short name: a socket stands in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	theirs, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &chromium{t: t, to: to, from: bufio.NewReader(from), log: newLines()}
	cmd := command(within(t), profile, at, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--password-store=basic", "--user-data-dir="+filepath.Join(profile, "profile"), "--remote-debugging-pipe", "about:blank")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + profile, "TMPDIR=" + profile, "LANG=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{theirs, answers} // its descriptors 3 and 4
	cmd.Stderr = c.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	answers.Close()
	t.Cleanup(func() {
		to.Close() // the browser ends with its pipe
		ended := time.AfterFunc(10*time.Second, func() { cmd.Cancel() })
		cmd.Wait()
		ended.Stop()
		from.Close()
	})
	c.attach()
	return c
}

// attach opens a page and listens to it.
func (c *chromium) attach() {
	c.t.Helper()
	var target struct {
		ID string `json:"targetId"`
	}
	c.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct {
		ID string `json:"sessionId"`
	}
	c.do("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached)
	c.session = attached.ID
	c.do("Page.enable", nil, nil)
}

// do sends a command and waits for its answer. What happens meanwhile is not heard; see loaded.
func (c *chromium) do(method string, params, into any) {
	c.t.Helper()
	id := c.send(method, params)
	for {
		m := c.next()
		if m.ID != id {
			continue
		}
		if m.Complaint != nil {
			c.t.Fatalf("Chromium refuses %s: %s", method, m.Complaint.Message)
		}
		if into != nil {
			if err := json.Unmarshal(m.Result, into); err != nil {
				c.t.Fatal(err)
			}
		}
		return
	}
}

func (c *chromium) send(method string, params any) int {
	c.t.Helper()
	c.sent++
	b, err := json.Marshal(message{ID: c.sent, Session: c.session, Method: method, Params: params})
	if err == nil {
		_, err = c.to.Write(append(b, 0))
	}
	if err != nil {
		c.t.Fatalf("tell Chromium: %v\n%s", err, tail(c.log.bytes()))
	}
	return c.sent
}

func (c *chromium) next() message {
	c.t.Helper()
	b, err := c.from.ReadBytes(0)
	if err != nil {
		c.t.Fatalf("hear Chromium: %v\n%s", err, tail(c.log.bytes()))
	}
	var m message
	if err := json.Unmarshal(bytes.TrimSuffix(b, []byte{0}), &m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// open goes to a page and waits until it is there.
func (c *chromium) open(page string) {
	c.t.Helper()
	c.send("Page.navigate", map[string]any{"url": page})
	c.loaded()
}

// loaded waits until a page is there.
func (c *chromium) loaded() {
	c.t.Helper()
	for c.next().Method != "Page.loadEventFired" {
	}
}

// eval runs a script in the page and returns the text that it ends with, or that its promise does.
func (c *chromium) eval(script string) string {
	c.t.Helper()
	var answer struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		Thrown *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	c.do("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}, &answer)
	if answer.Thrown != nil {
		c.t.Fatalf("the page says %s", answer.Thrown.Text)
	}
	return answer.Result.Value
}

// step does on a page of Keycloak what the person would: type and click, or agree. It says what it did; at a page that
// asks nothing, its title. The click comes after the answer, since the page goes away with it.
const step = `(user, password) => {
  const click = e => { setTimeout(() => e.click(), 0); return true }
  const name = document.querySelector('input[name=username]'), word = document.querySelector('input[name=password]')
  if (word) {
    if (name && !name.readOnly) name.value = user
    word.value = password
    return click(document.querySelector('#kc-login, [type=submit]')) && 'signed in'
  }
  const yes = document.querySelector('[name=accept]')
  if (yes) return click(yes) && 'agreed'
  return 'ended at ' + document.title
}`

// signIn walks from page to the end as a person does, and returns what was done on the way.
func (c *chromium) signIn(page, user, password string) []string {
	c.t.Helper()
	c.open(page)
	var did []string
	for len(did) < 6 {
		one := c.eval(fmt.Sprintf("(%s)(%q, %q)", step, user, password))
		did = append(did, one)
		if strings.HasPrefix(one, "ended") {
			return did
		}
		c.loaded()
	}
	c.t.Fatalf("still a form, after %q at %s", did, c.eval("location.href"))
	return nil
}
