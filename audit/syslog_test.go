package audit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// header is a message of RFC 5424 up to its text.
var header = regexp.MustCompile(`^<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) \S+ fastmcp-auth \d+ (decision|outcome) - (\{.*\})$`)

func checkMessage(t *testing.T, message, priority, id string) {
	t.Helper()
	m := header.FindStringSubmatch(message)
	var e Event
	if m == nil || m[1] != priority || json.Unmarshal([]byte(m[4]), &e) != nil || e.RequestID != id || string(e.Kind) != m[3] {
		t.Errorf("received %s", message)
	}
}

func openSyslog(t *testing.T, where string) *Syslog {
	t.Helper()
	s, err := OpenSyslog(where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSyslogByDatagrams(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	unix, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for where, conn := range map[string]net.PacketConn{"unix://" + socket: unix, "udp://" + udp.LocalAddr().String(): udp} {
		t.Run(where, func(t *testing.T) {
			defer conn.Close()
			s := openSyslog(t, where)
			denied := full()
			denied.Decision, denied.RequestID = Deny, "denied"
			for _, e := range []Event{full(), denied} {
				if err := s.Write(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range []struct{ priority, id string }{{"110", full().RequestID}, {"109", "denied"}} {
				buf := make([]byte, 64<<10)
				n, _, err := conn.ReadFrom(buf)
				if err != nil {
					t.Fatal(err)
				}
				checkMessage(t, string(buf[:n]), want.priority, want.id)
			}
		})
	}
}

// TestAttack54_SyslogThatIsGoneIsAnError takes the machine's syslog away and gives it back.
func TestAttack54_SyslogThatIsGoneIsAnError(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	listen := func() net.PacketConn {
		conn, err := net.ListenPacket("unixgram", socket)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conn := listen()
	s := openSyslog(t, "unix://"+socket)
	conn.Close()
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), full()); err == nil {
		t.Error("an event that nobody hears is kept")
	}
	conn = listen()
	defer conn.Close()
	if err := s.Write(t.Context(), full()); err == nil {
		t.Error("it is tried again at once")
	}
	s.pause = s.pause.Add(-syslogPause)
	if err := s.Write(t.Context(), full()); err != nil {
		t.Errorf("when it is back it answers %v", err)
	}
}

// collector is a syslog server that takes streams.
type collector struct {
	net.Listener
	messages chan string
	mu       sync.Mutex
	conns    []net.Conn
}

func collect(t *testing.T, l net.Listener) *collector {
	c := &collector{Listener: l, messages: make(chan string, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			go c.read(conn)
		}
	}()
	t.Cleanup(func() { l.Close(); c.cut() })
	return c
}

func (c *collector) read(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		message := make([]byte, n)
		if err != nil {
			message = []byte("no length: " + length)
		} else if _, err := io.ReadFull(r, message); err != nil {
			return
		}
		c.messages <- string(message)
	}
}

// cut ends all connections.
func (c *collector) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func TestSyslogByAStream(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := collect(t, l)
	s := openSyslog(t, "tcp://"+l.Addr().String())
	send := func(id string) {
		t.Helper()
		e := full()
		e.RequestID = id
		if err := s.Write(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		checkMessage(t, <-c.messages, "110", id)
	}
	send("a")
	c.cut()
	<-s.conn.gone // the end has arrived
	send("b")     // over a connection made anew
	c.cut()
	<-s.conn.gone
	l.Close()
	if err := s.Write(t.Context(), full()); err == nil {
		t.Error("an event that nobody hears is kept")
	}
}

func TestSyslogFromManyGoroutines(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := collect(t, l)
	s := openSyslog(t, "tcp://"+l.Addr().String())
	const writers, each = 8, 25
	for w := range writers {
		go func() {
			for i := range each {
				if err := s.Write(t.Context(), Event{Kind: Decided, Decision: Allow, RequestID: fmt.Sprintf("%d-%d", w, i)}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	seen := map[string]bool{}
	for range writers * each {
		seen[<-c.messages] = true
	}
	if len(seen) != writers*each {
		t.Errorf("%d messages of %d", len(seen), writers*each)
	}
}

func TestSyslogThatCannotBeIsFoundOutAtTheStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if conn, err := plain.Accept(); err == nil {
			conn.Write([]byte("no TLS here\r\n"))
			conn.Close()
		}
	}()
	defer plain.Close()
	for _, where := range []string{"", "%", "/dev/log", "unix://host/log", "udp://127.0.0.1", "tcp://127.0.0.1:1/x", "http://127.0.0.1:1",
		"unix://" + filepath.Join(os.TempDir(), "no such socket"), "tcp://" + closed, "tls://" + plain.Addr().String()} {
		if s, err := OpenSyslog(where); err == nil {
			s.Close()
			t.Errorf("%q is taken", where)
		}
	}
}
