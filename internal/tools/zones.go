package tools

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

// zoneinfo is the IANA time zone database as the Go distribution packs it; its data is in the public domain.
//
// The package time would look on the machine's disk first and could not list what it knows, so the data is read here.
//
//go:generate cp $GOROOT/lib/time/zoneinfo.zip zoneinfo/zoneinfo.zip
//go:embed zoneinfo/zoneinfo.zip
var zoneinfo []byte

// zones are all time zones by their IANA names.
type zones struct {
	names []string // sorted
	files map[string]*zip.File

	mu     sync.Mutex
	loaded map[string]*time.Location
}

// allZones opens the database once.
var allZones = sync.OnceValues(func() (*zones, error) {
	archive, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("open the time zone database: %w", err)
	}
	z := &zones{files: map[string]*zip.File{}, loaded: map[string]*time.Location{}}
	for _, f := range archive.File {
		// Factory is a placeholder of the database for a machine that was never set up.
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		z.files[f.Name] = f
		z.names = append(z.names, f.Name)
	}
	slices.Sort(z.names)
	return z, nil
})

// load returns the zone of this exact name, and false if there is none.
func (z *zones) load(name string) (*time.Location, bool, error) {
	f := z.files[name]
	if f == nil {
		return nil, false, nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if loc := z.loaded[name]; loc != nil {
		return loc, true, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, false, fmt.Errorf("read zone %s: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, false, fmt.Errorf("read zone %s: %w", name, err)
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, false, fmt.Errorf("read zone %s: %w", name, err)
	}
	z.loaded[name] = loc
	return loc, true, nil
}

// near returns up to five names near to what was asked for, the nearest first: the same but for case and spaces, then
// the same city, then a likeness of either.
func (z *zones) near(asked string) []string {
	if len(asked) > 64 {
		return nil
	}
	type candidate struct {
		name string
		far  int
	}
	want := plainName(asked)
	wantCity := city(want)
	if wantCity == "" {
		return nil
	}
	var found []candidate
	for _, name := range z.names {
		plain := plainName(name)
		far := min(nearest.Distance(want, plain), 1+nearest.Distance(wantCity, city(plain)), 1+nearest.Distance(want, city(plain)))
		if len(wantCity) >= 4 && strings.HasPrefix(city(plain), wantCity) {
			far = 1
		}
		if far <= max(1, len(wantCity)/3) {
			found = append(found, candidate{name, far})
		}
	}
	slices.SortStableFunc(found, func(x, y candidate) int { return x.far - y.far })
	var names []string
	for _, c := range found[:min(5, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// plainName is a name as people type it: lower case, without spaces and underscores.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// city is the part of a plain name after the last slash.
func city(plain string) string { return plain[strings.LastIndexByte(plain, '/')+1:] }

// unknownZone is the caller's fault: there is no zone of this name.
type unknownZone struct {
	argument, name string
	near           []string
}

func (e *unknownZone) Error() string {
	name := e.name
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	s := fmt.Sprintf("%q is %q, which is not an IANA time zone name", e.argument, name)
	switch {
	case len(e.near) == 1:
		s += fmt.Sprintf("; did you mean %s?", e.near[0])
	case len(e.near) > 1:
		s += fmt.Sprintf("; did you mean one of %s?", strings.Join(e.near, ", "))
	default:
		s += "; names look like Europe/Berlin, and the resource time://timezones lists them all"
	}
	return s
}

// zone returns the zone an argument names, or an *unknownZone.
func zone(argument, name string) (*time.Location, error) {
	z, err := allZones()
	if err != nil {
		return nil, err
	}
	loc, ok, err := z.load(name)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, &unknownZone{argument: argument, name: name, near: z.near(name)}
	}
	return loc, nil
}
