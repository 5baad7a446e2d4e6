package telemetry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines is a writer for logs that several goroutines write and read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// ask sends r through the middleware around h, and returns the answer and the decoded log lines.
func ask(t *testing.T, r *http.Request, h http.HandlerFunc) (*http.Response, []map[string]any, string) {
	t.Helper()
	var log lines
	w := httptest.NewRecorder()
	Middleware(Logger(&log, "debug", "json"), nil, h).ServeHTTP(w, r)
	decoded := []map[string]any{}
	for line := range strings.Lines(log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		decoded = append(decoded, m)
	}
	return w.Result(), decoded, log.String()
}

func TestARequestHasOneIDEverywhere(t *testing.T) {
	r := httptest.NewRequest("POST", "/mcp", nil)
	r.Header.Set("X-Request-Id", "mine\n")
	var inside string
	answer, log, _ := ask(t, r, func(_ http.ResponseWriter, r *http.Request) { inside = RequestIDFrom(r.Context()) })
	id := answer.Header.Get("X-Request-Id")
	if len(id) != 16 || strings.Trim(id, "abcdefghijkmnpqrstuvwxyz23456789") != "" {
		t.Errorf("the id is %q", id)
	}
	if inside != id || len(log) != 1 || log[0]["request_id"] != id {
		t.Errorf("the answer says %q, the context %q, the log %v", id, inside, log)
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[newID()] = true
	}
	if len(seen) != 1000 {
		t.Error("ids repeat")
	}
	if RequestIDFrom(t.Context()) != "" {
		t.Error("there is an id outside of a request")
	}
}

func TestAttack30_TheQueryIsNeverLogged(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"attack 30 a token in the query", "access_token=" + opaque + "&x=1", "access_token=…&x=…"},
		{"attack 30 a token without a name", opaque, "…"},
		{"attack 30 a token as a name", jwt + "=1", "…"},
		{"attack 30 a name that is encoded", "%61ccess_token=" + opaque, "…"},
		{"attack 30 semicolons hide nothing", "a=1;token=" + opaque, "a=…"},
		{"attack 30 a name without end", strings.Repeat("a", 41) + "=1", "…"},
		{"attack 30 too many names", strings.Repeat("a=1&", 30), strings.Repeat("a=…&", 20) + "…"},
		{"no query", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/mcp?"+tt.query, nil)
			r.Header.Set("Authorization", "Bearer "+opaque)
			r.Header.Set("Cookie", "session="+opaque)
			_, log, raw := ask(t, r, func(http.ResponseWriter, *http.Request) {})
			if strings.Contains(raw, opaque) || strings.Contains(raw, jwt) {
				t.Errorf("the log holds the token: %s", raw)
			}
			if len(log) != 1 || log[0]["query"] != tt.want || log[0]["path"] != "/mcp" || log[0]["method"] != "GET" {
				t.Errorf("got %v, want the query %q", log, tt.want)
			}
		})
	}
}

func TestAccessLogSaysWhatWasAnswered(t *testing.T) {
	for _, tt := range []struct {
		name   string
		h      http.HandlerFunc
		status float64
		bytes  float64
	}{
		{"a handler that writes nothing", func(http.ResponseWriter, *http.Request) {}, 200, 0},
		{"a handler that writes a body", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "four") }, 200, 4},
		{"a handler that refuses", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, 403, 0},
		{"an interim answer is not the answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) }, 404, 0},
		{"the second status does not count", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x"); w.WriteHeader(500) }, 200, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, log, _ := ask(t, httptest.NewRequest("GET", "/", nil), tt.h)
			if len(log) != 1 || log[0]["status"] != tt.status || log[0]["bytes"] != tt.bytes || log[0]["complete"] != true {
				t.Errorf("got %v", log)
			}
		})
	}
}

