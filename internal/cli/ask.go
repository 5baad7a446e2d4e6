package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/opener"
	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// asker asks the person at the terminal: for a tool and its arguments before a call, and in the middle of one for what
// the server wants to know. One thing at a time.
type asker struct {
	in   *os.File // nil where nobody may be asked
	out  io.Writer
	look tui.Options
	chat *tui.Chat // where it is asked on a full screen
	// hold gives the terminal to what is shown, and stops the clocks meanwhile.
	hold func(show func())

	mu      sync.Mutex
	who     string // the server that asks
	refused string // the last question that nobody could be asked
}

// newAsker asks on the terminal, where there is a person at both ends of it and noInput does not forbid it.
func newAsker(s streams, noInput bool, look tui.Options) *asker {
	a := &asker{out: s.err, look: look, hold: func(show func()) { show() }}
	if f, ok := s.in.(*os.File); ok && !noInput && term.IsTerminal(int(f.Fd())) && isTerminal(s.err) {
		a.in = f
	}
	return a
}

// answer is the client.Answerer of the terminal, where one server is called.
func (a *asker) answer(ctx context.Context, q client.Question) (any, error) {
	return a.answerTo(ctx, "The server", q)
}

// answerTo is answer where several servers are, of which who asks.
func (a *asker) answerTo(ctx context.Context, who string, q client.Question) (result any, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.who = who
	if a.in == nil && a.chat == nil {
		a.refused = questionText(q)
		return nil, fmt.Errorf("the server asks: %s", a.refused)
	}
	a.hold(func() {
		switch q.Method {
		case client.MethodElicit:
			result, err = a.elicit(ctx, q.Params)
		case client.MethodSample:
			result, err = a.sample(ctx, q.Params)
		default:
			err = fmt.Errorf("the server asks by %s, which is not known here", tui.Clean(q.Method))
		}
	})
	return result, err
}

// form asks where the person is.
func (a *asker) form(ctx context.Context, f tui.Form) ([]string, int, error) {
	if a.chat != nil {
		return a.chat.Ask(ctx, f)
	}
	return f.Ask(ctx, a.in, a.out, a.look)
}

// unanswered is the question that could not be asked, or empty.
func (a *asker) unanswered() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

func questionText(q client.Question) string {
	var p struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(q.Params, &p) == nil && p.Message != "" {
		return tui.Clean(p.Message)
	}
	if q.Method == client.MethodSample {
		return "what a language model would say"
	}
	return "a question"
}

// elicitation is what a server wants to know of the person.
type elicitation struct {
	Mode    string          `json:"mode"`
	Message string          `json:"message"`
	Schema  json.RawMessage `json:"requestedSchema"`
	URL     string          `json:"url"`
}

// What a person does with an elicitation.
var elicitActions = []string{"accept", "decline", "cancel"}

