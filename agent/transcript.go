package agent

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	transcriptEnd     = ".jsonl"
	transcriptVersion = 1
	maxRecord         = 64 << 20 // bytes of a line
)

// Transcript is a file that holds a conversation, a line of JSON for each thing that happened. Lines are only ever added,
// and on the disk before anything follows from them. It is safe for concurrent use. Close it when done.
type Transcript struct {
	id string

	mu    sync.Mutex
	file  *os.File
	free  func() error // unlocks it
	begun []Message    // what was there to begin with, until the agent takes it
	used  Totals
	err   error // the first write that failed: what follows it would be a lie
}

// record is one line.
type record struct {
	Kind     string    `json:"kind"` // begin, message, usage or compacted
	At       time.Time `json:"at"`
	Version  int       `json:"version,omitempty"`
	From     string    `json:"from,omitempty"` // which conversation this one was forked from
	Message  *Message  `json:"message,omitempty"`
	Usage    *Usage    `json:"usage,omitempty"`
	Messages []Message `json:"messages,omitempty"` // with which the conversation goes on
}

// The kinds of records.
const (
	recordBegin     = "begin"
	recordMessage   = "message"
	recordUsage     = "usage"
	recordCompacted = "compacted"
)

// ErrNoTranscript means that there is no conversation of that name.
var ErrNoTranscript = errors.New("agent: there is no such conversation")

// ErrNotKept means that the conversation could not be written to its file. Nothing that should stand there was done.
var ErrNotKept = errors.New("agent: the conversation cannot be kept")

// NewTranscript begins a file in dir, for its owner alone.
func NewTranscript(dir string) (*Transcript, error) { return begin(dir, "", nil) }

func begin(dir, from string, with []Message) (*Transcript, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agent: begin a transcript: %w", err)
	}
	id := time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:6])
	path := filepath.Join(dir, id+transcriptEnd)
	free, err := lock(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		free()
		return nil, fmt.Errorf("agent: begin a transcript: %w", err)
	}
	t := &Transcript{id: id, file: f, free: free, begun: with}
	records := []record{{Kind: recordBegin, Version: transcriptVersion, From: from}}
	if len(with) > 0 {
		records = append(records, record{Kind: recordCompacted, Messages: with})
	}
	return t, t.write(records...)
}

// OpenTranscript goes on with a conversation. A last line that a crash left half is cut off. One that is open elsewhere is
// refused with [ErrTranscriptInUse].
func OpenTranscript(dir, id string) (*Transcript, error) {
	path, err := pathOf(dir, id)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q", ErrNoTranscript, id)
	}
	if err != nil {
		return nil, fmt.Errorf("agent: open a transcript: %w", err)
	}
	free, err := lock(path) // before it is read: what somebody else is writing is no half line
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %q", err, id)
	}
	t := &Transcript{id: id, file: f, free: free}
	whole, err := t.read(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil && whole == 0 { // a crash before its first line
		err = t.write(record{Kind: recordBegin, Version: transcriptVersion})
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("agent: transcript %s: %w", id, err)
	}
	return t, nil
}

// ForkTranscript begins another conversation with what was said in the one called id, which stays as it is.
func ForkTranscript(dir, id string) (*Transcript, error) {
	path, err := pathOf(dir, id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %q", ErrNoTranscript, id)
	}
	if err != nil {
		return nil, fmt.Errorf("agent: fork a transcript: %w", err)
	}
	defer f.Close()
	old := &Transcript{}
	if _, err := old.read(f); err != nil {
		return nil, fmt.Errorf("agent: transcript %s: %w", id, err)
	}
	return begin(dir, id, old.begun)
}

