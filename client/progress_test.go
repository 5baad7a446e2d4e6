package client

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReportsAreHeardInAStreamOfEvents(t *testing.T) {
	event := func(done int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":%d,"total":3,"message":"m"}}`, done)
	}
	for _, row := range []struct{ name, stream, want string }{
		{"two events", "data: " + event(1) + "\n\ndata: " + event(2) + "\n\n", "12"},
		{"an event named message", "event: message\nid: 7\ndata: " + event(1) + "\n\n", "1"},
		{"an event with another name is none", "event: other\ndata: " + event(1) + "\n\ndata: " + event(2) + "\n\n", "2"},
		{"lines that end with CR LF", "data: " + event(1) + "\r\n\r\ndata:" + event(2) + "\r\n\r\n", "12"},
		{"lines that end with CR", "data: " + event(1) + "\r\r", "1"},
		{"data over two lines", "data: {\"method\":\ndata: \"notifications/progress\",\"params\":{\"progress\":3}}\n\n", "3"},
		{"a comment between", ": alive\n\ndata: " + event(1) + "\n\n", "1"},
		{"an event without end is none", "data: " + event(1) + "\n", ""},
		{"another notification is none", "data: {\"method\":\"notifications/message\",\"params\":{\"data\":\"notifications/progress\"}}\n\n", ""},
		{"broken JSON is none", "data: {\"method\":\"notifications/progress\"\n\ndata: " + event(2) + "\n\n", "2"},
		{"a giant event is none and the next is heard", "data: " + strings.Repeat("x", 3*maxReport) + event(1) + "\ndata: " + event(1) + "\n\ndata: " + event(2) + "\n\n", "2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, source := range []io.Reader{strings.NewReader(row.stream), iotest.OneByteReader(strings.NewReader(row.stream))} {
				heard := ""
				r := &reportReader{ReadCloser: io.NopCloser(source), hear: func(m report) { heard += fmt.Sprint(m.Params.Done) }}
				passed, err := io.ReadAll(r)
				if err != nil || string(passed) != row.stream {
					t.Fatalf("the stream changed: %v", err)
				}
				if heard != row.want {
					t.Errorf("heard %q, want %q", heard, row.want)
				}
				if len(r.data)+len(r.line) > 2*maxReport {
					t.Errorf("kept %d bytes", len(r.data)+len(r.line))
				}
			}
		})
	}
}
