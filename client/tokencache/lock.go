package tokencache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const lockBeat = 20 * time.Millisecond // between two looks at a lock that somebody else holds

// lock waits until nobody else has the record in hand, in this process or another.
func (c *Cache) lock(ctx context.Context, v *vault, name string) (unlock func(), err error) {
	return c.lockHearing(ctx, v, name, func() {})
}

// lockHearing is lock, and calls meanwhile now and then while somebody else holds it.
func (c *Cache) lockHearing(ctx context.Context, v *vault, name string, meanwhile func()) (unlock func(), err error) {
	if v.memory != nil {
		return func() {}, nil // nobody else knows of it
	}
	return lockFile(ctx, v.path(name)+".lock", meanwhile)
}

// lockFile locks a file. The system lets go of it when a process dies. The file stays: one that is removed could be
// locked twice.
func lockFile(ctx context.Context, path string, meanwhile func()) (unlock func(), err error) {
	if err := checkLock(path); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	beat := time.NewTicker(lockBeat)
	defer beat.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := l.TryLock()
		if err != nil {
			return nil, err
		}
		if got {
			return func() { l.Unlock() }, nil
		}
		meanwhile()
		select {
		case <-ctx.Done():
		case <-beat.C:
		}
	}
}

// checkLock refuses what is there in the place of a lock, before it is opened: a pipe would hold whoever opens it.
func checkLock(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &oddError{path, "is no regular file"}
	}
	return checkOwner(path, info)
}

// lockNow waits for a lock that nobody holds for long.
func lockNow(path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return lockFile(ctx, path, func() {})
}
