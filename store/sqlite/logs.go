package sqlite

import (
	"context"
	"database/sql"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

func (s *file) Append(ctx context.Context, log string, entry []byte, k store.Keep) (index uint64, err error) {
	if err := store.CheckAppend(log, entry, k); err != nil {
		return 0, err
	}
	if entry == nil {
		entry = []byte{}
	}
	err = s.change(ctx, func(tx *sql.Tx) error {
		if err := s.sweep(ctx, tx); err != nil {
			return err
		}
		if err := s.drop(ctx, tx, log, "AND ends <= ?", s.now().UnixMilli()); err != nil {
			return err
		}
		var id int64
		if err := tx.QueryRowContext(ctx, `INSERT INTO logs (name, last, ends) VALUES (?, 1, ?)
			ON CONFLICT (name) DO UPDATE SET last = last + 1, ends = excluded.ends RETURNING id, last`,
			[]byte(log), s.ends(k.TTL)).Scan(&id, &index); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO entries (log, place, data) VALUES (?, ?, ?)", id, index, entry); err != nil {
			return err
		}
		if kept := uint64(store.Limit(k.Most)); index > kept {
			_, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE log = ? AND place <= ?", id, index-kept)
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.watchers.Wake(log)
	return index, nil
}

// drop removes a log where condition holds for it.
func (s *file) drop(ctx context.Context, tx *sql.Tx, log, condition string, args ...any) error {
	args = append([]any{[]byte(log)}, args...)
	if _, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE log IN (SELECT id FROM logs WHERE name = ? "+condition+")", args...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM logs WHERE name = ? "+condition, args...)
	return err
}

func (s *file) Entries(ctx context.Context, log string, after uint64, most int) ([]store.Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT place, data FROM entries WHERE log = (SELECT id FROM logs WHERE name = ? AND ends > ?)
		AND place > ? ORDER BY place LIMIT ?`, []byte(log), s.now().UnixMilli(), int64(min(after, 1<<62)), store.Limit(most))
	if err != nil {
		return nil, meaning(err)
	}
	defer rows.Close()
	var entries []store.Entry
	for rows.Next() {
		var e store.Entry
		if err := rows.Scan(&e.Index, &e.Data); err != nil {
			return nil, meaning(err)
		}
		entries = append(entries, e)
	}
	return entries, meaning(rows.Err())
}

func (s *file) Watch(ctx context.Context, log string) (<-chan struct{}, error) {
	return s.watchers.Watch(ctx, log), nil
}

func (s *file) Drop(ctx context.Context, log string) error {
	err := s.change(ctx, func(tx *sql.Tx) error { return s.drop(ctx, tx, log, "") })
	s.watchers.Wake(log)
	return err
}
