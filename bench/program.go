package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// starts is how often the program is started; what is reported is the median.
const starts = 7

// program measures the built program: its size, its start and its memory while nothing happens.
func program(ctx context.Context, o options, idp *devidp.Running) ([]budget, error) {
	info, err := os.Stat(o.binary)
	if err != nil {
		return nil, fmt.Errorf("%w; build it first, or say where it is with -binary", err)
	}
	up, idle, err := median(ctx, o.binary, idp.Issuer(), idp)
	if err != nil {
		return nil, err
	}
	nobody, err := free()
	if err != nil {
		return nil, err
	}
	down, _, err := median(ctx, o.binary, "http://"+nobody, nil)
	if err != nil {
		return nil, err
	}
	return []budget{
		{"start_to_first_answer", up.Seconds() * 1e3, "ms", 100, true},
		{"start_with_provider_down", down.Seconds() * 1e3, "ms", 100, true},
		{"idle_memory", float64(idle) / 1e6, "MB", 40, true},
		{"binary", float64(info.Size()) / 1e6, "MB", 45, true},
	}, nil
}

func median(ctx context.Context, binary, issuer string, idp *devidp.Running) (took time.Duration, idle int64, err error) {
	var times []time.Duration
	for range starts {
		var t time.Duration
		if t, idle, err = once(ctx, binary, issuer, idp); err != nil {
			return 0, 0, err
		}
		times = append(times, t)
	}
	slices.Sort(times)
	return times[len(times)/2], idle, nil
}

// once starts the program and calls it: with a token, if there is a provider that gives one, else without, which must
// be refused. It returns when the answer was there, and how much memory was resident a second later.
func once(ctx context.Context, binary, issuer string, idp *devidp.Running) (took time.Duration, idle int64, err error) {
	addr, err := free()
	if err != nil {
		return 0, 0, err
	}
	token := ""
	if idp != nil {
		if token, err = mint(idp, "http://"+addr+"/mcp", 0); err != nil {
			return 0, 0, err
		}
	}
	var ready struct{ Addr string }
	began := time.Now()
	c, err := start(ctx, &ready, []string{
		"FASTMCP_AUTH_ADDR=" + addr, "FASTMCP_AUTH_REVERSE_DURATION=0s",
		"FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + issuer,
	}, binary, "serve")
	if err != nil {
		return 0, 0, err
	}
	defer c.stop()
	w, err := dial(addr)
	if err != nil {
		return 0, 0, err
	}
	defer w.conn.Close()
	if idp != nil {
		err = w.call(message(modern, false), modern, token, false)
	} else {
		err = w.refused()
	}
	took = time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(time.Second / 4)
	idle, _, err = memory(c.cmd.Process.Pid)
	return took, idle, err
}

// refused calls without a token and wants to be told where to get one.
func (w *wire) refused() error {
	w.headers("POST", modern, "Mcp-Method", "tools/call", "Mcp-Name", tool)
	if err := w.send("", message(modern, false)); err != nil {
		return err
	}
	status, said, err := w.answer()
	if err == nil && status != 401 {
		err = fmt.Errorf("%w: %d %.300s", errWrong, status, said)
	}
	return err
}

// free returns an address nobody listens on.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
