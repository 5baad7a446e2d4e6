package secrets

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Suite is all that the programs of a test binary say, and what they must not say. Its folder is known to each process that
// the binary starts by the variable [Folder].
type Suite struct {
	Known
	dir string
}

// Folder is the variable of the environment that names where processes leave what they say.
const Folder = "TRANSCRIPT"

// NewSuite makes a suite whose processes leave what they say in dir.
func NewSuite(dir string) *Suite { return &Suite{dir: dir} }

// Transcript is out, and leaves a copy of what is written to it in dir, in a file of this name. dir may be empty: then it is
// out alone.
func Transcript(dir, name string, out io.Writer) io.Writer {
	if dir == "" {
		return out
	}
	f, err := os.CreateTemp(dir, name+"-*")
	if err != nil {
		panic(err) // nobody would look at what is written
	}
	return io.MultiWriter(out, f)
}

// Keep leaves text in the folder, too: what a test has heard in another way.
func (s *Suite) Keep(name, text string) error {
	f, err := os.CreateTemp(s.dir, name+"-*")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// Writer keeps what is written to it.
func (s *Suite) Writer(name string) io.Writer { return Transcript(s.dir, name, io.Discard) }

// Search reads all that was said, and returns a line for each secret that it found, with the name of the file. Files whose
// name begins with one of but are left out. It errs where nothing was said, or nothing is known: then nothing was looked at.
func (s *Suite) Search(but ...string) (lines []string, looked string, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, "", err
	}
	size, left := 0, 0
	var all []byte
	var names []string
	var ends []int
	for _, e := range entries {
		if slices.ContainsFunc(but, func(prefix string) bool { return strings.HasPrefix(e.Name(), prefix) }) {
			left++
			continue
		}
		text, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return nil, "", err
		}
		size += len(text)
		all = append(append(all, text...), 0) // no secret spans two files
		names, ends = append(names, e.Name()), append(ends, len(all))
	}
	begin := 0
	if len(s.Find(all)) > 0 { // once over all of it; file by file only to say where
		for i, name := range names {
			for _, f := range s.Find(all[begin:ends[i]]) {
				lines = append(lines, fmt.Sprintf("%s shows %s", name, f))
			}
			begin = ends[i]
		}
	}
	known := 0
	for _, n := range s.Count() {
		known += n
	}
	looked = fmt.Sprintf("%d bytes in %d files were searched for %d secrets, %d files left out", size, len(names), known, left)
	if size == 0 || known == 0 {
		err = fmt.Errorf("nothing was looked at: %s", looked)
	}
	return lines, looked, err
}
