package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/store"
	"github.com/fastmcp-auth/fastmcp-auth/store/redis"
	"github.com/fastmcp-auth/fastmcp-auth/store/sqlite"
)

// openStore opens what sessions and long calls are kept in, sealed where it outlives the process. Where the usual file
// cannot be had, and nobody named it, memory will do, with a word to whoever reads the log.
func (s *Server) openStore(ctx context.Context, o Options) error {
	settings := &s.settings.Store
	var kept store.Store
	var key []byte
	var err error
	switch settings.Kind {
	case "redis":
		key = settings.Key()
		kept, err = redis.Open(ctx, string(settings.URL), redis.Options{Logger: o.Logger})
	case "sqlite":
		kept, key, err = openFile(ctx, settings, sqlite.Options{Now: o.Now})
		if err != nil && settings.Usual() {
			s.log.Warn("sessions and long calls end with this process", "path", settings.Path, "cause", err)
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if kept == nil {
		s.store = store.Memory(store.MemoryOptions{Now: o.Now})
		return nil
	}
	sum := sha256.Sum256(key)
	if s.store, err = store.Sealed(kept, sum[:]); err != nil {
		kept.Close()
	}
	return err
}

// openFile opens the file and the key beside it.
func openFile(ctx context.Context, settings *config.Store, o sqlite.Options) (store.Store, []byte, error) {
	if settings.Usual() {
		if err := os.MkdirAll(filepath.Dir(settings.Path), 0o700); err != nil {
			return nil, nil, err
		}
	}
	kept, err := sqlite.Open(ctx, settings.Path, o)
	if err != nil {
		return nil, nil, err
	}
	key := settings.Key()
	if len(key) == 0 {
		key, err = ownKey(settings.Path + ".key")
	}
	if err != nil {
		kept.Close()
		return nil, nil, err
	}
	return kept, key, nil
}

// ownKey reads the key at path, or makes one that nobody else can read (attack 51: no key is built in). Whoever calls
// holds the store's lock, so two servers do not make two.
func ownKey(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		random := make([]byte, 32)
		rand.Read(random)
		key := []byte(base64.RawStdEncoding.EncodeToString(random))
		return key, writeNew(path, key)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a plain file", path)
	case info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/':
		return nil, fmt.Errorf("%s may be read by others (%v): chmod 600", path, info.Mode().Perm())
	}
	key, err := os.ReadFile(path)
	if err == nil && len(key) < 32 {
		err = fmt.Errorf("%s has %d bytes; a key has 32 at least", path, len(key))
	}
	return key, err
}

// writeNew writes a file that is whole or not there.
func writeNew(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // for the owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
