package calls_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

func TestACallOutlivesTheRequestThatBeganIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		request, end := context.WithCancel(as(t, "anna"))
		call := begin(request, t, r, calls.Begin{Tool: "slow", Arguments: json.RawMessage(`{"q":"x"}`)})
		end()
		time.Sleep(10*time.Second + time.Millisecond)
		seen, err := r.Look(as(t, "anna"), call.ID)
		if err != nil || seen.State != calls.Running || seen.Progress == nil || seen.Progress.Message != "step 10" || string(seen.Arguments) != `{"q":"x"}` {
			t.Errorf("in the middle: %+v, %v", seen, err)
		}
		events := follow(as(t, "anna"), t, r, call.ID, 0)
		if len(events) != 62 || events[0].Call == nil || events[1].Progress.Total != 60 || last(t, events).State != calls.Completed {
			t.Errorf("%d events, the last %+v", len(events), events[len(events)-1])
		}
		for i, e := range events {
			if e.Index != uint64(i+1) {
				t.Errorf("event %d has the index %d", i+1, e.Index)
			}
		}
		if rest := follow(as(t, "anna"), t, r, call.ID, 60); len(rest) != 2 || rest[0].Progress.Message != "step 59" {
			t.Errorf("after 60: %+v", rest)
		}
		seen, err = r.Look(as(t, "anna"), call.ID)
		if err != nil || !strings.Contains(string(seen.Result), `"text":"done"`) || seen.Ended.Sub(seen.Begun) != time.Minute {
			t.Errorf("at the end: %+v, %v", seen, err)
		}
	})
}

// attack 45: another user's call, by its id.
func TestAttack45_ACallIsItsCallersAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		call := begin(as(t, "anna"), t, r, calls.Begin{Tool: "asking"})
		synctest.Wait()
		for _, who := range []string{"bert", "", "another program of anna's"} {
			ctx := as(t, who)
			switch who {
			case "":
				ctx = t.Context()
			case "another program of anna's":
				ctx = identity.NewContext(t.Context(), &identity.Identity{Issuer: "https://idp.example", Subject: "anna", Kind: identity.Person, ClientID: "other"})
			}
			_, look := r.Look(ctx, call.ID)
			_, followed := r.Follow(ctx, call.ID, 0)
			_, none := r.Look(ctx, "no such call")
			for doing, err := range map[string]error{"look": look, "follow": followed, "look at none": none, "cancel": r.Cancel(ctx, call.ID),
				"forget": r.Forget(ctx, call.ID), "answer": r.Answer(ctx, call.ID, json.RawMessage(`{"name":{"action":"accept"}}`), "")} {
				if !errors.Is(err, calls.ErrNotFound) || err.Error() != none.Error() {
					t.Errorf("%q may %s: %v", who, doing, err)
				}
			}
			if list, err := r.History(ctx); err != nil || len(list) != 0 {
				t.Errorf("%q sees %+v, %v", who, list, err)
			}
		}
		if seen, err := r.Look(as(t, "anna"), call.ID); err != nil || seen.State != calls.InputRequired {
			t.Errorf("it changed: %+v, %v", seen, err)
		}
	})
}

func TestACallIsFollowedAndCancelledAtAnyServer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		here, _ := w.server()
		there, _ := w.server()
		ctx := as(t, "anna")
		call := begin(ctx, t, here, calls.Begin{Tool: "slow"})
		var events []calls.Event
		var following sync.WaitGroup
		following.Go(func() { events = follow(ctx, t, there, call.ID, 0) })
		time.Sleep(5 * time.Second)
		if err := there.Cancel(ctx, call.ID); err != nil {
			t.Fatal(err)
		}
		following.Wait()
		if got := last(t, events); got.State != calls.Cancelled || got.Ended.Sub(got.Begun) > 6*time.Second {
			t.Errorf("%+v", got)
		}
		if err := here.Cancel(ctx, call.ID); err != nil {
			t.Errorf("a second cancel: %v", err)
		}
		if seen, err := here.Look(ctx, call.ID); err != nil || seen.State != calls.Cancelled {
			t.Errorf("%+v, %v", seen, err)
		}
	})
}

