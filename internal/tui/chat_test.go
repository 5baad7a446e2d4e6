package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"charm.land/bubbletea/v2"
)

// talk is a Chat at one moment, drawn without a terminal.
func talk(clock *clock, width int) (*Chat, chan string) {
	done := make(chan string, 8)
	c := NewChat(nil, io.Discard, Options{Terminal: true, Now: clock.now, Width: width},
		ChatActions{Say: func(s string) { done <- "say " + s }, Cancel: func(id string) { done <- "cancel " + id }})
	c.Status(ChatStatus{Model: "a-model", Servers: "2/3 servers", Tokens: "1234 tokens", Cost: "cost n/a"})
	return c, done
}

func scenes(c *Chat, clock *clock) {
	c.Note("gone is left out: connection refused\x1b[2J")
	c.Person("reverse this text\nand give me a random number between 1 and 40")
	c.Speak("I call **two** tools.")
	c.Spoken()
	for i, tool := range []string{"reverse_tool", "reverse_tool", "random_number_tool", "convert_time", "write_file"} {
		c.Call(ChatCall{ID: fmt.Sprint("c", i), Tool: tool, Server: "mcp.example.com", Arguments: `{"query":"text number ` + fmt.Sprint(i) + `"}`})
	}
	for i := range 4 {
		c.Started(fmt.Sprint("c", i))
	}
	c.Busy(true)
	clock.after(2 * time.Second)
	c.Progress("c0", 2, 5, "reversed 2 of 5 characters")
	c.Progress("c1", 4, 5, nasty)
	c.Done("c2", `{"random_number":7}`, nil)
	c.Done("c3", "", errors.New("unknown zone Nowhere/Land"))
}

func strike(c *Chat, keys ...string) (leaves bool) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		switch k {
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab}
		case "up":
			msg = tea.KeyPressMsg{Code: tea.KeyUp}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		case "ctrl+c":
			msg = tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
		}
		c.mu.Lock()
		leaves = c.key(msg, 24)
		c.mu.Unlock()
	}
	return leaves
}

func TestTheChatIsDrawn(t *testing.T) {
	for _, width := range []int{80, 40} {
		clock := newClock()
		c, _ := talk(clock, width)
		scenes(c, clock)
		strike(c, "tab")
		drawn := c.view(width, 30)
		fits(t, drawn, width)
		golden(t, fmt.Sprintf("chat-%d", width), drawn)
		if n := strings.Count(drawn, "\n") + 1; n != 30 {
			t.Errorf("%d columns: %d lines, want 30", width, n)
		}
		if strings.Contains(drawn, "\x1b[2J") || strings.Contains(drawn, "\u202e") {
			t.Errorf("a stranger's sequence reaches the screen")
		}
	}
	c, _ := talk(newClock(), 5)
	scenes(c, newClock())
	for _, size := range [][2]int{{1, 1}, {5, 3}, {20, 6}, {300, 100}} { // nothing breaks
		c.view(size[0], size[1])
	}
}

func TestEachKeyOfAnApproval(t *testing.T) {
	for _, row := range []struct {
		name    string
		keys    []string
		consent Consent
		reason  string
	}{
		{"once", []string{"y"}, AllowOnce, ""},
		{"for the session", []string{"s"}, AllowSession, ""},
		{"always the same", []string{"a"}, AllowSame, ""},
		{"always whatever", []string{"w"}, AllowWhatever, ""},
		{"no", []string{"n"}, Refuse, ""},
		{"Esc is no", []string{"esc"}, Refuse, ""},
		{"no with a reason", []string{"r", "n", "o", "t", "y", "enter"}, Refuse, "noty"},
		{"a reason that is left is a no without", []string{"r", "y", "esc"}, Refuse, ""},
		{"Enter and Space answer nothing", []string{"enter", " ", "n"}, Refuse, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := newClock()
				c, _ := talk(clock, 80)
				type answer struct {
					consent Consent
					reason  string
				}
				got := make(chan answer, 1)
				go func() {
					consent, reason, err := c.Approve(context.Background(), Approval{Tool: "write_file", Arguments: "{}"})
					if err != nil {
						t.Error(err)
					}
					got <- answer{consent, reason}
				}()
				synctest.Wait()
				c.view(80, 24)
				strike(c, "y") // what the person was typing when the question came
				clock.after(time.Second)
				strike(c, row.keys...)
				if a := <-got; a.consent != row.consent || a.reason != row.reason {
					t.Errorf("%+v", a)
				}
			})
		})
	}
}

func TestQuestionsAreDrawnOverTheChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, width := range []int{80, 40} {
			clock := newClock()
			c, _ := talk(clock, width)
			scenes(c, clock)
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				_, _, err := c.Approve(ctx, Approval{Tool: "write_file", Server: "https://mcp.example.com/mcp", Arguments: `{"path":"/tmp/a","text":"` + strings.Repeat("long ", 30) + "\x1b[2J" + `"}`})
				ended <- err
			}()
			synctest.Wait()
			drawn := c.view(width, 30)
			fits(t, drawn, width)
			golden(t, fmt.Sprintf("chat-approve-%d", width), drawn)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || len(c.dialogs) != 0 {
				t.Errorf("%v, %d questions are left", err, len(c.dialogs))
			}
			off := make(chan bool, 1)
			n := c.Device(device(clock), func() { off <- true })
			drawn = c.view(width, 30)
			fits(t, drawn, width)
			golden(t, fmt.Sprintf("chat-device-%d", width), drawn)
			strike(c, "esc")
			<-off
			n.Close(errors.New("called off"))
			if drawn = c.view(width, 30); !strings.Contains(drawn, "Not signed in: called off") {
				t.Errorf("%q", drawn)
			}
		}
	})
}