func TestAccessLogIsSilentAboveDebugAndBoundsWhatStrangersWrite(t *testing.T) {
	var log lines
	h := Middleware(Logger(&log, "info", "json"), nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if log.String() != "" {
		t.Errorf("at info it says %s", log.String())
	}
	r := httptest.NewRequest("GET", "/"+strings.Repeat("x", 10_000), nil)
	if _, _, raw := ask(t, r, func(http.ResponseWriter, *http.Request) {}); len(raw) > 1000 {
		t.Errorf("one line has %d bytes", len(raw))
	}
	hostile := httptest.NewRequest("GET", "/%C2%9B2J%1B%5B2J%E2%80%AEx", nil)
	if _, _, raw := ask(t, hostile, func(http.ResponseWriter, *http.Request) {}); strings.ContainsAny(raw, "\u009b\u001b\u202e") || strings.Contains(raw, `\u001b`) {
		t.Errorf("the line speaks to the terminal of who reads it: %q", raw)
	}
	Middleware(nil, nil, http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
}

func TestAPanicIsAnsweredWith500(t *testing.T) {
	answer, log, raw := ask(t, httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", "7")
		panic(errors.New("a cause with Bearer " + opaque))
	})
	id := answer.Header.Get("X-Request-Id")
	var body map[string]string
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != 500 || answer.Header.Get("Content-Type") != "application/json" || answer.Header.Get("Content-Length") != "" ||
		id == "" || body["request_id"] != id || body["error"] != "server_error" {
		t.Errorf("got %d %v %v", answer.StatusCode, answer.Header, body)
	}
	if strings.Contains(fmt.Sprint(body), "cause") {
		t.Errorf("the stranger learns %v", body)
	}
	if len(log) != 2 || log[0]["level"] != "ERROR" || log[0]["msg"] != "panic" || log[0]["request_id"] != id ||
		log[0]["cause"] != "a cause with Bearer …" || !strings.Contains(fmt.Sprint(log[0]["stack"]), "TestAPanicIsAnsweredWith500") {
		t.Errorf("the log says %v", log)
	}
	if log[1]["status"] != 500.0 || strings.Contains(raw, opaque) {
		t.Errorf("the log says %s", raw)
	}
}

func TestAPanicInTheMiddleOfAnAnswerCutsTheConnection(t *testing.T) {
	var log lines
	srv := httptest.NewUnstartedServer(Middleware(Logger(&log, "debug", "json"), nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half of ")
		w.(http.Flusher).Flush()
		panic("in the middle")
	})))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	defer srv.Close()
	answer, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("the client takes %q for the whole answer", body)
	}
	srv.Close()
	if !strings.Contains(log.String(), `"msg":"panic"`) || !strings.Contains(log.String(), `"complete":false`) {
		t.Errorf("the log says %s", log.String())
	}
}

func TestErrAbortHandlerPassesThrough(t *testing.T) {
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler {
			t.Errorf("got %v", cause)
		}
	}()
	ask(t, httptest.NewRequest("GET", "/", nil), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

func TestStreamsWorkThroughTheMiddleware(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flush func(http.ResponseWriter) error
	}{
		{"with a response controller", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }},
		{"with a flusher", func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next := make(chan struct{})
			failed := make(chan error, 3)
			var log lines
			srv := httptest.NewServer(Middleware(Logger(&log, "debug", "json"), nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				failed <- http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
				io.WriteString(w, "data: one\n")
				failed <- tt.flush(w)
				<-next
				io.WriteString(w, "data: two\n")
			})))
			defer srv.Close()
			answer, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body := bufio.NewReader(answer.Body)
			if line, err := body.ReadString('\n'); line != "data: one\n" || err != nil {
				t.Errorf("before the handler ended came %q, %v", line, err)
			}
			close(next)
			if line, err := body.ReadString('\n'); line != "data: two\n" || err != nil {
				t.Errorf("then came %q, %v", line, err)
			}
			for range 2 {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestFlushSaysWhereItCannot(t *testing.T) {
	w := &watcher{ResponseWriter: struct{ http.ResponseWriter }{httptest.NewRecorder()}}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("got %v", err)
	}
}
