package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// mute is a server that takes a request in and says no more than head, if that.
type mute struct {
	head  *httptest.ResponseRecorder // nil: not even a status
	asked int
}

// silence is a body that ends with its request.
type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) { <-s.ctx.Done(); return 0, s.ctx.Err() }
func (s silence) Close() error             { return nil }

func (m *mute) RoundTrip(r *http.Request) (*http.Response, error) {
	m.asked++
	if m.head == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	resp := m.head.Result()
	resp.Body = silence{r.Context()}
	return resp, nil
}

func TestAttack60AServerThatNeverAnswersIsGivenUp(t *testing.T) {
	headed := func(status int, media string) *httptest.ResponseRecorder {
		rw := httptest.NewRecorder()
		rw.Header().Set("Content-Type", media)
		rw.WriteHeader(status)
		return rw
	}
	for _, row := range []struct {
		name, body string
		head       *httptest.ResponseRecorder
		given      time.Duration // when it is given up; zero means that the caller's limit of an hour is
	}{
		{"a list without a status", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil, answerTimeout},
		{"a list without a body", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headed(200, "application/json"), answerTimeout},
		{"a list in a stream without an event", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headed(200, "text/event-stream"), answerTimeout},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, nil, answerTimeout},
		{"an answer of the client", `{"jsonrpc":"2.0","id":1,"result":{}}`, nil, answerTimeout},
		{"a refusal whose body does not come", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, headed(401, ""), discardTimeout},
		{"but a tool may take its time", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, nil, time.Hour},
		{"and so may what is not known here", `{"jsonrpc":"2.0","id":1,"method":"tasks/result"}`, nil, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				m := &mute{head: row.head}
				a, err := newAuthorizer("https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: m}})
				if err != nil {
					t.Fatal(err)
				}
				resp, err := a.RoundTrip(request("POST", "https://h.example/mcp", row.body).WithContext(ctx))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if took := time.Since(began); err == nil || took != row.given {
					t.Errorf("after %s: %v", took, err)
				}
				if row.given != answerTimeout {
					return
				}
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "does not answer within 1m0s") {
					t.Errorf("error %v", err)
				}
				// While connecting, it is not asked again in another era.
				if _, err := a.RoundTrip(request("POST", "https://h.example/mcp", row.body)); err == nil || m.asked != 1 {
					t.Errorf("%d requests, error %v", m.asked, err)
				}
			})
		})
	}
}

func TestTheWaitForAnAnswerCanBeSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Connect(t.Context(), "https://h.example/mcp", Options{HTTPClient: &http.Client{Transport: &mute{}}, AnswerTimeout: 2 * time.Second})
		if took := time.Since(began); took != 2*time.Second || err == nil || !strings.Contains(err.Error(), "does not answer within 2s") {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
