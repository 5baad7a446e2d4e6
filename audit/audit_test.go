package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

var update = flag.Bool("update", false, "write the goldens anew")

// memory keeps events, or fails with err.
type memory struct {
	mu     sync.Mutex
	events []Event
	err    error
	closed int
}

func (m *memory) Write(_ context.Context, e Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.events = append(m.events, e)
	return nil
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

func newTrail(t *testing.T, o Options) *Trail {
	t.Helper()
	trail, err := NewTrail(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { trail.Close() })
	return trail
}

// full is an event in which everything is said.
func full() Event {
	return Event{
		Time: time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.FixedZone("there", 3600)),
		Kind: Ended, RequestID: "b4wsq7tdjc6vzkkm", TraceID: "0af7651916cd43dd8448eb211c80319c", Address: "192.0.2.7",
		Principal: Of(&identity.Identity{Issuer: "https://login.example.com/t/v2.0", Tenant: "t", Subject: "pairwise", ObjectID: "oid", Kind: identity.Person}),
		Client:    "cli", Tool: "reverse_tool", Decision: Allow, Rule: "broad scope",
		Arguments: "hmac-sha256:00", Outcome: &Outcome{Result: "ok", Micros: 1234, Bytes: 56},
	}
}

func TestAnEventInFull(t *testing.T) {
	const golden = "testdata/event.jsonl"
	var out bytes.Buffer
	trail := newTrail(t, Options{Sinks: []Sink{NewStream("buffer", &out)}})
	for _, e := range []Event{full(), {Time: full().Time, Kind: Decided, Decision: Refuse, Rule: "expired"}} {
		if err := trail.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || out.String() != string(want) {
		t.Errorf("wrote\n%s\nwant %v\n%s", out.String(), err, want)
	}
}

func TestAttack54_ASinkThatFailsClosesTheDoor(t *testing.T) {
	broken := errors.New("disk full")
	for _, row := range []struct {
		name  string
		sinks func(good *memory) []Sink
		open  bool
		want  error
	}{
		{"attack 54 a sink that fails is an error", func(*memory) []Sink { return []Sink{&memory{err: broken}} }, false, broken},
		{"attack 54 one of two that fails is an error, and the other has the event", func(good *memory) []Sink { return []Sink{&memory{err: broken}, good} }, false, broken},
		{"attack 54 a sink that panics is an error", func(good *memory) []Sink { return []Sink{panics{}, good} }, false, ErrUnavailable},
		{"a sink that fails lets calls pass where that was asked for", func(good *memory) []Sink { return []Sink{&memory{err: broken}, good} }, true, nil},
		{"all sinks that work are no error", func(good *memory) []Sink { return []Sink{good, &memory{}} }, false, nil},
		{"no sink is no error", func(*memory) []Sink { return nil }, false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			good := &memory{}
			sinks := row.sinks(good)
			err := newTrail(t, Options{Sinks: sinks, Open: row.open}).Write(t.Context(), full())
			if !errors.Is(err, row.want) || err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("answered %v", err)
			}
			if len(sinks) > 1 && len(good.events) != 1 {
				t.Errorf("the good sink has %d events", len(good.events))
			}
		})
	}
}

type panics struct{}

func (panics) Write(context.Context, Event) error { panic("no") }

