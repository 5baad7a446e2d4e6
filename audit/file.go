package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// FileOptions say where a [File] stands and when it rotates. Path is required.
type FileOptions struct {
	Path string // its folder must exist
	// MaxSize is the size in bytes from which on the file is put aside; 0 means that size does not matter. An event
	// larger than that still gets a file.
	MaxSize int64
	// MaxAge is the age of its first event from which on the file is put aside; 0 means that age does not matter.
	MaxAge time.Duration
	// Keep is how many files that were put aside are kept; 0 means all of them.
	Keep int
	// Sync has every event on the disk before the call goes on. Otherwise an event is the operating system's once it is
	// written: it outlives the process, and may be lost when the machine loses power.
	Sync bool

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil means silence; told of files that cannot be put aside or removed
}

// File writes each event as one line of JSON at the end of a file that only its owner may read. It may be used from many
// goroutines, and two processes may share a path while one takes over from the other.
//
// It looks before each event whether the file still stands where it should. One that was moved away, by logrotate or by
// hand, is opened anew without a signal; a folder that is gone is an error.
type File struct {
	o FileOptions

	mu     sync.Mutex
	file   *os.File    // nil when it has to be opened
	info   os.FileInfo // of file, to tell it from another at the same path
	born   time.Time   // of its first event; zero while it is empty
	torn   bool        // its last line has no end
	stuck  bool        // it could not be put aside the last time
	closed bool
}

// OpenFile opens the file, or makes it with mode 0600, so that one that cannot be written is found out at the start.
func OpenFile(o FileOptions) (*File, error) {
	if o.Path == "" {
		return nil, errors.New("audit: Path is missing")
	}
	if o.MaxSize < 0 || o.MaxAge < 0 || o.Keep < 0 {
		return nil, errors.New("audit: a limit of the file is negative")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("audit: Path: %w", err)
	}
	o.Path = path
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &File{o: o}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// Write appends e. A full disk, a folder that is gone and a file that became read-only are errors.
func (f *File) Write(ctx context.Context, e Event) error {
	text := line(e)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("audit file: %w", fs.ErrClosed)
	}
	if err := f.find(); err != nil {
		return err
	}
	if f.due(int64(len(text))) {
		f.rotate(ctx)
		if f.file == nil {
			if err := f.open(); err != nil {
				return err
			}
		}
	}
	return f.append(text, e.Time)
}

// find makes file the one that stands at the path.
func (f *File) find() error {
	if f.file != nil {
		info, err := os.Lstat(f.o.Path)
		if err == nil && os.SameFile(info, f.info) {
			f.info = info
			return nil
		}
		f.shut()
	}
	return f.open()
}

func (f *File) append(text []byte, at time.Time) error {
	if f.torn {
		text = append([]byte{'\n'}, text...) // the rest of a line that could not be finished must not spoil this one
	}
	n, err := f.file.Write(text)
	if err != nil {
		f.torn = f.torn && n == 0 || n > 1 || n == 1 && !f.torn
		return fmt.Errorf("audit file: %w", err)
	}
	f.torn = false
	if f.born.IsZero() {
		f.born = at
	}
	if f.o.Sync {
		if err := f.file.Sync(); err != nil {
			return fmt.Errorf("audit file: %w", err)
		}
	}
	return nil
}

func (f *File) open() error {
	if info, err := os.Lstat(f.o.Path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("audit file: %s is not a regular file", f.o.Path)
	}
	file, err := os.OpenFile(f.o.Path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("audit file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("audit file: %w", err)
	}
	f.file, f.info = file, info
	f.born, f.torn = beginning(file, info)
	return nil
}

// beginning reads when the file's first event was, and whether its last line has no end: a process may have died there.
func beginning(file *os.File, info os.FileInfo) (born time.Time, torn bool) {
	if info.Size() == 0 {
		return time.Time{}, false
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil || last[0] != '\n' {
		torn = true
	}
	start, _ := io.ReadAll(io.NewSectionReader(file, 0, 16<<10))
	first, _, _ := bytes.Cut(start, []byte("\n"))
	var e struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(first, &e) != nil || e.Time.IsZero() {
		return info.ModTime(), torn
	}
	return e.Time, torn
}

func (f *File) shut() {
	if f.file != nil {
		f.file.Close() // nothing is buffered here
	}
	f.file, f.info = nil, nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.shut()
	return nil
}

// String names the sink.
func (f *File) String() string { return "file " + f.o.Path }
