package tui

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"charm.land/bubbletea/v2"
)

// ChatActions are what a person does on a Chat. Each is called on a goroutine of its own, and none may be nil.
type ChatActions struct {
	Say    func(text string) // something was typed: words, or a command that begins with a slash
	Cancel func(call string) // a running call; empty means everything that is going on
}

// Chat is a conversation on a full screen: what was said, a card with a bar for each call, one question at a time, and a line
// to type in. What is passed may hold anything. It is safe for concurrent use.
type Chat struct {
	out io.Writer
	in  io.Reader
	o   Options
	do  ChatActions

	mu      sync.Mutex
	entries []*entry
	spoken  strings.Builder // what the model is saying
	bars    *Bars           // the clock and the lock of the cards' bars
	focus   string          // the call that Esc cancels
	busy    bool
	status  ChatStatus
	dialogs []dialog // the first has the keyboard
	line    *input
	said    []string // by the person, for the arrow keys
	recall  int
	scroll  int  // lines above the end
	leaving bool // Ctrl-C was pressed once
	hint    string
	program *tea.Program
	broke   *BrokenError // nil while nothing panicked
}

// ChatStatus is the last line.
type ChatStatus struct {
	Model, Servers, Tokens, Cost string
}

// entry is one thing in the conversation.
type entry struct {
	kind entryKind
	text string
	call string // the id of a call
	bar  *Bar   // nil until it runs
	over bool

	answer string // of a call

	drawn string // at columns, where it does not change any more
	width int
}

type entryKind int

const (
	saidByPerson entryKind = iota
	saidByModel
	noted
	wentWrong
	called
)

// NewChat prepares a conversation on a terminal. Run shows it.
func NewChat(in io.Reader, out io.Writer, o Options, do ChatActions) *Chat {
	return &Chat{in: in, out: out, o: o, do: do, bars: &Bars{o: o}, line: &input{optional: true}}
}

// Run shows the conversation until the person leaves, or ctx ends. It gives the terminal back as it was.
func (c *Chat) Run(ctx context.Context) error {
	p := newProgram(&chatModel{chat: c}, c.out, c.in, c.o)
	c.mu.Lock()
	c.program = p
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, p.Quit)
	defer stop()
	_, err := p.Run()
	c.mu.Lock()
	waiting, broke := c.dialogs, c.broke
	c.dialogs = nil
	c.mu.Unlock()
	for _, d := range waiting {
		d.leave()
	}
	switch {
	case broke != nil:
		return broke
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// BrokenError is a panic that ended a conversation.
type BrokenError struct {
	Value any
	Stack []byte
}

// Error says what it panicked with.
func (e *BrokenError) Error() string { return fmt.Sprintf("a fault of this program: %.200v", e.Value) }

// Rescue is deferred by goroutines that work for the conversation. A panic there ends Run with a [*BrokenError], which gives
// the terminal back first.
func (c *Chat) Rescue() {
	r := recover()
	if r == nil {
		return
	}
	c.mu.Lock()
	c.broke = &BrokenError{r, debug.Stack()}
	c.mu.Unlock()
	c.Leave()
}

// act does what a person asked for.
func (c *Chat) act(do func()) {
	go func() {
		defer c.Rescue()
		do()
	}()
}

// Leave ends Run.
func (c *Chat) Leave() {
	c.mu.Lock()
	p := c.program
	c.mu.Unlock()
	if p != nil {
		p.Quit()
	}
}

func (c *Chat) add(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.entries = append(c.entries, e)
}

// settle makes what the model is saying an entry. The lock is held.
func (c *Chat) settle() {
	if text := c.spoken.String(); strings.TrimSpace(text) != "" {
		c.entries = append(c.entries, &entry{kind: saidByModel, text: text, over: true})
	}
	c.spoken.Reset()
}

// Person shows what the person said.
func (c *Chat) Person(text string) {
	c.add(&entry{kind: saidByPerson, text: CleanText(text), over: true})
}

// Speak shows a piece of what the model says.
func (c *Chat) Speak(piece string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoken.WriteString(piece)
}

// Unsay takes back the pieces since the last Spoken.
func (c *Chat) Unsay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoken.Reset()
}

// Spoken says that the model has spoken to the end.
func (c *Chat) Spoken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
}

// Model shows what the model said before.
func (c *Chat) Model(text string) { c.add(&entry{kind: saidByModel, text: text, over: true}) }

// Note shows something to know.
func (c *Chat) Note(text string) { c.add(&entry{kind: noted, text: CleanText(text), over: true}) }

// Fault shows something that went wrong.
func (c *Chat) Fault(text string) {
	c.add(&entry{kind: wentWrong, text: CleanText(text), over: true})
}

// Clear takes everything off the screen.
func (c *Chat) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.scroll = nil, 0
	c.spoken.Reset()
}

// Busy says whether something is going on that Esc ends.
func (c *Chat) Busy(busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy, c.hint = busy, ""
	if !busy {
		c.focus = ""
	}
}

// Status changes the last line.
func (c *Chat) Status(s ChatStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = ChatStatus{Clean(s.Model), Clean(s.Servers), Clean(s.Tokens), Clean(s.Cost)}
}

// ChatCall is a call as its card shows it.
type ChatCall struct {
	ID, Tool, Server, Arguments string
}

