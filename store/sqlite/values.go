package sqlite

import (
	"context"
	"database/sql"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

func (s *file) Get(ctx context.Context, key string) (store.Item, error) {
	return item(s.db.QueryRowContext(ctx, "SELECT value, revision FROM items WHERE key = ? AND ends > ?", []byte(key), s.now().UnixMilli()))
}

func item(row *sql.Row) (i store.Item, err error) {
	if err := row.Scan(&i.Value, &i.Revision); err != nil {
		return store.Item{}, meaning(err)
	}
	return i, nil
}

func (s *file) Put(ctx context.Context, key string, value []byte, w store.Write) (uint64, error) {
	if err := store.CheckWrite(key, value, w); err != nil {
		return 0, err
	}
	if value == nil {
		value = []byte{}
	}
	revision := store.NewRevision()
	return revision, s.change(ctx, func(tx *sql.Tx) error {
		if err := s.sweep(ctx, tx); err != nil {
			return err
		}
		if w.Create || w.If != 0 {
			stands, err := item(tx.QueryRowContext(ctx, "SELECT x'', revision FROM items WHERE key = ? AND ends > ?", []byte(key), s.now().UnixMilli()))
			if err != nil && err != store.ErrNotFound {
				return err
			}
			if stands.Revision != w.If {
				return store.ErrConflict
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO items (key, value, revision, ends) VALUES (?, ?, ?, ?)",
			[]byte(key), value, revision, s.ends(w.TTL))
		return err
	})
}

func (s *file) Take(ctx context.Context, key string) (store.Item, error) {
	return item(s.db.QueryRowContext(ctx, "DELETE FROM items WHERE key = ? AND ends > ? RETURNING value, revision", []byte(key), s.now().UnixMilli()))
}

func (s *file) Delete(ctx context.Context, key string) error {
	_, err := s.db.ExecContext(ctx, "DELETE FROM items WHERE key = ?", []byte(key))
	return meaning(err)
}