func TestACallThatAsksIsAnsweredOnceAtAnyServer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		here, _ := w.server()
		there, _ := w.server()
		ctx := as(t, "anna")
		call := begin(ctx, t, here, calls.Begin{Tool: "asking"})
		synctest.Wait()
		seen, err := there.Look(ctx, call.ID)
		if err != nil || seen.State != calls.InputRequired || !strings.Contains(string(seen.Input), "Your name?") || strings.Contains(string(seen.Input), "remembered") {
			t.Fatalf("%+v, %v", seen, err)
		}
		var arguments *toolbox.ArgumentsError
		for _, bad := range []string{``, `null`, `[]`, `{"name":`} {
			if err := there.Answer(ctx, call.ID, json.RawMessage(bad), ""); !errors.As(err, &arguments) {
				t.Errorf("the answer %s: %v", bad, err)
			}
		}
		var taken atomic.Int32
		var group sync.WaitGroup
		for _, r := range []*calls.Runner{here, there, here, there} {
			group.Go(func() {
				err := r.Answer(ctx, call.ID, json.RawMessage(`{"name":{"action":"accept","content":{"name":"Anna"}}}`), "")
				if err == nil {
					taken.Add(1)
				} else if !errors.Is(err, calls.ErrNotAsking) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		follow(ctx, t, here, call.ID, 0)
		seen, err = here.Look(ctx, call.ID)
		if err != nil || taken.Load() != 1 || w.made.Load() != 2 || !strings.Contains(string(seen.Result), "hello Anna") || seen.Input != nil {
			t.Errorf("%d answers taken, %d rounds: %+v, %v", taken.Load(), w.made.Load(), seen, err)
		}
	})
}

func TestOneKeyIsOneCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		ctx := as(t, "anna")
		b := calls.Begin{Tool: "quick", Arguments: json.RawMessage(`{"q":"x"}`), Key: "k"}
		var ids sync.Map
		var fresh atomic.Int32
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				call, first, err := r.Begin(ctx, b)
				if err != nil {
					t.Error(err)
					return
				}
				ids.Store(call.ID, true)
				if first {
					fresh.Add(1)
				}
			})
		}
		group.Wait()
		synctest.Wait()
		if n := len(slices.Collect(func(yield func(any) bool) { ids.Range(func(k, _ any) bool { return yield(k) }) })); n != 1 || fresh.Load() != 1 || w.made.Load() != 1 {
			t.Errorf("%d calls, %d fresh, %d made", n, fresh.Load(), w.made.Load())
		}
		other := b
		other.Arguments = json.RawMessage(`{"q":"y"}`)
		if _, _, err := r.Begin(ctx, other); !errors.Is(err, calls.ErrKeyReused) {
			t.Errorf("another call with the key: %v", err)
		}
		if _, first, err := r.Begin(as(t, "bert"), b); err != nil || !first {
			t.Errorf("another caller's key: fresh %v, %v", first, err)
		}
		refused := calls.Begin{Tool: "none", Key: "again"}
		for range 2 {
			if _, _, err := r.Begin(ctx, refused); calls.Code(err) != "unknown_tool" {
				t.Errorf("what was refused: %v", err)
			}
		}
	})
}

func TestACallOfAServerThatIsGoneFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx := as(t, "anna")
		here, stop := w.server()
		there, _ := w.server()
		call := begin(ctx, t, here, calls.Begin{Tool: "slow"})
		var events []calls.Event
		var following sync.WaitGroup
		following.Go(func() { events = follow(ctx, t, there, call.ID, 0) })
		time.Sleep(3 * time.Second)
		w.store.away.Store(true) // what is killed keeps nothing more
		stop()
		w.store.away.Store(false)
		following.Wait()
		if got := last(t, events); got.State != calls.Failed || got.Failure.Code != "interrupted" {
			t.Errorf("%+v", got)
		}
		if seen, err := there.Look(ctx, call.ID); err != nil || seen.State != calls.Failed || seen.Failure.Code != "interrupted" {
			t.Errorf("%+v, %v", seen, err)
		}
	})
}

// attack 54: a store that is away is no answer, and opens nothing.
func TestAttack54_AStoreThatIsAwayIsAnError(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		ctx := as(t, "anna")
		call := begin(ctx, t, r, calls.Begin{Tool: "slow"})
		time.Sleep(50 * time.Second)
		w.store.away.Store(true)
		_, _, begun := r.Begin(ctx, calls.Begin{Tool: "quick"})
		_, looked := r.Look(ctx, call.ID)
		for doing, err := range map[string]error{"begin": begun, "look": looked, "cancel": r.Cancel(ctx, call.ID)} {
			if !errors.Is(err, calls.ErrStore) {
				t.Errorf("%s: %v", doing, err)
			}
		}
		time.Sleep(20 * time.Second) // the call ends meanwhile
		if w.made.Load() != 1 {
			t.Error("a call that could not be kept was made")
		}
		w.store.away.Store(false)
		if got := last(t, follow(ctx, t, r, call.ID, 0)); got.State != calls.Completed {
			t.Errorf("when the store is back: %+v", got)
		}
	})
}

func TestWhatCannotBeginIsSaidAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, stop := w.server()
		ctx := as(t, "anna")
		if _, _, err := r.Begin(ctx, calls.Begin{Tool: "none"}); calls.Code(err) != "unknown_tool" {
			t.Errorf("an unknown tool: %v", err)
		}
		for tool, row := range map[string]struct{ arguments, code string }{
			"quick":  {`{"other":1}`, "invalid_arguments"},
			"broken": {`{}`, "failed"},
		} {
			call := begin(ctx, t, r, calls.Begin{Tool: tool, Arguments: json.RawMessage(row.arguments), RequestID: "r1"})
			got := last(t, follow(ctx, t, r, call.ID, 0))
			if got.State != calls.Failed || got.Failure.Code != row.code || got.Failure.RequestID != "r1" || strings.Contains(got.Failure.Message, "hunter2") {
				t.Errorf("%s: %+v", tool, got.Failure)
			}
		}
		stop()
		if _, _, err := r.Begin(ctx, calls.Begin{Tool: "quick"}); !errors.Is(err, toolbox.ErrDraining) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestALargeResultIsKept(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		ctx := as(t, "anna")
		call := begin(ctx, t, r, calls.Begin{Tool: "large"})
		follow(ctx, t, r, call.ID, 0)
		seen, err := r.Look(ctx, call.ID)
		if err != nil || len(seen.Result) < 3<<20 || !json.Valid(seen.Result) {
			t.Errorf("%d bytes, %v", len(seen.Result), err)
		}
	})
}

// attack 60: what is kept of one caller is bounded, whatever the caller does, so that there is room for everyone else.
func TestAttack60_OneCallerDoesNotFillTheStore(t *testing.T) {
	for _, row := range []struct {
		name  string
		calls int
		pace  time.Duration
		begin func(i int) calls.Begin
	}{
		{"many idempotency keys", 400, time.Second, func(i int) calls.Begin { return calls.Begin{Tool: "quick", Key: fmt.Sprint("key ", i)} }},
		{"large results", 30, time.Second, func(int) calls.Begin { return calls.Begin{Tool: "large"} }},
		{"calls that wait for an answer", 200, time.Second, func(int) calls.Begin { return calls.Begin{Tool: "asking"} }},
		{"slow calls, pushed out of the history by quick ones", 200, 100 * time.Millisecond, func(i int) calls.Begin {
			return calls.Begin{Tool: []string{"slow", "quick", "quick", "quick"}[i%4]}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.store.Store = store.Memory(store.MemoryOptions{MaxItems: 400, MaxBytes: 80 << 20})
				r, _ := w.server()
				greedy, other := as(t, "greedy"), as(t, "other")
				var ids []string
				for i := range row.calls {
					ids = append(ids, begin(greedy, t, r, row.begin(i)).ID)
					synctest.Wait()
					time.Sleep(row.pace)
				}
				time.Sleep(2 * time.Minute)
				kept := 0
				for _, id := range ids {
					if _, err := r.Look(greedy, id); err == nil {
						kept++
					}
				}
				if kept == 0 || kept > 50 {
					t.Errorf("%d calls are kept", kept)
				}
				call := begin(other, t, r, calls.Begin{Tool: "large"})
				follow(other, t, r, call.ID, 0)
				if seen, err := r.Look(other, call.ID); err != nil || len(seen.Result) < 3<<20 {
					t.Errorf("somebody else: %d bytes, %v", len(seen.Result), err)
				}
			})
		})
	}
}

// A key whose call was forgotten stands for nothing.
func TestAKeyEndsWithItsCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		ctx := as(t, "anna")
		call := begin(ctx, t, r, calls.Begin{Tool: "quick", Key: "k"})
		follow(ctx, t, r, call.ID, 0)
		if err := r.Forget(ctx, call.ID); err != nil {
			t.Fatal(err)
		}
		begin(ctx, t, r, calls.Begin{Tool: "large", Key: "k"})
	})
}

func TestTheHistoryIsBoundedAndEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, _ := w.server()
		ctx := as(t, "anna")
		var ids []string
		for range 60 {
			call := begin(ctx, t, r, calls.Begin{Tool: "quick"})
			ids = append(ids, call.ID)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		list, err := r.History(ctx)
		if err != nil || len(list) != 50 || list[0].ID != ids[59] || list[49].ID != ids[10] {
			t.Fatalf("%d calls, %v", len(list), err)
		}
		if _, err := r.Look(ctx, ids[0]); !errors.Is(err, calls.ErrNotFound) {
			t.Errorf("the first: %v", err)
		}
		if err := r.Forget(ctx, ids[59]); err != nil {
			t.Error(err)
		}
		if list, err := r.History(ctx); err != nil || len(list) != 49 {
			t.Errorf("one was forgotten: %d, %v", len(list), err)
		}
		time.Sleep(25 * time.Hour)
		if list, err := r.History(ctx); err != nil || len(list) != 0 {
			t.Errorf("after a day: %d, %v", len(list), err)
		}
	})
}
