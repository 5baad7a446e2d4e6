package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process has used since it began.
type usage struct {
	CPU     time.Duration // in user and system mode
	Mallocs uint64
	Peak    int64 // the most memory it had resident, in bytes
	Now     int64 // the memory it has resident, in bytes
}

// used asks the kernel and the runtime what this process has used.
func used() (usage, error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return usage{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now, peak, err := memory(os.Getpid())
	return usage{
		CPU:     time.Duration(ru.Utime.Nano() + ru.Stime.Nano()),
		Mallocs: m.Mallocs,
		Peak:    peak,
		Now:     now,
	}, err
}

// memory reads how much of a process is resident, now and at most, in bytes. The kernel's maxrss will not do: a process
// inherits it from the one that started it.
func memory(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			peak = kilobytes << 10
		}
	}
	return now, peak, nil
}

// child is a process that answers one line of JSON to each line it reads, and ends when its input does.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	noise bytes.Buffer // what it wrote to stderr
}

// start starts program and reads its first line into ready.
func start(ctx context.Context, ready any, env []string, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.CommandContext(ctx, program, args...)}
	c.cmd.Stderr = &c.noise
	c.cmd.Env = append(c.cmd.Environ(), env...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 10 * time.Second
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReaderSize(out, 1<<16)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if ready == nil {
		return c, nil
	}
	if err := c.read(ready); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s %v: %w", program, args, err)
	}
	return c, nil
}

// self starts a copy of this program.
func self(ctx context.Context, ready any, args ...string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, ready, nil, program, args...)
}

func (c *child) read(answer any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%w; it said %q", err, c.noise.String())
	}
	return json.Unmarshal(line, answer)
}

// ask sends one line and reads one.
func (c *child) ask(question, answer any) error {
	if err := json.NewEncoder(c.in).Encode(question); err != nil {
		return err
	}
	return c.read(answer)
}

// stop ends the process and waits for it.
func (c *child) stop() {
	c.in.Close()
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.cmd.Wait()
}

// answers reads questions from stdin and writes what answer makes of each, until the input ends.
func answers[Q, A any](answer func(Q) (A, error)) error {
	in := json.NewDecoder(os.Stdin)
	for {
		var q Q
		if err := in.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		a, err := answer(q)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
			return err
		}
	}
}
