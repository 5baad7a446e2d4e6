package mcpserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnswer(t *testing.T) {
	const failed = `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":{"k":"v"}}}`
	const named = `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":{"k":"v","request_id":"r"}}}`
	stream := func(a *answer) {
		a.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(a, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n")
	}
	for _, row := range []struct {
		name  string
		write func(a *answer)
		want  string // status and body
	}{
		{"an error in JSON gets the request id", func(a *answer) {
			a.Header().Set("Content-Type", "application/json")
			a.WriteHeader(400)
			fmt.Fprint(a, failed)
		}, "400 " + named},
		{"an error in an event gets the request id, and keeps its fields", func(a *answer) {
			stream(a)
			fmt.Fprint(a, "event: message\nid: x_1\ndata: "+failed+"\n\n")
		}, "200 event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\nevent: message\nid: x_1\ndata: " + named + "\n\n"},
		{"a refusal after the stream has begun becomes an event", func(a *answer) {
			stream(a)
			a.Header().Set("Content-Type", "application/json")
			a.WriteHeader(400)
			fmt.Fprint(a, failed)
		}, "200 event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\nevent: message\ndata: " + named + "\n\n"},
		{"an error in text becomes JSON-RPC", func(a *answer) { http.Error(a, "malformed something", 400) },
			`400 {"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"malformed something","data":{"request_id":"r"}}}`},
		{"what the SDK says of its own types is not passed on", func(a *answer) {
			a.Header().Set("Content-Type", "application/json")
			fmt.Fprint(a, `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"cannot unmarshal into a *mcp.ListToolsParams"}}`)
		}, `200 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"the params are not what tools/list takes","data":{"request_id":"r"}}}`},
		{"a result that speaks of an error is left alone", func(a *answer) {
			a.Header().Set("Content-Type", "application/json")
			fmt.Fprint(a, `{"jsonrpc":"2.0","id":1,"result":{"error":{"code":1}}}`)
		}, `200 {"jsonrpc":"2.0","id":1,"result":{"error":{"code":1}}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			a := (&Handler{silence: time.Hour, patience: time.Hour}).newAnswer(w, nil, "r")
			a.id, a.method = []byte("7"), "tools/list"
			row.write(a)
			a.finish()
			if got := fmt.Sprint(w.Code, " ", w.Body); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestEventsAreBounded(t *testing.T) {
	ctx := context.Background()
	after := func(e *events, session, stream string, index int) (string, error) {
		var got []string
		for data, err := range e.After(ctx, session, stream, index) {
			if err != nil {
				return "", err
			}
			got = append(got, string(data))
		}
		return strings.Join(got, ","), nil
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("what was sent after a number is found", func(t *testing.T) {
		e := newEvents()
		must(t, e.Open(ctx, "s", ""))
		must(t, e.Open(ctx, "s", "a"))
		for _, data := range []string{"0", "1", "2"} {
			must(t, e.Append(ctx, "s", "a", []byte(data)))
		}
		for index, want := range map[int]string{-1: "0,1,2", 0: "1,2", 2: "", 99: ""} {
			if got, err := after(e, "s", "a", index); err != nil || got != want {
				t.Errorf("after %d: %q, %v", index, got, err)
			}
		}
	})
	t.Run("a session keeps its latest events only, and says so", func(t *testing.T) {
		e := newEvents()
		must(t, e.Open(ctx, "s", ""))
		must(t, e.Open(ctx, "s", "a"))
		for range 5 {
			must(t, e.Append(ctx, "s", "a", make([]byte, maxSessionEvents/4)))
		}
		if e.size > maxSessionEvents {
			t.Errorf("%d bytes are kept", e.size)
		}
		if _, err := after(e, "s", "a", -1); err == nil {
			t.Error("forgotten events were answered as if there were none")
		}
		if got, err := after(e, "s", "a", 2); err != nil || len(got) == 0 {
			t.Errorf("the latest are lost: %v", err)
		}
	})
	t.Run("empty events count too", func(t *testing.T) {
		e := newEvents()
		must(t, e.Open(ctx, "s", ""))
		for range 100_000 {
			must(t, e.Append(ctx, "s", "", nil))
		}
		if kept := len(e.sessions["s"].Value.(*kept).streams[""].data); kept > maxSessionEvents/eventOverhead {
			t.Errorf("%d events are kept", kept)
		}
	})
	t.Run("a session keeps its latest streams only, and its own", func(t *testing.T) {
		e := newEvents()
		must(t, e.Open(ctx, "s", ""))
		for i := range 100 {
			must(t, e.Open(ctx, "s", fmt.Sprint(i)))
			must(t, e.Append(ctx, "s", fmt.Sprint(i), []byte("x")))
		}
		k := e.sessions["s"].Value.(*kept)
		if len(k.streams) != maxStreams || k.streams[""] == nil || k.streams["99"] == nil || k.size != (maxStreams-1)*(1+eventOverhead) {
			t.Errorf("%d streams of %d bytes are kept", len(k.streams), k.size)
		}
		if err := e.Append(ctx, "s", "0", nil); err == nil {
			t.Error("a forgotten stream came back")
		}
	})
	t.Run("all sessions together are bounded, and the one silent for longest loses", func(t *testing.T) {
		e := newEvents()
		for i := range 200 {
			session := fmt.Sprint(i)
			must(t, e.Open(ctx, session, ""))
			must(t, e.Append(ctx, session, "", make([]byte, maxSessionEvents/2)))
		}
		if e.size > maxAllEvents {
			t.Errorf("%d bytes are kept", e.size)
		}
		if _, err := after(e, "0", "", -1); err == nil {
			t.Error("the first session lost nothing")
		}
		if _, err := after(e, "199", "", -1); err != nil {
			t.Errorf("the last session: %v", err)
		}
	})
	t.Run("an ended session leaves nothing and does not come back", func(t *testing.T) {
		e := newEvents()
		must(t, e.Open(ctx, "s", ""))
		must(t, e.Append(ctx, "s", "", []byte("x")))
		must(t, e.SessionClosed(ctx, "s"))
		if err := e.Append(ctx, "s", "", []byte("x")); err == nil || e.size != 0 || len(e.sessions) != 0 || e.used.Len() != 0 {
			t.Errorf("%d bytes of %d sessions are kept, %v", e.size, len(e.sessions), err)
		}
	})
}

// TestErrorsOfTheSDKAreOurs rewrites what the SDK says by itself.
func TestErrorsOfTheSDKAreOurs(t *testing.T) {
	for _, row := range []struct{ name, message, want string }{
		{"a call that the SDK gave up on was cancelled", `{"jsonrpc":"2.0","id":1,"error":{"code":0,"message":"context canceled"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"the call was cancelled","data":{"request_id":"r"}}}`},
		{"its own types are not for strangers", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"unmarshal into *mcp.X"}}`,
			`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"the params are not what tools/call takes","data":{"request_id":"r"}}}`},
		{"a result that speaks of errors is left alone", `{"jsonrpc":"2.0","id":1,"result":{"error":{"code":0}}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"error":{"code":0}}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, code := withRequestID([]byte(row.message), "tools/call", "r")
			if string(got) != row.want || (code != 0) != strings.Contains(row.want, "request_id") {
				t.Errorf("got %s, code %d", got, code)
			}
		})
	}
}
