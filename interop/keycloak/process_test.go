//go:build unix

package keycloak_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// warden runs what it is given and asks it to end when its own standard input ends: that happens with the test process,
// however that ends.
const warden = `"$@" </dev/null & child=$!
exec 3<&0
(cat <&3; kill -TERM $child) >/dev/null 2>&1 &
exec 3<&-
wait $child`

// process is a child that runs until the tests are through.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *lines
	ended chan struct{}
	err   error // how it ended, once ended is closed
}

// spawn starts a program under its warden. What it says on standard error goes to the log, and standard output too
// unless stdout takes it.
func spawn(dir string, env []string, stdout io.Writer, name string, args ...string) (*process, error) {
	p := &process{log: newLines(), ended: make(chan struct{})}
	p.cmd = exec.Command("sh", append([]string{"-c", warden, "sh", name}, args...)...)
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop asks the program to end, and makes it if it does not.
func (p *process) stop() error {
	p.stdin.Close()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(30 * time.Second):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
		return errors.New("it did not end when asked")
	}
}

// lines is what a process says, which a test may read and wait for.
type lines struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed and replaced at each write
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.buf.Write(p)
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// wait returns the first match of what p has said so far or will say on stream.
func (p *process) wait(ctx context.Context, stream *lines, pattern *regexp.Regexp) ([]string, error) {
	ended := p.ended
	for {
		stream.mu.Lock()
		found, more := pattern.FindStringSubmatch(stream.buf.String()), stream.more
		stream.mu.Unlock()
		if found != nil {
			return found, nil
		}
		select {
		case <-more:
		case <-ended: // all it said is there
			return nil, fmt.Errorf("it ended by itself: %w\n%s", p.err, tail(p.log.bytes()))
		case <-ctx.Done():
			return nil, fmt.Errorf("%w\n%s", ctx.Err(), tail(p.log.bytes()))
		}
	}
}

// tail is the end of a long output, for a failure's message.
func tail(out []byte) []byte {
	all := bytes.SplitAfter(out, []byte("\n"))
	return bytes.Join(all[max(0, len(all)-40):], nil)
}