// pathOf is where the conversation called id is kept. A name that leads elsewhere is none.
func pathOf(dir, id string) (string, error) {
	if id == "" || id != filepath.Base(id) || strings.HasPrefix(id, ".") || strings.ContainsAny(id, `/\`) {
		return "", fmt.Errorf("%w: %q", ErrNoTranscript, id)
	}
	return filepath.Join(dir, id+transcriptEnd), nil
}

// Saved is a conversation that is kept.
type Saved struct {
	ID    string
	Began time.Time
	First string // the first words of the person
}

// Transcripts lists the conversations in dir, the latest last.
func Transcripts(dir string) ([]Saved, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("agent: list transcripts: %w", err)
	}
	var all []Saved
	for _, e := range entries {
		id, ours := strings.CutSuffix(e.Name(), transcriptEnd)
		if !ours || e.IsDir() {
			continue
		}
		s := Saved{ID: id}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		old := &Transcript{}
		old.read(f) // as far as it can be read
		f.Close()
		if len(e.Name()) > 15 {
			s.Began, _ = time.Parse("20060102-150405", id[:15])
		}
		for _, m := range old.begun {
			if m.Role == RoleUser {
				s.First = m.Text
				break
			}
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y Saved) int { return strings.Compare(x.ID, y.ID) })
	return all, nil
}

// read reads the records, and returns how many bytes of the file are whole.
func (t *Transcript) read(f io.Reader) (whole int64, err error) {
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil // what stands here was not written to its end
		}
		if err != nil {
			return whole, err
		}
		if len(line) > maxRecord {
			return whole, fmt.Errorf("line %d is longer than %d bytes", n, maxRecord)
		}
		var r record
		if err := json.Unmarshal(bytes.TrimSpace(line), &r); err != nil {
			return whole, fmt.Errorf("line %d: %w", n, err)
		}
		if err := t.apply(n, r); err != nil {
			return whole, err
		}
		whole += int64(len(line))
	}
}

func (t *Transcript) apply(n int, r record) error {
	if (n == 1) != (r.Kind == recordBegin) {
		return fmt.Errorf("line %d: a conversation has one beginning, in its first line", n)
	}
	switch r.Kind {
	case recordBegin:
		if r.Version != transcriptVersion {
			return fmt.Errorf("it has version %d, and %d is the one known here", r.Version, transcriptVersion)
		}
	case recordMessage:
		if r.Message == nil {
			return fmt.Errorf("line %d holds no message", n)
		}
		t.begun = append(t.begun, *r.Message)
		return spoken(n, *r.Message)
	case recordCompacted:
		t.begun = r.Messages
		return spoken(n, r.Messages...)
	case recordUsage:
		t.used.add(r.Usage)
	default:
		return fmt.Errorf("line %d: %q is not known here", n, r.Kind)
	}
	return nil
}

// spoken refuses messages of nobody who speaks in a transcript: what the system says is not kept there.
func spoken(n int, messages ...Message) error {
	for _, m := range messages {
		if m.Role != RoleUser && m.Role != RoleAssistant && m.Role != RoleTool {
			return fmt.Errorf("line %d: %q is nobody who speaks", n, m.Role)
		}
	}
	return nil
}

// taken hands over what was read.
func (t *Transcript) taken() ([]Message, Totals) {
	t.mu.Lock()
	defer t.mu.Unlock()
	messages := t.begun
	t.begun = nil
	return messages, t.used
}

// ID is what the conversation is called.
func (t *Transcript) ID() string { return t.id }

// Close closes the file.
func (t *Transcript) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.file.Close(), t.free())
}

func (t *Transcript) messages(messages []Message) error {
	var records []record
	for i := range messages {
		records = append(records, record{Kind: recordMessage, Message: &messages[i]})
	}
	return t.write(records...)
}

func (t *Transcript) compacted(messages []Message) error {
	return t.write(record{Kind: recordCompacted, Messages: messages})
}

// usage keeps what an answer cost. What is lost here is lost with the message that follows it, which says so.
func (t *Transcript) usage(u *Usage) { t.write(record{Kind: recordUsage, Usage: u}) }

// write adds whole lines in one piece, and has them on the disk. Usage waits for the message that follows it.
func (t *Transcript) write(records ...record) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, r := range records {
		r.At = time.Now().UTC()
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("agent: write the transcript: %w", err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	_, err := t.file.Write(b.Bytes())
	if err == nil && records[0].Kind != recordUsage {
		err = t.file.Sync()
	}
	if err != nil {
		t.err = fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return t.err
}
