package audit

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	syslogPatience = 3 * time.Second // for a connection, and for one write
	syslogPause    = time.Second     // after a failure, in which nothing is tried
)

// Syslog sends each event as one message of RFC 5424: facility 13 (log audit), severity 6 (informational) for what was
// let in and 5 (notice) for what was not, the kind of event as MSGID and the event's JSON as the message. It may be used
// from many goroutines.
//
// What leaves through UDP may be lost unnoticed. Over TCP and TLS a connection that breaks is noticed, but syslog
// acknowledges nothing, so that the last events before it broke may be lost. Where none may be, keep a [File] too.
type Syslog struct {
	network, address string
	secure           bool
	host, pid        string

	mu     sync.Mutex
	conn   *link // nil when it has to be dialled
	pause  time.Time
	cause  error // of the last failure
	closed bool
}

// OpenSyslog connects to where, one of
//
//	unix:///dev/log           the machine's own, by datagrams
//	udp://logs.example:514    RFC 5426
//	tcp://logs.example:601    RFC 6587, each message led by its length
//	tls://logs.example:6514   RFC 5425, with the system's trusted roots
//
// It returns an error where nothing answers. A connection that breaks later is made anew.
func OpenSyslog(where string) (*Syslog, error) {
	s := &Syslog{host: "-", pid: strconv.Itoa(os.Getpid())}
	u, err := url.Parse(where)
	if err != nil {
		return nil, errors.New("audit: syslog: not a URL")
	}
	switch {
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		s.network, s.address = "unixgram", u.Path
	case (u.Scheme == "udp" || u.Scheme == "tcp") && u.Port() != "" && u.Path == "":
		s.network, s.address = u.Scheme, u.Host
	case u.Scheme == "tls" && u.Port() != "" && u.Path == "":
		s.network, s.address, s.secure = "tcp", u.Host, true
	default:
		return nil, fmt.Errorf("audit: syslog: %s is neither unix:///path nor udp, tcp or tls://host:port", where)
	}
	if name, err := os.Hostname(); err == nil && printable(name) {
		s.host = name
	}
	s.conn, err = s.dial()
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return s, nil
}

// printable reports whether s may be a field of the header. RFC 5424, section 6.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 33 || s[i] > 126 {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// Write sends e. After a failure it fails at once for a second, so that calls do not queue behind a place that is gone.
func (s *Syslog) Write(_ context.Context, e Event) error {
	message := s.message(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("syslog: %w", net.ErrClosed)
	}
	if time.Now().Before(s.pause) {
		return s.cause
	}
	var err error
	for {
		fresh := s.conn == nil || s.conn.broken()
		if fresh {
			s.drop()
			if s.conn, err = s.dial(); err != nil {
				break
			}
		}
		if err = s.conn.send(message); err == nil {
			return nil
		}
		s.drop()
		if fresh {
			break // one that stood for a while may have ended at the other side; a new one that fails is a failure
		}
	}
	s.pause, s.cause = time.Now().Add(syslogPause), fmt.Errorf("syslog: %w", err)
	return s.cause
}

// message is e by RFC 5424, section 6, framed for a stream where it goes into one (RFC 6587, section 3.4.1).
func (s *Syslog) message(e Event) []byte {
	const facility = 13
	severity := 6
	if e.Decision != Allow {
		severity = 5
	}
	m := fmt.Appendf(nil, "<%d>1 %s %s fastmcp-auth %s %s - ", facility*8+severity,
		e.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), s.host, s.pid, e.Kind)
	m = appendEvent(m, e)
	if s.network == "tcp" {
		m = append(fmt.Appendf(nil, "%d ", len(m)), m...)
	}
	return m
}

func (s *Syslog) dial() (*link, error) {
	dialer := &net.Dialer{Timeout: syslogPatience}
	var conn net.Conn
	var err error
	if s.secure {
		conn, err = tls.DialWithDialer(dialer, s.network, s.address, &tls.Config{MinVersion: tls.VersionTLS12})
	} else {
		conn, err = dialer.Dial(s.network, s.address)
	}
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, gone: make(chan struct{})}
	if s.network != "tcp" {
		return l, nil
	}
	go func() { // nothing is to come back; what does is the end
		defer close(l.gone)
		io.Copy(io.Discard, conn)
	}()
	return l, nil
}

func (s *Syslog) drop() {
	if s.conn != nil {
		s.conn.conn.Close()
	}
	s.conn = nil
}

// Close ends the connection.
func (s *Syslog) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.drop()
	return nil
}

// String names the sink.
func (s *Syslog) String() string { return "syslog " + s.network + " " + s.address }

// link is one connection.
type link struct {
	conn net.Conn
	gone chan struct{} // closed when the other side has ended a stream
}

func (l *link) broken() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *link) send(message []byte) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(syslogPatience)); err != nil {
		return err
	}
	_, err := l.conn.Write(message)
	return err
}
