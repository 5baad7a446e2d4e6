package bridge

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// event is one event of a stream.
type event struct {
	id    string
	named bool // it has a name other than "message", and is none of ours
	data  []byte
	retry time.Duration
}

// wait is how long to wait before the stream is taken up, as the server says, but no storm.
func (e event) wait() time.Duration { return max(e.retry, firstWait) }

var errLongEvent = errors.New("the server sent an event that is too large")

// events reads a stream of events (WHATWG HTML, section 9.2) and hands each to take, until the stream ends or take
// returns false. An event is bounded.
func events(r io.Reader, max int, take func(event) bool) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var e event
	for {
		line, err := readLine(in, max-len(e.data))
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if (len(e.data) > 0 || e.id != "") && !take(e) {
				return nil
			}
			e = event{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if len(e.data) > 0 {
				e.data = append(e.data, '\n')
			}
			e.data = append(e.data, value...)
		case "id":
			if !bytes.ContainsRune(value, 0) {
				e.id = string(value)
			}
		case "event":
			e.named = len(value) > 0 && string(value) != "message"
		case "retry":
			if ms, err := strconv.Atoi(string(value)); err == nil && ms >= 0 {
				e.retry = time.Duration(min(ms, 60_000)) * time.Millisecond
			}
		}
	}
}

// readLine reads a line that ends with LF, CR LF or CR.
func readLine(in *bufio.Reader, max int) ([]byte, error) {
	var line []byte
	for {
		c, err := in.ReadByte()
		if err != nil {
			return nil, err
		}
		switch c {
		case '\n':
			return line, nil
		case '\r':
			if next, err := in.Peek(1); err == nil && next[0] == '\n' {
				in.ReadByte()
			}
			return line, nil
		}
		if len(line) >= max {
			return nil, errLongEvent
		}
		line = append(line, c)
	}
}
