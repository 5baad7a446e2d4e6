// Package opener opens a page in the browser of the person at this machine.
//
// It opens http and https URLs alone, and never through a shell (C-23): the address is one argument of a program that
// takes it as an address.
package opener

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// maxPage bounds the address that is opened.
const maxPage = 8 << 10

// ErrNoBrowser means that this machine has no program that opens a page.
var ErrNoBrowser = errors.New("opener: no browser")

// Open opens page and returns at once: it does not wait for the browser. It refuses whatever is not an absolute http or
// https URL, and wraps [ErrNoBrowser] where there is nothing to open it with.
func Open(ctx context.Context, page string) error { return open(ctx, page, commands(runtime.GOOS)) }

// Run is Open, and waits until the program that opens the page has ended, or ctx has. It returns an error where that program
// says that it failed. A browser that stays in the foreground ends when the person closes it: ctx does not end it.
func Run(ctx context.Context, page string) error {
	address, err := Check(page)
	if err != nil {
		return err
	}
	for _, command := range commands(runtime.GOOS) {
		if path, err := exec.LookPath(command[0]); err == nil {
			return Command(ctx, path, append(command[1:], address)...)
		}
	}
	return ErrNoBrowser
}

// Command runs a program that opens a page, as Run does.
func Command(ctx context.Context, path string, args ...string) error {
	cmd := exec.Command(path, args...) // not of ctx: the browser outlives the sign-in
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("opener: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("opener: %s: %w", filepath.Base(path), err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func open(ctx context.Context, page string, commands [][]string) error {
	address, err := Check(page)
	if err != nil {
		return err
	}
	for _, command := range commands {
		path, err := exec.LookPath(command[0])
		if err != nil {
			continue
		}
		cmd := exec.Command(path, append(command[1:], address)...) // not of ctx: the browser outlives the sign-in
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("opener: %w", err)
		}
		go cmd.Wait()
		return ctx.Err()
	}
	return ErrNoBrowser
}

// commands are the programs that take an address as their last argument, the first that exists is used.
func commands(system string) [][]string {
	switch system {
	case "darwin":
		return [][]string{{"open"}}
	case "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	return [][]string{{"xdg-open"}, {"wslview"}, {"gio", "open"}}
}

// Check returns page as it may be handed to a program: an absolute http or https URL with every character that a shell,
// a command line or a terminal could take for something else escaped (attack 5).
func Check(page string) (string, error) {
	u, err := url.Parse(page)
	switch {
	case err != nil || len(page) > maxPage:
		return "", errors.New("opener: that is no address to open")
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" || u.Hostname() == "" || u.User != nil:
		return "", errors.New("opener: only absolute http and https addresses without a user are opened")
	}
	address := escape(u.String())
	if again, err := url.Parse(address); err != nil || again.Scheme != u.Scheme || again.Host != u.Host {
		return "", errors.New("opener: that is no address to open")
	}
	return address, nil
}

// escape percent-encodes what RFC 3986 does not let stand in a URL, and quotes, which it does.
func escape(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&()*+,;=%"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}
