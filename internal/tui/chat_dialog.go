package tui

import (
	"context"
	"fmt"
	"sync"

	"charm.land/bubbletea/v2"
)

type keyPress = tea.KeyPressMsg

// chatApproval is an approving on a Chat.
type chatApproval struct {
	*approving
	chat *Chat
}

// Approve asks whether a call may run, and if not, why. It is asked about after what was asked before it.
func (c *Chat) Approve(ctx context.Context, a Approval) (consent Consent, reason string, err error) {
	a = Approval{Clean(a.Tool), Clean(a.Server), CleanLines(a.Arguments), Clean(a.Note)}
	d := &chatApproval{&approving{Approval: a, answered: make(chan struct{})}, c}
	if err := c.show(ctx, d, d.answered); err != nil {
		return Refuse, "", err
	}
	if d.reason != nil {
		reason = d.reason.text()
	}
	return d.consent, reason, nil
}

// view draws it; from then on it stands there.
func (d *chatApproval) view(width, height int) string {
	if d.asked.IsZero() {
		d.asked = d.chat.now()
	}
	return d.approving.view(width, height)
}

func (d *chatApproval) answer(c Consent) bool {
	d.consent = c
	close(d.answered)
	return true
}

func (d *chatApproval) paste(text string) {
	if d.reason != nil {
		d.reason.insert(text)
	}
}

func (d *chatApproval) leave() { close(d.answered) }

// chatForm is a Form on a Chat.
type chatForm struct {
	model    *formModel
	answered chan struct{}
}

// Ask shows a form, as Form.Ask does elsewhere.
func (c *Chat) Ask(ctx context.Context, f Form) (values []string, action int, err error) {
	f.clean()
	d := &chatForm{model: &formModel{form: f}, answered: make(chan struct{})}
	for _, field := range f.Fields {
		d.model.inputs = append(d.model.inputs, newInput(field))
	}
	if err := c.show(ctx, d, d.answered); err != nil {
		return nil, 0, err
	}
	if d.model.left {
		return nil, 0, ErrLeft
	}
	return d.model.values(), d.model.action, nil
}

func (d *chatForm) view(width, height int) string {
	d.model.width, d.model.height = width, height
	return d.model.view()
}

func (d *chatForm) key(k keyPress) bool {
	d.model.key(k)
	if d.model.over {
		close(d.answered)
	}
	return d.model.over
}

func (d *chatForm) paste(text string) { d.model.Update(tea.PasteMsg{Content: text}) }

func (d *chatForm) leave() {
	d.model.left = true
	close(d.answered)
}

// ChatNotice is something that is waited for, such as a sign-in, until Close. Esc calls it off.
type ChatNotice struct {
	chat   *Chat
	screen *Screen // of a device; nil for text
	text   string
	off    func()
	once   sync.Once
}

// Device shows the code of a sign-in elsewhere.
func (c *Chat) Device(d Device, off func()) *ChatNotice {
	s := &Screen{o: c.o, device: Device{
		UserCode: Clean(d.UserCode), VerificationURI: Clean(d.VerificationURI), VerificationURIComplete: Clean(d.VerificationURIComplete),
		Expires: d.Expires, Server: Clean(d.Server),
	}}
	return c.notice(&ChatNotice{screen: s, off: off})
}

// Wait shows text.
func (c *Chat) Wait(text string, off func()) *ChatNotice {
	return c.notice(&ChatNotice{text: CleanLines(text), off: off})
}

func (c *Chat) notice(n *ChatNotice) *ChatNotice {
	n.chat = c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialogs = append(c.dialogs, n)
	return n
}

func (n *ChatNotice) view(width, _ int) string {
	text := wrap(n.text, width, "") + "\n"
	if n.screen != nil {
		text = n.screen.view(width)
	}
	return text + "\n" + faint.Render("Esc calls it off")
}

func (n *ChatNotice) key(k keyPress) bool {
	if k.String() != "esc" {
		return false
	}
	n.leave()
	return true
}

func (n *ChatNotice) paste(string) {}
func (n *ChatNotice) leave()       { n.once.Do(func() { go n.off() }) }

// Close takes it off the screen, and says how it went: err nil means well.
func (n *ChatNotice) Close(err error) {
	n.once.Do(func() {})
	n.chat.drop(n)
	if err == nil {
		n.chat.Note("Signed in.")
		return
	}
	n.chat.Fault(fmt.Sprintf("Not signed in: %v", err))
}