// Call shows the card of a call.
func (c *Chat) Call(call ChatCall) {
	bar := &Bar{bars: c.bars, name: orDash(Clean(call.Tool)), said: -1}
	text := Clean(call.Arguments)
	if call.Server != "" {
		text = Clean(call.Server) + " " + text
	}
	c.add(&entry{kind: called, call: call.ID, text: text, bar: bar})
}

func (c *Chat) card(id string) *entry {
	for i := len(c.entries) - 1; i >= 0; i-- {
		if e := c.entries[i]; e.kind == called && e.call == id {
			return e
		}
	}
	return nil
}

// Started says that a call runs.
func (c *Chat) Started(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.card(id)
	if e == nil || !e.bar.began.IsZero() {
		return
	}
	c.bars.mu.Lock()
	e.bar.began = c.o.now()
	c.bars.mu.Unlock()
	c.bars.running.Add(1)
}

// Progress says how far a call is; total 0 means that nobody knows.
func (c *Chat) Progress(id string, done, total float64, message string) {
	c.mu.Lock()
	e := c.card(id)
	c.mu.Unlock()
	if e != nil {
		e.bar.Update(done, total, message)
	}
}

// Done ends a call, with what it answered, or why not.
func (c *Chat) Done(id, answer string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.card(id)
	if e == nil || e.over {
		return
	}
	e.over = true
	e.answer = Clean(answer)
	if c.focus == id {
		c.focus = ""
	}
	if e.bar.began.IsZero() { // it did not run
		e.kind = wentWrong
		reason := "was not called"
		if err != nil {
			reason += ": " + Clean(err.Error())
		}
		e.text = e.bar.name + " " + reason
		return
	}
	e.bar.Done(err)
}

// dialog is a question that has the keyboard.
type dialog interface {
	view(width, height int) string
	key(k tea.KeyPressMsg) (over bool)
	paste(text string)
	leave() // it ends without an answer
}

// show puts a dialog behind those that are there, until it is over or ctx ends.
func (c *Chat) show(ctx context.Context, d dialog, answered <-chan struct{}) error {
	c.mu.Lock()
	c.dialogs = append(c.dialogs, d)
	c.mu.Unlock()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		c.drop(d)
		return ctx.Err()
	}
}

func (c *Chat) drop(d dialog) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.dialogs {
		if one == d {
			c.dialogs = append(c.dialogs[:i:i], c.dialogs[i+1:]...)
			return
		}
	}
}

// chatModel draws a Chat; the beat shows what it was told.
type chatModel struct {
	chat          *Chat
	width, height int
}

func (m *chatModel) Init() tea.Cmd { return nextBeat() }

func (m *chatModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case beatMsg:
		return m, nextBeat()
	case tea.PasteMsg:
		if len(c.dialogs) > 0 {
			c.dialogs[0].paste(msg.Content)
		} else {
			c.line.insert(msg.Content)
		}
	case tea.KeyPressMsg:
		if c.key(msg, m.height) {
			return m, tea.Quit
		}
	}
	return m, nil
}

func (m *chatModel) View() tea.View {
	width, height := m.width, m.height
	if width == 0 {
		width, height = m.chat.o.width(m.chat.out), 24
	}
	v := tea.NewView(m.chat.view(width, height))
	v.AltScreen = true
	return v
}

// key takes a key, and reports whether the person leaves. The lock is held.
func (c *Chat) key(k tea.KeyPressMsg, height int) (leaves bool) {
	name := k.String()
	if name == "ctrl+c" {
		if c.leaving {
			return true
		}
		c.leaving = true
		return false
	}
	c.leaving, c.hint = false, ""
	if len(c.dialogs) > 0 {
		if d := c.dialogs[0]; d.key(k) {
			c.dialogs = c.dialogs[1:]
		}
		return false
	}
	switch name {
	case "esc":
		if c.busy || c.focus != "" {
			focus := c.focus
			c.act(func() { c.do.Cancel(focus) })
		}
	case "tab":
		c.focus = c.nextRunning()
	case "pgup":
		c.scroll += max(1, height/2)
	case "pgdown":
		c.scroll = max(0, c.scroll-max(1, height/2))
	case "up":
		c.remember(-1)
	case "down":
		c.remember(1)
	case "enter":
		c.submit()
	default:
		c.line.key(k)
	}
	return false
}

func (c *Chat) submit() {
	text := strings.TrimSpace(c.line.text())
	if text == "" {
		return
	}
	if c.busy && !strings.HasPrefix(text, "/") {
		c.hint = "wait for the answer, or press Esc to stop it"
		return
	}
	c.said, c.line, c.scroll = append(c.said, text), &input{optional: true}, 0
	c.recall = len(c.said)
	c.act(func() { c.do.Say(text) })
}

// remember goes through what the person said before.
func (c *Chat) remember(by int) {
	if len(c.said) == 0 {
		return
	}
	c.recall = min(max(c.recall+by, 0), len(c.said))
	c.line = &input{optional: true}
	if c.recall < len(c.said) {
		c.line.insert(c.said[c.recall])
	}
}

// nextRunning is the running call after the one with the focus; empty after the last.
func (c *Chat) nextRunning() string {
	found := c.focus == ""
	for _, e := range c.entries {
		switch {
		case e.kind != called || e.over:
		case found:
			return e.call
		case e.call == c.focus:
			found = true
		}
	}
	return ""
}

func (c *Chat) now() time.Time { return c.o.now() }