// TestAPersonSeesWhatTheyAllow: all of it, and nothing in it hides.
func TestAPersonSeesWhatTheyAllow(t *testing.T) {
	if got := Shown("{\"a\":\"x\u202e\u200b\u007f\u009b31m\U000e0041é\"}"); got != `{"a":"x\u202e\u200b\u007f\u009b31m\udb40\udc41é"}` {
		t.Errorf("%s", got)
	}
	synctest.Test(t, func(t *testing.T) {
		clock := newClock()
		c, _ := talk(clock, 40)
		var lines []string
		for i := range 100 {
			lines = append(lines, fmt.Sprint("line-", i))
		}
		got := make(chan Consent, 1)
		go func() {
			consent, _, _ := c.Approve(context.Background(), Approval{Tool: "write_file", Arguments: strings.Join(lines, "\n")})
			got <- consent
		}()
		synctest.Wait()
		seen := map[string]bool{}
		look := func() {
			for _, word := range strings.Fields(c.view(40, 24)) {
				seen[word] = true
			}
		}
		look()
		if seen["line-99"] || !seen["line-0"] || !strings.Contains(c.view(40, 24), "of 100 lines") {
			t.Error("it does not begin at the first line, or does not say that there are others")
		}
		for range 120 {
			strike(c, "down")
			look()
		}
		for _, line := range lines {
			if !seen[line] {
				t.Errorf("%s cannot be seen", line)
			}
		}
		strike(c, "up")
		if strings.Contains(c.view(40, 24), "line-99") {
			t.Error("↑ does not go back at once")
		}
		clock.after(time.Second)
		strike(c, "y")
		if a := <-got; a != AllowOnce {
			t.Errorf("%v", a)
		}
	})
}

func TestAFormIsFilledInOnTheChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := talk(newClock(), 80)
		got := make(chan string, 1)
		go func() {
			values, action, err := c.Ask(context.Background(), Form{Title: "The server asks", Fields: []Field{{Name: "colour", Required: true}}})
			got <- fmt.Sprint(values, action, err)
		}()
		synctest.Wait()
		c.view(80, 24)
		strike(c, "r", "e", "d", "enter", "enter")
		if a := <-got; a != "[red] 0 <nil>" {
			t.Errorf("answered %s", a)
		}
	})
}

func TestKeysOfTheChat(t *testing.T) {
	clock := newClock()
	c, done := talk(clock, 80)
	strike(c, "h", "i", "enter")
	if got := <-done; got != "say hi" {
		t.Errorf("%q", got)
	}
	scenes(c, clock)
	strike(c, "n", "o", "enter") // something is going on: it stays in the line
	if drawn := c.view(80, 30); !strings.Contains(drawn, "wait for the answer") || c.line.text() != "no" {
		t.Errorf("%q is left in the line", c.line.text())
	}
	strike(c, "esc")
	if got := <-done; got != "cancel " {
		t.Errorf("Esc: %q", got)
	}
	strike(c, "tab", "tab", "esc")
	if got := <-done; got != "cancel c1" {
		t.Errorf("Esc with a focus: %q", got)
	}
	c.Done("c1", "", context.Canceled)
	if c.focus != "" {
		t.Error("a call that is over keeps the focus")
	}
	strike(c, "up")
	if c.line.text() != "hi" {
		t.Errorf("↑ brings back %q", c.line.text())
	}
	if strike(c, "ctrl+c", "x", "ctrl+c") {
		t.Error("one Ctrl-C leaves")
	}
	if !strike(c, "ctrl+c") {
		t.Error("two Ctrl-C do not leave")
	}
}

// TestAPanicGivesTheTerminalBack: what works for the conversation may break; the screen is left before that is told.
func TestAPanicGivesTheTerminalBack(t *testing.T) {
	for _, row := range []struct {
		name  string
		keys  string
		say   func(*Chat) func(string)
		needs string
	}{
		{"where a person speaks", "x\r", func(*Chat) func(string) { return func(string) { panic("oh no") } }, "oh no"},
		{"on a goroutine that the conversation began", "x\r", func(c *Chat) func(string) {
			return func(string) {
				go func() {
					defer c.Rescue()
					panic("oh dear")
				}()
			}
		}, "oh dear"},
	} {
		t.Run(row.name, func(t *testing.T) {
			in, typed := io.Pipe()
			var out strings.Builder
			var c *Chat
			c = NewChat(in, &out, Options{Terminal: true}, ChatActions{Say: func(s string) { row.say(c)(s) }, Cancel: func(string) {}})
			go io.WriteString(typed, row.keys)
			err := c.Run(t.Context())
			var broke *BrokenError
			if !errors.As(err, &broke) || !strings.Contains(err.Error(), row.needs) || len(broke.Stack) == 0 {
				t.Errorf("it ends with %v", err)
			}
			if on, off := strings.LastIndex(out.String(), "\x1b[?1049h"), strings.LastIndex(out.String(), "\x1b[?1049l"); on < 0 || off < on {
				t.Errorf("the screen is not left: on at %d, off at %d", on, off)
			}
		})
	}
}
