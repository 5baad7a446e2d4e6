package tokencache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// privateDir makes path and what is above it, and sees to it that path is a folder of this user that nobody else may
// enter. What stands above it is the system's or the person's affair.
func privateDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", path)
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if looseMode(info) {
		return os.Chmod(path, 0o700)
	}
	return nil
}

// readPrivate reads a file of at most most bytes. It refuses links, anything but a regular file, and what belongs to
// somebody else; it takes from others what they should not have been able to read.
func readPrivate(path string, most int64) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &oddError{path, "is no regular file"}
	case info.Size() > most:
		return nil, tooLarge(path, most)
	}
	if err := checkOwner(path, info); err != nil {
		return nil, err
	}
	if looseMode(info) {
		if err := f.Chmod(0o600); err != nil {
			return nil, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = tooLarge(path, most)
	}
	return b, err
}

// oddError is something in the place of a file that this package did not put there.
type oddError struct{ path, what string }

func (e *oddError) Error() string        { return e.path + " " + e.what }
func (e *oddError) Is(target error) bool { return target == errBroken }

func tooLarge(path string, most int64) error {
	return &oddError{path, fmt.Sprintf("is larger than %d bytes", most)}
}

const (
	pendingPrefix = ".new-"
	pendingLife   = time.Hour // of what a process that died has left
)

// sweep removes what processes that died in the middle have left in dir.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), pendingPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > pendingLife {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// pending is a file that will replace another, or be dropped.
type pending struct {
	path string
	file *os.File
}

// newPending begins a file beside path with room for size bytes.
func newPending(path string, size int) (*pending, error) {
	f, err := os.CreateTemp(filepath.Dir(path), pendingPrefix+"*") // 0600
	if err != nil {
		return nil, err
	}
	p := &pending{path: path, file: f}
	if _, err := f.Write(make([]byte, size)); err != nil {
		p.drop()
		return nil, err
	}
	if err := f.Sync(); err != nil {
		p.drop()
		return nil, err
	}
	return p, nil
}

// commit writes b and puts the file in its place. Whoever reads sees the old content or the new, and after nil the new
// one survives a loss of power.
func (p *pending) commit(b []byte) error {
	_, err := p.file.WriteAt(b, 0)
	if err == nil {
		err = p.file.Truncate(int64(len(b)))
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err != nil {
		p.drop()
		return err
	}
	if err := p.file.Close(); err != nil {
		os.Remove(p.file.Name())
		return err
	}
	if err := replace(p.file.Name(), p.path); err != nil {
		os.Remove(p.file.Name())
		return err
	}
	syncDir(filepath.Dir(p.path))
	return nil
}

// drop leaves everything as it was.
func (p *pending) drop() {
	p.file.Close()
	os.Remove(p.file.Name())
}
