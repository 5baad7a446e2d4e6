package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/charmbracelet/x/ansi"

	"github.com/fastmcp-auth/fastmcp-auth/advice"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// The exit codes, documented in docs/reference/exit-codes.md.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCancelled   = 3
	exitSignIn      = 4
	exitToolError   = 5
	exitUnreachable = 6
	exitLimit       = 7
)

// hintError carries the exit code and the next command to type.
type hintError struct {
	code int
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// report prints err as the person at the terminal reads it: one error line for each fault, then the hint. An error quotes
// strangers, such as the choices of a tool, so what would steer the terminal is left out here, whoever made the error.
func report(w io.Writer, err error) {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "fastmcp-auth: cancelled")
		return
	}
	for line := range strings.Lines(plain(err)) {
		fmt.Fprintln(w, folded(w, "fastmcp-auth: error: "+clean(line)))
	}
	for _, hint := range hintsOf(err) {
		fmt.Fprintln(w, folded(w, "fastmcp-auth: hint: "+clean(hint)))
	}
}

// rooms are the packages whose errors begin with their names, which are for Go programmers.
var rooms = regexp.MustCompile(`(^|\n|: )(?:(?:client|signin|workload|tokencache|opener|store|sqlite|agent): )+`)

// plain says err without the names of packages in front of what they say.
func plain(err error) string { return rooms.ReplaceAllString(err.Error(), "$1") }

// errorLine is an error as a program reads it: one line of JSON on stderr with --json.
type errorLine struct {
	Code    int      `json:"code"` // the exit code
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
	Hints   []string `json:"hints,omitempty"`
}

// errorKinds are the exit codes in words.
var errorKinds = map[int]string{
	exitFailed: "failed", exitUsage: "usage", exitCancelled: "cancelled", exitSignIn: "sign_in", exitToolError: "tool_error", exitUnreachable: "unreachable", exitLimit: "limit",
}

func errorLineOf(err error) *errorLine {
	line := &errorLine{Code: exitCode(err), Kind: errorKinds[exitCode(err)], Message: plain(err), Hints: hintsOf(err)}
	if errors.Is(err, context.Canceled) {
		line.Message, line.Hints = "cancelled", nil
	}
	return line
}

// reportJSON prints err as the one line of JSON that a program reads.
func reportJSON(w io.Writer, err error) {
	raw, failed := json.Marshal(map[string]*errorLine{"error": errorLineOf(err)})
	if failed != nil {
		report(w, err)
		return
	}
	fmt.Fprintf(w, "%s\n", steerless(raw))
}

// steerless writes what would steer a terminal in JSON as escapes: the same JSON, and harmless where a person sees it.
func steerless(raw []byte) []byte {
	if !bytes.ContainsFunc(raw, steers) {
		return raw
	}
	var b bytes.Buffer
	for _, r := range string(raw) {
		if steers(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

func steers(r rune) bool { return r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }

// folded breaks a line between words where w is a terminal too narrow for it. A word stays whole, so that an address or a
// command can be copied; elsewhere so does the line, for grep.
func folded(w io.Writer, line string) string {
	f, ok := w.(*os.File)
	if !ok || tui.WidthOf(f) == 0 {
		return line
	}
	width, used := tui.WidthOf(f), 0
	var b strings.Builder
	for i, word := range strings.Split(line, " ") {
		n := ansi.StringWidth(word)
		switch {
		case i == 0:
		case used+1+n > width:
			b.WriteString("\n  ")
			used = 2
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

// hintsOf are the hints that a command gave, else those of the one map from errors to advice.
func hintsOf(err error) []string {
	if hint := hintOf(err); hint != "" {
		return []string{hint}
	}
	a, _, _ := adviceFor(err)
	target := serverOf(err)
	if call := (*callError)(nil); a.Next == advice.MoreScope && errors.As(err, &call) {
		target += scopeFlags(call.scopes)
	}
	return hints(a, target)
}

func hintOf(err error) string {
	var hinted *hintError
	var faults *config.Faults
	var usage *usageError
	var rules *policy.Faults
	switch {
	case errors.As(err, &hinted):
		return hinted.hint
	case errors.As(err, &faults):
		return "docs/reference/settings.md describes each setting; nothing was started"
	case errors.As(err, &rules):
		return "docs/reference/policy.md describes the files"
	case errors.As(err, &usage):
		return fmt.Sprintf("run %q", cmp.Or(usage.command, "fastmcp-auth")+" --help")
	}
	return ""
}

func exitCode(err error) int {
	var hinted *hintError
	var faults *config.Faults
	var usage *usageError
	var rules *policy.Faults
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &hinted) && hinted.code != 0:
		return hinted.code
	case errors.As(err, new(*toolError)):
		return exitToolError
	case errors.As(err, &faults), errors.As(err, &usage), errors.As(err, &rules):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitCancelled
	}
	_, code, _ := adviceFor(err)
	return code
}
