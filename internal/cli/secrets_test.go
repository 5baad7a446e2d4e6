package cli_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"

	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/interop/secrets"
)

// suite is what all programs of these tests say, and every secret of the providers they speak to.
var suite *secrets.Suite

// tokensPrinted is the one place where a token belongs: what the command token writes to stdout.
const tokensPrinted = "token-stdout"

// searched runs all tests, and then searches what the programs of all of them have said: C-19, attack 59.
type searched struct{ m *testing.M }

func (s searched) Run() int {
	dir, err := os.MkdirTemp("", "said")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv(secrets.Folder, dir)
	suite = secrets.NewSuite(dir)
	code := s.m.Run()
	lines, looked, err := suite.Search(tokensPrinted)
	for _, line := range lines {
		fmt.Fprintln(os.Stderr, "C-19, attack 59:", line)
		code = 1
	}
	if testing.Verbose() {
		fmt.Println(looked, err)
	}
	return code
}

// transcribed is out, a copy of which is searched in the end. A terminal stays one: what is on it is kept by the test.
func transcribed(name string, out *os.File) io.Writer {
	if term.IsTerminal(int(out.Fd())) {
		return out
	}
	command := "none"
	if len(os.Args) > 1 && regexp.MustCompile(`^[a-z]+$`).MatchString(os.Args[1]) {
		command = os.Args[1]
	}
	return secrets.Transcript(os.Getenv(secrets.Folder), command+"-"+name, out)
}
