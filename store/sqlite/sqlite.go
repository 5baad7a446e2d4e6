// Package sqlite keeps a store in a file, so that a restart forgets nothing.
//
// One process has the file: a second one is refused. Whatever was written is in the file before the write returns, also
// where the process is killed the next moment; a loss of power may lose the last writes, and never damages the file.
//
//	Open      the file, its tables, its lock    sqlite.go
//	values    one row each                      values.go
//	logs      one row for each entry            logs.go
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Options of a store in a file. The zero value works.
type Options struct {
	MaxBytes int64            // of the file; 0 means 1 GiB. What does not fit is [store.ErrFull]
	Now      func() time.Time // nil means time.Now
}

var (
	// ErrInUse means that another process has the file.
	ErrInUse = errors.New("sqlite: another process has the file")
	// ErrExposed means that others than the file's owner may read it.
	ErrExposed = errors.New("sqlite: others may read the file")
)

// Open opens the store in the file at path, which is made where there is none, for its owner alone to read. The folder
// must exist. The error is [ErrInUse] where another process has it, [ErrExposed] where others may read it, and anything else
// where the file is no store or cannot be written.
func Open(ctx context.Context, path string, o Options) (store.Store, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	s := &file{now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	pragmas := url.Values{"_pragma": {
		"locking_mode(exclusive)", "journal_mode(wal)", "synchronous(normal)", "secure_delete(on)", "trusted_schema(off)",
		fmt.Sprintf("max_page_count(%d)", max(o.MaxBytes/pageSize, 16)),
	}, "_txlock": {"immediate"}}
	s.db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	s.db.SetMaxOpenConns(1) // the lock belongs to a connection
	s.db.SetConnMaxLifetime(0)
	if err := s.prepare(ctx); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	return s, nil
}

const pageSize = 4096

// private makes the file where there is none, and refuses one that others can read or that stands elsewhere.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("sqlite: %w", err)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fmt.Errorf("sqlite: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sqlite: %s is not a plain file", path)
	case info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/':
		return fmt.Errorf("%w: %s has the mode %v", ErrExposed, path, info.Mode().Perm())
	}
	return nil
}

// file is a store in a file.
type file struct {
	db       *sql.DB
	now      func() time.Time
	watchers store.Watchers

	mu    sync.Mutex
	swept time.Time
}

// version says how the tables look; it stands in the file.
const version = 1

const tables = `
CREATE TABLE items (key BLOB PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX items_end ON items (ends);
CREATE TABLE logs (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, last INTEGER NOT NULL, ends INTEGER NOT NULL);
CREATE INDEX logs_end ON logs (ends);
CREATE TABLE entries (log INTEGER NOT NULL, place INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (log, place)) WITHOUT ROWID;
`

// prepare takes the lock and makes the tables.
func (s *file) prepare(ctx context.Context) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
			return err
		}
		switch have {
		case version:
			return nil
		case 0:
			if _, err := tx.ExecContext(ctx, tables); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
			return err
		}
		return fmt.Errorf("the file has the format %d, and this program knows %d", have, version)
	})
}

// change does f in one step, or not at all.
func (s *file) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return meaning(err)
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return meaning(err)
	}
	return meaning(tx.Commit())
}

// meaning says what the contract says, where it does.
func meaning(err error) error {
	var e *driver.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case !errors.As(err, &e):
		return err
	case e.Code()&0xff == codes.SQLITE_BUSY, e.Code()&0xff == codes.SQLITE_LOCKED:
		return ErrInUse
	case e.Code()&0xff == codes.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// ends is when something put now has ended, in milliseconds.
func (s *file) ends(ttl time.Duration) int64 { return s.now().Add(ttl).UnixMilli() }

const sweepInterval = 10 * time.Second

// sweep removes some of what has ended, now and then.
func (s *file) sweep(ctx context.Context, tx *sql.Tx) error {
	now := s.now()
	s.mu.Lock()
	due := now.Sub(s.swept) >= sweepInterval || now.Before(s.swept)
	if due {
		s.swept = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	for _, statement := range []string{
		"DELETE FROM items WHERE key IN (SELECT key FROM items WHERE ends <= ? LIMIT 1000)",
		"DELETE FROM entries WHERE log IN (SELECT id FROM logs WHERE ends <= ? LIMIT 100)",
		"DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE ends <= ? LIMIT 100)",
	} {
		if _, err := tx.ExecContext(ctx, statement, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

func (s *file) Ping(ctx context.Context) error {
	var one int
	return meaning(s.db.QueryRowContext(ctx, "SELECT count(*) FROM items WHERE key = x''").Scan(&one))
}

func (s *file) Close() error { return s.db.Close() }
