//go:build unix

package keycloak_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// terminal is a person at a command line, with a home of their own.
type terminal struct {
	t    *testing.T
	w    *world
	at   string // the program
	home string
	env  []string
	said bytes.Buffer // all that the program said, for looking for secrets in it
}

func (w *world) terminal(t *testing.T) *terminal {
	t.Helper()
	at, err := program()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	return &terminal{t: t, w: w, at: at, home: home, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home,
		"FASTMCP_AUTH_SERVER=" + w.server.MCP, "FASTMCP_AUTH_CLIENT_ID=mcp-client"}}
}

// run runs a command to its end, which must be a good one.
func (p *terminal) run(args ...string) string {
	p.t.Helper()
	out, errOut := newLines(), newLines()
	cmd := command(within(p.t), p.home, p.at, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, out, errOut
	err := cmd.Run()
	p.said.Write(errOut.bytes())
	if args[0] != "token" {
		p.said.Write(out.bytes())
	}
	if err != nil {
		p.t.Fatalf("%q: %v\n%s%s", args, err, out.bytes(), errOut.bytes())
	}
	return string(out.bytes())
}

// login begins to sign in. What it says on stderr comes while it waits for the person; finish is its stdout, at the end.
func (p *terminal) login(flow string) (stderr *process, finish func() string) {
	p.t.Helper()
	out := newLines()
	child, err := spawn(p.home, p.env, out, p.at, "login", flow)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { child.stop() })
	return child, func() string {
		p.t.Helper()
		select {
		case <-child.ended:
		case <-within(p.t).Done():
			p.t.Fatalf("login %s does not end\n%s", flow, child.log.bytes())
		}
		p.said.Write(child.log.bytes())
		p.said.Write(out.bytes())
		if child.err != nil {
			p.t.Fatalf("login %s: %v\n%s", flow, child.err, child.log.bytes())
		}
		return string(out.bytes())
	}
}

// works holds a sign-in to what it is for: a tool is called, with nobody asked again, every leg holds, and no secret was
// said on the way.
func (p *terminal) works() {
	p.t.Helper()
	if got := p.run("call", "reverse_tool", "query=abc", "--no-input"); !strings.Contains(got, "cba") {
		p.t.Errorf("the call answers %s", got)
	}
	legs := p.run("doctor", "--no-input")
	for _, leg := range []string{"registration", "redirect", "token", "handshake", "tools"} {
		if !regexp.MustCompile(`(?m)^ok +` + leg + ` `).MatchString(legs) {
			p.t.Errorf("doctor does not find %s in order:\n%s", leg, legs)
		}
	}
	token := strings.TrimSpace(p.run("token", "--no-input"))
	p.w.given = append(p.w.given, token)
	who := p.w.identity(p.t, token)
	if who.Username != "person" || who.ClientID != "mcp-client" || !who.HasScope("execute") {
		p.t.Errorf("the token is for %q at %q with %q", who.Username, who.ClientID, who.Scopes)
	}
	for _, secret := range append(p.w.allSecrets()(), strings.Split(token, ".")[2]) {
		if bytes.Contains(p.said.Bytes(), []byte(secret)) {
			p.t.Errorf("a secret was said: %.6s…", secret)
		}
	}
}

// The browser flow of the program itself, with a real browser at Keycloak's own pages: BROWSER names what opens pages,
// and here that hands the address to the test.
func TestAPersonSignsInWithARealBrowser(t *testing.T) {
	w := keycloak(t)
	c, p := newChromium(t), w.terminal(t)
	mailbox := filepath.Join(p.home, "mailbox")
	if err := syscall.Mkfifo(mailbox, 0o600); err != nil {
		t.Fatal(err)
	}
	opener := filepath.Join(p.home, "opener")
	if err := os.WriteFile(opener, []byte("#!/bin/sh\nprintf %s \"$1\" >"+mailbox+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = append(p.env, "BROWSER="+opener)

	child, finish := p.login("--browser")
	page := p.opened(child, mailbox)
	if !strings.HasPrefix(page, w.Issuer+"/protocol/openid-connect/auth?") || !bytes.Contains(child.log.bytes(), []byte(page)) {
		t.Fatalf("it opens %s, and said before\n%s", page, child.log.bytes())
	}
	did := c.signIn(page, "person", w.people["person"])
	if !slices.Equal(did, []string{"signed in", "ended at Signed in"}) {
		t.Errorf("the person %q", did)
	}
	if said := finish(); !strings.Contains(said, "Signed in to "+w.server.MCP+" as person") {
		t.Errorf("it says %s", said)
	}
	p.works()
}

// opened waits for the page that the opener was called with. Opening a named pipe waits for the one who writes.
func (p *terminal) opened(child *process, mailbox string) string {
	p.t.Helper()
	came := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(mailbox)
		came <- string(b)
	}()
	select {
	case page := <-came:
		return page
	case <-child.ended:
		p.t.Fatalf("it ended before it opened a page: %v\n%s", child.err, child.log.bytes())
	case <-within(p.t).Done():
		p.t.Fatalf("it opens no page\n%s", child.log.bytes())
	}
	return ""
}

var completeURL = regexp.MustCompile(`(?m)^  or open (http\S+)$`)

// The device flow, with the same browser as the other device.
func TestAPersonSignsInOnAnotherDeviceWithARealBrowser(t *testing.T) {
	w := keycloak(t)
	c, p := newChromium(t), w.terminal(t)
	child, finish := p.login("--device")
	found, err := child.wait(within(t), child.log, completeURL)
	if err != nil {
		t.Fatal(err)
	}
	did := c.signIn(found[1], "person", w.people["person"])
	if len(did) < 3 || did[0] != "signed in" || did[1] != "agreed" || !strings.HasPrefix(did[len(did)-1], "ended at ") {
		t.Errorf("the person %q", did)
	}
	if said := finish(); !strings.Contains(said, "Signed in to "+w.server.MCP+" as person") {
		t.Errorf("it says %s", said)
	}
	p.works()
}
