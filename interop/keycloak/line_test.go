//go:build unix

package keycloak_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// line is a way to Keycloak that can be cut. Keycloak goes by the name that it is asked by, so whoever comes by the line
// finds a provider that lives at its end.
type line struct {
	URL string // of Keycloak, for those who come by the line

	mu   sync.Mutex
	cut  bool
	open map[net.Conn]bool
}

// newLine lays a line to Keycloak.
func (k *running) newLine(t *testing.T) *line {
	t.Helper()
	to, err := url.Parse(k.URL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{URL: "http://" + listener.Addr().String(), open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		listener.Close()
		l.Cut(true)
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(near, to.Host)
		}
	}()
	return l
}

// Cut ends all that is carried, and what comes later, until it is called with false.
func (l *line) Cut(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = on
	if on {
		for c := range l.open {
			c.Close()
		}
	}
}

func (l *line) carry(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	cut := l.cut
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	if cut {
		return
	}
	done := make(chan struct{}, 2)
	for from, into := range map[net.Conn]net.Conn{near: far, far: near} {
		go func() {
			io.Copy(into, from)
			done <- struct{}{}
		}()
	}
	<-done
	near.Close()
	far.Close()
	<-done
	l.mu.Lock()
	delete(l.open, near)
	delete(l.open, far)
	l.mu.Unlock()
}
