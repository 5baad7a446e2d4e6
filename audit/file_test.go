package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func openFile(t *testing.T, o FileOptions) *File {
	t.Helper()
	f, err := OpenFile(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *File, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := f.Write(t.Context(), Event{Time: f.o.Now(), Kind: Decided, RequestID: id, Decision: Allow}); err != nil {
			t.Fatal(err)
		}
	}
}

// kept reads the request ids of every whole line in the files of a folder, by file name, and the lines that are none.
func read(t *testing.T, dir string) (ids map[string][]string, bad []string) {
	t.Helper()
	ids = map[string][]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		body, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		ids[entry.Name()] = []string{}
		for scanner := bufio.NewScanner(bytes.NewReader(body)); scanner.Scan(); {
			var e Event
			if json.Unmarshal(scanner.Bytes(), &e) != nil {
				bad = append(bad, scanner.Text())
				continue
			}
			ids[entry.Name()] = append(ids[entry.Name()], e.RequestID)
		}
	}
	return ids, bad
}

func names(ids map[string][]string) []string {
	var list []string
	for name := range ids {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func TestAFileIsItsOwnersAndIsContinued(t *testing.T) {
	dir := t.TempDir()
	o := FileOptions{Path: filepath.Join(dir, "audit.jsonl"), Sync: true}
	f := openFile(t, o)
	write(t, f, "a")
	f.Close()
	if err := f.Write(t.Context(), full()); err == nil {
		t.Error("a closed file takes an event")
	}
	write(t, openFile(t, o), "b")
	ids, bad := read(t, dir)
	if got := ids["audit.jsonl"]; !slices.Equal(got, []string{"a", "b"}) || bad != nil {
		t.Errorf("the file holds %v and %v", got, bad)
	}
	info, err := os.Stat(o.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func TestAFileThatCannotBeIsFoundOutAtTheStart(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		o    FileOptions
	}{
		{"no path", FileOptions{}},
		{"a folder that is not there", FileOptions{Path: filepath.Join(dir, "none", "audit.jsonl")}},
		{"a folder", FileOptions{Path: dir}},
		{"a link", FileOptions{Path: link}},
		{"a device", FileOptions{Path: os.DevNull}},
		{"a negative limit", FileOptions{Path: filepath.Join(dir, "a"), Keep: -1}},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			if f, err := OpenFile(row.o); err == nil {
				f.Close()
				t.Error("it is taken")
			}
		})
	}
}

func TestAFileRotatesBySizeAndAgeAndKeepsSome(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	t.Run("by size", func(t *testing.T) {
		dir := t.TempDir()
		for _, other := range []string{"audit-mine.jsonl", "audit-20300101T000000.000000000Z.txt"} {
			if err := os.WriteFile(filepath.Join(dir, other), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f := openFile(t, FileOptions{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 200, Keep: 2, Now: clock})
		for i := range 10 { // two events fit
			write(t, f, fmt.Sprint(i))
		}
		ids, _ := read(t, dir)
		var aside []string
		for _, name := range names(ids) {
			if strings.HasPrefix(name, "audit-2030") && strings.HasSuffix(name, ".jsonl") {
				aside = append(aside, name)
			}
		}
		if len(aside) != 2 || len(ids) != 5 {
			t.Errorf("the folder holds %v", names(ids))
		}
		if got := ids["audit.jsonl"]; len(got) == 0 || got[len(got)-1] != "9" {
			t.Errorf("the file holds %v", got)
		}
	})
	t.Run("by the age of its first event, also over a restart", func(t *testing.T) {
		dir := t.TempDir()
		o := FileOptions{Path: filepath.Join(dir, "audit.jsonl"), MaxAge: time.Hour, Now: clock}
		f := openFile(t, o)
		write(t, f, "a")
		now = now.Add(40 * time.Minute)
		write(t, f, "b")
		f.Close()
		f = openFile(t, o)
		now = now.Add(20 * time.Minute)
		write(t, f, "c")
		ids, _ := read(t, dir)
		if got := ids["audit.jsonl"]; !slices.Equal(got, []string{"c"}) {
			t.Errorf("the file holds %v", got)
		}
		if got := ids["audit-20300101T010000.000000000Z.jsonl"]; !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("aside are %v", ids)
		}
	})
}

// TestRotationUnderLoad writes from many goroutines through two files of one path, as two processes do while one takes
// over, and finds every event once.
func TestRotationUnderLoad(t *testing.T) {
	dir := t.TempDir()
	o := FileOptions{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 4 << 10}
	files := []*File{openFile(t, o), openFile(t, o)}
	const writers, each = 8, 150
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := Event{Time: time.Now(), Kind: Decided, Decision: Allow, RequestID: fmt.Sprintf("%d-%d", w, i)}
				if err := files[w%2].Write(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ids, bad := read(t, dir)
	seen := map[string]int{}
	for _, list := range ids {
		for _, id := range list {
			seen[id]++
		}
	}
	if len(seen) != writers*each || len(bad) > 0 || len(ids) < 10 {
		t.Errorf("%d events of %d in %d files, and %v", len(seen), writers*each, len(ids), bad)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s stands there %d times", id, times)
		}
	}
}

func TestAFileThatWasMovedAwayIsOpenedAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	f := openFile(t, FileOptions{Path: path})
	write(t, f, "a")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "b")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "c")
	ids, _ := read(t, dir)
	if !slices.Equal(ids["audit.jsonl.1"], []string{"a"}) || !slices.Equal(ids["audit.jsonl"], []string{"c"}) {
		t.Errorf("the folder holds %v", ids)
	}
}

func TestAttack54_WhatTheFileCannotKeepIsAnError(t *testing.T) {
	t.Run("attack 54 a folder that is gone is an error, until it is back", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "audit")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f := openFile(t, FileOptions{Path: filepath.Join(dir, "audit.jsonl")})
		write(t, f, "a")
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := f.Write(t.Context(), full()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("answered %v", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, f, "b")
	})
	t.Run("attack 54 a full disk is an error", func(t *testing.T) {
		f := openFile(t, FileOptions{Path: filepath.Join(t.TempDir(), "audit.jsonl")})
		disk, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.shut()
		f.file = disk
		if err := f.append([]byte("{}\n"), time.Now()); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("answered %v", err)
		}
	})
}

func TestALineThatBrokeOffSpoilsNoOther(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(path, []byte(`{"time":"2030-01-0`), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, openFile(t, FileOptions{Path: path}), "a", "b")
	ids, bad := read(t, dir)
	if !slices.Equal(ids["audit.jsonl"], []string{"a", "b"}) || len(bad) != 1 {
		t.Errorf("the file holds %v and %v", ids, bad)
	}
}

func TestAFileThatCannotBePutAsideGrowsOn(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	f := openFile(t, FileOptions{Path: filepath.Join(dir, "audit.jsonl"), MaxSize: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Now: func() time.Time { return time.Unix(0, 0) }})
	for i := range 1000 { // no name is free
		name := "audit-" + time.Unix(0, int64(i)).UTC().Format(stamp) + ".jsonl"
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(t, f, "a", "b", "c")
	ids, _ := read(t, dir)
	if !slices.Equal(ids["audit.jsonl"], []string{"a", "b", "c"}) || strings.Count(log.String(), "grows on") != 1 {
		t.Errorf("the file holds %v; the log says %s", ids["audit.jsonl"], log.String())
	}
}
