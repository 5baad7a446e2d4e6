//go:build unix

package opener

import (
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
