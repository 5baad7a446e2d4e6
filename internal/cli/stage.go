package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// stage is where a sign-in is shown: one thing at a time, on stderr.
type stage struct {
	out  io.Writer
	look tui.Options
	chat *tui.Chat // where it is shown on a full screen

	mu    sync.Mutex
	off   func()                    // calls the sign-in off
	shown interface{ Close(error) } // nil while nothing is shown
}

var errCodeExpired = errors.New("the code has ended; here is another")

// reason says why somebody who may have signed in is asked to, as account, which is empty where nobody in particular is to call.
func (s *stage) reason(r *signin.Request, account string) {
	text := ""
	switch {
	case s.chat != nil:
		return
	case r.StepUp && r.Challenge != nil && len(r.Challenge.Scopes) > 0:
		text = "The server wants more than you are signed in for: " + clean(strings.Join(r.Challenge.Scopes, " ")) + "."
	case r.StepUp:
		text = "The server wants a sign-in that says more than the one you have."
	case r.Over != nil:
		text = "Your earlier sign-in is over: " + clean(r.Over.Error()) + "."
	case account != "" && r.Refused == "":
		text = clean(account) + " is not signed in to " + r.Server + "."
	default:
		return
	}
	fmt.Fprintln(s.out, folded(s.out, text))
}

// device shows a code.
func (s *stage) device(p signin.DevicePrompt) {
	if s.chat != nil {
		s.show(s.chat.Device(tui.Device{
			UserCode: p.UserCode, VerificationURI: p.VerificationURI, VerificationURIComplete: p.VerificationURIComplete, Expires: p.Expires, Server: p.Server,
		}, s.callOff))
		return
	}
	s.show(tui.DeviceScreen(s.out, tui.Device{
		UserCode: p.UserCode, VerificationURI: p.VerificationURI, VerificationURIComplete: p.VerificationURIComplete,
		Expires: p.Expires, Server: p.Server,
	}, s.look))
}

// browser says which page is being opened, before it is: the person may have to open it by hand.
func (s *stage) browser(p signin.BrowserPrompt) {
	text := fmt.Sprintf("Sign in to %s in the browser that opens. If none does, open\n  %s\nThat is good for %s.%s", tui.Clean(p.Server), tui.Clean(p.URL),
		time.Until(p.Expires).Round(time.Second), ifForgotten(p.Server, p.Doubtful))
	if s.chat != nil {
		s.show(s.chat.Wait(text, s.callOff))
		return
	}
	fmt.Fprintln(s.out, text)
	s.show(&plainStage{s.out})
}

// notOpened says that the browser does not open. The address stands above.
func (s *stage) notOpened(err error, other string) {
	text := fmt.Sprintf("No browser opens (%s). Open the address by hand, or stop this and %s.", clean(err.Error()), other)
	if s.chat != nil {
		s.chat.Note(text)
		return
	}
	fmt.Fprintln(s.out, folded(s.out, text))
}

// paste says what to open, and what to bring back.
func (s *stage) paste(p signin.PastePrompt) {
	fmt.Fprintf(s.out, "Sign in to %s: open, in any browser,\n  %s\n", tui.Clean(p.Server), tui.Clean(p.URL))
	fmt.Fprintf(s.out, "It ends at an address that begins with %s and may show an error.%s Paste that address here: ", tui.Clean(p.RedirectURI), ifForgotten(p.Server, p.Doubtful))
	s.show(&plainStage{s.out})
}

// ifForgotten is what to do where the provider's page may not know a registration that is kept: nobody comes back from there.
func ifForgotten(server string, doubtful bool) string {
	if !doubtful {
		return ""
	}
	return fmt.Sprintf(" If the page does not know this program, stop this and run %q.", "fastmcp-auth login --register-again "+tui.Clean(server))
}

// waiting says what another process asks a person to do.
func (s *stage) waiting(p tokencache.Pending) {
	if p.URL == "" {
		fmt.Fprintln(s.out, "Another fastmcp-auth is signing in to this server, and has not said how. Waiting for it; it may have been stopped.")
		return
	}
	fmt.Fprintf(s.out, "Another fastmcp-auth waits for this sign-in:\n  open  %s\n", tui.Clean(p.URL))
	if p.UserCode != "" {
		fmt.Fprintf(s.out, "  enter %s\n", tui.Clean(p.UserCode))
	}
	if left := time.Until(p.Expires); left > 0 {
		fmt.Fprintf(s.out, "That is good for %s.\n", left.Round(time.Second))
	}
}

// signing gives what calls the sign-in off.
func (s *stage) signing(off func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off = off
}

func (s *stage) callOff() {
	s.mu.Lock()
	off := s.off
	s.mu.Unlock()
	if off != nil {
		off()
	}
}

// again ends a code that ran out; the next one follows.
func (s *stage) again() { s.close(errCodeExpired) }

func (s *stage) show(shown interface{ Close(error) }) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = shown
}

// close ends what is shown and says how it went: err nil means signed in. The whole of err is told where errors are.
func (s *stage) close(err error) {
	err = inShort(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown != nil {
		s.shown.Close(err)
		s.shown = nil
	}
}

// inShort is err in a word or two.
func inShort(err error) error {
	switch {
	case err == nil || err == errCodeExpired:
		return err
	case errors.Is(err, context.Canceled):
		return errCancelled
	case errors.Is(err, signin.ErrDeclined):
		return errors.New("declined")
	case errors.Is(err, signin.ErrExpired):
		return errors.New("the code has ended")
	}
	return errors.New("it went wrong")
}

// plainStage is a sign-in of which whole lines tell.
type plainStage struct{ out io.Writer }

// Close says how it went; an error is told where errors are.
func (p *plainStage) Close(err error) {
	if err == nil {
		fmt.Fprintln(p.out, "Signed in.")
	}
}

const maxPasted = 16 << 10

// readLine reads one line, and gives up with ctx.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	came := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(in, maxPasted)).ReadString('\n')
		if line != "" {
			err = nil
		}
		came <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-came:
		if r.err != nil { // the input has ended, which says nothing about the server
			return "", errors.New("nothing was pasted")
		}
		return r.line, nil
	}
}
