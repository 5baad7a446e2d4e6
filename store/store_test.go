package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/store/storetest"
)

type ctx = context.Context

// clock is a time that passes when it is told to.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time       { return c.now }
func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }
func memory() (store.Store, *clock)   { return bounded(store.MemoryOptions{}) }
func bounded(o store.MemoryOptions) (store.Store, *clock) {
	c := &clock{time.Unix(1e9, 0)}
	o.Now = c.Now
	return store.Memory(o), c
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.World {
		s, c := memory()
		return storetest.World{Store: s, Pass: c.pass}
	})
}

func TestSealed(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.World {
		s, c := memory()
		return storetest.World{Store: seal(t, s, key(1)), Other: seal(t, s, key(1)), Pass: c.pass}
	})
}

func key(b byte) []byte { return bytes.Repeat([]byte{b}, store.KeySize) }

func seal(t *testing.T, s store.Store, keys ...[]byte) store.Store {
	t.Helper()
	sealed, err := store.Sealed(s, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// spy keeps what a store was given.
type spy struct {
	store.Store
	seen bytes.Buffer
	last string
}

func (s *spy) Put(ctx ctx, key string, value []byte, w store.Write) (uint64, error) {
	fmt.Fprintf(&s.seen, "%s %s\n", key, value)
	s.last = key
	return s.Store.Put(ctx, key, value, w)
}

func (s *spy) Append(ctx ctx, log string, entry []byte, k store.Keep) (uint64, error) {
	fmt.Fprintf(&s.seen, "%s %s\n", log, entry)
	return s.Store.Append(ctx, log, entry, k)
}

func TestNothingReadableReachesASealedStore(t *testing.T) {
	inner, _ := memory()
	s := &spy{Store: inner}
	sealed := seal(t, s, key(1))
	for _, name := range []string{"session-of-anna", "session-of-bert"} {
		if _, err := sealed.Put(t.Context(), name, []byte("refresh-token"), store.Write{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := sealed.Append(t.Context(), name, []byte("refresh-token"), store.Keep{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	for _, word := range []string{"anna", "refresh-token", "session"} {
		if bytes.Contains(s.seen.Bytes(), []byte(word)) {
			t.Errorf("the store saw %q in %q", word, s.seen.Bytes())
		}
	}
}

func TestWhatWasChangedOrMovedInASealedStoreIsNotRead(t *testing.T) {
	inner, _ := memory()
	s := &spy{Store: inner}
	sealed := seal(t, s, key(1))
	for _, name := range []string{"a", "b"} {
		if _, err := sealed.Put(t.Context(), name, []byte("of "+name), store.Write{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := inner.Get(t.Context(), s.last)
	if err != nil {
		t.Fatal(err)
	}
	unreadable := func(name string, with store.Store) {
		t.Helper()
		if item, err := with.Get(t.Context(), name); !errors.Is(err, store.ErrUnreadable) {
			t.Errorf("%s: %q, %v", name, item.Value, err)
		}
	}
	write := func(value []byte) {
		t.Helper()
		if _, err := inner.Put(t.Context(), s.last, value, store.Write{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range b.Value {
		changed := bytes.Clone(b.Value)
		changed[i] ^= 1
		write(changed)
		unreadable("b", sealed)
	}
	write(b.Value[:5])
	unreadable("b", sealed)
	write(nil)
	unreadable("b", sealed)

	first := s.last
	if _, err := sealed.Put(t.Context(), "c", []byte("of c"), store.Write{TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	c, err := inner.Get(t.Context(), s.last)
	if err != nil {
		t.Fatal(err)
	}
	s.last = first
	write(c.Value)
	unreadable("b", sealed)
}

func TestKeysOfASealedStore(t *testing.T) {
	inner, _ := memory()
	old := seal(t, inner, key(1))
	if _, err := old.Put(t.Context(), "k", []byte("v"), store.Write{TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if item, err := seal(t, inner, key(1), key(2)).Get(t.Context(), "k"); err != nil || string(item.Value) != "v" {
		t.Errorf("%q, %v", item.Value, err)
	}
	if _, err := seal(t, inner, key(2)).Get(t.Context(), "k"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another key: %v", err)
	}
	for _, keys := range [][][]byte{nil, {nil}, {key(1)[1:]}, {key(1), {}}} {
		if _, err := store.Sealed(inner, keys...); err == nil {
			t.Errorf("%d keys of the wrong size are taken", len(keys))
		}
	}
}

// attack 8: state that a stranger makes the server keep is bounded.
func TestAttack8_AStoreInMemoryIsBounded(t *testing.T) {
	s, c := bounded(store.MemoryOptions{MaxItems: 10, MaxBytes: 4096})
	for i := range 10 {
		if _, err := s.Put(t.Context(), fmt.Sprint(i), nil, store.Write{TTL: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	full := func(err error) {
		t.Helper()
		if !errors.Is(err, store.ErrFull) {
			t.Errorf("%v, want ErrFull", err)
		}
	}
	_, err := s.Put(t.Context(), "more", nil, store.Write{TTL: time.Minute})
	full(err)
	_, err = s.Append(t.Context(), "more", nil, store.Keep{TTL: time.Minute})
	full(err)
	_, err = s.Put(t.Context(), "1", make([]byte, 4096), store.Write{TTL: time.Minute})
	full(err)
	if _, err := s.Put(t.Context(), "1", []byte("there already"), store.Write{TTL: time.Minute}); err != nil {
		t.Error(err)
	}
	c.pass(2 * time.Minute)
	for range 1000 { // a log that keeps its last entries holds no more than those
		if _, err := s.Append(t.Context(), "log", make([]byte, 100), store.Keep{TTL: time.Minute, Most: 5}); err != nil {
			t.Fatal(err)
		}
	}
	large := make([]byte, 2000)
	rand.Read(large)
	if _, err := s.Put(t.Context(), "after", large, store.Write{TTL: time.Minute}); err != nil {
		t.Errorf("what ended still counts: %v", err)
	}
}