// elicit shows a form, or a link to go to. Whoever leaves it cancels.
func (a *asker) elicit(ctx context.Context, params json.RawMessage) (any, error) {
	var e elicitation
	if err := json.Unmarshal(params, &e); err != nil {
		return nil, fmt.Errorf("read the server's question: %w", err)
	}
	if e.Mode == "url" {
		return a.visit(ctx, e)
	}
	schema, err := arguments.ParseSchema(e.Schema)
	if err != nil {
		return nil, fmt.Errorf("read the server's question: %w", err)
	}
	form := tui.Form{Title: a.who + " asks", Text: e.Message, Fields: fields(schema.Properties, nil), Actions: []string{"Accept", "Decline", "Cancel"}}
	values, action, err := a.form(ctx, form)
	if err == tui.ErrLeft {
		return map[string]any{"action": "cancel"}, nil
	}
	if err != nil {
		return nil, err
	}
	result := map[string]any{"action": elicitActions[action]}
	if action == 0 {
		if result["content"], err = valuesOf(schema.Properties, values); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// visit asks whether the person goes to an address of the server's. It opens none by itself: the person sees where it
// leads, and follows it or not.
func (a *asker) visit(ctx context.Context, e elicitation) (any, error) {
	address, err := opener.Check(e.URL)
	if err != nil {
		return nil, fmt.Errorf("the server asks to open %q, which is no web address", tui.Clean(e.URL))
	}
	form := tui.Form{
		Title: a.who + " asks you to open an address", Text: e.Message + "\n\n  " + address + "\n\nOpen it only if you trust it, and go on when you are done there.",
		Actions: []string{"I have opened it", "Decline", "Cancel"},
	}
	_, action, err := a.form(ctx, form)
	switch {
	case err == tui.ErrLeft:
		return map[string]any{"action": "cancel"}, nil
	case err != nil:
		return nil, err
	}
	return map[string]any{"action": elicitActions[action]}, nil
}

// sampling is what a server wants a language model to say. Here the person says it.
type sampling struct {
	System   string `json:"systemPrompt"`
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
}

// sample shows what the server would ask a language model, and lets the person answer in its place, or refuse.
func (a *asker) sample(ctx context.Context, params json.RawMessage) (any, error) {
	var s sampling
	if err := json.Unmarshal(params, &s); err != nil {
		return nil, fmt.Errorf("read the server's question: %w", err)
	}
	var text strings.Builder
	if s.System != "" {
		fmt.Fprintf(&text, "system: %s\n", s.System)
	}
	for _, m := range s.Messages {
		var c content
		if json.Unmarshal(m.Content, &c) == nil && c.Text != nil {
			fmt.Fprintf(&text, "%s: %s\n", m.Role, *c.Text)
		} else {
			fmt.Fprintf(&text, "%s: (not a text)\n", m.Role)
		}
	}
	form := tui.Form{
		Title: a.who + " asks for what a language model would say. There is none here: answer yourself, or refuse", Text: text.String(),
		Fields: []tui.Field{{Name: "answer", Kind: "text", Required: true}}, Actions: []string{"Send", "Refuse"},
	}
	values, action, err := a.form(ctx, form)
	if err == tui.ErrLeft || err == nil && action != 0 {
		return nil, fmt.Errorf("the person refused to answer in place of a language model")
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"role": "assistant", "model": "person", "stopReason": "endTurn", "content": map[string]any{"type": "text", "text": values[0]},
	}, nil
}

// tool lets the person choose one of tools.
func (a *asker) tool(ctx context.Context, tools []tool) (int, error) {
	var choices []tui.Choice
	for _, t := range tools {
		choices = append(choices, tui.Choice{Name: t.Name, Help: t.brief()})
	}
	return tui.Choose(ctx, a.in, a.out, "Which tool?", choices, a.look)
}

// arguments asks for the arguments of t; given stand in the form already.
func (a *asker) arguments(ctx context.Context, t *tool, given map[string]any) (map[string]any, error) {
	if len(t.schema.Properties) == 0 {
		return given, nil
	}
	form := tui.Form{Title: t.Name, Text: t.brief(), Fields: fields(t.schema.Properties, given), Actions: []string{"Call"}}
	values, _, err := a.form(ctx, form)
	if err != nil {
		return nil, err
	}
	return valuesOf(t.schema.Properties, values)
}

// fields are the fields of a form for properties. A default is shown, and sent only where the person takes it.
func fields(properties []arguments.Property, given map[string]any) []tui.Field {
	var all []tui.Field
	for _, p := range properties {
		f := tui.Field{
			Name: p.Name, Kind: p.Schema.Kind(), Help: p.Schema.Description, Required: p.Required,
			Secret: p.Schema.Format == "password" || p.Schema.WriteOnly,
			Check: func(text string) error {
				_, err := p.Schema.Value(text)
				return err
			},
		}
		for _, v := range p.Schema.Enum {
			f.Choices = append(f.Choices, p.Schema.Label(v))
		}
		if len(p.Schema.Enum) == 0 && slices.Equal(p.Schema.Types, []string{"boolean"}) {
			f.Choices = []string{"true", "false"}
		}
		if p.Schema.Title != "" && f.Help == "" {
			f.Help = p.Schema.Title
		}
		if p.Schema.HasDefault && p.Schema.Default != nil {
			f.Value = arguments.Text(p.Schema.Default)
		}
		if v, said := given[p.Name]; said {
			f.Value = arguments.Text(v)
		}
		all = append(all, f)
	}
	return all
}

// valuesOf reads what stands in a form; nothing is left out.
func valuesOf(properties []arguments.Property, values []string) (map[string]any, error) {
	args := map[string]any{}
	for i, p := range properties {
		if values[i] == "" {
			continue
		}
		v, err := p.Schema.Value(values[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		args[p.Name] = v
	}
	return args, nil
}
