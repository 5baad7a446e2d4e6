// Package storetest holds every store to the contract of package store.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// World is a store and the time it lives in.
type World struct {
	Store store.Store
	// Pass lets time pass for the store: a clock that is turned, or a sleep.
	Pass func(time.Duration)
	// Other is a second store on the same data, as another server has it; nil where there can be none.
	Other store.Store
}

// Run holds the store of each world that open makes to the contract.
func Run(t *testing.T, open func(*testing.T) World) {
	for name, test := range map[string]func(*testing.T, World){
		"what was put is there, with a revision that changes": values,
		"writes with a condition":                             conditions,
		"of many who take, one gets it":                       take,
		"of many who create, one does":                        create,
		"what breaks a bound is refused":                      bounds,
		"everything ends":                                     ending,
		"a log keeps its order and its last entries":          logs,
		"of many who append, each has an index of its own":    appending,
		"a watcher misses nothing":                            watching,
		"two servers see one store":                           servers,
		"what ended with its context is not done":             cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

const ttl = time.Minute

func put(t *testing.T, s store.Store, key, value string, w store.Write) uint64 {
	t.Helper()
	if w.TTL == 0 {
		w.TTL = ttl
	}
	revision, err := s.Put(t.Context(), key, []byte(value), w)
	if err != nil || revision == 0 {
		t.Fatalf("put %s: revision %d, %v", key, revision, err)
	}
	return revision
}

func want(t *testing.T, s store.Store, key, value string) uint64 {
	t.Helper()
	item, err := s.Get(t.Context(), key)
	if err != nil || string(item.Value) != value {
		t.Fatalf("%s: %q, %v, want %q", key, item.Value, err, value)
	}
	return item.Revision
}

func gone(t *testing.T, s store.Store, key string) {
	t.Helper()
	if item, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("%s: %q, %v, want ErrNotFound", key, item.Value, err)
	}
}

func values(t *testing.T, w World) {
	s := w.Store
	gone(t, s, "a")
	odd := "a\x00b/ü:{}*? %"
	first := put(t, s, odd, "one", store.Write{})
	if got := want(t, s, odd, "one"); got != first {
		t.Errorf("revision %d, want %d", got, first)
	}
	second := put(t, s, odd, "", store.Write{})
	if want(t, s, odd, ""); second == first {
		t.Error("the revision stays")
	}
	binary := string([]byte{0, 1, 255, 254, '\r', '\n'})
	put(t, s, "b", binary, store.Write{})
	want(t, s, "b", binary)
	put(t, s, "large", strings.Repeat("x", store.MaxValue/2), store.Write{})
	want(t, s, "large", strings.Repeat("x", store.MaxValue/2))
	if err := s.Delete(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	gone(t, s, odd)
	if err := s.Delete(t.Context(), odd); err != nil {
		t.Errorf("delete nothing: %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}

	in := []byte("mine")
	if _, err := s.Put(t.Context(), "c", in, store.Write{TTL: ttl}); err != nil {
		t.Fatal(err)
	}
	in[0] = 'X'
	item, err := s.Get(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	item.Value[1] = 'X'
	want(t, s, "c", "mine")
}

func conditions(t *testing.T, w World) {
	s := w.Store
	refused := func(value string, wr store.Write) {
		t.Helper()
		wr.TTL = ttl
		if _, err := s.Put(t.Context(), "k", []byte(value), wr); !errors.Is(err, store.ErrConflict) {
			t.Fatalf("put %s with %+v: %v, want ErrConflict", value, wr, err)
		}
	}
	refused("none stands there", store.Write{If: 7})
	one := put(t, s, "k", "one", store.Write{Create: true})
	refused("a second", store.Write{Create: true})
	two := put(t, s, "k", "two", store.Write{If: one})
	refused("stale", store.Write{If: one})
	want(t, s, "k", "two")
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	refused("deleted", store.Write{If: two})
	again := put(t, s, "k", "again", store.Write{Create: true})
	if again == one || again == two {
		t.Error("a revision came back")
	}
}

func take(t *testing.T, w World) {
	s := w.Store
	put(t, s, "once", "only", store.Write{})
	var got atomic.Int32
	together(20, func(int) {
		switch item, err := s.Take(t.Context(), "once"); {
		case err == nil && string(item.Value) == "only":
			got.Add(1)
		case !errors.Is(err, store.ErrNotFound):
			t.Error(err)
		}
	})
	if got.Load() != 1 {
		t.Errorf("%d got it", got.Load())
	}
	gone(t, s, "once")
}

func create(t *testing.T, w World) {
	var created atomic.Int32
	together(20, func(i int) {
		switch _, err := w.Store.Put(t.Context(), "k", fmt.Append(nil, i), store.Write{TTL: ttl, Create: true}); {
		case err == nil:
			created.Add(1)
		case !errors.Is(err, store.ErrConflict):
			t.Error(err)
		}
	})
	if created.Load() != 1 {
		t.Errorf("%d created it", created.Load())
	}
}

func bounds(t *testing.T, w World) {
	s, ctx := w.Store, t.Context()
	long, large := strings.Repeat("n", store.MaxName+1), make([]byte, store.MaxValue+1)
	for name, err := range map[string]error{
		"an empty key":         second(s.Put(ctx, "", nil, store.Write{TTL: ttl})),
		"a long key":           second(s.Put(ctx, long, nil, store.Write{TTL: ttl})),
		"a large value":        second(s.Put(ctx, "k", large, store.Write{TTL: ttl})),
		"no time":              second(s.Put(ctx, "k", nil, store.Write{})),
		"an eternity":          second(s.Put(ctx, "k", nil, store.Write{TTL: store.MaxTTL + 1})),
		"two conditions":       second(s.Put(ctx, "k", nil, store.Write{TTL: ttl, Create: true, If: 1})),
		"a log without name":   second(s.Append(ctx, "", nil, store.Keep{TTL: ttl})),
		"a large entry":        second(s.Append(ctx, "l", large, store.Keep{TTL: ttl})),
		"a log with no time":   second(s.Append(ctx, "l", nil, store.Keep{})),
		"a log of too many":    second(s.Append(ctx, "l", nil, store.Keep{TTL: ttl, Most: store.MaxEntries + 1})),
		"a log of less than 0": second(s.Append(ctx, "l", nil, store.Keep{TTL: ttl, Most: -1})),
	} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	gone(t, s, "k")
}

func second(_ uint64, err error) error { return err }

func ending(t *testing.T, w World) {
	s := w.Store
	put(t, s, "short", "1", store.Write{TTL: 2 * time.Second})
	put(t, s, "long", "1", store.Write{TTL: time.Hour})
	put(t, s, "renewed", "1", store.Write{TTL: 2 * time.Second})
	put(t, s, "renewed", "2", store.Write{TTL: time.Hour})
	appended(t, s, "log", "1", store.Keep{TTL: 2 * time.Second})
	appended(t, s, "kept", "1", store.Keep{TTL: 2 * time.Second})
	appended(t, s, "kept", "2", store.Keep{TTL: time.Hour})
	w.Pass(2500 * time.Millisecond)
	gone(t, s, "short")
	want(t, s, "long", "1")
	want(t, s, "renewed", "2")
	wantLog(t, s, "log", 0)
	wantLog(t, s, "kept", 0, "1 1", "2 2")
	put(t, s, "short", "again", store.Write{Create: true})
	if i := appended(t, s, "log", "again", store.Keep{}); i != 1 {
		t.Errorf("a new log begins at %d", i)
	}
}

func appended(t *testing.T, s store.Store, log, entry string, k store.Keep) uint64 {
	t.Helper()
	if k.TTL == 0 {
		k.TTL = ttl
	}
	index, err := s.Append(t.Context(), log, []byte(entry), k)
	if err != nil {
		t.Fatalf("append to %s: %v", log, err)
	}
	return index
}

func read(t *testing.T, s store.Store, log string, after uint64, most int) (lines []string) {
	t.Helper()
	entries, err := s.Entries(t.Context(), log, after, most)
	if err != nil {
		t.Fatalf("entries of %s: %v", log, err)
	}
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%d %s", e.Index, e.Data))
	}
	return lines
}

func wantLog(t *testing.T, s store.Store, log string, after uint64, lines ...string) {
	t.Helper()
	if got := read(t, s, log, after, 0); !slices.Equal(got, lines) {
		t.Errorf("%s after %d: %q, want %q", log, after, got, lines)
	}
}

func logs(t *testing.T, w World) {
	s := w.Store
	wantLog(t, s, "l", 0)
	for i, entry := range []string{"a", "", "c\x00\xff", "d"} {
		if got := appended(t, s, "l", entry, store.Keep{}); got != uint64(i+1) {
			t.Errorf("index %d, want %d", got, i+1)
		}
	}
	wantLog(t, s, "l", 0, "1 a", "2 ", "3 c\x00\xff", "4 d")
	wantLog(t, s, "l", 2, "3 c\x00\xff", "4 d")
	wantLog(t, s, "l", 4)
	wantLog(t, s, "l", 1<<62)
	if got := read(t, s, "l", 0, 2); !slices.Equal(got, []string{"1 a", "2 "}) {
		t.Errorf("two at the most: %q", got)
	}
	appended(t, s, "l", "e", store.Keep{Most: 2})
	wantLog(t, s, "l", 0, "4 d", "5 e")
	put(t, s, "l", "a value of the same name", store.Write{})
	want(t, s, "l", "a value of the same name")
	if err := s.Drop(t.Context(), "l"); err != nil {
		t.Fatal(err)
	}
	wantLog(t, s, "l", 0)
	want(t, s, "l", "a value of the same name")
	if got := appended(t, s, "l", "new", store.Keep{}); got != 1 {
		t.Errorf("a dropped log begins at %d", got)
	}
}

func appending(t *testing.T, w World) {
	const writers, each = 8, 25
	together(writers, func(i int) {
		for j := range each {
			if _, err := w.Store.Append(t.Context(), "l", fmt.Appendf(nil, "%d-%d", i, j), store.Keep{TTL: ttl}); err != nil {
				t.Error(err)
			}
		}
	})
	entries, err := w.Store.Entries(t.Context(), "l", 0, 0)
	if err != nil || len(entries) != writers*each {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	next := make([]int, writers)
	for i, e := range entries {
		if e.Index != uint64(i+1) {
			t.Errorf("entry %d has the index %d", i+1, e.Index)
		}
		var who, what int
		if _, err := fmt.Sscanf(string(e.Data), "%d-%d", &who, &what); err != nil || next[who] != what {
			t.Errorf("%s comes before %d-%d", e.Data, who, next[who])
		}
		next[who]++
	}
}

func watching(t *testing.T, w World) {
	from := w.Store
	if w.Other != nil {
		from = w.Other
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	woken, err := w.Store.Watch(ctx, "l")
	if err != nil {
		t.Fatal(err)
	}
	const entries = 50
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range entries {
			if _, err := from.Append(ctx, "l", fmt.Append(nil, i), store.Keep{TTL: ttl}); err != nil {
				t.Error(err)
			}
		}
	})
	var seen []string
	for len(seen) < entries {
		select {
		case <-woken:
		case <-time.After(30 * time.Second):
			t.Fatalf("woken no more after %d entries", len(seen))
		}
		seen = append(seen, read(t, w.Store, "l", uint64(len(seen)), 0)...)
	}
	writing.Wait()
	if seen[0] != "1 0" || seen[entries-1] != "50 49" {
		t.Errorf("saw %q", seen)
	}
	stop()
	for range woken { // until it is closed
	}
}

func servers(t *testing.T, w World) {
	if w.Other == nil {
		return
	}
	one := put(t, w.Store, "k", "one", store.Write{})
	if got := want(t, w.Other, "k", "one"); got != one {
		t.Errorf("revision %d there, %d here", got, one)
	}
	put(t, w.Other, "k", "two", store.Write{If: one})
	if _, err := w.Store.Put(t.Context(), "k", nil, store.Write{TTL: ttl, If: one}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a stale write: %v", err)
	}
	appended(t, w.Store, "l", "here", store.Keep{})
	appended(t, w.Other, "l", "there", store.Keep{})
	wantLog(t, w.Store, "l", 0, "1 here", "2 there")
	wantLog(t, w.Other, "l", 1, "2 there")
	if item, err := w.Other.Take(t.Context(), "k"); err != nil || !bytes.Equal(item.Value, []byte("two")) {
		t.Errorf("take there: %q, %v", item.Value, err)
	}
	gone(t, w.Store, "k")
}

func cancelled(t *testing.T, w World) {
	put(t, w.Store, "k", "v", store.Write{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if item, err := w.Store.Get(ctx, "k"); err == nil && string(item.Value) != "v" {
		t.Errorf("neither a value nor an error: %q", item.Value)
	}
	want(t, w.Store, "k", "v")
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	group.Wait()
}
