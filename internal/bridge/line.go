package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Codes of JSON-RPC 2.0, section 5.1.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeNotFound       = -32601
	codeInternal       = -32603
	codeServer         = -32000 // what happened between here and the server
)

// message is a JSON-RPC message, as far as the bridge looks into it.
type message struct {
	raw    json.RawMessage
	begins bool            // it begins a lost session anew
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// parse reads one message. A batch is none: only one revision of the protocol had them.
func parse(raw []byte) (*message, error) {
	m := &message{raw: raw}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("the message is no JSON-RPC message: %v", err)
	}
	if string(m.ID) == "null" {
		m.ID = nil
	}
	if m.Method == "" && m.Result == nil && m.Error == nil {
		return nil, errors.New("the message is no JSON-RPC message: it has no method, no result and no error")
	}
	return m, nil
}

func (m *message) isRequest() bool  { return m.Method != "" && m.ID != nil }
func (m *message) isResponse() bool { return m.Method == "" }

// isModern reports whether m is of the newer era, which says its version in each request.
func (m *message) isModern() bool { return m.version() != "" }

// metaVersion is where a message of the newer era says its version.
const (
	metaVersion      = "io.modelcontextprotocol/protocolVersion"
	metaClientInfo   = "io.modelcontextprotocol/clientInfo"
	metaCapabilities = "io.modelcontextprotocol/clientCapabilities"
	metaServerInfo   = "io.modelcontextprotocol/serverInfo"
)

func (m *message) version() string {
	if !bytes.Contains(m.Params, []byte("protocolVersion")) {
		return ""
	}
	var p struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	var version string
	if json.Unmarshal(m.Params, &p) != nil || json.Unmarshal(p.Meta[metaVersion], &version) != nil {
		return ""
	}
	return version
}

// lines is an output of one message a line.
type lines struct {
	mu   sync.Mutex
	w    io.Writer
	gone func(error)
}

var errGone = errors.New("nobody reads the output any more")

// write writes a message on a line of its own.
func (l *lines) write(raw json.RawMessage) {
	var line bytes.Buffer
	if bytes.ContainsAny(raw, "\r\n") {
		if json.Compact(&line, raw) != nil {
			return
		}
	} else {
		line.Write(raw)
	}
	line.WriteByte('\n')
	l.mu.Lock()
	_, err := l.w.Write(line.Bytes())
	l.mu.Unlock()
	if err != nil {
		l.gone(errGone)
	}
}

// fail answers a request with an error. Without an id it is about no request in particular.
func (l *lines) fail(id json.RawMessage, code int, text string) { l.write(failure(id, code, text)) }

func failure(id json.RawMessage, code int, text string) json.RawMessage {
	if id == nil {
		id = json.RawMessage("null")
	}
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": text}})
	if err != nil {
		return nil
	}
	return raw
}

func success(id json.RawMessage, result any) json.RawMessage {
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "result": result})
	if err != nil {
		return failure(id, codeInternal, err.Error())
	}
	return raw
}

// reader reads lines of bounded length.
type reader struct {
	r   *bufio.Reader
	max int
}

var errTooLong = errors.New("line too long")

func newReader(r io.Reader, max int) *reader { return &reader{bufio.NewReaderSize(r, 64<<10), max} }

// next returns the next line that is not empty. A line that is too long is skipped whole, and is errTooLong.
func (r *reader) next() ([]byte, error) {
	for {
		var line []byte
		tooLong := false
		for {
			piece, err := r.r.ReadSlice('\n')
			if tooLong = tooLong || len(line)+len(piece) > r.max; !tooLong {
				line = append(line, piece...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) && !tooLong {
				return nil, err
			}
			break
		}
		if tooLong {
			return nil, errTooLong
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}
