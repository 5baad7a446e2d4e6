package client

import (
	"bytes"
	"encoding/json"
	"io"
)

// maxReport bounds one progress notification; a longer event is something else.
const maxReport = 64 << 10

// report is a progress notification of any protocol era.
type report struct {
	Method string `json:"method"`
	Params struct {
		Token   any     `json:"progressToken"`
		Done    float64 `json:"progress"`
		Total   float64 `json:"total"`
		Message string  `json:"message"`
	} `json:"params"`
}

// reportReader hears the progress notifications in a stream of events as they pass, and leaves the stream as it is.
//
// The SDK hands notifications to a queue of their own, so that reports sent just before a result would come after it,
// or not at all. Read here, each report comes before whatever the server sent next.
type reportReader struct {
	io.ReadCloser
	hear func(report)

	line, data []byte
	named      bool // the event has a name other than "message"
	long       bool // the event is no report: too long
	afterCR    bool
}

// Read reads from the stream and hears what is in it.
func (r *reportReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	for _, c := range p[:n] {
		switch {
		case c == '\n' && r.afterCR:
			r.afterCR = false
		case c == '\n' || c == '\r':
			r.afterCR = c == '\r'
			r.endLine()
		default:
			r.afterCR = false
			if r.long = r.long || len(r.line)+len(r.data) >= maxReport; !r.long {
				r.line = append(r.line, c)
			} else if len(r.line) == 0 {
				r.line = append(r.line, c) // enough to know that the line is not empty
			}
		}
	}
	return n, err
}

// endLine takes in a line of an event stream; an empty one ends the event.
func (r *reportReader) endLine() {
	line := r.line
	r.line = r.line[:0]
	if len(line) == 0 {
		r.endEvent()
		return
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "data":
		if !r.long {
			r.data = append(append(r.data, value...), '\n')
		}
	case "event":
		r.named = len(value) > 0 && string(value) != "message"
	}
}

func (r *reportReader) endEvent() {
	data, skip := r.data, r.named || r.long
	r.data, r.named, r.long = r.data[:0], false, false
	var m report
	if skip || !bytes.Contains(data, []byte("notifications/progress")) || json.Unmarshal(data, &m) != nil {
		return
	}
	if m.Method == "notifications/progress" {
		r.hear(m)
	}
}
