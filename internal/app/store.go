package app

import (
	"context"
	"crypto/hkdf"
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

// openStore opens what sessions and long calls are kept in, sealed where it outlives the process. Where the system has no
// place for the usual file, or another server has that, and nobody named one, memory will do, with a word to whoever
// reads the log. Everything else that is wrong, a file that others may read above all, is for a person to mend.
func (s *Server) openStore(ctx context.Context, o Options) error {
	settings := &s.settings.Store
	kept, key, err := s.openKept(ctx, settings, o)
	if err == nil && kept == nil && settings.Usual() {
		err = errNoPlace
	}
	if err != nil && settings.Usual() && mayForget(err) {
		s.log.Warn("sessions and long calls end with this process: name a file of its own with store.path, or say store.kind memory",
			"path", settings.Path, "cause", err)
		kept, err = nil, nil
	}
	if err != nil {
		return storeError(settings, err)
	}
	if kept == nil {
		s.store = store.Memory(store.MemoryOptions{Now: o.Now})
		return nil
	}
	sum := sha256.Sum256(key)
	s.store, err = store.Sealed(kept, sum[:])
	if err == nil {
		s.stateKey, err = hkdf.Key(sha256.New, sum[:], nil, "fastmcp-auth states of calls", 32)
	}
	if err != nil {
		kept.Close()
	}
	return err
}

// openKept opens the store that outlives the process, and what it is sealed with. There is none with memory.
func (s *Server) openKept(ctx context.Context, settings *config.Store, o Options) (store.Store, []byte, error) {
	switch settings.Kind {
	case "redis":
		kept, err := redis.Open(ctx, string(settings.URL), redis.Options{Logger: o.Logger})
		return kept, settings.Key(), err
	case "sqlite":
		return openFile(ctx, settings, sqlite.Options{Now: o.Now})
	}
	return nil, nil, nil
}

var (
	// errNoPlace says why there is no usual file.
	errNoPlace = errors.New("the system names no place for the state of programs: HOME, XDG_STATE_HOME and STATE_DIRECTORY are empty")
	// errKey says that the key beside the file is none to seal with.
	errKey = errors.New("its key")
)

// mayForget reports whether err says no more than that the usual place cannot be had.
func mayForget(err error) bool {
	if errors.Is(err, errKey) {
		return false
	}
	return errors.Is(err, errNoPlace) || errors.Is(err, sqlite.ErrInUse) || errors.As(err, new(*fs.PathError))
}

// storeError says what mends err.
func storeError(settings *config.Store, err error) error {
	e := &SetupError{Err: fmt.Errorf("store: %w", err)}
	switch {
	case settings.Kind == "redis":
		e.Mend = "see that Redis runs where store.url says, and answers this machine"
	case errors.Is(err, sqlite.ErrInUse):
		e.Mend = "end the other server, name another file with --store-path, or share a Redis with --store-kind redis"
	case errors.Is(err, sqlite.ErrExposed):
		e.Mend = fmt.Sprintf(`run "chmod 600 %s"; who could read it has read it`, settings.Path)
	case errors.Is(err, errKey):
		e.Mend = fmt.Sprintf(`run "chmod 600 %[1]s.key" where others may read it, or put %[1]s and its key away, which signs everybody out`, settings.Path)
	case errors.As(err, new(*fs.PathError)): // which says itself what to mend
		return e.Err
	default:
		e.Mend = fmt.Sprintf("put %s and its key away, which signs everybody out, or name another file with --store-path", settings.Path)
	}
	return e
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
		return nil, nil, fmt.Errorf("%w: %w", errKey, err)
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
		return nil, fmt.Errorf("others may read it: %s has the mode %v", path, info.Mode().Perm())
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
