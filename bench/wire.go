package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// The protocol versions of the two eras.
const (
	modern = "2026-07-28"
	legacy = "2025-11-25"

	overREST = "REST" // no version: the same tool over the REST API
)

// tool is the one that is called, and what it is asked.
const (
	tool  = "reverse_tool"
	query = "abcdefghijklmnopqrstuvwxyz"
	want  = "zyxwvutsrqponmlkjihgfedcba"
)

// wire is one connection that is kept alive. It speaks just enough HTTP/1.1 to cost little beside the server.
type wire struct {
	conn    net.Conn
	in      *bufio.Reader
	host    string
	out     []byte
	body    []byte
	session string
	// challenge is the WWW-Authenticate header of the last answer.
	challenge string
}

func dial(addr string) (*wire, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 8<<10), host: addr}, nil
}

// headers are those every request has, up to the token.
func (w *wire) headers(method, version string, more ...string) {
	w.out = append(w.out[:0], method...)
	path := "/mcp"
	if version == overREST {
		path = "/api/v1/tools/" + tool
	}
	w.out = append(w.out, " "+path+" HTTP/1.1\r\nHost: "...)
	w.out = append(w.out, w.host...)
	w.out = append(w.out, "\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"...)
	if version != overREST {
		w.header("MCP-Protocol-Version", version)
	}
	if w.session != "" {
		w.header("Mcp-Session-Id", w.session)
	}
	for i := 0; i+1 < len(more); i += 2 {
		w.header(more[i], more[i+1])
	}
}

func (w *wire) header(name, value string) {
	w.out = append(w.out, name...)
	w.out = append(w.out, ": "...)
	w.out = append(w.out, value...)
	w.out = append(w.out, "\r\n"...)
}

// send sends what headers began, with a token, if there is one, and a body.
func (w *wire) send(token string, body []byte) error {
	if token != "" {
		w.header("Authorization", "Bearer "+token)
	}
	w.out = append(w.out, "Content-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(len(body)), 10)
	w.out = append(w.out, "\r\n\r\n"...)
	w.out = append(w.out, body...)
	_, err := w.conn.Write(w.out)
	return err
}

// head reads status and headers of an answer; length is -1 for chunks.
func (w *wire) head() (status, length int, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, fmt.Errorf("the status line is %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	w.challenge = ""
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return status, length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		case bytes.EqualFold(name, []byte("Mcp-Session-Id")):
			w.session = string(value)
		case bytes.EqualFold(name, []byte("WWW-Authenticate")):
			w.challenge = string(value)
		}
	}
}

// answer reads a whole answer. The body is good until the next.
func (w *wire) answer() (status int, body []byte, err error) {
	status, length, err := w.head()
	if err != nil {
		return 0, nil, err
	}
	w.body = w.body[:0]
	if length >= 0 {
		return status, w.body, w.take(length)
	}
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		size, err := strconv.ParseUint(strings.TrimSpace(string(line)), 16, 31)
		if err != nil {
			return 0, nil, err
		}
		if err := w.take(int(size)); err != nil {
			return 0, nil, err
		}
		if _, err := w.in.Discard(2); err != nil {
			return 0, nil, err
		}
		if size == 0 {
			return status, w.body, nil
		}
	}
}

func (w *wire) take(n int) error {
	from := len(w.body)
	w.body = append(w.body, make([]byte, n)...)
	_, err := io.ReadFull(w.in, w.body[from:])
	return err
}

// begin begins a session of the older era.
func (w *wire) begin(token string) error {
	w.headers("POST", legacy)
	body := `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"` + legacy +
		`","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`
	if err := w.send(token, []byte(body)); err != nil {
		return err
	}
	status, said, err := w.answer()
	if err != nil {
		return err
	}
	if status != 200 || w.session == "" {
		return fmt.Errorf("initialize was answered with %d %s", status, said)
	}
	w.headers("POST", legacy)
	if err := w.send(token, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)); err != nil {
		return err
	}
	if status, said, err = w.answer(); err != nil {
		return err
	}
	if status != 202 {
		return fmt.Errorf("notifications/initialized was answered with %d %s", status, said)
	}
	return nil
}

var errWrong = errors.New("a wrong answer")

// call calls the tool and checks the answer.
func (w *wire) call(body []byte, version, token string, stream bool) error {
	status, said, err := w.exchange(version, tool, token, body)
	if err != nil {
		return err
	}
	if status != 200 || !bytes.Contains(said, []byte(want)) || stream != bytes.Contains(said, []byte("notifications/progress")) {
		return fmt.Errorf("%w: %d %.300s", errWrong, status, said)
	}
	return nil
}

// exchange sends one call of a tool and reads its answer.
func (w *wire) exchange(version, name, token string, body []byte) (status int, said []byte, err error) {
	if version == modern {
		w.headers("POST", version, "Mcp-Method", "tools/call", "Mcp-Name", name)
	} else {
		w.headers("POST", version)
	}
	if err := w.send(token, body); err != nil {
		return 0, nil, err
	}
	return w.answer()
}

// message is the call, as its body; with a progress token, if the answer is to be a stream.
func message(version string, stream bool) []byte {
	if version == overREST {
		return []byte(`{"query":"` + query + `"}`)
	}
	return messageTo(tool, `{"query":"`+query+`"}`, version, stream)
}

func messageTo(name, arguments, version string, stream bool) []byte {
	meta := ""
	if version == modern {
		meta = `"io.modelcontextprotocol/protocolVersion":"` + modern + `","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}`
	}
	if stream {
		if meta != "" {
			meta = "," + meta
		}
		meta = `"progressToken":"p1"` + meta
	}
	if meta != "" {
		meta = `,"_meta":{` + meta + `}`
	}
	return []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + meta + `}}`)
}