func TestASinkIsReportedWhenItTurns(t *testing.T) {
	var log bytes.Buffer
	sink := &memory{}
	trail := newTrail(t, Options{Sinks: []Sink{sink}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	write := func(times int) {
		for range times {
			_ = trail.Write(t.Context(), full())
		}
	}
	write(2)
	sink.fail(errors.New("gone"))
	write(3)
	sink.fail(nil)
	write(2)
	if fails, works := strings.Count(log.String(), "audit sink fails"), strings.Count(log.String(), "works again"); fails != 1 || works != 1 {
		t.Errorf("said %d times that it fails and %d times that it works:\n%s", fails, works, log.String())
	}
}

func TestTheTrailFillsWhatTheRequestBrought(t *testing.T) {
	sink := &memory{}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	trail := newTrail(t, Options{Sinks: []Sink{sink}, Now: func() time.Time { return now }})
	ctx, cancel := context.WithCancel(NewContext(t.Context(), Origin{RequestID: "one", TraceID: "trace", Address: "192.0.2.7"}))
	cancel() // a client that left is no reason to record nothing
	long := strings.Repeat("ä", 400)
	for _, e := range []Event{{Kind: Decided}, {Kind: Decided, RequestID: "two", Principal: &Principal{Subject: long, Issuer: "a\xffb"}}} {
		if err := trail.Write(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	first, second := sink.events[0], sink.events[1]
	if first.RequestID != "one" || first.TraceID != "trace" || first.Address != "192.0.2.7" || !first.Time.Equal(now) {
		t.Errorf("the first event is %+v", first)
	}
	if second.RequestID != "two" {
		t.Errorf("the second event has the id %s", second.RequestID)
	}
	if n := len(second.Principal.Subject); n > maxText+len("…") || !strings.HasSuffix(second.Principal.Subject, "ä…") || second.Principal.Issuer != "a\ufffdb" {
		t.Errorf("the principal is %d bytes long: %+v", n, second.Principal)
	}
}

func TestTheHashOfArguments(t *testing.T) {
	trail := newTrail(t, Options{Sinks: []Sink{&memory{}}, Key: bytes.Repeat([]byte{7}, 32)})
	base := trail.Hash([]byte(`{"a":"x<y","b":[1,{"c":null,"d":true}]}`))
	if len(base) != len(hashPrefix)+64 || !strings.HasPrefix(base, hashPrefix) {
		t.Fatalf("the hash is %s", base)
	}
	for _, row := range []struct {
		name, arguments string
		same            bool
	}{
		{"order and spaces do not matter", ` { "b" : [1, {"d":true,"c":null}], "a":"x<y" } `, true},
		{"nor does how a letter is escaped", `{"a":"x\u003cy","b":[1,{"c":null,"d":true}]}`, true},
		{"another value is another hash", `{"a":"x<y","b":[2,{"c":null,"d":true}]}`, false},
		{"another order in a list is another hash", `{"a":"x<y","b":[{"c":null,"d":true},1]}`, false},
		{"a number written otherwise is another hash", `{"a":"x<y","b":[1.0,{"c":null,"d":true}]}`, false},
	} {
		if got := trail.Hash([]byte(row.arguments)); (got == base) != row.same {
			t.Errorf("%s: %s beside %s", row.name, got, base)
		}
	}
	other := newTrail(t, Options{Sinks: []Sink{&memory{}}})
	if other.Hash([]byte(`{"a":1}`)) == trail.Hash([]byte(`{"a":1}`)) {
		t.Error("two keys make one hash, so short arguments can be guessed")
	}
	for _, bad := range []string{"", "{", "{} {}"} {
		if got := trail.Hash([]byte(bad)); got != "" {
			t.Errorf("%q has the hash %s", bad, got)
		}
	}
	if got := newTrail(t, Options{}).Hash([]byte("{}")); got != "" {
		t.Errorf("a trail that keeps nothing hashes: %s", got)
	}
	if _, err := NewTrail(Options{Key: make([]byte, 31)}); err == nil {
		t.Error("a short key is taken")
	}
}

// TestALineIsWhatEncodingJSONWrites holds the writing by hand against the type's own tags, for texts of every kind.
func TestALineIsWhatEncodingJSONWrites(t *testing.T) {
	texts := []string{"", "plain", `"\\/`, "<a>&b", "\b\f\n\r\t\x00\x1f\x7f", "ä€😀", "\u2028\u2029\ufffd", "a\xffb\xc3"}
	for i, s := range texts {
		other := texts[(i+1)%len(texts)]
		for _, e := range []Event{
			{Kind: Decided, RequestID: s, TraceID: other, Address: s, Client: other, Tool: s, Decision: Allow, Rule: other, Arguments: s},
			{Time: full().Time, Kind: Kind(s), Principal: &Principal{Issuer: s, Tenant: other, ObjectID: s, Subject: other, Kind: identity.Kind(s)}, Decision: Decision(other)},
			{Time: time.Unix(0, 1).UTC(), Principal: &Principal{}, Outcome: &Outcome{Result: s, Micros: int64(-i), Bytes: 1 << 60}},
			{Outcome: &Outcome{}}, full(),
		} {
			want, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(line(e)); got != string(want)+"\n" {
				t.Errorf("wrote %s\nwant  %s", got, want)
			}
		}
	}
	if n := reflect.TypeFor[Event]().NumField() + reflect.TypeFor[Principal]().NumField() + reflect.TypeFor[Outcome]().NumField(); n != 20 {
		t.Errorf("an event has %d fields; is each of them written and tested?", n)
	}
}

// FuzzHash hashes what strangers send: nothing panics, and the hash is that of the same value written otherwise.
func FuzzHash(f *testing.F) {
	for _, seed := range []string{`{}`, `[]`, `null`, ` {"b":[1, -2.5e+3,true],"a":{"x":"\u00e4\\\"","x":null}} `, `"\ud800"`, `{"a":1}x`, `[[[[]]]]`, "\"a\xffb\""} {
		f.Add([]byte(seed))
	}
	h := newHasher(bytes.Repeat([]byte{7}, 32))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := h.fingerprint(raw)
		if (got != "") != json.Valid(raw) {
			t.Fatalf("%q has the hash %q", raw, got)
		}
		if got == "" {
			return
		}
		var wide bytes.Buffer
		if err := json.Indent(&wide, raw, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		if again := h.fingerprint(wide.Bytes()); again != got {
			t.Fatalf("%q has the hash %s, and with other spaces %s", raw, got, again)
		}
	})
}

// TestSinksAreReplacedUnderLoad counts every event in exactly one of the sinks that were there, each closed once.
func TestSinksAreReplacedUnderLoad(t *testing.T) {
	sinks := []*memory{{}}
	trail := newTrail(t, Options{Sinks: []Sink{sinks[0]}})
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := trail.Write(context.Background(), full()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		next := &memory{}
		sinks = append(sinks, next)
		trail.Replace([]Sink{next}, false)
	}
	wg.Wait()
	trail.Close()
	total := 0
	for i, s := range sinks {
		total += len(s.events)
		if s.closed != 1 {
			t.Errorf("sink %d was closed %d times", i, s.closed)
		}
	}
	if total != writers*each {
		t.Errorf("%d events were kept of %d", total, writers*each)
	}
	late := &memory{}
	trail.Replace([]Sink{late}, false)
	trail.Close()
	if late.closed != 1 {
		t.Errorf("a sink that came after the end was closed %d times", late.closed)
	}
	if err := trail.Write(t.Context(), full()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a closed trail answers %v", err)
	}
}

// TestStatsOutliveTheSinks counts by name, also where the door stays open and where one sink takes another's place.
func TestStatsOutliveTheSinks(t *testing.T) {
	first, second := &called{"first", &memory{}}, &called{"second", &memory{}}
	trail := newTrail(t, Options{Sinks: []Sink{first, second}, Open: true})
	second.fail(errors.New("full"))
	for range 2 {
		if err := trail.Write(t.Context(), full()); err != nil {
			t.Fatal(err)
		}
	}
	want := []SinkStats{{Sink: "first", Written: 2}, {Sink: "second", Failed: 2, Failing: true}}
	if got := trail.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	trail.Replace([]Sink{&called{"first", &memory{}}}, true)
	if err := trail.Write(t.Context(), full()); err != nil {
		t.Fatal(err)
	}
	want = []SinkStats{{Sink: "first", Written: 3}, {Sink: "second", Failed: 2}}
	if got := trail.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// called is a sink with a name.
type called struct {
	name string
	*memory
}

func (c *called) String() string { return c.name }
