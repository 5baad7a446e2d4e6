package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const hostile = "is not one of \x1b]0;pwn\x07\x1b[2J\u009b31m\u202eevil\r, y"

// Attack 59: an error quotes what a server sent, such as the choices of a tool.
func TestAttack59_AnErrorDoesNotSteerTheTerminal(t *testing.T) {
	for name, write := range map[string]func(*strings.Builder){
		"for a person":  func(b *strings.Builder) { report(b, &hintError{err: errors.New(hostile), hint: hostile}) },
		"for a program": func(b *strings.Builder) { reportJSON(b, &hintError{err: errors.New(hostile), hint: hostile}) },
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			write(&b)
			if strings.ContainsAny(b.String(), "\x1b\x07\u009b\u202e\r") || !strings.Contains(b.String(), "evil") {
				t.Errorf("%q", b.String())
			}
		})
	}
	var b strings.Builder
	reportJSON(&b, errors.New(hostile))
	var line struct{ Error errorLine }
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil || line.Error.Message != hostile {
		t.Errorf("%v: a program reads %q", err, line.Error.Message)
	}
}
