package agent

import (
	"context"
	"encoding/json"
	"fmt"
)

// Approver asks a person whether a call may run. It may take as long as a person does, and must end with ctx. An error
// refuses the call.
type Approver func(ctx context.Context, c Call) (Answer, error)

// Call is a call that is to be decided about.
type Call struct {
	ID        string
	Tool      Tool
	Arguments json.RawMessage // exactly what will be sent: an object with each name once
	Note      string          // why a person is asked; may be empty
}

// Answer is what a person said about a call. The zero value refuses it.
type Answer struct {
	Allow  bool
	Keep   Keep
	Reason string // of a refusal, for the model; may be empty
}

// Keep says for how long an answer that allows is good.
type Keep int

const (
	Once           Keep = iota // for this call
	Session                    // for this tool, whatever the arguments, until the conversation is closed
	AlwaysSame                 // for this tool with exactly these arguments, from now on
	AlwaysWhatever             // for this tool with any arguments, from now on
)

// decide says whether c may run, and if not, why.
func (a *Agent) decide(ctx context.Context, c Call) (allowed bool, reason string) {
	verdict, why := a.ruled(c)
	switch verdict {
	case Allow:
		return true, why
	case Deny:
		return false, why
	}
	if a.o.Approve == nil {
		return false, "no rule allows it, and there is nobody to ask"
	}
	a.asking.Lock()
	defer a.asking.Unlock()
	if verdict, why = a.ruled(c); verdict != Ask { // the answer to the question before this one may be an answer to this one
		return verdict == Allow, why
	}
	c.Note = why
	resume := a.clocks.pause()
	answer, err := a.o.Approve(ctx, c)
	resume()
	switch {
	case ctx.Err() != nil:
		return false, "it was cancelled"
	case err != nil:
		return false, fmt.Sprintf("nobody could be asked: %v", err)
	case !answer.Allow && answer.Reason != "":
		return false, "the person says: " + answer.Reason
	case !answer.Allow:
		return false, "the person does not want it"
	}
	return true, a.remember(c, answer.Keep)
}

// ruled is what the rules say, and for a tool that changes nothing, that it may run.
func (a *Agent) ruled(c Call) (Verdict, string) {
	verdict, why := a.o.Rules.decide(c)
	if verdict == Deny || verdict == Allow {
		return verdict, why
	}
	if session, _ := a.rules.decide(c); session == Allow {
		return Allow, "the person allowed it for this session"
	}
	if verdict == Ask {
		return Ask, why
	}
	if c.Tool.ReadOnly && a.o.Rules.trusts() {
		return Allow, "it changes nothing, says its server"
	}
	return Ask, ""
}

// remember keeps what the person allowed for longer than this call. The names are a stranger's: what is special in a
// pattern stands for itself.
func (a *Agent) remember(c Call, keep Keep) string {
	rule := Rule{Decision: Allow, Server: literally(c.Tool.Server), Tool: literally(c.Tool.ServerTool)}
	switch keep {
	case Session:
		a.rules.add(rule)
		return "the person allows it for this session"
	case AlwaysSame, AlwaysWhatever:
		if keep == AlwaysSame {
			rule.Arguments = exactly(c.Arguments)
		}
		if err := a.o.Rules.Keep(rule); err != nil {
			a.tell(Event{Kind: EventNote, Text: fmt.Sprintf("the rule could not be kept, and is good for this session: %v", err)})
			a.rules.add(rule)
		} else if verdict, why := a.o.Rules.decide(c); verdict != Allow {
			a.tell(Event{Kind: EventNote, Text: "the rule is kept, and is good for this session; after that another one counts more: " + why})
			a.rules.add(rule)
		}
		return "the person allows it from now on"
	}
	return "the person allows it"
}
