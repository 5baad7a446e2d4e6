package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"charm.land/bubbletea/v2"
	"golang.org/x/term"
)

// Field is one thing that a form asks for. Its words may hold anything.
type Field struct {
	Name     string
	Kind     string // what may be entered, in a word: "integer"
	Help     string
	Required bool
	Secret   bool     // is not shown while it is typed
	Choices  []string // what there is to choose from; none means that anything may be typed
	Value    string   // what stands there to begin with
	// Check says why a text cannot be taken; nil takes any. It is not asked about nothing.
	Check func(text string) error
}

// Form asks a person for several things at once: drawn on a terminal, line after line where nothing is drawn.
type Form struct {
	Title   string
	Text    string // a paragraph below the title
	Fields  []Field
	Actions []string // what the person may do with it, the first by itself; none means "Send"
}

// ErrLeft means that the person left without an answer. It is a [context.Canceled].
var ErrLeft = fmt.Errorf("left: %w", context.Canceled)

// Ask shows the form and returns what stands in each field, the empty text where nothing does, and which action was
// chosen. in is the keyboard. The error is ErrLeft, that of ctx, or of the terminal.
func (f Form) Ask(ctx context.Context, in *os.File, out io.Writer, o Options) (values []string, action int, err error) {
	f.clean()
	if !o.Terminal {
		return f.lines(ctx, in, out)
	}
	m := &formModel{form: f, width: o.width(out)}
	for _, field := range f.Fields {
		m.inputs = append(m.inputs, newInput(field))
	}
	if err := interact(ctx, m, in, out, o); err != nil {
		return nil, 0, err
	}
	if m.left {
		return nil, 0, ErrLeft
	}
	return m.values(), m.action, nil
}

func (f *Form) clean() {
	f.Title, f.Text = Clean(f.Title), CleanLines(f.Text)
	f.Fields = slices.Clone(f.Fields)
	for i := range f.Fields {
		field := &f.Fields[i]
		field.Name, field.Kind, field.Help = Clean(field.Name), Clean(field.Kind), Clean(field.Help)
		field.Choices = slices.Clone(field.Choices)
		for j, c := range field.Choices {
			field.Choices[j] = Clean(c)
		}
	}
	if len(f.Actions) == 0 {
		f.Actions = []string{"Send"}
	}
}

// interact runs a model that reads keys until it quits or ctx ends.
func interact(ctx context.Context, m tea.Model, in *os.File, out io.Writer, o Options) error {
	program := newProgram(m, out, in, o)
	stop := context.AfterFunc(ctx, program.Quit)
	defer stop()
	_, err := program.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// faultOf says why text cannot be taken for the field, or nothing.
func (f *Field) faultOf(text string) string {
	if text == "" {
		if f.Required {
			return "is needed"
		}
		return ""
	}
	if f.Check == nil {
		return ""
	}
	if err := f.Check(text); err != nil {
		return Clean(err.Error())
	}
	return ""
}

// lines asks for one field after the other.
func (f Form) lines(ctx context.Context, in *os.File, out io.Writer) (values []string, action int, err error) {
	ask := &asking{in: in, out: out}
	if f.Title != "" {
		fmt.Fprintln(out, f.Title)
	}
	if f.Text != "" {
		fmt.Fprintln(out, f.Text)
	}
	for i := range f.Fields {
		v, err := ask.field(ctx, &f.Fields[i])
		if err != nil {
			return nil, 0, err
		}
		values = append(values, v)
	}
	if len(f.Actions) == 1 {
		return values, 0, nil
	}
	action, err = ask.among(ctx, f.Actions)
	return values, action, err
}

// asking asks in lines.
type asking struct {
	in  *os.File
	out io.Writer
}

func (a *asking) field(ctx context.Context, f *Field) (string, error) {
	if f.Help != "" {
		fmt.Fprintf(a.out, "  %s\n", f.Help)
	}
	label := f.Name
	about := f.Kind
	if len(f.Choices) > 0 {
		about = strings.Join(f.Choices, "|")
	}
	if !f.Required {
		about = strings.TrimPrefix(about+", may be empty", ", ")
	}
	if about != "" {
		label += " (" + about + ")"
	}
	if f.Value != "" {
		label += " [" + f.Value + "]"
	}
	for {
		text, err := a.line(ctx, label+": ", f.Secret)
		if err != nil {
			return "", err
		}
		if text == "" {
			text = f.Value
		}
		if i := choiceOf(f.Choices, text); i >= 0 {
			text = f.Choices[i]
		}
		fault := f.faultOf(text)
		if fault == "" {
			return text, nil
		}
		fmt.Fprintf(a.out, "  %s %s\n", f.Name, fault)
	}
}

// among asks for one of some, by number or name.
func (a *asking) among(ctx context.Context, names []string) (int, error) {
	for i, name := range names {
		fmt.Fprintf(a.out, "  %d %s\n", i+1, name)
	}
	for {
		text, err := a.line(ctx, "number or name: ", false)
		if err != nil {
			return 0, err
		}
		if i := choiceOf(names, text); i >= 0 {
			return i, nil
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(names) {
			return n - 1, nil
		}
	}
}

func choiceOf(names []string, text string) int {
	return slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, text) })
}

const maxTyped = 64 << 10

// line reads one line. It takes a byte at a time, so that what follows stays for the next one.
func (a *asking) line(ctx context.Context, prompt string, secret bool) (string, error) {
	io.WriteString(a.out, prompt)
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		if secret && term.IsTerminal(int(a.in.Fd())) {
			raw, err := term.ReadPassword(int(a.in.Fd()))
			io.WriteString(a.out, "\n")
			got <- answer{string(raw), err}
			return
		}
		var text []byte
		for b := []byte{0}; len(text) < maxTyped; {
			n, err := a.in.Read(b)
			if n > 0 && b[0] == '\n' {
				break
			}
			if n > 0 {
				text = append(text, b[0])
			}
			if errors.Is(err, io.EOF) {
				err = ErrLeft
			}
			if err != nil {
				got <- answer{err: err}
				return
			}
		}
		got <- answer{text: strings.TrimRight(string(text), "\r")}
	}()
	select {
	case <-ctx.Done():
		io.WriteString(a.out, "\n")
		return "", ctx.Err()
	case g := <-got:
		return g.text, g.err
	}
}
