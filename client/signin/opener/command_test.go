//go:build unix

package opener

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAttack5_AnAddressIsOneArgumentOfAProgram(t *testing.T) {
	bin := t.TempDir()
	said := filepath.Join(bin, "said")
	if err := syscall.Mkfifo(said, 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$#\" \"$@\" > %s\n", said)
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	const page = "https://as.example/?a=$(touch%20x);b&c"
	if err := open(t.Context(), page, [][]string{{"no-such-program"}, {"xdg-open"}}); err != nil {
		t.Fatal(err)
	}
	heard, err := os.ReadFile(said) // waits for the program
	if err != nil || string(heard) != "1\n"+page+"\n" {
		t.Errorf("attack 5 it was told %q, %v", heard, err)
	}
}

func TestAProgramThatDoesNotOpenThePageIsTold(t *testing.T) {
	bin := t.TempDir()
	held := filepath.Join(bin, "held")
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"good": "exit 0", "bad": "exit 3", "stays": "cat " + held} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := Command(t.Context(), filepath.Join(bin, "good")); err != nil {
		t.Error(err)
	}
	if err := Command(t.Context(), filepath.Join(bin, "bad")); err == nil || err.Error() != "opener: bad: exit status 3" {
		t.Errorf("error %v", err)
	}
	if err := Command(t.Context(), filepath.Join(bin, "nowhere")); err == nil {
		t.Error("a program that is not there opens a page")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Command(ctx, filepath.Join(bin, "stays")) }()
	f, err := os.OpenFile(held, os.O_WRONLY, 0) // waits for the program, and lets it go in the end
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
