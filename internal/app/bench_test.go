package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// BenchmarkCall is one call from the bytes of its request to the bytes of its answer, over a connection in memory: what
// the kernel does is left out. The rows "bare" send the token too, to a server that does not look at it: what they cost
// more than no token is net/http reading a longer header.
func BenchmarkCall(b *testing.B) {
	quick := []string{"FASTMCP_AUTH_LIMITS_CALLER_RATE=1000000"}
	signed := open(b, Options{}, quick...)
	bare := open(b, Options{}, append(quick, "FASTMCP_AUTH_NO_AUTH=true")...)
	token, err := signed.provider.MintToken(devidp.TokenRequest{User: devidp.UserAdmin, Audience: []string{signed.at.MCP}, Scopes: []string{"execute"}})
	if err != nil {
		b.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		h     *house
		token string
	}{{"no-auth", bare, ""}, {"bare", bare, token}, {"warm", signed, token}} {
		for _, version := range []string{modern, legacy} {
			b.Run(row.name+" "+version, func(b *testing.B) {
				w := &wire{request: row.h.request(b, row.token, version), want: []byte(`"reversed_query":"fedcba"`), ended: make(chan struct{})}
				w.changed.L = &w.mu
				l := &oneWire{wire: w, closed: make(chan struct{})}
				server := row.h.newHTTP(context.Background(), row.h.http.Handler)
				go server.Serve(l)
				defer server.Close()
				b.ReportAllocs()
				b.ResetTimer()
				before := used(b)
				w.send(b.N)
				b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op") // what else the machine does counts for less in it
				if w.wrong != nil {
					b.Fatalf("answered %s", w.wrong)
				}
			})
		}
	}
}

const legacy = "2025-11-25"

// used is the CPU that this process has used.
func used(b *testing.B) time.Duration {
	b.Helper()
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// request is a whole request for a call of this era, in a session where the era has one.
func (h *house) request(b *testing.B, token, version string) []byte {
	b.Helper()
	header := map[string]string{"MCP-Protocol-Version": version}
	meta := ""
	if version == modern {
		header["Mcp-Method"], header["Mcp-Name"] = "tools/call", "reverse_tool"
		meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modern + `","io.modelcontextprotocol/clientCapabilities":{}}`
	} else {
		a, err := h.post(token, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"`+version+`","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, nil)
		if err != nil || a.status != http.StatusOK {
			b.Fatalf("answered %+v, %v", a, err)
		}
		header["Mcp-Session-Id"] = a.header.Get("Mcp-Session-Id")
		if a, err := h.post(token, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, header); err != nil || a.status != http.StatusAccepted {
			b.Fatalf("answered %+v, %v", a, err)
		}
	}
	if token != "" {
		header["Authorization"] = "Bearer " + token
	}
	body := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"reverse_tool","arguments":{"query":"abcdef"}` + meta + `}}`
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST /mcp HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n",
		strings.TrimSuffix(strings.TrimPrefix(h.at.MCP, "http://"), "/mcp"))
	for name, value := range header {
		fmt.Fprintf(&out, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return out.Bytes()
}

// wire is a connection whose client sends the same request again as soon as it was answered.
type wire struct {
	request, want []byte
	ended         chan struct{} // closed when all were answered

	mu      sync.Mutex
	changed sync.Cond
	rest    []byte // of the request that is being sent
	left    int    // requests that were not answered
	late    bool   // the deadline of reading has passed
	closed  bool
	wrong   []byte // the first wrong answer
}

// send sends n requests and returns when all were answered.
func (w *wire) send(n int) {
	w.mu.Lock()
	w.left, w.rest = n, w.request
	w.mu.Unlock()
	w.changed.Broadcast()
	<-w.ended
}

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.rest) == 0 && !w.late && !w.closed {
		w.changed.Wait()
	}
	switch {
	case w.late:
		return 0, os.ErrDeadlineExceeded
	case w.closed:
		return 0, net.ErrClosed
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// Write takes an answer, which is small enough to come in one piece. Where the machine stood still for a while it comes as a
// stream, with other pieces around that of the result.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	right := bytes.Contains(p, w.want)
	if !right && (bytes.HasPrefix(p, []byte("HTTP/1.1 ")) && !bytes.Contains(p, []byte("text/event-stream")) || bytes.Contains(p, []byte(`"error":`))) {
		w.left, w.wrong = 1, bytes.Clone(p)
	} else if !right {
		return len(p), nil
	}
	if w.left--; w.left == 0 {
		close(w.ended)
	} else {
		w.rest = w.request
	}
	w.changed.Broadcast()
	return len(p), nil
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.changed.Broadcast()
	return nil
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = !t.IsZero() && t.Before(time.Now())
	w.changed.Broadcast()
	return nil
}

func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (w *wire) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }

// oneWire is a listener to which one connection comes.
type oneWire struct {
	wire   *wire
	closed chan struct{}
	once   sync.Once
}

func (l *oneWire) Accept() (net.Conn, error) {
	if w := l.wire; w != nil {
		l.wire = nil
		return w, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneWire) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneWire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
