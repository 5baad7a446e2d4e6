package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stamp is what stands in the name of a file that was put aside: when it was, so that names sort by age.
const stamp = "20060102T150405.000000000Z"

// due reports whether the file is to be put aside before n more bytes.
func (f *File) due(n int64) bool {
	size := f.info.Size()
	if size == 0 {
		return false
	}
	old := f.o.MaxAge > 0 && !f.born.IsZero() && f.o.Now().Sub(f.born) >= f.o.MaxAge
	return old || f.o.MaxSize > 0 && size+n > f.o.MaxSize
}

// rotate puts the file aside and removes the oldest ones too many. Where it cannot be put aside, writing goes on in it:
// a record that grows too large is better than none. That is logged once, until it works again.
func (f *File) rotate(ctx context.Context) {
	if err := f.aside(); err != nil {
		if !f.stuck {
			f.o.Logger.ErrorContext(ctx, "audit file cannot be put aside and grows on", "cause", err)
		}
		f.stuck = true
		return
	}
	f.stuck = false
	f.shut()
	if err := f.prune(); err != nil {
		f.o.Logger.ErrorContext(ctx, "old audit files cannot be removed", "cause", err)
	}
}

func (f *File) aside() error {
	stem, ext := f.parts()
	at := f.o.Now().UTC()
	for range 1000 {
		to := stem + "-" + at.Format(stamp) + ext
		if _, err := os.Lstat(to); os.IsNotExist(err) {
			return os.Rename(f.o.Path, to)
		}
		at = at.Add(1) // another process, or a clock that stands
	}
	return fmt.Errorf("no name is free beside %s", f.o.Path)
}

// parts splits audit.jsonl, between which the time goes.
func (f *File) parts() (stem, ext string) {
	ext = filepath.Ext(f.o.Path)
	return strings.TrimSuffix(f.o.Path, ext), ext
}

// prune removes the oldest files put aside, but for Keep of them. What is named otherwise is not ours.
func (f *File) prune() error {
	if f.o.Keep == 0 {
		return nil
	}
	dir := filepath.Dir(f.o.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	stem, ext := f.parts()
	prefix := filepath.Base(stem) + "-"
	var aside []string
	for _, e := range entries {
		at, found := strings.CutPrefix(e.Name(), prefix)
		at, ends := strings.CutSuffix(at, ext)
		if _, err := time.Parse(stamp, at); found && ends && err == nil && e.Type().IsRegular() {
			aside = append(aside, e.Name())
		}
	}
	slices.Sort(aside)
	for _, name := range aside[:max(0, len(aside)-f.o.Keep)] {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
