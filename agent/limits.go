package agent

import (
	"cmp"
	"fmt"
	"time"
)

// Limits bound what a turn may take. A zero field means the default in its comment; a negative one of time means none.
type Limits struct {
	Steps    int           // how often the model is asked in one turn: 50
	Repeats  int           // how often the same call may be made in one turn: 3
	Time     time.Duration // of one turn, without the time in which a person is asked: none
	Cost     float64       // of the conversation, in the currency of Options.Prices: none
	Calls    int           // at the same time: 8
	OfServer int           // at the same time at one server: 4
	Silence  time.Duration // without an answer or progress of a call: a minute
	CallTime time.Duration // of a call, whatever its progress: an hour
	Result   int           // bytes of a tool's answer that the model sees: 64 KiB
	Context  int64         // tokens that the model can read: 128,000
	Tries    int           // of one question to the model that fails: 3
	AtOnce   int           // calls that the model may ask for at once: 64
}

func (l Limits) orDefaults() Limits {
	l.Steps = cmp.Or(l.Steps, 50)
	l.Repeats = cmp.Or(l.Repeats, 3)
	l.Calls = cmp.Or(l.Calls, 8)
	l.OfServer = cmp.Or(l.OfServer, 4)
	l.Silence = cmp.Or(l.Silence, time.Minute)
	l.CallTime = cmp.Or(l.CallTime, time.Hour)
	l.Result = cmp.Or(l.Result, 64<<10)
	l.Context = cmp.Or(l.Context, 128_000)
	l.Tries = cmp.Or(l.Tries, 3)
	l.AtOnce = cmp.Or(l.AtOnce, 64)
	return l
}

// Limit names a limit of a turn.
type Limit string

// The limits that end a turn.
const (
	LimitSteps   Limit = "steps"
	LimitRepeats Limit = "repeats"
	LimitTime    Limit = "time"
	LimitCost    Limit = "cost"
)

// LimitError ends a turn that reached a limit. The conversation can go on.
type LimitError struct {
	What Limit
	Most string // empty for a cost that cannot be told
}

// Error says which limit was reached.
func (e *LimitError) Error() string {
	switch e.What {
	case LimitSteps:
		return fmt.Sprintf("the model was asked %s times and is not done", e.Most)
	case LimitRepeats:
		return fmt.Sprintf("the model goes round in circles: it asked for the same call again and again, more than %s times", e.Most)
	case LimitTime:
		return "the turn has taken " + e.Most
	}
	if e.Most == "" {
		return "what the conversation costs cannot be told: the model does not say how many tokens it reads and writes"
	}
	return "the conversation has cost " + e.Most
}
