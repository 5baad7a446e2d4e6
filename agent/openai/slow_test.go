package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// pipes is a network within one process, so that its time is that of the test.
type pipes struct{ accepted chan net.Conn }

func (p *pipes) Accept() (net.Conn, error) {
	c, open := <-p.accepted
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pipes) Close() error   { close(p.accepted); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// slow runs an HTTP server on pipes, and returns a model that asks it. Both end with the test's bubble.
func slow(t *testing.T, h http.HandlerFunc) *Model {
	t.Helper()
	network := &pipes{accepted: make(chan net.Conn)}
	server := &http.Server{Handler: h}
	go server.Serve(network)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		network.accepted <- there
		return here, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	m, err := New(Config{URL: "http://model.example/v1", Model: "m", HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// say writes a piece, and has it sent.
func say(w http.ResponseWriter, line string) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "%s\n\n", line)
	w.(http.Flusher).Flush()
}

// pause lets time pass, or ends with the request.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-r.Context().Done():
	case <-time.After(d):
	}
}

// TestASlowModel: silence is bounded, slowness is not, and the conversation goes on after either.
func TestASlowModel(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, row := range []struct {
		name  string
		h     http.HandlerFunc
		fault agent.Fault // empty: it answers
		says  string
		after time.Duration
	}{
		{"one that does not answer at all", silent, agent.FaultUnreachable, "the model m cannot be reached: it says nothing for 2m0s", 2 * time.Minute},
		{"one that falls silent in the middle", func(w http.ResponseWriter, r *http.Request) {
			say(w, "data: "+delta(`{"content":"Hel"}`))
			silent(w, r)
		}, agent.FaultCut, "the model m broke off in the middle: it says nothing for 2m0s", 2 * time.Minute},
		{"one that falls silent in the middle of a call", func(w http.ResponseWriter, r *http.Request) {
			say(w, "data: "+delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"one","arguments":"{"}}]}`))
			silent(w, r)
		}, agent.FaultCut, "it says nothing for 2m0s", 2 * time.Minute},
		{"one that takes its time for each word", func(w http.ResponseWriter, r *http.Request) {
			for range 20 {
				pause(r, 100*time.Second)
				say(w, "data: "+delta(`{"content":"word "}`))
			}
			say(w, "data: "+stop)
		}, "", "word word", 20 * 100 * time.Second},
		{"one that thinks, and sends comments meanwhile", func(w http.ResponseWriter, r *http.Request) {
			for range 400 {
				pause(r, 5*time.Second)
				say(w, ": thinking")
			}
			say(w, "data: "+delta(`{"content":"word word"}`))
			say(w, "data: "+stop)
		}, "", "word word", 400 * 5 * time.Second},
		{"one that thinks aloud and never ends", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				pause(r, 50*time.Second)
				say(w, "data: "+delta(`{"reasoning_content":"hm"}`))
			}
		}, agent.FaultRequest, "it speaks for 1h0m0s and is not done", time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				m := slow(t, func(w http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
					if asked.Add(1) == 1 {
						row.h(w, r)
						return
					}
					events(delta(`{"content":"well again"}`), stop)(w, r)
				})
				a, err := agent.New(agent.Options{Model: m, Limits: agent.Limits{Tries: 1}})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				out, err := a.Turn(t.Context(), "hello")
				if took := time.Since(began); took != row.after {
					t.Errorf("it took %v, want %v", took, row.after)
				}
				var fault *agent.ModelError
				switch {
				case row.fault == "" && (err != nil || !strings.HasPrefix(out.Text, row.says)):
					t.Errorf("%q %v", out.Text, err)
				case row.fault != "" && (!errors.As(err, &fault) || fault.Fault != row.fault || !strings.Contains(err.Error(), row.says)):
					t.Errorf("%v, want %s saying %q", err, row.fault, row.says)
				}
				if out, err := a.Turn(t.Context(), "and now?"); err != nil || out.Text != "well again" {
					t.Errorf("the conversation does not go on: %q %v", out.Text, err)
				}
			})
		})
	}
}
