package bridge_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/bridge"
)

// deaf is a server that takes in neither a notification nor a call of a tool, and answers the rest.
type deaf struct{}

func (deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case strings.Contains(string(body), "initialize"+`"`):
		rw.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}`)
	case strings.Contains(string(body), "tools/list"):
		rw.WriteString(`{"jsonrpc":"2.0","id":3,"result":{"tools":[]}}`)
	default:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp := rw.Result()
	resp.Request = r
	return resp, nil
}

// TestAttack60AServerThatIsDeafToNotifications holds nobody up: the client is answered, and may leave.
func TestAttack60AServerThatIsDeafToNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		in, client := io.Pipe()
		server, out := io.Pipe()
		b := &bridge.Bridge{Server: "http://h.example/mcp", HTTP: &http.Client{Transport: deaf{}}}
		ended := make(chan error, 1)
		go func() { ended <- b.Run(t.Context(), in, out) }()
		answers := bufio.NewScanner(server)
		say := func(line, want string) {
			io.WriteString(client, line+"\n")
			if want != "" && (!answers.Scan() || !strings.Contains(answers.Text(), want)) {
				t.Errorf("%s is answered with %q", line, answers.Text())
			}
		}
		say(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`, `"id":1`)
		say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, "")
		say(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t"}}`, "")
		for range 20 {
			say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`, "")
		}
		say(`{"jsonrpc":"2.0","id":3,"method":"tools/list"}`, `"id":3`)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("answered after %s", took)
		}
		client.Close()
		if err := <-ended; err != nil || time.Since(began) > 20*time.Second {
			t.Errorf("ended with %v after %s", err, time.Since(began))
		}
	})
}

// TestAttack60ARequestWithoutAPlace is refused in time, and what was said before goes on.
func TestAttack60ARequestWithoutAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, client := io.Pipe()
		server, out := io.Pipe()
		b := &bridge.Bridge{Server: "http://h.example/mcp", HTTP: &http.Client{Transport: deaf{}}}
		ended := make(chan error, 1)
		go func() { ended <- b.Run(t.Context(), in, out) }()
		go func() {
			for id := range 513 {
				io.WriteString(client, strings.ReplaceAll(`{"jsonrpc":"2.0","id":"N","method":"tools/call","params":{"name":"t"}}`+"\n", "N", strings.Repeat("x", id+1)))
			}
			client.Close()
		}()
		answers := bufio.NewScanner(server)
		if !answers.Scan() || !strings.Contains(answers.Text(), "too many requests are under way") {
			t.Errorf("got %q", answers.Text())
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
