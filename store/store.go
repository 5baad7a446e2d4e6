// Package store keeps what a server must remember for a while: sessions, calls under way, what was said of them.
//
// It is the contract, and [Memory], which forgets with the process. It knows nothing of what it keeps: a value is bytes
// under a key, and a log is entries under a name, each gone when its time is up. Nobody is let in because of what a store
// says or fails to say: whoever asks treats an error as no.
//
//	Store    the contract, its errors and its bounds    store.go
//	Memory   in this process                            memory.go
//	Sealed   any store, encrypted                       sealed.go
//
// Stores that outlive the process stand in sqlite and redis. All of them pass storetest.
package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound means that nothing stands under the key, or no longer.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict means that something else stands under the key than the write asked for.
	ErrConflict = errors.New("store: conflict")
	// ErrFull means that the store holds as much as it may. Nothing was written.
	ErrFull = errors.New("store: full")
	// ErrInvalid means that the arguments break a bound. Nothing was written.
	ErrInvalid = errors.New("store: invalid")
)

// The bounds of every store.
const (
	MaxName    = 512                  // bytes of a key or of a log's name
	MaxValue   = 1 << 20              // bytes of a value or of an entry
	MaxEntries = 10_000               // entries that a log keeps, and that are read at once
	MaxTTL     = 366 * 24 * time.Hour // how long anything is kept
)

// Store keeps values and logs for a while. It may be used from many goroutines, and by several servers at once where the
// kind of store allows that. Slices that go in or come out belong to the caller. An error that is none of this package's
// means that the store could not be asked: the write may or may not have happened.
type Store interface {
	// Get returns what stands under key, or [ErrNotFound].
	Get(ctx context.Context, key string) (Item, error)
	// Put writes value under key and returns its revision. The error is [ErrConflict] where w has a condition that does
	// not hold.
	Put(ctx context.Context, key string, value []byte, w Write) (revision uint64, err error)
	// Take returns what stands under key and deletes it in one step, so that of many only one gets it. The error is
	// [ErrNotFound] for all others.
	Take(ctx context.Context, key string) (Item, error)
	// Delete removes what stands under key, if anything does.
	Delete(ctx context.Context, key string) error

	// Append adds entry to the end of a log and returns its index: 1 for the first, and each one more than the one
	// before, as long as the log lives. A log lives until k.TTL after its last entry.
	Append(ctx context.Context, log string, entry []byte, k Keep) (index uint64, err error)
	// Entries returns the entries after an index, oldest first, most at the most (0 means [MaxEntries]). A log that does
	// not exist has none.
	Entries(ctx context.Context, log string, after uint64, most int) ([]Entry, error)
	// Watch returns a channel that receives after each change of a log, by whichever server, and sometimes for no reason.
	// Several changes may be one receive. What was appended after Watch returned is never missed. The channel is
	// closed when ctx ends.
	Watch(ctx context.Context, log string) (<-chan struct{}, error)
	// Drop removes a log, if there is one.
	Drop(ctx context.Context, log string) error

	// Ping asks whether the store answers.
	Ping(ctx context.Context) error
	// Close gives back what the store holds. Nothing may be asked of it afterwards.
	Close() error
}

// Item is a value and its revision.
type Item struct {
	Value    []byte
	Revision uint64 // another for each write, never 0
}

// Write says how to write a value.
type Write struct {
	TTL    time.Duration // how long it is kept; required, a second at least
	Create bool          // only where nothing stands under the key
	If     uint64        // only where this revision stands under the key; 0 means that it does not matter
}

// Entry is one entry of a log.
type Entry struct {
	Index uint64
	Data  []byte
}

// Keep says how long and how much of a log is kept.
type Keep struct {
	TTL  time.Duration // after the last entry; required, a second at least
	Most int           // entries, the oldest go first; 0 means [MaxEntries]
}

// CheckName refuses a name that breaks the bounds, with [ErrInvalid].
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: a name of %d bytes", ErrInvalid, len(name))
	}
	return nil
}

// CheckWrite refuses a write that breaks the bounds, with [ErrInvalid].
func CheckWrite(key string, value []byte, w Write) error {
	if w.Create && w.If != 0 {
		return fmt.Errorf("%w: a write that creates and replaces", ErrInvalid)
	}
	return check(key, value, w.TTL)
}

// CheckAppend refuses an entry that breaks the bounds, with [ErrInvalid].
func CheckAppend(log string, entry []byte, k Keep) error {
	if k.Most < 0 || k.Most > MaxEntries {
		return fmt.Errorf("%w: a log of %d entries", ErrInvalid, k.Most)
	}
	return check(log, entry, k.TTL)
}

func check(name string, data []byte, ttl time.Duration) error {
	if len(data) > MaxValue {
		return fmt.Errorf("%w: %d bytes", ErrInvalid, len(data))
	}
	if ttl < time.Second || ttl > MaxTTL {
		return fmt.Errorf("%w: a time of %s to keep it", ErrInvalid, ttl)
	}
	return CheckName(name)
}

// Limit returns how many entries to read or keep at the most.
func Limit(most int) int {
	if most <= 0 || most > MaxEntries {
		return MaxEntries
	}
	return most
}

// NewRevision returns a revision that no other write has. It fits a signed 64-bit integer, and is never 0.
func NewRevision() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])>>1 | 1
}
